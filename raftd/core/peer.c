/* What is known of each other node, kept while memberships come and go. */
#include "raftd/core/internal.h"

#include <string.h>

#include "common/check.h"

struct peer *peer_find(struct raft *raft, uint32_t id)
{
	for (uint32_t i = 0; i < raft->peer_count; i++)
		if (raft->peers[i].id == id)
			return &raft->peers[i];
	return NULL;
}

bool peer_is_served(const struct raft *raft, uint32_t at)
{
	const struct peer *peer = &raft->peers[at];

	return peer->id != raft->config.self &&
	       (at < raft->members.count || peer->left_index != 0);
}

/* Heard of just now, and nothing known. */
static struct peer peer_fresh(const struct raft *raft, uint32_t id)
{
	return (struct peer){
		.id = id,
		.heard_raw_ns = raft->now.raw_ns,
		.progress = { .state = PROGRESS_PROBE,
			      .next_index = log_last_index(&raft->log) + 1 },
	};
}

/* Of those who are no members, the one not heard for the longest; who is still
 * being told of its leaving, and our leader, only if there is nobody else. */
static uint32_t peer_least_wanted(const struct raft *raft)
{
	uint32_t least = raft->members.count;
	bool least_kept = true;

	for (uint32_t i = raft->members.count; i < raft->peer_count; i++) {
		const struct peer *peer = &raft->peers[i];
		bool kept = peer->left_index != 0 || peer->id == raft->leader;

		if (kept && !least_kept)
			continue;
		if ((!kept && least_kept) ||
		    peer->heard_raw_ns < raft->peers[least].heard_raw_ns)
			least = i;
		least_kept = least_kept && kept;
	}
	return least;
}

struct peer *peer_meet(struct raft *raft, uint32_t id)
{
	struct peer *peer = peer_find(raft, id);

	CHECK(id != RAFT_NOBODY);
	if (peer)
		return peer;
	if (raft->peer_count == RAFT_PEERS_MAX)
		peer = &raft->peers[peer_least_wanted(raft)];
	else
		peer = &raft->peers[raft->peer_count++];
	*peer = peer_fresh(raft, id);
	return peer;
}

void peers_arrange(struct raft *raft)
{
	struct peer arranged[PEERS_MAX];
	uint32_t count = 0;

	CHECK(raft->peer_count <= RAFT_PEERS_MAX);
	for (uint32_t i = 0; i < raft->members.count; i++) {
		uint32_t id = raft->members.ids[i];
		const struct peer *known = peer_find(raft, id);

		arranged[count++] = known ? *known : peer_fresh(raft, id);
	}
	for (uint32_t i = 0; i < raft->peer_count; i++)
		if (members_position(&raft->members, raft->peers[i].id) ==
		    MEMBERS_NONE)
			arranged[count++] = raft->peers[i];
	memcpy(raft->peers, arranged, count * sizeof(*arranged));
	for (raft->peer_count = count; raft->peer_count > RAFT_PEERS_MAX;)
		raft->peers[peer_least_wanted(raft)] =
			raft->peers[--raft->peer_count];
}
