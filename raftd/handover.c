/* When a leader should go, and to whom. */
#include "raftd/handover.h"

void handover_init(struct handover *handover, int64_t now_raw_ns)
{
	*handover = (struct handover){
		.unserved_since_raw_ns = now_raw_ns,
		.again_raw_ns = now_raw_ns,
	};
}

void handover_note(struct handover *handover, bool disk_full, bool served,
		   int64_t now_raw_ns)
{
	handover->disk_full = disk_full;
	if (handover->served && !served)
		handover->unserved_since_raw_ns = now_raw_ns;
	handover->served = served;
}

bool handover_is_fit(const struct handover *handover, int64_t now_raw_ns)
{
	bool unserved_long = !handover->served &&
			     now_raw_ns - handover->unserved_since_raw_ns >
				     HANDOVER_UNSERVED_NS;

	return !handover->disk_full && !unserved_long;
}

uint32_t handover_successor(const struct raft_view *view, uint32_t self,
			    const bool *connected, int64_t now_raw_ns)
{
	uint32_t best = RAFT_NOBODY;
	uint64_t best_match = 0;

	for (uint32_t i = 0; i < view->peer_count; i++) {
		const struct raft_peer_view *peer = &view->peers[i];
		bool alive = connected[i] && peer->last_heard_raw_ns > 0 &&
			     now_raw_ns - peer->last_heard_raw_ns <
				     2 * view->election_timeout_ns;

		if (peer->id == self || !peer->voter || !alive ||
		    (best != RAFT_NOBODY && peer->match_index <= best_match))
			continue;
		best = peer->id;
		best_match = peer->match_index;
	}
	return best;
}

uint32_t handover_due(struct handover *handover, const struct raft_view *view,
		      uint32_t self, const bool *connected, int64_t now_raw_ns)
{
	uint32_t to;

	if (view->role != RAFT_LEADER || now_raw_ns < handover->again_raw_ns ||
	    handover_is_fit(handover, now_raw_ns))
		return RAFT_NOBODY;
	to = handover_successor(view, self, connected, now_raw_ns);
	if (to != RAFT_NOBODY)
		handover->again_raw_ns = now_raw_ns + HANDOVER_AGAIN_NS;
	return to;
}
