/* HELLO, WELCOME, REQUEST, REPLY on their way out. */
#include <sodium.h>
#include <string.h>

#include "common/os/clock.h"
#include "timesyncd/link.h"
#include "timesyncd/packet.h"

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
	if (!udp_send(link->peers->fd, packet, TIMEPACKET_BYTES, &link->address,
		      link->address_bytes, stamped))
		return;
	link->peers->counters.packets_out++;
	link->peers->departures_due += stamped;
}

void sending_hello(struct peer_link *link)
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

void sending_welcome(struct peer_link *link, const struct timepacket_head *to)
{
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head =
		head_for(link, TIMEPACKET_WELCOME, to->from_boot, to->nonce);

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

void sending_request(struct peer_link *link)
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
	departures_take(link->peers);
}

/* A question of ours that it answered, unless our clock broke since. */
static void tell_asked(struct peer_link *link, struct packet_answer *answer)
{
	const struct link_asked *told = &link->told;
	int64_t elapsed_ns = told->t4_ns - told->t1_ns;

	if (told->nonce != 0 && elapsed_ns >= 0 && elapsed_ns <= UINT32_MAX &&
	    told->disruptions == answer->clock.disruptions) {
		answer->asked_nonce = told->nonce;
		answer->asked_t1_ns = told->t1_ns;
		answer->asked_elapsed_ns = (uint32_t)elapsed_ns;
	}
	link->told.nonce = 0;
}

static void remember_served(struct peer_link *link, uint64_t nonce,
			    const struct packet_answer *answer)
{
	link->served[link->served_next++ % LINK_SERVED] = (struct link_served){
		.nonce = nonce,
		.t2_ns = answer->t2_ns,
		.t3_ns = answer->t3_ns,
	};
}

void sending_reply(struct peer_link *link,
		   const struct timepacket_head *request, int64_t t2_ns)
{
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head =
		head_for(link, TIMEPACKET_REPLY, link->boot, request->nonce);
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
	tell_asked(link, &answer);

	answer.t3_ns = clock_raw_ns();
	link->answered_t3_ns = answer.t3_ns;
	remember_served(link, request->nonce, &answer);
	answer.cluster_ns = cluster_now_ns(&answer.clock, answer.t3_ns);
	packet_reply(packet, &head, &answer);
	auth_seal(&link->auth, &head, packet);
	transmit(link, packet, link->peers->kernel_stamps);
	departures_take(link->peers);
}
