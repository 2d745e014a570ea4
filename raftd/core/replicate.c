/* The leader's side of replication: what each follower gets, and when entries
 * are committed.
 *
 * Per follower:  PROBE     one message at a time, until the logs agree
 *		  STREAM    messages flow ahead of answers, within a window of
 *			    entries and bytes not yet durable there
 *		  SNAPSHOT  the host streams one; heartbeats go on
 *
 * A round is a question to everybody "do you still follow me?". Reads begin
 * one, and at least every REPLICATE_HEARTBEATS_ROUND-th heartbeat does; its
 * number rides on all messages. Other heartbeats only say that we live, and are
 * not answered.
 */
#include "raftd/core/internal.h"

#include "common/check.h"
#include "common/units.h"

#define REPLICATE_MESSAGE_BYTES (512 * KIB)
#define REPLICATE_MESSAGES_STEP 32 /* per follower and step */
#define REPLICATE_HEARTBEATS_ROUND 3

void replicate_start(struct raft *raft)
{
	for (uint32_t i = 0; i < raft->peer_count; i++)
		raft->peers[i].progress = (struct progress){
			.state = PROGRESS_PROBE,
			.next_index = raft->term_first_index,
		};
	raft->round = 0;
	configure_lead(raft);
}

void replicate_round(struct raft *raft)
{
	raft->round++;
	raft->round_raw_ns = raft->now.raw_ns;
	raft->heartbeats = 0;
	for (uint32_t i = 0; i < raft->peer_count; i++)
		raft->peers[i].progress.round_due = true;
}

int64_t replicate_round_every_ns(const struct raft *raft)
{
	return REPLICATE_HEARTBEATS_ROUND * rtt_heartbeat_ns(raft);
}

void replicate_heartbeat(struct raft *raft)
{
	raft->heartbeat_deadline_raw_ns =
		raft->now.raw_ns + rtt_heartbeat_ns(raft);
	if (raft->round == 0 ||
	    ++raft->heartbeats >= REPLICATE_HEARTBEATS_ROUND)
		replicate_round(raft);
	for (uint32_t i = 0; i < raft->peer_count; i++) {
		raft->peers[i].progress.round_due = true;
		raft->peers[i].progress.rank = fitness_rank(raft, i);
	}
}

uint64_t replicate_round_confirmed(const struct raft *raft)
{
	uint64_t acked[RAFT_NODES_MAX];

	for (uint32_t i = 0; i < raft->members.count; i++)
		acked[i] = raft->peers[i].progress.acked_round;
	if (raft->self_position != MEMBERS_NONE)
		acked[raft->self_position] = raft->round;
	return members_reached(&raft->members, acked);
}

/* I10: the term ended with its leader giving up the lease, as its last word.
 * It does that only after an entry of its own was committed. */
static bool lease_is_relinquished(const struct raft *raft, uint64_t last)
{
	const struct raft_entry *entry = log_at(&raft->log, last);

	return entry && entry->kind == RAFT_ENTRY_RELINQUISH;
}

/* I11: the leader of the term is dead, and an entry of the term is committed
 * (K). The notice counts only from whom we heard lead that term: a node that
 * lies can give up no lease but its own. */
static bool lease_died(const struct raft *raft, uint64_t term)
{
	if (log_term_at(&raft->log, raft->commit_index) != term)
		return false;
	for (uint32_t i = 0; i < raft->peer_count; i++)
		if (raft->peers[i].led_term == term &&
		    raft->peers[i].died_term == term)
			return true;
	return false;
}

/* Nobody can read by the lease of the last inherited entry any more. Its
 * leader has committed an entry of its own, so its predecessors' leases were
 * over by then (C1). That says nothing of leaders in between, who may read by
 * an inherited lease and have left nothing in our log; hence P: there was none.
 * Either no term lies between, or none of our voters supported anybody after
 * that term; and a leader needs a quorum too. */
static bool commit_lease_given_up(const struct raft *raft, uint64_t last)
{
	uint64_t term = log_term_at(&raft->log, last);

	if (!lease_is_relinquished(raft, last) && !lease_died(raft, term))
		return false;
	return raft->term == term + 1 || raft->votes_support <= term;
}

static void commit_need_not_wait(struct raft *raft, uint64_t last)
{
	raft_story(raft, "no wait: the old lease %s",
		   lease_is_relinquished(raft, last) ? "was given up" : "died");
	raft->counters.leases_given_up++;
	raft->c1_deadline_raw_ns = RAFT_NEVER;
	raft->c1_settled = true;
}

/* C1: nothing commits before every inherited entry is older than its own D. */
static bool commit_lease_settled(struct raft *raft)
{
	uint64_t last = raft->term_first_index - 1;

	if (raft->c1_settled || last == 0) {
		raft->c1_settled = true;
		return true;
	}
	CHECK(last >= raft->log.base.index);
	if (commit_lease_given_up(raft, last)) {
		commit_need_not_wait(raft, last);
		return true;
	}

	int64_t from_ns = setting_over_from(raft, last);

	raft->c1_settled = from_ns <= raft->now.raw_ns;
	if (raft->c1_settled) {
		raft->c1_deadline_raw_ns = RAFT_NEVER;
		return true;
	}
	if (raft->c1_deadline_raw_ns == RAFT_NEVER) {
		raft->counters.commits_waited_lease++;
		raft_story(raft, "commit waits %lld ms for the old lease",
			   (long long)((from_ns - raft->now.raw_ns +
					NS_PER_MS - 1) / NS_PER_MS));
	}
	raft->c1_deadline_raw_ns = from_ns;
	return false;
}

/* Figure 2, leaders, last rule: a majority holds it durably and its term is
 * ours; section 5.4.2 says why older terms are never counted. */
void replicate_advance_commit(struct raft *raft)
{
	uint64_t match[RAFT_NODES_MAX];

	CHECK(raft->role == RAFT_LEADER);
	for (uint32_t i = 0; i < raft->members.count; i++)
		match[i] = raft->peers[i].progress.match_index;
	if (raft->self_position != MEMBERS_NONE)
		match[raft->self_position] = raft->durable_index;

	uint64_t reached = members_reached(&raft->members, match);

	/* Nothing waits, or nothing any more: a follower may have lost what it
	 * had (repair.c), and the members may have changed. */
	if (reached <= raft->commit_index ||
	    log_term_at(&raft->log, reached) != raft->term) {
		raft->c1_deadline_raw_ns = RAFT_NEVER;
		return;
	}
	if (commit_lease_settled(raft))
		raft_set_commit(raft, reached);
}

/* As many entries as fit one message, from p->next_index on. */
static uint32_t batch_count(const struct raft *raft, const struct progress *p,
			    uint64_t count_max)
{
	uint64_t end = log_last_index(&raft->log) + 1;
	uint64_t from = p->next_index;

	if (count_max > RAFT_ENTRIES_MAX)
		count_max = RAFT_ENTRIES_MAX;
	if (end - from > count_max)
		end = from + count_max;
	while (end > from + 1 && log_bytes_between(&raft->log, from, end) >
					 REPLICATE_MESSAGE_BYTES)
		end = from + (end - from) / 2;
	return (uint32_t)(end - from);
}

/* How many more entries may be under way. In bytes the last message may go
 * over the limit, so that one large entry never blocks for ever. */
static uint64_t window_left(const struct raft *raft, const struct progress *p)
{
	uint64_t first = p->match_index + 1;

	if (first < log_first_index(&raft->log))
		first = log_first_index(&raft->log);

	uint64_t flying = p->next_index - first;

	if (flying >= raft->config.inflight_entries_max ||
	    log_bytes_between(&raft->log, first, p->next_index) >=
		    raft->config.inflight_bytes_max)
		return 0;
	return raft->config.inflight_entries_max - flying;
}

static void send_append(struct raft *raft, uint32_t to, struct progress *p,
			uint64_t previous, uint32_t count)
{
	struct raft_message *m = raft_send(raft, RAFT_MSG_APPEND, to);

	m->append.previous_index = previous;
	m->append.previous_term = log_term_at(&raft->log, previous);
	m->append.commit_index = raft->commit_index;
	m->append.round = raft->round;
	m->append.rank = p->rank;
	m->append.entries = log_at(&raft->log, previous + 1);
	m->append.count = count;
	if (count == 0)
		m->append.entries = NULL;
	p->round_due = false;
	p->sent_commit = raft->commit_index;
}

static void flush_snapshot(struct raft *raft, uint32_t to, struct progress *p)
{
	if (raft->now.raw_ns >= p->snapshot_again_raw_ns)
		snapshot_send(raft, to, p);
	/* After index 0 all logs agree: only heard, never refused. */
	if (p->round_due)
		send_append(raft, to, p, 0, 0);
}

/* Who did not answer the last probe gets the next without entries: it may be
 * dead, and must not cost a batch per heartbeat. */
static void flush_probe(struct raft *raft, uint32_t to, struct progress *p)
{
	uint32_t count = 0;

	if (p->probe_waits && !p->round_due)
		return;
	if (!p->probe_waits)
		count = batch_count(raft, p, raft->config.inflight_entries_max);
	p->probe_last = p->next_index - 1 + count;
	p->probe_waits = true;
	send_append(raft, to, p, p->next_index - 1, count);
}

static void flush_stream(struct raft *raft, uint32_t to, struct progress *p)
{
	uint32_t sent = 0;

	while (p->next_index <= log_last_index(&raft->log) &&
	       window_left(raft, p) > 0) {
		uint32_t count = batch_count(raft, p, window_left(raft, p));

		if (sent++ == REPLICATE_MESSAGES_STEP) {
			raft->more = true;
			return;
		}
		send_append(raft, to, p, p->next_index - 1, count);
		p->next_index += count;
	}
	if (p->round_due || p->sent_commit < raft->commit_index)
		send_append(raft, to, p, p->next_index - 1, 0);
}

void replicate_flush(struct raft *raft)
{
	for (uint32_t i = 0; i < raft->peer_count; i++) {
		struct progress *p = &raft->peers[i].progress;
		uint32_t to = raft->peers[i].id;

		if (!peer_is_served(raft, i))
			continue;
		CHECK(p->next_index > p->match_index);
		CHECK(p->next_index <= log_last_index(&raft->log) + 1);
		if (p->state != PROGRESS_SNAPSHOT &&
		    p->next_index < log_first_index(&raft->log)) {
			p->state = PROGRESS_SNAPSHOT;
			p->snapshot_again_raw_ns = raft->now.raw_ns;
		}
		if (p->state == PROGRESS_SNAPSHOT)
			flush_snapshot(raft, to, p);
		else if (p->state == PROGRESS_PROBE)
			flush_probe(raft, to, p);
		else
			flush_stream(raft, to, p);
	}
}
