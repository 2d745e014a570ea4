/* AppendEntries, both ends.
 *
 * Figure 2, receiver: 1. reply false if term < currentTerm (raft.c does); 2.
 * reply false if the log has no entry at prevLogIndex with prevLogTerm; 3. an
 * entry that conflicts goes, with all that follow it; 4. append what is new; 5.
 * commitIndex = min(leaderCommit, index of last new entry).
 *
 * Beyond it: an answer promises only what the disk holds, so a message with
 * entries is answered when they are durable; at once only when it carries a new
 * round (which confirms leadership) or changes what the leader knows. A refusal
 * hints where the logs may still agree.
 */
#include "raftd/core/internal.h"

#include "common/check.h"

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What our disk holds of this leader's log. */
static uint64_t append_match(const struct raft *raft)
{
	return min_u64(raft->durable_index, raft->verified_index);
}

static struct raft_message *append_answer(struct raft *raft, bool accepted)
{
	struct raft_message *reply =
		raft_send(raft, RAFT_MSG_APPEND_REPLY, raft->leader);

	reply->append_reply.accepted = accepted;
	reply->append_reply.filling = raft->filling;
	/* Who knows of no membership vouches for nobody's leadership. */
	if (raft->membership.count > 0)
		reply->append_reply.round = raft->leader_round;
	reply->append_reply.condition = fitness_condition(raft);
	repair_tell(raft, reply);
	return reply;
}

static void append_accept(struct raft *raft)
{
	raft->answered_match = append_match(raft);
	append_answer(raft, true)->append_reply.match_index =
		raft->answered_match;
}

void append_answer_durable(struct raft *raft)
{
	if (raft->role == RAFT_FOLLOWER && raft->leader != RAFT_NOBODY &&
	    append_match(raft) > raft->answered_match)
		append_accept(raft);
}

static void append_refuse(struct raft *raft, const struct raft_message *m)
{
	uint64_t previous = m->append.previous_index;
	uint64_t hint = log_agreement(&raft->log, previous - 1,
				      m->append.previous_term);

	if (hint < raft->commit_index)
		hint = raft->commit_index;
	CHECK(hint < previous);

	struct raft_message *reply = append_answer(raft, false);

	reply->append_reply.match_index = previous;
	reply->append_reply.hint_index = hint;
	reply->append_reply.hint_term = log_term_at(&raft->log, hint);
	raft_story(raft, "refuses entries after %llu  agrees up to %llu at most",
		   (unsigned long long)previous, (unsigned long long)hint);
}

/* Could a correct leader have sent this? In order, without gap, terms never
 * falling, stamps strictly rising (I4). */
static bool append_makes_sense(const struct raft *raft,
			       const struct raft_message *m)
{
	uint64_t term = m->append.previous_term;

	if (m->append.count > RAFT_ENTRIES_MAX ||
	    (m->append.previous_index == 0) != (m->append.previous_term == 0))
		return false;
	for (uint32_t i = 0; i < m->append.count; i++) {
		const struct raft_entry *e = &m->append.entries[i];

		if (e->index != m->append.previous_index + 1 + i ||
		    e->term < term || e->term > m->term || e->term == 0 ||
		    e->stamp.epoch != e->term)
			return false;
		if (i > 0 && e->stamp.ts_ns <= e[-1].stamp.ts_ns)
			return false;
		if (e->kind == RAFT_ENTRY_CONFIG &&
		    !configure_makes_sense(raft, e))
			return false;
		if (e->kind == RAFT_ENTRY_LEASE && !setting_makes_sense(e))
			return false;
		term = e->term;
	}
	return true;
}

/* No correct leader changes what is committed. */
static bool append_repeats_committed(const struct raft *raft,
				     const struct raft_message *m,
				     uint32_t skip)
{
	uint64_t index = m->append.previous_index;
	uint64_t term = m->append.previous_term;

	for (uint32_t i = 0;; i++) {
		uint64_t ours = log_term_at(&raft->log, index);

		if (ours != 0 && term != 0 && ours != term)
			return false;
		if (i == skip)
			return true;
		index = m->append.entries[i].index;
		term = m->append.entries[i].term;
	}
}

/* An entry of the epoch our clock is in cannot come from the future. Counted;
 * the entry stands: its leader may always append (W1). */
static void append_judge_stamp(struct raft *raft, const struct raft_entry *e)
{
	const struct raft_now *now = &raft->now;

	if (now->usable && now->epoch == e->stamp.epoch &&
	    e->stamp.ts_ns > now->cluster.high_ns + TIMESTAMP_LEAD_MAX_NS)
		fitness_contradict(raft);
}

/* Two partitions, two histories, each with its stamps: the leader's stands
 * (section 5.3). When an entry was made says nothing of whether it is committed. */
static void append_truncate(struct raft *raft, const struct raft_entry *instead)
{
	uint64_t from = instead->index;
	const struct raft_entry *dropped = log_at(&raft->log, from);

	CHECK(from > raft->commit_index);
	CHECK(dropped != NULL);
	raft->conflict = (struct raft_conflict){
		.count = log_last_index(&raft->log) - from + 1,
		.dropped_term = dropped->term,
		.kept_term = instead->term,
		.dropped = dropped->stamp,
		.kept = instead->stamp,
	};
	raft_story(raft, "drops entries from %llu  they conflict",
		   (unsigned long long)from);
	log_truncate(&raft->log, from);
	raft->truncate_from = from;
	raft->durable_index = min_u64(raft->durable_index, from - 1);
	raft->verified_index = min_u64(raft->verified_index, from - 1);
	configure_truncated(raft);
	setting_truncated(raft);
}

/* Rules 3 and 4. Returns the last entry known to agree with the leader's. */
static uint64_t append_take(struct raft *raft, const struct raft_message *m,
			    uint32_t skip)
{
	uint64_t last = m->append.previous_index + skip;

	for (uint32_t i = skip; i < m->append.count; i++) {
		const struct raft_entry *e = &m->append.entries[i];

		if (e->index <= log_last_index(&raft->log)) {
			if (log_term_at(&raft->log, e->index) == e->term) {
				last = e->index;
				continue;
			}
			append_truncate(raft, e);
		}
		if (e->stamp.ts_ns <= log_last_stamp(&raft->log).ts_ns &&
		    log_last_index(&raft->log) > 0) {
			raft->counters.messages_dropped++;
			break;
		}
		if (raft_append(raft, e) != RFS_ERR_OK)
			break; /* the leader tries again from what we answer */
		append_judge_stamp(raft, e);
		last = e->index;
	}
	return last;
}

/* The sender leads this term, and we follow it. */
static void append_follow(struct raft *raft, const struct raft_message *m)
{
	struct peer *leader = peer_meet(raft, m->from);
	bool new = raft->role != RAFT_FOLLOWER || raft->leader != m->from;

	CHECK(m->term == raft->term);
	if (new)
		become_follower(raft, m->term, m->from);
	detector_heard(&raft->detector, m->term, raft->now.raw_ns);
	raft->fitness.rank = m->append.rank;
	leader->lost = false;
	leader->led_term = m->term;
	raft->met_leader = true;
	raft->campaigns = 0;
	raft->leader_heard_raw_ns = raft->now.raw_ns;
	election_timer_reset(raft);
}

void append_receive(struct raft *raft, const struct raft_message *m)
{
	uint64_t previous = m->append.previous_index;
	uint32_t skip = 0;

	/* Election safety: another leader of our term cannot be. */
	if (raft->role == RAFT_LEADER || !append_makes_sense(raft, m)) {
		raft->counters.messages_dropped++;
		return;
	}
	append_follow(raft, m);

	bool new_round = m->append.round > raft->leader_round;

	if (new_round)
		raft->leader_round = m->append.round;

	/* What we know to be committed agrees with every leader's log. */
	if (previous <= raft->commit_index) {
		skip = (uint32_t)min_u64(raft->commit_index - previous,
					 m->append.count);
		if (!append_repeats_committed(raft, m, skip)) {
			raft->counters.messages_dropped++;
			return;
		}
	} else if (previous > log_last_index(&raft->log) ||
		 log_term_at(&raft->log, previous) != m->append.previous_term) {
		append_refuse(raft, m);
		return;
	}

	uint64_t last = append_take(raft, m, skip);
	bool nothing_new = m->append.count > 0 && raft->append_from == 0;

	if (last > raft->verified_index)
		raft->verified_index = last;
	raft_set_commit(raft, min_u64(m->append.commit_index, last));
	if (new_round || append_match(raft) > raft->answered_match ||
	    nothing_new)
		append_accept(raft);
}

/* From our append to its word that it is durable there: what our own disk is
 * compared with. Only what was sent as it came. */
static void append_note_disk(struct raft *raft, struct peer *peer,
			     uint64_t match)
{
	if (match >= raft->term_first_index &&
	    match >= log_first_index(&raft->log))
		fitness_note_disk(&peer->disk,
				  raft->now.raw_ns -
					  log_received_raw_ns(&raft->log,
							      match));
}

static void append_reply_accepted(struct raft *raft, struct progress *p,
				  const struct raft_message *m)
{
	uint64_t match = m->append_reply.match_index;

	if (match > p->match_index) {
		append_note_disk(raft, peer_meet(raft, m->from), match);
		p->match_index = match;
	}
	if (p->next_index <= p->match_index)
		p->next_index = p->match_index + 1;
	if (p->state == PROGRESS_SNAPSHOT &&
	    match + 1 >= log_first_index(&raft->log)) {
		raft_story(raft, "%u caught up by snapshot  match %llu",
			   m->from, (unsigned long long)match);
		p->state = PROGRESS_STREAM;
	}
	/* The logs agree where we probed: from here entries may flow. If this
	 * answers an older message, the next one is refused and we probe on. */
	if (p->state == PROGRESS_PROBE) {
		p->state = PROGRESS_STREAM;
		p->probe_waits = false;
		if (p->next_index <= p->probe_last)
			p->next_index = p->probe_last + 1;
	}
	replicate_advance_commit(raft);
}

static void append_reply_refused(struct raft *raft, struct progress *p,
				 const struct raft_message *m)
{
	uint64_t refused = m->append_reply.match_index;
	uint64_t hint = m->append_reply.hint_index;

	/* Overtaken by an acceptance, or an answer to an older probe. */
	if (p->state == PROGRESS_SNAPSHOT || refused <= p->match_index ||
	    hint >= refused ||
	    (p->state == PROGRESS_PROBE && refused != p->next_index - 1))
		return;

	uint64_t probe = log_agreement(&raft->log, hint,
				       m->append_reply.hint_term);

	/* Below what we hold only a snapshot helps; replicate.c sees to it. */
	if (hint < log_first_index(&raft->log) - 1)
		probe = hint;
	if (probe < p->match_index)
		probe = p->match_index;
	p->state = PROGRESS_PROBE;
	p->next_index = probe + 1;
	p->probe_waits = false;
}

/* It follows us, or did when that round began; and says so at once, so that the
 * answer to the present one is a round trip. */
static void append_reply_round(struct raft *raft, const struct raft_message *m)
{
	struct peer *peer = peer_meet(raft, m->from);

	if (m->append_reply.round > raft->round ||
	    m->append_reply.round <= peer->progress.acked_round)
		return;
	peer->progress.acked_round = m->append_reply.round;
	if (m->append_reply.round == raft->round)
		rtt_note(&peer->rtt, raft->now.raw_ns - raft->round_raw_ns, 0);
}

void append_reply_receive(struct raft *raft, const struct raft_message *m)
{
	struct peer *peer = peer_meet(raft, m->from);
	struct progress *p = &peer->progress;

	if (raft->role != RAFT_LEADER || m->term != raft->term)
		return;
	peer->heard_raw_ns = raft->now.raw_ns;
	peer->lost = false;
	peer->filling = m->append_reply.filling;
	if (m->append_reply.accepted &&
	    m->append_reply.match_index > log_last_index(&raft->log)) {
		raft->counters.messages_dropped++;
		return;
	}
	append_reply_round(raft, m);
	fitness_hear(raft, peer_meet(raft, m->from), m->append_reply.condition);
	repair_hear(raft, p, m);
	if (m->append_reply.accepted)
		append_reply_accepted(raft, p, m);
	else
		append_reply_refused(raft, p, m);
}
