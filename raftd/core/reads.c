/* Linearizable reads: by lease at no message, else by ReadIndex.
 *
 *   R1  a leader whose last committed entry is surely younger than the D of
 *	 that entry answers at its commit index; it may be an earlier leader's
 *   R2  in that last case only what no unsettled inherited command may change:
 *	 who knows which (storaged) sees the lease and how far limbo reaches;
 *	 a read asked here, whose keys we cannot know, waits
 *   F1  otherwise a quorum must answer a round begun after the read arrived,
 *	 and an entry of our own term must be committed (thesis 6.4)
 *   I10 once the lease is given up only entries after that give a new one
 *   E1  a read that finds the lease past its half, and nothing in flight,
 *	 renews it by an entry; an idle cluster appends nothing
 *
 * Reads wait in the order they came. Their rounds never fall along the queue,
 * and the parked ones (no own-term entry yet) become due together.
 */
#include "raftd/core/internal.h"

#include <string.h>

#include "common/check.h"
#include "common/units.h"

static bool reads_own_term_committed(const struct raft *raft)
{
	return raft->commit_index >= raft->term_first_index;
}

uint64_t reads_limbo(const struct raft *raft)
{
	if (raft->role != RAFT_LEADER || reads_own_term_committed(raft) ||
	    raft->limbo_last_command <= raft->commit_index)
		return 0;
	return raft->limbo_last_command;
}

static bool reads_lease_possible(const struct raft *raft)
{
	return raft->role == RAFT_LEADER && raft->now.usable &&
	       raft->transfer_to == RAFT_NOBODY &&
	       raft->commit_index > raft->relinquished_index;
}

bool reads_lease_until(const struct raft *raft, int64_t *until_raw_ns)
{
	uint64_t commit = raft->commit_index;
	int64_t duration_ns = setting_at(raft, commit).duration_ns;
	int64_t until;

	if (duration_ns == 0 || !reads_lease_possible(raft))
		return false;

	struct lease_entry entry = {
		.stamp = log_stamp_at(&raft->log, commit),
		.received_raw_ns = log_received_raw_ns(&raft->log, commit),
	};

	if (reads_own_term_committed(raft))
		until = lease_own_until(entry.received_raw_ns, duration_ns);
	else if (!lease_inherited_until(&raft->clock, &entry, duration_ns,
					raft->now.raw_ns, &until))
		return false;
	if (until < raft->now.raw_ns)
		return false;
	*until_raw_ns = until;
	return true;
}

/* Why a read goes the long way, for the story. */
const char *reads_why_no_lease(const struct raft *raft)
{
	if (raft->role != RAFT_LEADER)
		return "only the leader has one";
	if (setting_at(raft, raft->commit_index).duration_ns == 0)
		return "leases are off";
	if (!raft->now.usable)
		return "no lease without cluster time";
	if (raft->transfer_to != RAFT_NOBODY)
		return "no lease while handing over";
	if (reads_limbo(raft) > 0)
		return "inherited commands are unsettled";
	if (raft->commit_index <= raft->relinquished_index)
		return "lease was given up";
	return "lease is over";
}

static void reads_done(struct raft *raft, uint64_t id, enum rfs_err err,
		       uint64_t index, bool by_lease)
{
	CHECK(raft->read_done_count < RAFT_READS_MAX + 1);
	if (err != RFS_ERR_OK)
		raft_story(raft, "no read  %s", rfs_err_name(err));
	raft->reads_done[raft->read_done_count++] = (struct raft_read_done){
		.id = id,
		.err = err,
		.index = index,
		.by_lease = by_lease,
	};
}

/* To our host, or to the follower that asked. */
static void reads_answer(struct raft *raft, uint32_t from, uint64_t id,
			 enum rfs_err err, uint64_t index, bool by_lease)
{
	if (from == raft->config.self) {
		reads_done(raft, id, err, index, by_lease);
		return;
	}

	struct raft_message *reply =
		raft_send(raft, RAFT_MSG_READ_INDEX_REPLY, from);

	reply->read_index_reply.id = id;
	reply->read_index_reply.err = err;
	reply->read_index_reply.index = index;
}

static struct read *reads_push(struct raft *raft, uint32_t from, uint64_t id)
{
	if (raft->read_count == RAFT_READS_MAX)
		return NULL;

	struct read *read = &raft->reads[raft->read_count++];

	*read = (struct read){ .id = id, .from = from };
	return read;
}

static void reads_pop(struct raft *raft, uint32_t count)
{
	raft->read_count -= count;
	memmove(raft->reads, raft->reads + count,
		raft->read_count * sizeof(*raft->reads));
}

/* A round in flight began before this read came: it needs the next one. */
static void reads_assign(struct raft *raft, struct read *read)
{
	read->index = raft->commit_index;
	read->round = raft->round + 1;
}

/* E1 */
static void reads_extend(struct raft *raft)
{
	uint64_t commit = raft->commit_index;
	int64_t duration_ns = raft->window.lease.duration_ns;

	if (duration_ns == 0 || !raft->now.usable ||
	    raft->transfer_to != RAFT_NOBODY ||
	    !reads_own_term_committed(raft) ||
	    commit != log_last_index(&raft->log) ||
	    !log_has_room(&raft->log, 0))
		return;
	if (commit > raft->relinquished_index &&
	    raft->now.raw_ns - log_received_raw_ns(&raft->log, commit) <=
		    duration_ns / 2)
		return;
	if (raft_append_own(raft, RAFT_ENTRY_EXTEND, NULL, 0) == RFS_ERR_OK)
		raft_story(raft, "renews the lease  entry %llu",
			   (unsigned long long)log_last_index(&raft->log));
}

static void reads_ask_leader(struct raft *raft, uint32_t from, uint64_t id)
{
	int64_t until_ns;

	if (reads_limbo(raft) == 0 && reads_lease_until(raft, &until_ns)) {
		raft->counters.reads_by_lease++;
		raft_story(raft,
			   "lease holds %lld ms more -> local read at commit %llu",
			   (long long)((until_ns - raft->now.raw_ns) /
				       NS_PER_MS),
			   (unsigned long long)raft->commit_index);
		reads_answer(raft, from, id, RFS_ERR_OK, raft->commit_index,
			     true);
		reads_extend(raft);
		return;
	}

	struct read *read = reads_push(raft, from, id);

	if (!read) {
		reads_answer(raft, from, id, RFS_ERR_FULL, 0, false);
		return;
	}
	if (reads_own_term_committed(raft)) {
		raft_story(raft, "%s -> ask quorum", reads_why_no_lease(raft));
		reads_assign(raft, read);
		reads_extend(raft);
	} else {
		raft_story(raft, "%s -> read parked until term %llu commits",
			   reads_why_no_lease(raft),
			   (unsigned long long)raft->term);
	}
}

static void reads_forward(struct raft *raft, uint64_t id)
{
	struct read *read;

	if (raft->leader == RAFT_NOBODY || raft->role != RAFT_FOLLOWER) {
		reads_done(raft, id, RFS_ERR_NOT_LEADER, 0, false);
		return;
	}
	read = reads_push(raft, raft->config.self, id);
	if (!read) {
		reads_done(raft, id, RFS_ERR_FULL, 0, false);
		return;
	}
	read->forwarded = true;
	read->until_raw_ns =
		raft->now.raw_ns + 2 * raft->config.election_timeout_max_ns;
	raft_send(raft, RAFT_MSG_READ_INDEX, raft->leader)->read_index.id = id;
}

void reads_ask(struct raft *raft, uint32_t from, uint64_t id)
{
	if (raft->role == RAFT_LEADER)
		reads_ask_leader(raft, from, id);
	else if (from == raft->config.self)
		reads_forward(raft, id);
	else
		reads_answer(raft, from, id, RFS_ERR_NOT_LEADER, 0, false);
}

void reads_index_receive(struct raft *raft, const struct raft_message *m)
{
	reads_ask(raft, m->from, m->read_index.id);
}

void reads_index_reply_receive(struct raft *raft, const struct raft_message *m)
{
	for (uint32_t i = 0; i < raft->read_count; i++) {
		struct read *read = &raft->reads[i];

		if (!read->forwarded || read->id != m->read_index_reply.id)
			continue;
		if (m->read_index_reply.err == RFS_ERR_OK)
			raft_story(raft, "%u answers -> read at commit %llu",
				   m->from,
				   (unsigned long long)m->read_index_reply.index);
		reads_done(raft, read->id, m->read_index_reply.err,
			   m->read_index_reply.index, false);
		raft->read_count--;
		memmove(read, read + 1, (raft->read_count - i) * sizeof(*read));
		return;
	}
}

static void reads_advance_leader(struct raft *raft)
{
	char voters[MEMBERS_TEXT_MAX];
	uint32_t bits = 0;
	uint64_t confirmed = replicate_round_confirmed(raft);
	uint32_t count = 0;

	if (!reads_own_term_committed(raft))
		return;
	for (uint32_t i = 0; i < raft->read_count && !raft->reads[i].index; i++)
		reads_assign(raft, &raft->reads[i]);
	while (count < raft->read_count && raft->reads[count].round <= confirmed)
		count++;
	for (uint32_t i = 0; i < raft->members.count; i++)
		if (members_votes(&raft->members, i) &&
		    (i == raft->self_position ||
		     raft->peers[i].progress.acked_round >= confirmed))
			bits |= 1u << i;
	for (uint32_t i = 0; i < count; i++) {
		const struct read *read = &raft->reads[i];

		raft->counters.reads_by_quorum++;
		raft_story(raft, "quorum %s of %u -> read at commit %llu",
			   members_text(&raft->members, bits, voters),
			   members_voter_count(&raft->members),
			   (unsigned long long)read->index);
		reads_answer(raft, read->from, read->id, RFS_ERR_OK,
			     read->index, false);
	}
	reads_pop(raft, count);
	/* One round at a time carries all reads that came since the last. */
	if (raft->read_count && confirmed == raft->round) {
		replicate_round(raft);
		if (members_is_alone(&raft->members, raft->config.self))
			reads_advance_leader(raft);
	}
}

static void reads_expire(struct raft *raft)
{
	uint32_t count = 0;

	while (count < raft->read_count &&
	       raft->reads[count].until_raw_ns <= raft->now.raw_ns)
		reads_done(raft, raft->reads[count++].id, RFS_ERR_NOT_LEADER, 0,
			   false);
	reads_pop(raft, count);
}

void reads_advance(struct raft *raft)
{
	if (raft->role == RAFT_LEADER)
		reads_advance_leader(raft);
	else
		reads_expire(raft);
}

void reads_fail(struct raft *raft)
{
	uint32_t count = raft->read_count;

	raft->read_count = 0;
	for (uint32_t i = 0; i < count; i++)
		reads_answer(raft, raft->reads[i].from, raft->reads[i].id,
			     RFS_ERR_NOT_LEADER, 0, false);
}

int64_t reads_deadline_ns(const struct raft *raft)
{
	if (raft->read_count == 0 || raft->role == RAFT_LEADER)
		return RAFT_NEVER;
	return raft->reads[0].until_raw_ns;
}
