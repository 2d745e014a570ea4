/* When the kernel sent what we sent, out of the socket's error queue. */
#include "common/os/clock.h"
#include "timesyncd/link.h"

/* Never late, so it may stand for T3; and never before it was read. */
static void note_answer_departed(struct peer_link *link, int64_t wall_ns)
{
	struct stamps now;
	int64_t departed_ns;

	stamps_read(&now);
	if (!stamps_departure(&link->peers->last, &now, wall_ns,
			      &departed_ns) ||
	    departed_ns <= link->answered_t3_ns || departed_ns >= now.raw_ns)
		return;
	link->answered_departed_ns = departed_ns;
	for (uint32_t i = 0; i < LINK_SERVED; i++)
		if (link->served[i].nonce == link->answered_nonce)
			link->served[i].t3_ns = departed_ns;
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

/* Looked for only while some are due: there are systems where a look into an
 * empty error queue takes an arrival, which may be a request, which is
 * answered, whose stamp is due: the loop outside takes that, too. */
void departures_take(struct peers *peers)
{
	struct udp_datagram datagram;

	if (peers->taking_departures)
		return;
	peers->taking_departures = true;
	while (peers->departures_due > 0 &&
	       udp_departure(peers->fd, &datagram) == RFS_ERR_OK) {
		if (!datagram.departed) {
			receiving_arrival(peers, &datagram);
			continue;
		}
		peers->departures_due--;
		take_departure(peers, &datagram);
	}
	peers->taking_departures = false;
}
