/* One socket, all peers: HELLO, WELCOME, REQUEST, REPLY. */
#include "timesyncd/peers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/address.h"
#include "timesyncd/auth.h"
#include "timesyncd/packet.h"
#include "timesyncd/udp.h"

/* A burst is 8 exchanges and their HELLOs; nodes in a burst ask 100 times a
 * second at most. */
#define BUCKET_CAPACITY	  64
#define BUCKET_PER_SECOND 200
/* HELLOs on the hint of somebody else's packet: not more often than this. */
#define HINT_GAP_NS (50 * NS_PER_MS)
/* A peer that does not know our boot id yet is asking for it right now. */
#define RETRY_S 0.005
/* Of one wake-up: then let the timers have their turn. */
#define DATAGRAMS_PER_WAKEUP 64

struct peer_link {
	struct peers *peers;
	uint32_t id;
	struct sockaddr_storage address;
	socklen_t address_bytes;
	struct auth auth;
	uint8_t boot[TIMEPACKET_BOOT_BYTES];
	bool boot_known;
	struct replay replay;
	struct bucket bucket;

	bool asked; /* an exchange is under way */
	uint64_t hello_nonce, request_nonce; /* 0: none awaited */
	int64_t hello_ns, t1_ns;
	int64_t departed_wall_ns; /* kernel's stamp of the request; 0: none */
	int64_t rtt_ns;

	/* Our last answer to it, and when the kernel sent that. */
	uint64_t answered_nonce; /* 0: none, or its stamp was told */
	int64_t answered_t3_ns;
	int64_t answered_departed_ns; /* 0: not known (yet) */
	/* Its last answer to us. */
	uint64_t last_nonce; /* 0: none, or nothing better to learn of it */
	struct timesync_exchange last;
	ev_timer timeout, retry;
};

struct peers {
	struct ev_loop *loop;
	struct peers_host host;
	int fd;
	ev_io readable;
	bool kernel_stamps;
	uint32_t departures_due; /* stamps that have not come back yet */
	bool taking_departures;
	struct stamps last; /* cross-reading of the packet before */
	uint32_t self;
	uint8_t boot[TIMEPACKET_BOOT_BYTES];
	uint64_t counter;
	struct peer_link *links[CONFIG_NODES_MAX];
	uint32_t count;
	struct peers_counters counters;
};

static void take_departures(struct peers *peers);

/* -- sending ------------------------------------------------------------- */

static uint64_t new_nonce(void)
{
	uint64_t nonce;

	do
		randombytes_buf(&nonce, sizeof(nonce));
	while (nonce == 0);
	return nonce;
}

static struct timepacket_head head_for(struct peer_link *link,
				       enum timepacket_kind kind,
				       const uint8_t *to_boot, uint64_t nonce)
{
	struct peers *peers = link->peers;
	struct timepacket_head head = {
		.kind = (uint8_t)kind,
		.from = peers->self,
		.to = link->id,
		.counter = ++peers->counter,
		.nonce = nonce,
	};

	memcpy(head.from_boot, peers->boot, sizeof(head.from_boot));
	if (to_boot != NULL)
		memcpy(head.to_boot, to_boot, sizeof(head.to_boot));
	return head;
}

static void transmit(struct peer_link *link, const uint8_t *packet,
		     bool stamped)
{
	if (!udp_send(link->peers->fd, packet, TIMEPACKET_BYTES,
		      &link->address, link->address_bytes, stamped))
		return;
	link->peers->counters.packets_out++;
	link->peers->departures_due += stamped;
}

static void send_hello(struct peer_link *link)
{
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head;

	link->hello_nonce = new_nonce();
	link->hello_ns = clock_raw_ns();
	head = head_for(link, TIMEPACKET_HELLO, NULL, link->hello_nonce);
	packet_bare(packet, &head);
	auth_seal(&link->auth, &head, packet);
	transmit(link, packet, false);
}

static void send_welcome(struct peer_link *link,
			 const struct timepacket_head *to)
{
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head = head_for(link, TIMEPACKET_WELCOME,
					       to->from_boot, to->nonce);

	packet_bare(packet, &head);
	auth_seal(&link->auth, &head, packet);
	transmit(link, packet, false);
}

static int64_t cluster_now_ns(const struct timesync_clock *clock,
			      int64_t raw_ns)
{
	struct interval at = timesync_clock_at(clock, raw_ns);

	if (interval_is_empty(at))
		return 0;
	return at.low_ns + (at.high_ns - at.low_ns) / 2;
}

static void send_request(struct peer_link *link)
{
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head;
	const struct peers_host *host = &link->peers->host;

	link->request_nonce = new_nonce();
	head = head_for(link, TIMEPACKET_REQUEST, link->boot,
			link->request_nonce);
	packet_request(packet, &head,
		       cluster_now_ns(host->clock(host->ctx), clock_raw_ns()));
	auth_seal(&link->auth, &head, packet);
	/* Last: T1 is not in the packet, so its making costs no accuracy. */
	link->departed_wall_ns = 0;
	link->t1_ns = clock_raw_ns();
	transmit(link, packet, link->peers->kernel_stamps);
	/* Most drivers stamp while sending. Later it may be too late: there
	 * are systems that stamp when they are asked. */
	take_departures(link->peers);
}

static void send_reply(struct peer_link *link,
		       const struct timepacket_head *request, int64_t t2_ns)
{
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head = head_for(link, TIMEPACKET_REPLY,
					       link->boot, request->nonce);
	const struct peers_host *host = &link->peers->host;
	struct packet_answer answer = {
		.t2_ns = t2_ns,
		.rtt_ns = link->rtt_ns,
		.clock = *host->clock(host->ctx),
		.hears = host->hears != NULL ? host->hears(host->ctx) : 0,
	};

	if (link->answered_departed_ns != 0) {
		answer.previous_nonce = link->answered_nonce;
		answer.previous_t3_ns = link->answered_departed_ns;
	}
	link->answered_nonce = request->nonce;
	link->answered_departed_ns = 0;

	answer.t3_ns = clock_raw_ns();
	link->answered_t3_ns = answer.t3_ns;
	answer.cluster_ns = cluster_now_ns(&answer.clock, answer.t3_ns);
	packet_reply(packet, &head, &answer);
	auth_seal(&link->auth, &head, packet);
	transmit(link, packet, link->peers->kernel_stamps);
	take_departures(link->peers);
}

/* Its boot id is not the one we know: find out, by a nonce of ours. */
static void follow_hint(struct peer_link *link)
{
	int64_t raw_ns = clock_raw_ns();

	if (link->hello_ns == 0 || raw_ns - link->hello_ns >= HINT_GAP_NS)
		send_hello(link);
}

/* -- receiving ----------------------------------------------------------- */

static bool knows(const struct peer_link *link,
		  const struct timepacket_head *head)
{
	return link->boot_known && memcmp(link->boot, head->from_boot,
					  sizeof(link->boot)) == 0;
}

static bool is_for_this_boot(const struct peers *peers,
			     const struct timepacket_head *head)
{
	return memcmp(peers->boot, head->to_boot, sizeof(peers->boot)) == 0;
}

static void on_hello(struct peer_link *link,
		     const struct timepacket_head *head)
{
	/* Before the WELCOME: then we know it when its REQUEST arrives. */
	if (!knows(link, head))
		follow_hint(link);
	send_welcome(link, head);
}

static void on_request(struct peer_link *link,
		       const struct timepacket_head *head,
		       const uint8_t *packet, int64_t t2_ns)
{
	struct peers *peers = link->peers;

	if (!knows(link, head) || !is_for_this_boot(peers, head)) {
		on_hello(link, head);
		return;
	}
	if (!replay_accept(&link->replay, head->counter)) {
		peers->counters.refused_replay++;
		return;
	}
	if (packet_parse_request(packet, head) != RFS_ERR_OK) {
		peers->counters.refused_other++;
		return;
	}
	send_reply(link, head, t2_ns);
}

static void learn_boot(struct peer_link *link,
		       const struct timepacket_head *head)
{
	if (knows(link, head))
		return;
	memcpy(link->boot, head->from_boot, sizeof(link->boot));
	link->boot_known = true;
	link->answered_nonce = 0;
	link->answered_departed_ns = 0;
	link->last_nonce = 0;
	replay_reset(&link->replay);
}

static void on_welcome(struct peer_link *link,
		       const struct timepacket_head *head)
{
	bool to_request = head->nonce == link->request_nonce;
	bool known = knows(link, head);

	if (to_request)
		link->request_nonce = 0;
	else
		link->hello_nonce = 0;
	learn_boot(link, head);
	if (!link->asked)
		return;
	/* A WELCOME from a boot we knew: it is us who are not known there. */
	if (to_request && known)
		ev_timer_again(link->peers->loop, &link->retry);
	else if (link->request_nonce == 0)
		send_request(link);
}

static void end_exchange(struct peer_link *link)
{
	link->asked = false;
	link->request_nonce = 0;
	ev_timer_stop(link->peers->loop, &link->timeout);
	ev_timer_stop(link->peers->loop, &link->retry);
}

/* T1: as we sent it, or later, when the kernel says when it left. */
static int64_t departure_ns(const struct peer_link *link,
			    const struct stamps *last, const struct stamps *now)
{
	int64_t kernel_ns;

	if (stamps_departure(last, now, link->departed_wall_ns, &kernel_ns) &&
	    kernel_ns > link->t1_ns && kernel_ns < now->raw_ns)
		return kernel_ns;
	return link->t1_ns;
}

/* The answer says when the one before it really left. Lost, late and repeated
 * ones do not match: nonces are random, and each is used once. */
static void refine(struct peer_link *link, const struct packet_answer *answer)
{
	const struct peers_host *host = &link->peers->host;
	bool matches = link->last_nonce != 0 &&
		       link->last_nonce == answer->previous_nonce;

	link->last_nonce = 0;
	if (!matches || host->refined == NULL ||
	    answer->previous_t3_ns <= link->last.t3_ns ||
	    answer->previous_t3_ns >= answer->t2_ns)
		return;
	link->last.t3_ns = answer->previous_t3_ns;
	host->refined(host->ctx, &link->last);
}

static void on_reply(struct peer_link *link, const struct timepacket_head *head,
		     const uint8_t *packet, int64_t t4_ns,
		     const struct stamps *now)
{
	struct peers *peers = link->peers;
	struct timesync_exchange exchange = {
		.peer = link->id,
		.t1_ns = departure_ns(link, &peers->last, now),
		.t4_ns = t4_ns,
	};
	struct packet_answer answer;

	if (!knows(link, head) ||
	    packet_parse_reply(packet, head, &answer) != RFS_ERR_OK) {
		peers->counters.refused_other++;
		return;
	}
	end_exchange(link);
	exchange.t2_ns = answer.t2_ns;
	exchange.t3_ns = answer.t3_ns;
	exchange.server_clock = answer.clock;
	exchange.server_hears = answer.hears;
	memcpy(&exchange.server_boot, head->from_boot,
	       sizeof(exchange.server_boot));
	refine(link, &answer);
	link->last_nonce = head->nonce;
	link->last = exchange;
	link->rtt_ns =
		(t4_ns - exchange.t1_ns) - (answer.t3_ns - answer.t2_ns);
	peers->host.replied(peers->host.ctx, &exchange);
}

static struct peer_link *link_by_id(struct peers *peers, uint32_t id)
{
	for (uint32_t i = 0; i < peers->count; i++)
		if (peers->links[i]->id == id)
			return peers->links[i];
	return NULL;
}

/* Answers must be awaited, questions must be few: both are cheap to see, and
 * come before the MAC. */
static bool is_worth_checking(struct peer_link *link,
			      const struct timepacket_head *head)
{
	struct peers_counters *counters = &link->peers->counters;
	bool awaited = head->nonce != 0 &&
		       (head->nonce == link->request_nonce ||
			(head->nonce == link->hello_nonce &&
			 head->kind == TIMEPACKET_WELCOME));

	if (head->kind == TIMEPACKET_REPLY ||
	    head->kind == TIMEPACKET_WELCOME) {
		if (!awaited || !is_for_this_boot(link->peers, head))
			counters->refused_replay++;
		return awaited && is_for_this_boot(link->peers, head);
	}
	if (!bucket_take(&link->bucket, clock_raw_ns())) {
		counters->refused_rate++;
		return false;
	}
	return true;
}

static void dispatch(struct peers *peers, const struct udp_datagram *datagram,
		     int64_t arrival_ns, const struct stamps *now)
{
	struct timepacket_head head;
	struct peer_link *link;

	peers->counters.packets_in++;
	if (timepacket_head_decode(datagram->data, datagram->bytes, &head) !=
		    RFS_ERR_OK ||
	    head.to != peers->self ||
	    (link = link_by_id(peers, head.from)) == NULL ||
	    !udp_same_address(&datagram->from, &link->address)) {
		peers->counters.refused_other++;
		return;
	}
	if (!is_worth_checking(link, &head))
		return;
	if (auth_check(&link->auth, &head, datagram->data) != RFS_ERR_OK) {
		peers->counters.refused_mac++;
		return;
	}
	switch ((enum timepacket_kind)head.kind) {
	case TIMEPACKET_HELLO:
		on_hello(link, &head);
		break;
	case TIMEPACKET_WELCOME:
		on_welcome(link, &head);
		break;
	case TIMEPACKET_REQUEST:
		on_request(link, &head, datagram->data, arrival_ns);
		break;
	case TIMEPACKET_REPLY:
		on_reply(link, &head, datagram->data, arrival_ns, now);
		break;
	}
}

/* Never late, so it may stand for T3; and never before it was read. */
static void note_answer_departed(struct peer_link *link, int64_t wall_ns)
{
	struct stamps now;
	int64_t departed_ns;

	stamps_read(&now);
	if (stamps_departure(&link->peers->last, &now, wall_ns, &departed_ns) &&
	    departed_ns > link->answered_t3_ns && departed_ns < now.raw_ns)
		link->answered_departed_ns = departed_ns;
}

/* Departure stamps come back with the packet, and are told apart by its nonce:
 * no count of ours and the kernel's can get out of step. */
static void take_departure(struct peers *peers,
			   const struct udp_datagram *datagram)
{
	struct timepacket_head head;
	struct peer_link *link;
	size_t before;

	if (datagram->bytes < TIMEPACKET_BYTES)
		return;
	before = datagram->bytes - TIMEPACKET_BYTES;
	if (timepacket_head_decode(datagram->data + before, TIMEPACKET_BYTES,
				   &head) != RFS_ERR_OK)
		return;
	link = link_by_id(peers, head.to);
	if (link == NULL)
		return;
	if (head.kind == TIMEPACKET_REQUEST &&
	    head.nonce == link->request_nonce)
		link->departed_wall_ns = datagram->wall_stamp_ns;
	if (head.kind == TIMEPACKET_REPLY && head.nonce == link->answered_nonce)
		note_answer_departed(link, datagram->wall_stamp_ns);
}

static void take_arrival(struct peers *peers,
			 const struct udp_datagram *datagram)
{
	struct stamps now;
	int64_t arrival_ns;

	stamps_read(&now);
	(void)stamps_arrival(&peers->last, &now, datagram->wall_stamp_ns,
			     &arrival_ns);
	dispatch(peers, datagram, arrival_ns, &now);
	peers->last = now;
}

/* Looked for only while some are due: there are systems where a look into an
 * empty error queue takes an arrival, which may be a request, which is
 * answered, whose stamp is due: the loop outside takes that, too. */
static void take_departures(struct peers *peers)
{
	struct udp_datagram datagram;

	if (peers->taking_departures)
		return;
	peers->taking_departures = true;
	while (peers->departures_due > 0 &&
	       udp_departure(peers->fd, &datagram) == RFS_ERR_OK) {
		if (!datagram.departed) {
			take_arrival(peers, &datagram);
			continue;
		}
		peers->departures_due--;
		take_departure(peers, &datagram);
	}
	peers->taking_departures = false;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct peers *peers = io->data;

	uint64_t before = peers->counters.packets_in;

	(void)loop;
	(void)events;
	take_departures(peers);
	for (int i = 0; i < DATAGRAMS_PER_WAKEUP; i++) {
		struct udp_datagram datagram;

		if (udp_receive(peers->fd, &datagram) != RFS_ERR_OK)
			break;
		take_arrival(peers, &datagram);
	}
	/* Woken for nothing: it was the error queue, whatever our count. */
	if (peers->counters.packets_in == before && peers->departures_due == 0)
		peers->departures_due = 1;
}

/* -- asking -------------------------------------------------------------- */

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct peer_link *link = timer->data;
	struct peers *peers = link->peers;

	(void)loop;
	(void)events;
	end_exchange(link);
	peers->host.timed_out(peers->host.ctx, link->id);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct peer_link *link = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	if (link->asked)
		send_request(link);
}

void peers_ask(struct peers *peers, uint32_t peer, int64_t timeout_ns)
{
	struct peer_link *link = link_by_id(peers, peer);

	CHECK(link != NULL);
	CHECK(!link->asked);
	link->asked = true;
	ev_now_update(peers->loop);
	link->timeout.repeat = (double)timeout_ns / 1e9;
	ev_timer_again(peers->loop, &link->timeout);
	if (link->boot_known)
		send_request(link);
	else
		send_hello(link);
}

/* -- life ---------------------------------------------------------------- */

static void free_link(struct peer_link *link)
{
	if (link == NULL)
		return;
	ev_timer_stop(link->peers->loop, &link->timeout);
	ev_timer_stop(link->peers->loop, &link->retry);
	auth_fini(&link->auth);
	free(link);
}

static enum rfs_err new_link(struct peers *peers, const struct config *config,
			     const struct config_node *node,
			     const struct node_key *key,
			     struct peer_link **out)
{
	struct peer_link *link = calloc(1, sizeof(*link));

	if (link == NULL) {
		log_error("peers: out of memory");
		return RFS_ERR_NOMEM;
	}
	link->peers = peers;
	link->id = node->id;
	ev_init(&link->timeout, on_timeout);
	link->timeout.data = link;
	ev_init(&link->retry, on_retry);
	link->retry.repeat = RETRY_S;
	link->retry.data = link;
	bucket_init(&link->bucket, BUCKET_CAPACITY, BUCKET_PER_SECOND,
		    clock_raw_ns());
	if (!address_parse(node->address, node->time_port, &link->address,
			   &link->address_bytes)) {
		log_error("node %s: %s is not an address", node->name,
			  node->address);
		free_link(link);
		return RFS_ERR_INVALID;
	}
	if (auth_init(&link->auth, key, node->key, config->cluster_id) !=
	    RFS_ERR_OK) {
		log_error("node %s: its public key is not a key", node->name);
		free_link(link);
		return RFS_ERR_INVALID;
	}
	*out = link;
	return RFS_ERR_OK;
}

/* Another key is another machine's: nothing learnt of the old one holds. A
 * request under way ends by its timeout. */
static void readdress(struct peer_link *link, const struct peer_link *as)
{
	link->address = as->address;
	link->address_bytes = as->address_bytes;
	if (auth_same(&link->auth, &as->auth))
		return;
	link->auth = as->auth;
	link->boot_known = false;
	link->last_nonce = 0;
	link->answered_departed_ns = 0;
	link->hello_nonce = 0;
	link->request_nonce = 0;
	link->hello_ns = 0;
	replay_reset(&link->replay);
}

/* The link that was there before, as the new one says; NULL: there was none. */
static struct peer_link *reuse(struct peers *peers, const struct peer_link *as)
{
	for (uint32_t i = 0; i < peers->count; i++) {
		struct peer_link *link = peers->links[i];

		if (link->id != as->id)
			continue;
		readdress(link, as);
		peers->links[i] = peers->links[--peers->count];
		return link;
	}
	return NULL;
}

enum rfs_err peers_configure(struct peers *peers, const struct config *config,
			     const struct node_key *key)
{
	struct peer_link *links[CONFIG_NODES_MAX] = { NULL };
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->node_count; i++) {
		enum rfs_err err;

		if (config->nodes[i].id == peers->self)
			continue;
		err = new_link(peers, config, &config->nodes[i], key,
			       &links[count]);
		if (err != RFS_ERR_OK) {
			while (count > 0)
				free_link(links[--count]);
			return err;
		}
		count++;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct peer_link *known = reuse(peers, links[i]);

		if (known == NULL)
			continue;
		free_link(links[i]);
		links[i] = known;
	}
	while (peers->count > 0)
		free_link(peers->links[--peers->count]);
	memcpy(peers->links, links, count * sizeof(links[0]));
	peers->count = count;
	return RFS_ERR_OK;
}

struct peers *peers_new(struct ev_loop *loop, const struct config *config,
			const struct node_key *key,
			const struct peers_host *host)
{
	const struct config_node *self = config_self(config);
	struct peers *peers = calloc(1, sizeof(*peers));

	if (peers == NULL) {
		log_error("peers: out of memory");
		return NULL;
	}
	peers->loop = loop;
	peers->host = *host;
	peers->self = self->id;
	randombytes_buf(peers->boot, sizeof(peers->boot));
	stamps_read(&peers->last);
	peers->fd = udp_open(self->address, self->time_port,
			     &peers->kernel_stamps);
	if (peers->fd < 0 ||
	    peers_configure(peers, config, key) != RFS_ERR_OK) {
		peers_free(peers);
		return NULL;
	}
	ev_io_init(&peers->readable, on_readable, peers->fd, EV_READ);
	peers->readable.data = peers;
	ev_io_start(loop, &peers->readable);
	return peers;
}

void peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	while (peers->count > 0)
		free_link(peers->links[--peers->count]);
	if (ev_is_active(&peers->readable))
		ev_io_stop(peers->loop, &peers->readable);
	if (peers->fd >= 0)
		close(peers->fd);
	free(peers);
}

const struct peers_counters *peers_counters(const struct peers *peers)
{
	return &peers->counters;
}

bool peers_kernel_stamps(const struct peers *peers)
{
	return peers->kernel_stamps;
}
