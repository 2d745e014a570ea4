/* Snapshots: what they let the log forget, and who needs one.
 *
 * Figure 13 of the paper, with the body left to the hosts: the leader's host
 * streams it when it sees the header, the follower's host reports it installed.
 * Rule 6: an entry with the snapshot's index and term keeps what follows it;
 * rule 7: else the whole log goes.
 */
#include "raftd/core/internal.h"

#include "common/check.h"

/* A header that may have been lost is repeated; the host ignores it while its
 * stream goes on, so this may be frequent without harm. */
#define SNAPSHOT_AGAIN_TIMEOUTS 4

void snapshot_send(struct raft *raft, uint32_t to, struct progress *p)
{
	struct raft_message *m = raft_send(raft, RAFT_MSG_SNAPSHOT, to);

	m->snapshot = raft->snapshot;
	if (p->snapshot_index != raft->snapshot.index)
		raft_story(raft, "%u is too far behind -> snapshot at %llu", to,
			   (unsigned long long)raft->snapshot.index);
	p->snapshot_index = raft->snapshot.index;
	p->snapshot_again_raw_ns =
		raft->now.raw_ns +
		SNAPSHOT_AGAIN_TIMEOUTS * rtt_election_timeout_ns(raft);
}

static void snapshot_answer(struct raft *raft, uint64_t match)
{
	struct raft_message *reply =
		raft_send(raft, RAFT_MSG_APPEND_REPLY, raft->leader);

	reply->append_reply.accepted = true;
	reply->append_reply.match_index = match;
	if (raft->membership.count > 0)
		reply->append_reply.round = raft->leader_round;
	repair_tell(raft, reply);
}

void snapshot_receive(struct raft *raft, const struct raft_message *m)
{
	if (raft->role == RAFT_LEADER) {
		raft->counters.messages_dropped++;
		return;
	}
	if (raft->role != RAFT_FOLLOWER || raft->leader != m->from)
		become_follower(raft, m->term, m->from);
	peer_meet(raft, m->from)->lost = false;
	peer_meet(raft, m->from)->led_term = m->term;
	raft->met_leader = true;
	raft->leader_heard_raw_ns = raft->now.raw_ns;
	election_timer_reset(raft);
	/* Repeated after we were done: say so. */
	if (m->snapshot.index <= raft->commit_index &&
	    m->snapshot.index <= raft->durable_index)
		snapshot_answer(raft, m->snapshot.index);
}

/* Does someone alive still need entries the snapshot covers? Who does not lead
 * cannot know, and may lead next. */
static bool snapshot_follower_lags(const struct raft *raft)
{
	if (raft->role != RAFT_LEADER)
		return true;
	for (uint32_t i = 0; i < raft->members.count; i++) {
		const struct peer *peer = &raft->peers[i];

		if (i != raft->self_position &&
		    peer->progress.match_index < raft->snapshot.index &&
		    raft->now.raw_ns - peer->heard_raw_ns <
			    2 * rtt_election_timeout_ns(raft))
			return true;
	}
	return false;
}

/* What the snapshot covers may leave the disk, but only after it got there: a
 * truncation still on its way would otherwise meet a log without the entries
 * that tell old from new. */
uint64_t snapshot_disk_compaction(struct raft *raft)
{
	uint64_t index = raft->snapshot.index;

	if (index < raft->disk_first_index || index > raft->durable_index)
		return 0;
	raft->disk_first_index = index + 1;
	return index;
}

void snapshot_compact_fully(struct raft *raft)
{
	log_compact(&raft->log, raft->snapshot.index);
}

void snapshot_taken(struct raft *raft, const struct raft_snapshot_meta *meta)
{
	uint64_t index = meta->index;
	uint64_t margin = raft->config.log_entries_max / 4;

	if (index <= raft->snapshot.index || index > raft->commit_index ||
	    log_term_at(&raft->log, index) != meta->term) {
		raft->counters.messages_dropped++;
		return;
	}
	configure_compacted(raft, index);
	setting_compacted(raft, index);
	raft->snapshot = (struct raft_snapshot_meta){
		.index = index,
		.term = meta->term,
		.stamp = log_stamp_at(&raft->log, index),
	};
	if (snapshot_follower_lags(raft))
		index = index > margin ? index - margin : 0;
	log_compact(&raft->log, index);
	raft_story(raft, "snapshot at %llu  log starts at %llu",
		   (unsigned long long)raft->snapshot.index,
		   (unsigned long long)log_first_index(&raft->log));
}

void snapshot_installed(struct raft *raft,
			const struct raft_snapshot_meta *meta,
			const struct raft_membership *membership,
			const struct raft_window *window)
{
	if (membership && configure_was_forgotten(raft, membership)) {
		raft->counters.messages_dropped++;
		return;
	}
	if (meta->index > raft->commit_index) {
		raft->snapshot = *meta;
		if (meta->index <= log_last_index(&raft->log) &&
		    log_term_at(&raft->log, meta->index) == meta->term) {
			log_compact(&raft->log, meta->index);
		} else {
			/* A leader holds all that was ever committed. */
			CHECK(raft->role != RAFT_LEADER);
			log_reset(&raft->log, meta, raft->now.raw_ns);
			raft->durable_index = meta->index;
			raft->disk_first_index = meta->index + 1;
			raft->reset_log = true;
		}
		configure_rebased(raft, membership);
		setting_rebased(raft, window);
		if (raft->verified_index < meta->index)
			raft->verified_index = meta->index;
		raft_set_commit(raft, meta->index);
		raft_story(raft, "installed snapshot  commit %llu",
			   (unsigned long long)meta->index);
	}
	append_answer_durable(raft);
}

void snapshot_failed(struct raft *raft, uint32_t peer)
{
	struct peer *to = peer_find(raft, peer);

	if (!to || raft->role != RAFT_LEADER ||
	    to->progress.state != PROGRESS_SNAPSHOT)
		return;

	/* It still needs one. Not at once: what failed may fail again. */
	to->progress.snapshot_again_raw_ns =
		raft->now.raw_ns + rtt_election_timeout_ns(raft);
}
