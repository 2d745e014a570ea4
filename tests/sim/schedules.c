/* Two schedules as small state machines, looked at every few milliseconds. */
#include "tests/sim/schedules.h"

#include <stdlib.h>

#include "common/check.h"
#include "tests/sim/network.h"

#define LOOK_EVERY_NS (3 * NS_PER_MS)
#define FOR_EVER_NS   (1000 * NS_PER_SEC)

enum phase {
	PHASE_CALM = 0,
	PHASE_CUT,     /* figure 8: a alone; forget: split, leaderless */
	PHASE_ALL_CUT, /* b leads, and nobody knows */
	PHASE_RETURN,  /* a is back among a majority */
	PHASE_OTHERS,  /* a is gone again, b is back; the vote is given */
};

struct schedule {
	enum phase phase;
	int64_t since_ns;
	struct node *a, *b; /* forget: a is the node that sees both halves */
};

bool schedules_apply(const struct world *world)
{
	return world->options.scenario == SCENARIO_FIGURE_8 ||
	       world->options.scenario == SCENARIO_FORGET;
}

void schedules_profile(struct world *world)
{
	struct world_profile *profile = &world->profile;

	if (!schedules_apply(world))
		return;
	/* With leases nothing is committed before D, and by then the entries
	 * of the term have followed. */
	profile->lease_ns = 0;
	profile->inflight_entries = 1;
	profile->snipe = 0;
	profile->stream_reset = 0;
	profile->delay_ns = 200 * NS_PER_US;
	profile->disk_ns = NS_PER_MS;
	profile->election_min_ns = 50 * NS_PER_MS;
	profile->election_max_ns = 100 * NS_PER_MS;
	profile->heartbeat_ns = 8 * NS_PER_MS;
}

static void look_later(struct world *world)
{
	world_post(world, LOOK_EVERY_NS,
		   (struct event){.kind = EVENT_SCHEDULE});
}

void schedules_init(struct world *world)
{
	world->schedule = calloc(1, sizeof(*world->schedule));
	CHECK(world->schedule);
	look_later(world);
}

static void enter(struct world *world, enum phase phase)
{
	world->schedule->phase = phase;
	world->schedule->since_ns = world->now_ns;
	world_trace(world, 0, "schedule: phase %d", (int)phase);
}

/* Only nodes of one group hear each other; group 0 is alone. */
static void regroup(struct world *world, const uint32_t group[SIM_NODES_MAX])
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};

	network_heal_all(world);
	for (uint32_t i = 0; i < world->node_count; i++)
		for (uint32_t j = 0; j < world->node_count; j++)
			cut[i][j] = i != j &&
				    (group[i] == 0 || group[i] != group[j]);
	network_cut(world, cut, FOR_EVER_NS);
	world->network->stalling = false;
}

static struct node *leader_of(struct world *world)
{
	struct node *leader = NULL;

	for (uint32_t i = 0; i < world->node_count; i++)
		if (world->nodes[i].page.role == RAFT_LEADER &&
		    (!leader || world->nodes[i].page.term > leader->page.term))
			leader = &world->nodes[i];
	return leader;
}

static void calm_down(struct world *world)
{
	network_heal_all(world);
	enter(world, PHASE_CALM);
}

/* a and as many others as make a majority with it; b is not among them. */
static void bring_back(struct world *world)
{
	const struct schedule *schedule = world->schedule;
	uint32_t group[SIM_NODES_MAX] = {0};
	uint32_t missing = world->node_count / 2;

	group[schedule->a->index] = 1;
	for (uint32_t i = 0; i < world->node_count && missing > 0; i++) {
		if (i == schedule->a->index || i == schedule->b->index)
			continue;
		group[i] = 1;
		missing--;
	}
	regroup(world, group);
	enter(world, PHASE_RETURN);
}

static void cut_leader(struct world *world, struct node *leader)
{
	uint32_t group[SIM_NODES_MAX];

	world->schedule->a = leader;
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		group[i] = i != leader->index;
	regroup(world, group);
	enter(world, PHASE_CUT);
}

/* Two halves and a node between them; everybody looks for a new leader. */
static void split_around(struct world *world, struct node *leader)
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};
	uint32_t count = world->node_count;
	uint32_t between = (uint32_t)world_between(world, 0, count - 1);

	world->schedule->a = &world->nodes[between];
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < count; j++)
			cut[i][j] =
				i != between && j != between &&
				((i + count - between) % count - 1) % 2 !=
					((j + count - between) % count - 1) % 2;
	network_cut(world, cut, FOR_EVER_NS);
	world->network->stalling = false;
	enter(world, PHASE_CUT);
	node_crash(world, leader, 1u << PROC_RAFTD, NS_PER_MS);
	for (uint32_t i = 0; i < count; i++)
		if (i != leader->index)
			node_peer_lost(world, i, leader->index);
}

void schedules_look(struct world *world, struct event *event)
{
	const struct schedule *schedule = world->schedule;
	int64_t passed_ns = world->now_ns - schedule->since_ns;
	int64_t patience_ns = 20 * world->profile.election_max_ns;
	struct node *leader = leader_of(world);

	(void)event;
	if (!world->faults_on)
		return;
	look_later(world);
	if (schedule->phase == PHASE_CALM) {
		if (!leader || passed_ns < 3 * world->profile.election_max_ns)
			return;
		if (world->options.scenario == SCENARIO_FORGET)
			split_around(world, leader);
		else
			cut_leader(world, leader);
	} else if (schedule->phase == PHASE_ALL_CUT &&
		   passed_ns > 10 * world->profile.disk_ns) {
		bring_back(world);
	} else if (passed_ns > patience_ns) {
		calm_down(world);
	}
}

void schedules_after_win(struct world *world, struct node *node)
{
	static const uint32_t alone[SIM_NODES_MAX] = {0};
	struct schedule *schedule = world->schedule;

	if (world->options.scenario != SCENARIO_FIGURE_8 || !world->faults_on ||
	    schedule->phase != PHASE_CUT || node == schedule->a)
		return;
	schedule->b = node;
	regroup(world, alone);
	enter(world, PHASE_ALL_CUT);
}

void schedules_after_commit(struct world *world, struct node *node)
{
	struct schedule *schedule = world->schedule;
	uint32_t group[SIM_NODES_MAX];

	if (world->options.scenario != SCENARIO_FIGURE_8 || !world->faults_on ||
	    schedule->phase != PHASE_RETURN || node->page.role != RAFT_LEADER)
		return;
	world_cover(world, COVER_FIGURE_8);
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		group[i] = i != node->index;
	regroup(world, group);
	enter(world, PHASE_OTHERS);
}

/* The voter dies; whom it voted for is heard by it no more. */
void schedules_after_send(struct world *world, struct node *node,
			  const struct raft_message *message)
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};
	struct schedule *schedule = world->schedule;

	if (world->options.scenario != SCENARIO_FORGET || !world->faults_on ||
	    schedule->phase != PHASE_CUT || node != schedule->a ||
	    message->type != RAFT_MSG_VOTE_REPLY || message->vote_reply.pre ||
	    !message->vote_reply.granted)
		return;
	world_cover(world, COVER_FORGOTTEN_VOTES);
	enter(world, PHASE_OTHERS);
	cut[message->to - 1][node->index] = true;
	network_cut(world, cut, FOR_EVER_NS);
	world->network->stalling = false;
	node_crash(world, node, 1u << PROC_RAFTD, NS_PER_MS);
}
