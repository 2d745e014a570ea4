/* Rules told from what a step of a core did. */
#include "tests/sim/coverage.h"

#include "tests/sim/node.h"

struct coverage_before coverage_before(const struct node *node)
{
	const struct raft_view *view = &node->host.view;

	return (struct coverage_before){
		.role = view->role,
		.term = view->term,
		.commit_index = view->commit_index,
		.disruptions = view->lease_disruptions,
	};
}

/* Does what this leader inherited end in an entry that gives the lease up? */
static bool relinquished(const struct node *node)
{
	const struct factlog *log = &node->host.log;
	const struct fact *fact = factlog_at(log, factlog_last(log));

	while (fact && fact->term == node->host.view.term)
		fact = fact->previous;
	return fact && fact->kind == RAFT_ENTRY_RELINQUISH;
}

/* Was the setting it inherited made while a longer lease lasted? */
static bool outlasted(const struct node *node)
{
	const struct factlog *log = &node->host.log;
	const struct fact *fact = factlog_at(log, factlog_last(log));
	struct raft_lease lease;

	return fact && fact->lease && fact->lease->term < node->host.view.term &&
	       raft_lease_decode(fact->lease->data, fact->lease->bytes,
				 &lease) == RFS_ERR_OK &&
	       lease.past_ns > lease.duration_ns;
}

static void cover_c1(struct world *world, struct node *node,
		     const struct raft_event *event,
		     const struct coverage_before *before)
{
	struct raft_host *host = &node->host;
	const struct raft_counters *counters = &host->view.counters;

	if (counters->commits_waited_lease > host->c1_waits_seen) {
		world_cover(world, COVER_C1_WAITS);
		host->c1_waited_term = host->view.term;
		if (relinquished(node))
			world_cover(world, COVER_GIFTS_REFUSED);
		if (outlasted(node))
			world_cover(world, COVER_C1_OUTLASTED);
	}
	host->c1_waits_seen = counters->commits_waited_lease;
	if (counters->leases_given_up > host->given_up_seen)
		world_cover(world, relinquished(node) ? COVER_I10_SKIPS
						      : COVER_I11_SKIPS);
	host->given_up_seen = counters->leases_given_up;
	if (host->c1_waited_term == host->view.term &&
	    host->view.commit_index > before->commit_index) {
		host->c1_waited_term = 0;
		if (!event->now.usable)
			world_cover(world, COVER_C1_BY_DURATION);
	}
}

static void cover_roles(struct world *world, const struct node *node,
			const struct coverage_before *before)
{
	const struct raft_view *view = &node->host.view;

	if (before->role != RAFT_LEADER || view->role == RAFT_LEADER ||
	    view->term != before->term)
		return;
	world_cover(world, view->lease_disruptions != before->disruptions
				   ? COVER_I7_STEP_DOWNS
				   : COVER_QUORUM_LOST);
}

/* What timeouts and slots are made of, until peers have answered. */
static void cover_round_trips(struct world *world, const struct node *node)
{
	enum raft_rtt_from from = node->host.view.rtt_quorum_from;

	if (from == RAFT_RTT_TCP)
		world_cover(world, COVER_TIMEOUTS_TCP);
	else if (from == RAFT_RTT_EXCHANGE)
		world_cover(world, COVER_TIMEOUTS_EXCHANGE);
}

static void cover_message(struct world *world, const struct raft_message *m)
{
	if (m->type == RAFT_MSG_VOTE_REPLY && !m->vote_reply.granted)
		world_cover(world, m->vote_reply.pre ? COVER_PREVOTES_REFUSED
						     : COVER_VOTES_REFUSED);
	else if (m->type == RAFT_MSG_APPEND_REPLY && !m->append_reply.accepted)
		world_cover(world, COVER_LOGS_PARTED);
	else if (m->type == RAFT_MSG_VOTE && m->vote.transfer)
		world_cover(world, COVER_TOOK_OVER);
}

/* Asked of a leader that may not answer yet: because of a command that its
 * predecessor may have committed, or because its own term has no commit. */
static void cover_parked_read(struct world *world, const struct node *node)
{
	const struct raft_host *host = &node->host;
	const struct raft_view *view = &host->view;
	const struct fact *fact = factlog_at(&host->log, view->commit_index);
	bool limbo = false;

	if (view->role != RAFT_LEADER || !fact || fact->term == view->term ||
	    host->effects.read_count > 0)
		return;
	for (uint64_t i = view->commit_index + 1; i <= factlog_last(&host->log);
	     i++) {
		fact = factlog_at(&host->log, i);
		limbo |= fact->term != view->term &&
			 fact->kind == RAFT_ENTRY_COMMAND;
	}
	world_cover(world, limbo ? COVER_LIMBO_PARKS : COVER_TERM_PARKS);
}

void coverage_step(struct world *world, struct node *node,
		   const struct raft_event *event,
		   const struct coverage_before *before)
{
	const struct raft_effects *effects = &node->host.effects;

	if (node->host.view.role == RAFT_LEADER) {
		cover_c1(world, node, event, before);
		for (uint32_t i = 0; i < effects->append_count; i++)
			if (effects->append[i].kind == RAFT_ENTRY_EXTEND)
				world_cover(world, COVER_EXTENSIONS);
			else if (effects->append[i].kind ==
				 RAFT_ENTRY_RELINQUISH)
				world_cover(world, COVER_RELINQUISHED);
	}
	cover_roles(world, node, before);
	cover_round_trips(world, node);
	for (uint32_t i = 0; i < effects->send_count; i++)
		cover_message(world, &effects->send[i]);
	for (uint32_t i = 0; i < effects->proposal_count; i++)
		if (effects->proposals[i].err == RFS_ERR_FULL)
			world_cover(world, COVER_BACK_PRESSURE);
	if (event->type == RAFT_EV_READ)
		cover_parked_read(world, node);
}
