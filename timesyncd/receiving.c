/* Packets in: checked from cheap to dear, then each kind's turn. */
#include <string.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "timesyncd/link.h"
#include "timesyncd/packet.h"

/* HELLOs on the hint of somebody else's packet: not more often than this. */
#define HINT_GAP_NS (50 * NS_PER_MS)

/* Its boot id is not the one we know: find out, by a nonce of ours. */
static void follow_hint(struct peer_link *link)
{
	int64_t raw_ns = clock_raw_ns();

	if (link->hello_ns == 0 || raw_ns - link->hello_ns >= HINT_GAP_NS)
		sending_hello(link);
}

static bool knows(const struct peer_link *link,
		  const struct timepacket_head *head)
{
	return link->boot_known &&
	       memcmp(link->boot, head->from_boot, sizeof(link->boot)) == 0;
}

static bool is_for_this_boot(const struct peers *peers,
			     const struct timepacket_head *head)
{
	return memcmp(peers->boot, head->to_boot, sizeof(peers->boot)) == 0;
}

static void on_hello(struct peer_link *link, const struct timepacket_head *head)
{
	/* Before the WELCOME: then we know it when its REQUEST arrives. */
	if (!knows(link, head))
		follow_hint(link);
	sending_welcome(link, head);
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
	sending_reply(link, head, t2_ns);
}

static void learn_boot(struct peer_link *link,
		       const struct timepacket_head *head)
{
	if (knows(link, head))
		return;
	memcpy(link->boot, head->from_boot, sizeof(link->boot));
	link->boot_known = true;
	link_forget_exchanges(link);
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
		sending_request(link);
}

void receiving_end(struct peer_link *link)
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

/* The answer tells what its sender saw of a question of its own: with what we
 * saw of that, an exchange. Each counts once; nonces are its own, random. */
static void learn_served(struct peer_link *link,
			 const struct packet_answer *answer,
			 const struct timesync_exchange *exchange)
{
	const struct peers_host *host = &link->peers->host;
	struct timesync_exchange theirs = *exchange;

	for (uint32_t i = 0; i < LINK_SERVED && answer->asked_nonce != 0; i++) {
		struct link_served *served = &link->served[i];

		if (served->nonce != answer->asked_nonce)
			continue;
		served->nonce = 0;
		theirs.t1_ns = answer->asked_t1_ns;
		theirs.t2_ns = served->t2_ns;
		theirs.t3_ns = served->t3_ns;
		theirs.t4_ns = units_add_sat(answer->asked_t1_ns,
					     answer->asked_elapsed_ns);
		if (host->served != NULL)
			host->served(host->ctx, &theirs);
	}
}

/* To be told with our next answer: of several since the last the fastest. */
static void remember_asked(struct peer_link *link, uint64_t nonce,
			   const struct timesync_exchange *exchange)
{
	const struct peers_host *host = &link->peers->host;
	const struct link_asked asked = {
		.nonce = nonce,
		.t1_ns = exchange->t1_ns,
		.t4_ns = exchange->t4_ns,
		.delay_ns = link->rtt_ns,
		.disruptions = host->clock(host->ctx)->disruptions,
	};

	if (link->told.nonce == 0 ||
	    link->told.disruptions != asked.disruptions ||
	    asked.delay_ns <= link->told.delay_ns)
		link->told = asked;
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
	receiving_end(link);
	exchange.t2_ns = answer.t2_ns;
	exchange.t3_ns = answer.t3_ns;
	exchange.server_clock = answer.clock;
	exchange.server_hears = answer.hears;
	memcpy(&exchange.server_boot, head->from_boot,
	       sizeof(exchange.server_boot));
	refine(link, &answer);
	learn_served(link, &answer, &exchange);
	link->last_nonce = head->nonce;
	link->last = exchange;
	link->rtt_ns = (t4_ns - exchange.t1_ns) - (answer.t3_ns - answer.t2_ns);
	peers->host.replied(peers->host.ctx, &exchange);
	remember_asked(link, head->nonce, &exchange);
}

/* Answers must be awaited, questions must be few: both are cheap to see, and
 * come before the MAC. */
static bool is_worth_checking(struct peer_link *link,
			      const struct timepacket_head *head)
{
	struct peers_counters *counters = &link->peers->counters;
	bool awaited =
		head->nonce != 0 && (head->nonce == link->request_nonce ||
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

void receiving_arrival(struct peers *peers, const struct udp_datagram *datagram)
{
	struct stamps now;
	int64_t arrival_ns;

	stamps_read(&now);
	(void)stamps_arrival(&peers->last, &now, datagram->wall_stamp_ns,
			     &arrival_ns);
	dispatch(peers, datagram, arrival_ns, &now);
	peers->last = now;
}
