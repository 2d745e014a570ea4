/* What must hold after every step, whatever went wrong. */
#include "tests/sim/checks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/changes.h"
#include "tests/sim/history.h"
#include "tests/sim/record.h"

/* Whole nanoseconds are rounded at each conversion of a rate. */
#define ROUNDING_NS 2

struct term_row {
	uint32_t leader;       /* id; 0: none seen */
	bool anchored;	       /* its timeline has begun */
	uint32_t anchor_life;  /* incarnation of the leader's raftd */
	int64_t oscillator_ns; /* of the leader's node, at the anchor */
	int64_t raw_ns, ts_ns;
};

struct checks {
	struct term_row *terms;
	uint64_t term_count;
	uint64_t *state_digests; /* of the state machine, by index */
	uint64_t state_last, state_capacity;
	uint32_t last_leader;
	uint64_t command_last; /* newest committed command */
};

void checks_init(struct world *world)
{
	world->checks = calloc(1, sizeof(*world->checks));
	CHECK(world->checks);
}

static struct term_row *term_row(struct world *world, uint64_t term)
{
	struct checks *checks = world->checks;

	if (term >= checks->term_count) {
		uint64_t count = term * 2 + 64;

		checks->terms =
			realloc(checks->terms, count * sizeof(*checks->terms));
		CHECK(checks->terms);
		memset(checks->terms + checks->term_count, 0,
		       (count - checks->term_count) * sizeof(*checks->terms));
		checks->term_count = count;
	}
	return &checks->terms[term];
}

void checks_hard_state(struct world *world, struct node *node, uint64_t term,
		       uint32_t voted_for)
{
	const struct disk *disk = &node->disk;

	if (term < disk->term || (term == disk->term && disk->voted_for &&
				  voted_for != disk->voted_for))
		world_violate(world, node->id, "hard-state",
			      "term %" PRIu64 " vote %u after term %" PRIu64
			      " vote %u",
			      term, voted_for, disk->term, disk->voted_for);
	world_trace(world, node->id, "hard state: term %" PRIu64 " vote %u",
		    term, voted_for);
}

void checks_reset(struct world *world, struct node *node,
		  const struct raft_snapshot_meta *meta,
		  const struct fact *base)
{
	if (!base || facts_committed(world, meta->index) != base)
		world_violate(world, node->id, "state-safety",
			      "snapshot %" PRIu64 " of term %" PRIu64
			      " is not of the committed log",
			      meta->index, meta->term);
	else if (base->stamp.ts_ns != meta->stamp.ts_ns ||
		 base->stamp.epoch != meta->stamp.epoch)
		world_violate(world, node->id, "stamps-rise",
			      "snapshot %" PRIu64 " lost its stamp (I9)",
			      meta->index);
	if (meta->index < node->host.commit_index)
		world_violate(world, node->id, "state-safety",
			      "reset to %" PRIu64 " below commit %" PRIu64,
			      meta->index, node->host.commit_index);
}

void checks_truncate(struct world *world, struct node *node, uint64_t from)
{
	if (from <= node->host.commit_index)
		world_violate(world, node->id, "committed-durable",
			      "truncates from %" PRIu64 ", committed %" PRIu64,
			      from, node->host.commit_index);
}

/* What it lost it still keeps others from ignoring. */
static bool disk_holds(const struct node *node, const struct fact *fact)
{
	const struct disk *disk = &node->disk;

	return disk->snapshot.index >= fact->index ||
	       factlog_at(&disk->log, fact->index) == fact ||
	       (disk->promised.count > 0 &&
		factlog_at(&disk->promised, fact->index) == fact);
}

static uint32_t holders(const struct world *world, const struct fact *fact)
{
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < world->node_count; i++)
		if (disk_holds(&world->nodes[i], fact))
			nodes |= 1u << i;
	return nodes;
}

/* By the membership that its log held when it counted. */
static void need_quorum(struct world *world, const struct node *node,
			const struct fact *fact)
{
	struct raft_membership membership =
		changes_by(world, node, node->host.decided_last);
	uint32_t nodes = holders(world, fact);

	if (!changes_is_quorum(&membership, nodes))
		world_violate(world, node->id, "committed-durable",
			      "entry %" PRIu64 " term %" PRIu64
			      " on disks %x at commit, no quorum of "
			      "membership %" PRIu64,
			      fact->index, fact->term, nodes,
			      membership.index);
}

/* Those that lack it and may still come back cannot elect anybody. A machine
 * that is lost gives no vote. */
static void need_to_stay(struct world *world, const struct node *node,
			 const struct fact *fact)
{
	struct raft_membership membership = changes_committed(world);
	uint32_t others = ~holders(world, fact);

	for (uint32_t i = 0; i < world->node_count; i++)
		if (world->nodes[i].lost)
			others &= ~(1u << i);
	if (changes_is_quorum(&membership, others))
		world_violate(world, node->id, "committed-durable",
			      "entry %" PRIu64 " term %" PRIu64
			      " after a crash: %x can do without it",
			      fact->index, fact->term, others);
}

/* Each vote is on a disk, unless a later one took its place. */
static void need_votes(struct world *world, struct node *node, uint64_t term)
{
	struct raft_membership membership = changes_held(world, node);
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < world->node_count; i++) {
		const struct disk *disk = &world->nodes[i].disk;

		if (disk->term > term ||
		    (disk->term == term && disk->voted_for == node->id))
			nodes |= 1u << i;
	}
	if (!changes_is_quorum(&membership, nodes))
		world_violate(world, node->id, "election-safety",
			      "leads term %" PRIu64 " by the votes of %x, no "
			      "quorum of membership %" PRIu64,
			      term, nodes, membership.index);
	if (membership.joint)
		world_cover(world, COVER_ELECTIONS_JOINT);
}

/* Everything committed by leaders of earlier terms. */
static void check_completeness(struct world *world, struct node *node,
			       uint64_t term)
{
	uint64_t index = world->facts->committed_last;
	const struct fact *fact;

	while (index > 0 && world->facts->commit_term[index] >= term)
		index--;
	fact = facts_committed(world, index);
	if (fact && index >= node->host.log.first &&
	    factlog_at(&node->host.log, index) != fact)
		world_violate(world, node->id, "leader-completeness",
			      "leader of term %" PRIu64
			      " lacks committed entry %" PRIu64
			      " of term %" PRIu64,
			      term, index, fact->term);
}

static void check_leader(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;
	struct term_row *row = term_row(world, host->view.term);

	if (row->leader && row->leader != node->id)
		world_violate(world, node->id, "election-safety",
			      "second leader of term %" PRIu64 " beside %u",
			      host->view.term, row->leader);
	if (row->leader == node->id)
		return;
	row->leader = node->id;
	world_cover(world, COVER_ELECTIONS);
	if (world->checks->last_leader != node->id)
		world_cover(world, COVER_LEADER_CHANGES);
	world->checks->last_leader = node->id;
	world_trace(world, node->id, "LEADER of term %" PRIu64,
		    host->view.term);
	check_completeness(world, node, host->view.term);
	need_votes(world, node, host->view.term);
}

/* Time of an epoch when its carrier's oscillator shows oscillator_ns. */
static int64_t epoch_truth(const struct term_row *row, int64_t oscillator_ns)
{
	return row->ts_ns + (oscillator_ns - row->oscillator_ns);
}

/* The first entry of a term: its interval for the old epoch is true, and the
 * new timeline does not run behind it. */
static void check_handover(struct world *world, struct node *node,
			   const struct raft_entry *entry)
{
	struct raft_handover over;
	const struct term_row *old;
	int64_t truth_ns;

	if (raft_handover_decode(entry->data, entry->bytes, &over) !=
	    RFS_ERR_OK) {
		world_violate(world, node->id, "hand-over",
			      "no record in the first entry of term %" PRIu64,
			      entry->term);
		return;
	}
	if (over.old_epoch == 0 || interval_is_empty(over.old) ||
	    world->clock_rule_broken)
		return;
	world_cover(world, COVER_HANDOVERS);
	old = term_row(world, over.old_epoch);
	if (!old->anchored) {
		world_violate(world, node->id, "hand-over",
			      "epoch %" PRIu64 " never began", over.old_epoch);
		return;
	}
	truth_ns = epoch_truth(
		old, node->host.decided_oscillator_ns[old->leader - 1]);
	if (!interval_contains(interval_widen(over.old, ROUNDING_NS), truth_ns))
		world_violate(world, node->id, "hand-over",
			      "epoch %" PRIu64 " was at %" PRId64
			      ", recorded as [%" PRId64 ", %" PRId64 "]",
			      over.old_epoch, truth_ns, over.old.low_ns,
			      over.old.high_ns);
	if (over.new_ts_ns + ROUNDING_NS < truth_ns)
		world_violate(world, node->id, "hand-over",
			      "epoch %" PRIu64 " begins %" PRId64
			      " ns behind epoch %" PRIu64,
			      entry->term, truth_ns - over.new_ts_ns,
			      over.old_epoch);
}

/* Who may have counted as a cold voter for the leader of a term: those that
 * visibly are one, and those whose vote is forgotten. */
static uint32_t cold_voters(const struct world *world, uint32_t leader,
			    uint64_t term)
{
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < world->node_count; i++) {
		const struct node *voter = &world->nodes[i];
		uint64_t met = voter->host.met_term;

		if (voter->disk.term > term ||
		    (voter->disk.term == term &&
		     voter->disk.voted_for == leader &&
		     (met == 0 || met >= term)))
			nodes |= 1u << i;
	}
	return nodes;
}

/* With the old timeline unknown the new one goes on by one nanosecond, or by
 * the wall clock where nobody can have carried it. */
static void check_cold_start(struct world *world, struct node *node,
			     const struct raft_entry *first)
{
	const struct fact *before =
		factlog_at(&node->host.log, first->index - 1);
	struct raft_membership membership = changes_held(world, node);
	struct raft_handover over;

	if (!before ||
	    raft_handover_decode(first->data, first->bytes, &over) !=
		    RFS_ERR_OK ||
	    !interval_is_empty(over.old) ||
	    over.new_ts_ns == before->stamp.ts_ns + 1)
		return;
	world_cover(world, COVER_COLD_STARTS);
	if (!changes_is_quorum(&membership,
			       cold_voters(world, node->id, first->term)))
		world_violate(
			world, node->id, "cold-start",
			"the wall clock moved a living timeline by %" PRId64
			" ns",
			over.new_ts_ns - before->stamp.ts_ns);
}

static void anchor(struct world *world, struct node *node, struct term_row *row)
{
	const struct raft_effects *effects = &node->host.effects;
	const struct raft_view *view = &node->host.view;

	row->anchored = true;
	row->anchor_life = node->procs[PROC_RAFTD].incarnation;
	row->oscillator_ns =
		view->epoch_raw_ns - node->host.decided_raw_ahead_ns;
	row->raw_ns = view->epoch_raw_ns;
	row->ts_ns = view->epoch_ts_ns;
	world_trace(world, node->id,
		    "epoch %" PRIu64 " begins: ts %" PRId64 " at raw %" PRId64,
		    view->epoch, row->ts_ns, row->raw_ns);
	for (uint32_t i = 0; i < effects->append_count; i++)
		if (effects->append[i].kind == RAFT_ENTRY_NOOP) {
			check_handover(world, node, &effects->append[i]);
			check_cold_start(world, node, &effects->append[i]);
		}
}

/* A leader's timeline starts when its view first shows one of its own. */
static void check_anchor(struct world *world, struct node *node)
{
	const struct raft_view *view = &node->host.view;
	struct term_row *row = term_row(world, view->term);

	if (view->epoch != view->term || view->epoch == 0)
		return;
	if (!row->anchored)
		anchor(world, node, row);
	else if (row->anchor_life != node->procs[PROC_RAFTD].incarnation ||
		 row->raw_ns != view->epoch_raw_ns ||
		 row->ts_ns != view->epoch_ts_ns)
		world_violate(world, node->id, "anchor",
			      "epoch %" PRIu64 " moved under its leader",
			      view->epoch);
}

void checks_step(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;
	const struct raft_view *view = &host->view;

	if (view->term != node->disk.term ||
	    view->voted_for != node->disk.voted_for)
		world_violate(world, node->id, "promises",
			      "acts in term %" PRIu64 " vote %u; its disk says "
			      "term %" PRIu64 " vote %u",
			      view->term, view->voted_for, node->disk.term,
			      node->disk.voted_for);
	if (view->last_index != factlog_last(&host->log))
		world_violate(world, node->id, "mirror",
			      "core's log ends at %" PRIu64
			      ", its effects at %" PRIu64,
			      view->last_index, factlog_last(&host->log));
	if (view->commit_index < host->commit_index ||
	    view->commit_index > view->last_index ||
	    view->commit_index != host->effects.commit_index)
		world_violate(world, node->id, "mirror",
			      "commit index %" PRIu64 " after %" PRIu64
			      ", log ends at %" PRIu64,
			      view->commit_index, host->commit_index,
			      view->last_index);
	if (view->leader != RAFT_NOBODY && host->met_term == 0)
		host->met_term = view->term;
	if (view->role != RAFT_LEADER)
		return;
	check_leader(world, node);
	check_anchor(world, node);
}

static void check_ack(struct world *world, struct node *node, uint64_t match)
{
	const struct fact *held = factlog_at(&node->disk.log, match);

	if (match == 0 || match <= node->disk.snapshot.index)
		return;
	if (!held || held != factlog_at(&node->host.log, match))
		world_violate(world, node->id, "promises",
			      "acknowledges entry %" PRIu64
			      ", durable up to %" PRIu64,
			      match, factlog_last(&node->disk.log));
}

void checks_send(struct world *world, struct node *node,
		 const struct raft_message *message)
{
	const struct disk *disk = &node->disk;
	bool pre = (message->type == RAFT_MSG_VOTE && message->vote.pre) ||
		   (message->type == RAFT_MSG_VOTE_REPLY &&
		    message->vote_reply.pre);
	uint32_t vote = 0;

	if (pre)
		return;
	if (message->type == RAFT_MSG_VOTE)
		vote = node->id;
	else if (message->type == RAFT_MSG_VOTE_REPLY &&
		 message->vote_reply.granted)
		vote = message->to;
	if (vote)
		changes_check_vote(world, node);
	if (message->term > disk->term ||
	    (vote && (message->term != disk->term || disk->voted_for != vote)))
		world_violate(world, node->id, "promises",
			      "message of term %" PRIu64
			      " voting %u; its disk says term %" PRIu64
			      " vote %u",
			      message->term, vote, disk->term, disk->voted_for);
	if (message->type == RAFT_MSG_APPEND_REPLY &&
	    message->append_reply.accepted)
		check_ack(world, node, message->append_reply.match_index);
}

/* Could this page let its node answer a read right now? */
static bool page_lets_read(const struct world *world, const struct node *node)
{
	return node->page.lease_valid &&
	       node->page.lease_disruptions == node->clock_page.disruptions &&
	       node_raw(world, node) < node->page.lease_until_raw_ns;
}

static void check_exclusive(struct world *world, const struct node *node)
{
	uint64_t seen = node->page.commit_index;

	/* What may have been committed before its election is left to the keys
	 * (R2), and so to the histories. */
	if (seen < node->page.limbo_index)
		seen = node->page.limbo_index;
	/* An entry that changes no state makes no read stale. */
	if (world->clock_rule_broken || !page_lets_read(world, node) ||
	    seen >= world->checks->command_last)
		return;
	world_violate(world, node->id, "lease-exclusive",
		      "lease of term %" PRIu64
		      " lets it read at commit %" PRIu64 " for %" PRId64
		      " ns more; committed is %" PRIu64,
		      node->page.term, node->page.commit_index,
		      node->page.lease_until_raw_ns - node_raw(world, node),
		      world->checks->command_last);
}

static void commit_one(struct world *world, const struct fact *fact,
		       uint64_t leader_term)
{
	facts_commit(world, fact, leader_term);
	if (fact->kind == RAFT_ENTRY_COMMAND)
		world->checks->command_last = fact->index;
}

static void commit_new(struct world *world, struct node *node, uint64_t from,
		       uint64_t to)
{
	const struct raft_view *view = &node->host.view;
	const struct fact *last = factlog_at(&node->host.log, to);

	/* It may have counted and then, in the same step, given up leading. */
	if (term_row(world, last->term)->leader != node->id)
		world_violate(world, node->id, "commit-rule",
			      "commits %" PRIu64 " before any leader did", to);
	if (view->role == RAFT_LEADER && last->term != view->term)
		world_violate(world, node->id, "commit-rule",
			      "leader of term %" PRIu64
			      " commits entry %" PRIu64 " of term %" PRIu64
			      " by counting",
			      view->term, to, last->term);
	for (uint64_t i = from; i <= to; i++)
		commit_one(world, factlog_at(&node->host.log, i), last->term);
	world_trace(world, node->id, "COMMITTED to %" PRIu64, to);
	need_quorum(world, node, last);
	for (uint32_t i = 0; i < world->node_count; i++)
		if (i != node->index)
			check_exclusive(world, &world->nodes[i]);
}

void checks_commit(struct world *world, struct node *node, uint64_t from,
		   uint64_t to)
{
	const struct factlog *log = &node->host.log;
	uint64_t known = world->facts->committed_last;

	for (uint64_t i = from + 1; i <= to; i++) {
		const struct raft_entry *held = raft_log_at(node->host.raft, i);
		const struct fact *fact = factlog_at(log, i);

		/* A snapshot brought it, which is checked by itself. */
		if (i < raft_log_first(node->host.raft))
			continue;
		if (!held || !fact || held->term != fact->term ||
		    held->index != i) {
			world_violate(world, node->id, "mirror",
				      "committed entry %" PRIu64
				      " is not in the core's log",
				      i);
			return;
		}
		if (i <= known && fact != facts_committed(world, i))
			world_violate(world, node->id, "state-safety",
				      "entry %" PRIu64 " of term %" PRIu64
				      " committed, elsewhere of term %" PRIu64,
				      i, fact->term,
				      facts_committed(world, i)->term);
	}
	if (to > known)
		commit_new(world, node, known + 1, to);
}

void checks_read_asked(struct world *world, struct node *node, uint64_t token)
{
	struct raft_host *host = &node->host;
	uint32_t slot = host->read_next++ % 64;

	host->reads[slot].token = token;
	host->reads[slot].committed = world->checks->command_last;
}

void checks_read(struct world *world, struct node *node,
		 const struct raft_read_done *done)
{
	const struct raft_host *host = &node->host;

	if (done->err != RFS_ERR_OK)
		return;
	world_cover(world, done->by_lease ? COVER_READS_EVENT_LEASE
					  : COVER_READS_QUORUM);
	if (done->by_lease && world->clock_rule_broken)
		return;
	for (uint32_t i = 0; i < 64; i++)
		if (host->reads[i].token == done->id &&
		    host->reads[i].committed > done->index)
			world_violate(world, node->id, "read-point",
				      "read point %" PRIu64
				      "%s; committed was %" PRIu64
				      " when it was asked for",
				      done->index,
				      done->by_lease ? " by lease" : "",
				      host->reads[i].committed);
}

void checks_log(struct world *world, struct node *node)
{
	const struct raft_host *host = &node->host;

	if (raft_log_first(host->raft) != host->log.first ||
	    raft_log_last(host->raft) != factlog_last(&host->log))
		world_violate(world, node->id, "mirror",
			      "core's log is %" PRIu64 "..%" PRIu64
			      ", its effects say %" PRIu64 "..%" PRIu64,
			      raft_log_first(host->raft),
			      raft_log_last(host->raft), host->log.first,
			      factlog_last(&host->log));
}

void checks_page(struct world *world, struct node *node)
{
	check_exclusive(world, node);
}

void checks_crashed(struct world *world, struct node *node)
{
	const struct fact *last =
		facts_committed(world, world->facts->committed_last);

	if (last)
		need_to_stay(world, node, last);
}

void checks_clock(struct world *world, struct node *node)
{
	const struct timesync_clock *page = &node->clock_page;
	struct interval told = timesync_clock_at(page, node_raw(world, node));
	const struct term_row *row = term_row(world, page->epoch);
	int64_t truth_ns;

	if (world->clock_rule_broken)
		return;
	if (!row->anchored) {
		world_violate(world, node->id, "clock-bound",
			      "usable clock of epoch %" PRIu64
			      ", which never began",
			      page->epoch);
		return;
	}
	truth_ns = epoch_truth(
		row, clocks_oscillator(&world->nodes[row->leader - 1].clock,
				       world->now_ns));
	world_cover(world, COVER_BOUND_CHECKS);
	if (!interval_contains(interval_widen(told, ROUNDING_NS), truth_ns))
		world_violate(world, node->id, "clock-bound",
			      "epoch %" PRIu64 " quality %d: [%" PRId64
			      ", %" PRId64 "] misses the truth %" PRId64
			      " by %" PRId64 " ns",
			      page->epoch, (int)page->quality, told.low_ns,
			      told.high_ns, truth_ns,
			      truth_ns < told.low_ns ? told.low_ns - truth_ns
						     : truth_ns - told.high_ns);
}

static void record_state(struct world *world, const struct kv *kv)
{
	struct checks *checks = world->checks;

	if (kv->applied >= checks->state_capacity) {
		checks->state_capacity = checks->state_capacity * 2 + 4096;
		checks->state_digests =
			realloc(checks->state_digests,
				checks->state_capacity * sizeof(uint64_t));
		CHECK(checks->state_digests);
	}
	CHECK(kv->applied == checks->state_last + 1);
	checks->state_digests[kv->applied] = kv->digest;
	checks->state_last = kv->applied;
}

void checks_applied(struct world *world, struct node *node,
		    const struct kv_outcome *outcome)
{
	const struct kv *kv = &node->storage.kv;

	if (kv->applied <= world->checks->state_last) {
		checks_snapshot(world, node, kv);
		return;
	}
	record_state(world, kv);
	if (!outcome->command || outcome->duplicate)
		return;
	history_committed(world->history, outcome->what.key, kv->applied,
			  outcome->result);
	record(world, 0, "applied %" PRIu64 " %u %" PRIu64, kv->applied,
	       outcome->what.key, outcome->result);
}

void checks_snapshot(struct world *world, struct node *node,
		     const struct kv *kv)
{
	if (kv->applied == 0)
		return;
	if (kv->applied > world->checks->state_last ||
	    world->checks->state_digests[kv->applied] != kv->digest)
		world_violate(world, node->id, "state-safety",
			      "state after entry %" PRIu64
			      " differs between nodes",
			      kv->applied);
}

bool checks_converged(struct world *world)
{
	const struct node *first = NULL;

	for (uint32_t i = 0; i < world->node_count; i++) {
		const struct node *node = &world->nodes[i];
		const struct raft_view *view = &node->host.view;

		if (!changes_takes_part(world, node))
			continue;
		if (!first)
			first = node;
		if (view->leader == RAFT_NOBODY ||
		    view->leader != first->host.view.leader ||
		    view->term != first->host.view.term ||
		    view->last_index != first->host.view.last_index ||
		    view->commit_index != view->last_index ||
		    node->storage.kv.applied != view->commit_index ||
		    node->disk.queue_count != 0 || node->disk.floor.index != 0 ||
		    factlog_last(&node->disk.log) != view->last_index ||
		    node->storage.kv.digest != first->storage.kv.digest)
			return false;
	}
	return true;
}
