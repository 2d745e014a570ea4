/* An operator at work, and what its changes may never do. */
#include "tests/sim/changes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/clock_host.h"
#include "tests/sim/faults.h"
#include "tests/sim/raft_host.h"
#include "tests/sim/rot.h"

#define REQUEST_ID (UINT64_C(1) << 63) /* no client's token */
#define VOTERS_MAX 7
#define ALL_PROCS  ((1u << PROC_COUNT) - 1)

struct changes {
	int64_t mean_gap_ns;
	uint64_t request;	    /* the last one's number */
	bool outstanding;	    /* not answered, and its node still lives */
	uint32_t asked_node;	    /* index */
	uint32_t asked_incarnation; /* of its raftd */
};

/* ---- who takes part ---- */

static struct raft_membership bootstrap(const struct world *world)
{
	struct raft_membership membership = {
		.count = world->options.node_count,
		.last_id = world->options.node_count,
	};

	for (uint32_t i = 0; i < membership.count; i++)
		membership.members[i] = (struct raft_member){
			.id = i + 1,
			.voter = true,
		};
	return membership;
}

static struct raft_membership decode(const struct fact *fact)
{
	struct raft_membership membership;

	CHECK(raft_membership_decode(fact->data, fact->bytes, &membership) ==
	      RFS_ERR_OK);
	return membership;
}

struct raft_membership changes_by(const struct world *world,
				  const struct node *node,
				  const struct fact *last)
{
	if (last && last->config)
		return decode(last->config);
	/* A leader's snapshot brings the first membership too. */
	if (node && node->index >= world->options.node_count &&
	    !node->disk.snapshot_knows)
		return (struct raft_membership){0};
	return bootstrap(world);
}

struct raft_membership changes_held(const struct world *world,
				    const struct node *node)
{
	const struct factlog *log = &node->host.log;

	return changes_by(world, node, factlog_at(log, factlog_last(log)));
}

struct raft_membership changes_committed(const struct world *world)
{
	return changes_by(
		world, NULL,
		facts_committed(world, world->facts->committed_last));
}

bool changes_is_member(const struct world *world, const struct node *node)
{
	struct raft_membership membership = changes_committed(world);

	return raft_membership_find(&membership, node->id) != NULL;
}

bool changes_takes_part(const struct world *world, const struct node *node)
{
	return !node->lost && changes_is_member(world, node);
}

static bool is_majority(const struct raft_membership *membership, bool before,
			uint32_t nodes)
{
	uint32_t of = 0, there = 0;

	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];

		if (!(before ? member->voter_before : member->voter))
			continue;
		of++;
		there += (nodes >> (member->id - 1)) & 1;
	}
	return there * 2 > of;
}

bool changes_is_quorum(const struct raft_membership *membership, uint32_t nodes)
{
	return is_majority(membership, false, nodes) &&
	       (!membership->joint || is_majority(membership, true, nodes));
}

uint32_t changes_ailing(const struct world *world)
{
	uint32_t nodes = 0;

	for (uint32_t i = 0; i < world->node_count; i++)
		if (world->nodes[i].lost ||
		    rot_is_damaged(&world->nodes[i].disk))
			nodes |= 1u << i;
	return nodes;
}

/* With every promotion that may come. */
static struct raft_membership promoted(struct raft_membership membership)
{
	for (uint32_t i = 0; i < membership.count; i++) {
		struct raft_member *member = &membership.members[i];

		if (!member->promote)
			continue;
		member->voter = true;
		for (uint32_t k = 0; k < membership.count; k++)
			if (membership.members[k].id == member->replaces)
				membership.members[k].voter = false;
	}
	return membership;
}

bool changes_can_spare(const struct world *world, uint32_t nodes)
{
	if (world->changes->outstanding)
		return false;
	for (uint32_t i = 0; i < world->node_count; i++) {
		struct raft_membership held =
			changes_held(world, &world->nodes[i]);
		struct raft_membership next = promoted(held);

		if (held.count > 0 && (!changes_is_quorum(&held, ~nodes) ||
				       !changes_is_quorum(&next, ~nodes)))
			return false;
	}
	return true;
}

/* ---- the operator ---- */

static void later(struct world *world)
{
	world_post(world,
		   world_exponential(world, world->changes->mean_gap_ns) + 1,
		   (struct event){.kind = EVENT_CHANGE});
}

void changes_init(struct world *world)
{
	struct changes *changes = calloc(1, sizeof(*changes));
	enum sim_scenario scenario = world->options.scenario;

	CHECK(changes);
	world->changes = changes;
	changes->mean_gap_ns =
		world_between(world, 1, 20) * world->profile.election_max_ns;
	if (scenario == SCENARIO_CHANGES ||
	    (scenario == SCENARIO_MIXED && world_chance(world, 0.5)))
		later(world);
}

void changes_end(struct world *world)
{
	world->changes->outstanding = false;
}

static struct node *leader_node(struct world *world)
{
	struct node *leader = NULL;

	for (uint32_t i = 0; i < world->node_count; i++)
		if (world->nodes[i].page.role == RAFT_LEADER &&
		    (!leader || world->nodes[i].page.term > leader->page.term))
			leader = &world->nodes[i];
	return leader;
}

static void ask(struct world *world, enum raft_change change, uint32_t id,
		uint32_t replaces)
{
	struct changes *changes = world->changes;
	struct node *node = leader_node(world);

	if (!node || world_chance(world, 0.1))
		node = &world->nodes[world_between(world, 0,
						   world->node_count - 1)];
	if (!node->procs[PROC_RAFTD].alive)
		return;
	changes->request++;
	changes->outstanding = true;
	changes->asked_node = node->index;
	changes->asked_incarnation = node->procs[PROC_RAFTD].incarnation;
	world_trace(world, 0, "operator asks node %u: change %d of %u for %u",
		    node->id, (int)change, id, replaces);
	node_post(world, node->index, PROC_RAFTD, NODE_IPC_NS,
		  (struct event){.kind = EVENT_RAFT_CONFIGURE,
				 .a = (uint64_t)change,
				 .b = id,
				 .c = replaces});
}

void changes_request(struct world *world, struct event *event)
{
	struct raft_event configure = {.type = RAFT_EV_CONFIGURE};

	configure.configure = (struct raft_configure){
		.id = REQUEST_ID | world->changes->request,
		.change = (enum raft_change)event->a,
		.node = (uint32_t)event->b,
		.replaces = (uint32_t)event->c,
	};
	raft_host_event(world, &world->nodes[event->node], &configure);
}

bool changes_answered(struct world *world, struct node *node,
		      const struct raft_proposal_done *done)
{
	if (!(done->id & REQUEST_ID))
		return false;
	world->changes->outstanding = false;
	world_trace(world, node->id, "answers the operator: %s",
		    rfs_err_name(done->err));
	if (done->err == RFS_ERR_OK)
		world_cover(world, COVER_CHANGES);
	else if (done->err == RFS_ERR_BUSY)
		world_cover(world, COVER_CHANGES_BUSY);
	return true;
}

/* Its raftd died with it, or it was asked of one that is gone. */
static bool still_outstanding(struct world *world)
{
	struct changes *changes = world->changes;
	const struct process *raftd =
		&world->nodes[changes->asked_node].procs[PROC_RAFTD];

	if (!raftd->alive || raftd->incarnation != changes->asked_incarnation)
		changes->outstanding = false;
	return changes->outstanding;
}

/* A machine for a new node: one that waits already, or another. 0: no room. */
static uint32_t machine(struct world *world)
{
	struct raft_membership now = changes_committed(world);
	struct node *node;

	for (uint32_t id = now.last_id + 1; id <= world->node_count; id++)
		if (!((changes_ailing(world) >> (id - 1)) & 1))
			return id;
	if (world->node_count == SIM_NODES_MAX)
		return 0;
	node = node_add(world);
	world_trace(world, node->id, "a new machine");
	node_start(world, node, ALL_PROCS);
	for (uint32_t i = 0; i < world->node_count; i++)
		clock_host_reload(world, &world->nodes[i]);
	return node->id;
}

static void lose(struct world *world, struct node *node)
{
	node_crash(world, node, ALL_PROCS, NS_PER_SEC);
	node->lost = true;
	world_cover(world, COVER_MACHINES_LOST);
	world_trace(world, node->id, "the machine is lost for good");
}

/* A lost machine that is still a member; NULL: none. */
static struct node *find_lost(struct world *world)
{
	for (uint32_t i = 0; i < world->node_count; i++)
		if (world->nodes[i].lost &&
		    changes_is_member(world, &world->nodes[i]))
			return &world->nodes[i];
	return NULL;
}

static void get_over(struct world *world, const struct node *lost)
{
	struct raft_membership now = changes_committed(world);
	const struct raft_member *member = raft_membership_find(&now, lost->id);
	uint32_t id;

	for (uint32_t i = 0; i < now.count; i++)
		if (now.members[i].replaces == lost->id)
			return; /* on its way */
	if (!member->voter || world_chance(world, 0.2)) {
		ask(world, RAFT_CHANGE_REMOVE, lost->id, 0);
		return;
	}
	id = machine(world);
	if (id)
		ask(world, RAFT_CHANGE_REPLACE, id, lost->id);
	else
		ask(world, RAFT_CHANGE_REMOVE, lost->id, 0);
}

static uint32_t count_voters(const struct raft_membership *membership)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < membership->count; i++)
		count += membership->members[i].voter;
	return count;
}

static void replace(struct world *world, const struct raft_member *member)
{
	struct node *node = &world->nodes[member->id - 1];
	uint32_t id = machine(world);

	if (!id)
		return;
	if (world_chance(world, 0.5) &&
	    changes_can_spare(world, changes_ailing(world) | 1u << node->index))
		lose(world, node);
	ask(world, RAFT_CHANGE_REPLACE, id, member->id);
}

static void have_an_idea(struct world *world)
{
	struct raft_membership now = changes_committed(world);
	const struct raft_member *member =
		&now.members[world_between(world, 0, now.count - 1)];
	const struct node *leader = leader_node(world);
	int64_t what = world_between(world, 0, 99);
	uint32_t voters = count_voters(&now), id;

	if (what < 35) {
		id = voters < VOTERS_MAX ? machine(world) : 0;
		if (id)
			ask(world,
			    what < 25 ? RAFT_CHANGE_ADD
				      : RAFT_CHANGE_ADD_LEARNER,
			    id, 0);
	} else if (what < 45) {
		ask(world, RAFT_CHANGE_PROMOTE, member->id, 0);
	} else if (what < 75) {
		if (leader && world_chance(world, 0.3) &&
		    raft_membership_find(&now, leader->id))
			member = raft_membership_find(&now, leader->id);
		if (!member->voter || voters > 3 || world_chance(world, 0.3))
			ask(world, RAFT_CHANGE_REMOVE, member->id, 0);
	} else if (member->voter) {
		replace(world, member);
	}
}

/* Somebody switches off what is no member any more. */
static void clean_up(struct world *world)
{
	struct raft_membership now = changes_committed(world);
	uint32_t id = (uint32_t)world_between(world, 1, world->node_count);
	struct node *node = &world->nodes[id - 1];

	if (node->lost || id > now.last_id || raft_membership_find(&now, id) ||
	    !changes_can_spare(world, changes_ailing(world) | 1u << (id - 1)))
		return;
	node_crash(world, node, ALL_PROCS, NS_PER_SEC);
	node->lost = true;
	world_trace(world, id, "switched off");
}

static bool is_healthy(const struct world *world)
{
	uint32_t ailing = changes_ailing(world);

	for (uint32_t i = 0; i < world->node_count; i++)
		if ((ailing >> i) & 1 &&
		    changes_is_member(world, &world->nodes[i]))
			return false;
	return true;
}

void changes_next(struct world *world, struct event *event)
{
	struct node *lost;

	(void)event;
	if (!world->faults_on)
		return;
	later(world);
	if (still_outstanding(world))
		return;
	clean_up(world);
	lost = find_lost(world);
	if (lost)
		get_over(world, lost);
	else if (is_healthy(world))
		have_an_idea(world);
}

/* ---- what must hold ---- */

static bool same_voters(const struct raft_membership *a,
			const struct raft_membership *b, bool before)
{
	for (uint32_t id = 1; id <= SIM_NODES_MAX; id++) {
		const struct raft_member *x = raft_membership_find(a, id);
		const struct raft_member *y = raft_membership_find(b, id);
		bool votes = y && (before ? y->voter_before : y->voter);

		if ((x && x->voter) != votes)
			return false;
	}
	return true;
}

/* S -> S with other learners; S -> joint of S and anything; joint -> its voters. */
static bool may_follow(const struct raft_membership *next,
		       const struct raft_membership *now)
{
	if (now->joint)
		return !next->joint && same_voters(now, next, false);
	return same_voters(now, next, next->joint);
}

/* A leader put this one into its log. */
static void check_made(struct world *world, struct node *node,
		       const struct fact *fact)
{
	const struct raft_effects *effects = &node->host.effects;
	const struct fact *before = fact->previous->config;
	const struct fact *commit =
		factlog_at(&node->host.log, effects->commit_index);
	struct raft_membership now, next = decode(fact);

	now = changes_by(world, NULL, fact->previous);
	if (before && before->index > effects->commit_index)
		world_violate(world, node->id, "one-change",
			      "membership %" PRIu64 " before %" PRIu64
			      " was committed",
			      fact->index, before->index);
	if (commit && commit->term != fact->term)
		world_violate(world, node->id, "one-change",
			      "membership %" PRIu64
			      " before anything of term %" PRIu64
			      " was committed",
			      fact->index, fact->term);
	if (!may_follow(&next, &now))
		world_violate(world, node->id, "joint",
			      "membership %" PRIu64
			      " may not follow the one before",
			      fact->index);
	for (uint32_t i = 0; next.joint && i < next.count; i++)
		if (next.members[i].voter && !next.members[i].voter_before)
			world_cover(world, COVER_PROMOTIONS);
	if (next.joint)
		world_cover(world, COVER_CHANGES_JOINT);
	else if (now.joint)
		world_cover(world, COVER_CHANGES_DONE);
	if (!next.joint && !raft_membership_find(&next, node->id))
		world_cover(world, COVER_LEADERS_REMOVED);
	faults_after_change(world, node);
}

void changes_check_vote(struct world *world, const struct node *node)
{
	if (changes_held(world, node).count == 0 && node->disk.floor.index == 0)
		world_violate(world, node->id, "joiner",
			      "votes, and is in no membership yet");
}

/* What the core goes by is what its log holds. */
static void check_newest(struct world *world, struct node *node)
{
	const struct raft_membership *core = raft_membership(node->host.raft);
	struct raft_membership held = changes_held(world, node);
	uint8_t a[RAFT_MEMBERSHIP_BYTES_MAX], b[RAFT_MEMBERSHIP_BYTES_MAX];

	if (core->count == 0 && held.count == 0)
		return;
	if (core->count == 0 || held.count == 0 ||
	    core->index != held.index ||
	    raft_membership_encode(core, a) !=
		    raft_membership_encode(&held, b) ||
	    memcmp(a, b, raft_membership_encode(core, a)) != 0)
		world_violate(world, node->id, "membership",
			      "goes by %" PRIu64 ", its log holds %" PRIu64,
			      core->index, held.index);
}

void changes_check_at(struct world *world, struct node *node, uint64_t index,
		      const struct raft_membership *membership)
{
	struct raft_membership core;

	if (raft_membership_at(node->host.raft, index, &core) &&
	    core.index != membership->index)
		world_violate(world, node->id, "membership",
			      "says %" PRIu64 " ruled at %" PRIu64
			      ", it was %" PRIu64,
			      core.index, index, membership->index);
}

bool changes_known_at(const struct node *node, uint64_t index)
{
	struct raft_membership core;

	return raft_membership_at(node->host.raft, index, &core) &&
	       core.count > 0;
}

static uint64_t newest_index(const struct raft_host *host)
{
	const struct fact *last =
		factlog_at(&host->log, factlog_last(&host->log));

	return last && last->config ? last->config->index : 0;
}

void changes_check(struct world *world, struct node *node)
{
	const struct raft_host *host = &node->host;
	const struct raft_effects *effects = &host->effects;

	if (effects->membership_changed ||
	    host->view.membership_index != newest_index(host))
		check_newest(world, node);
	for (uint32_t i = 0; i < effects->append_count; i++) {
		const struct raft_entry *entry = &effects->append[i];

		if (entry->kind == RAFT_ENTRY_CONFIG &&
		    host->view.role == RAFT_LEADER &&
		    entry->term == host->view.term)
			check_made(world, node,
				   factlog_at(&host->log, entry->index));
	}
	if (effects->membership_changed && effects->truncate_from)
		world_cover(world, COVER_CHANGES_UNDONE);
}

bool changes_settled(const struct world *world)
{
	struct raft_membership now = changes_committed(world);

	if (now.joint)
		return false;
	for (uint32_t i = 0; i < now.count; i++)
		if (now.members[i].promote &&
		    !world->nodes[now.members[i].id - 1].lost)
			return false;
	for (uint32_t i = 0; i < world->node_count; i++) {
		const struct node *node = &world->nodes[i];
		struct raft_membership held = changes_held(world, node);

		if (raft_membership_find(&now, node->id) && !node->lost &&
		    held.index != now.index)
			return false;
		if (node->host.view.role == RAFT_LEADER &&
		    !raft_membership_find(&now, node->id))
			return false;
	}
	return true;
}
