/* One kind of fault at a time, drawn from those this seed has switched on. */
#include "tests/sim/faults.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/clock_host.h"
#include "tests/sim/cuts.h"
#include "tests/sim/network.h"
#include "tests/sim/rot.h"
#include "tests/sim/schedules.h"
#include "tests/sim/settings.h"

struct faults {
	uint32_t weights[32];
	int64_t mean_gap_ns;
	uint64_t commit_seen;
};

#define RAFTD	  (1u << PROC_RAFTD)
#define ALL_PROCS ((1u << PROC_COUNT) - 1)

static struct node *some_node(struct world *world)
{
	return &world->nodes[world_between(world, 0,
					   world->node_count - 1)];
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

/* Leaders are where it hurts: half of the faults hit one, if there is one. */
static struct node *victim(struct world *world)
{
	struct node *leader = leader_node(world);

	if (!leader || world_chance(world, 0.5))
		return some_node(world);
	return leader;
}

/* Mostly short against an election, sometimes long against everything. */
static int64_t some_time(struct world *world)
{
	int64_t mean = world_chance(world, 0.6)
			       ? world->profile.election_min_ns
			       : world->profile.election_max_ns * 8;

	return world_exponential(world, mean) + NS_PER_MS;
}

static void crash(struct world *world)
{
	struct node *node = victim(world);
	uint32_t procs = RAFTD;

	if (world_chance(world, 0.5))
		procs = (uint32_t)world_between(world, 1, ALL_PROCS);
	node_crash(world, node, procs, some_time(world));
}

static void reboot(struct world *world)
{
	struct node *node = victim(world);

	node_reboot(world, node, some_time(world));
}

/* The power of the whole room. */
static void outage(struct world *world)
{
	int64_t duration_ns = some_time(world);

	world_cover(world, COVER_OUTAGES);
	for (uint32_t i = 0; i < world->node_count; i++)
		node_reboot(world, &world->nodes[i],
			    duration_ns + some_time(world) / 8);
}

static void pause_some(struct world *world)
{
	struct node *node = victim(world);
	uint32_t procs = world_chance(world, 0.4)
				 ? ALL_PROCS
				 : (uint32_t)world_between(world, 1, ALL_PROCS);
	int64_t duration_ns = some_time(world);

	world_cover(world, COVER_PAUSES);
	world_trace(world, node->id, "processes %x pause for %.3f ms", procs,
		    (double)duration_ns / 1e6);
	for (uint32_t proc = 0; proc < PROC_COUNT; proc++)
		if (procs & (1u << proc))
			node_pause(world, node, (enum proc)proc, duration_ns);
}

static void pause_mid_step(struct world *world)
{
	victim(world)->host.stall = true;
}

static void isolate(struct world *world)
{
	uint32_t alone = victim(world)->index;
	bool in = world_chance(world, 0.6),
	     out = !in || world_chance(world, 0.6);

	cuts_one(world, alone, in, out, some_time(world));
}

static void split_for(struct world *world, int64_t duration_ns)
{
	uint32_t side;

	if (world->node_count < 2)
		return;
	side = (uint32_t)world_between(world, 1, (1 << world->node_count) - 2);
	cuts_halves(world, side, duration_ns);
}

static void split(struct world *world)
{
	split_for(world, some_time(world));
}

static void cut_pair(struct world *world)
{
	uint32_t a = victim(world)->index, b = some_node(world)->index;

	if (a != b)
		cuts_pair(world, a, b, some_time(world) * 2);
}

static void bridge(struct world *world)
{
	uint32_t seer = victim(world)->index;
	uint32_t side = (uint32_t)world_between(
		world, 0, (1 << world->node_count) - 1);

	cuts_bridge(world, seer, side, some_time(world) * 2);
}

static void slow_disk(struct world *world)
{
	struct node *node = victim(world);

	node->disk.slow_ns = node->disk.slow_ns
				     ? 0
				     : world_between(world, 5, 200) * NS_PER_MS;
	world_cover(world, COVER_SLOW_DISKS);
	world_trace(world, node->id, "disk slower by %.3f ms",
		    (double)node->disk.slow_ns / 1e6);
}

static void fail_sync(struct world *world)
{
	victim(world)->disk.fails = true;
}

static void fill_disk(struct world *world)
{
	struct node *node = victim(world);

	node->disk.full_until_ns = world->now_ns + some_time(world);
	world_cover(world, COVER_DISK_FULL);
	world_trace(world, node->id, "disk full");
}

static void rot(struct world *world)
{
	rot_strike(world, victim(world));
}

static void misdirect(struct world *world)
{
	rot_misdirect(world, victim(world));
}

/* The others look for a new leader at once; the old one, cut off or stopped,
 * still believes. Its lease and its last round are at their freshest. */
static void depose(struct world *world)
{
	struct node *leader = leader_node(world);
	int64_t duration_ns = world_between(world, 1, 30) *
			      world->profile.election_min_ns / 10;

	if (!leader)
		return;
	for (uint32_t i = 0; i < world->node_count; i++)
		if (i != leader->index)
			node_peer_lost(world, i, leader->index);
	if (world_chance(world, 0.5)) {
		cuts_one(world, leader->index, true, true, duration_ns);
		return;
	}
	world_cover(world, COVER_PAUSES);
	world_trace(world, leader->id, "raftd pauses for %.3f ms",
		    (double)duration_ns / 1e6);
	node_pause(world, leader, PROC_RAFTD, duration_ns);
}

/* Cut off, and the others look for another leader at once. */
static void abandon(struct world *world, const struct node *node)
{
	cuts_one(world, node->index, true, true, some_time(world));
	for (uint32_t i = 0; i < world->node_count; i++)
		if (i != node->index)
			node_peer_lost(world, i, node->index);
}

static void suspend(struct world *world, struct node *node, int64_t duration_ns)
{
	node->suspended_until_ns = world->now_ns + duration_ns;
	world_post(world, duration_ns,
		   (struct event){.kind = EVENT_SUSPEND_END,
				  .node = node->index,
				  .incarnation = (uint32_t)node->timing.boot,
				  .a = (uint64_t)node_raw(world, node)});
	for (uint32_t proc = 0; proc < PROC_COUNT; proc++)
		node_pause(world, node, (enum proc)proc, duration_ns);
	world_trace(world, node->id, "suspended for %.3f ms",
		    (double)duration_ns / 1e6);
}

/* The raw clock leaps ahead, or stood still while the node was suspended. A
 * follower whose clock leapt is at its worst when it leads next. */
static void disrupt(struct world *world)
{
	struct node *node = victim(world);
	int64_t duration_ns = some_time(world);

	if (node->suspended_until_ns > world->now_ns)
		return;
	if (world_chance(world, 0.4)) {
		suspend(world, node, duration_ns);
		return;
	}
	/* A leap beyond D makes every lease look old. */
	if (world_chance(world, 0.5))
		duration_ns += world_between(world, 1, 2) *
			       settings_longest_ns(world);
	clock_host_disrupt(world, node, duration_ns);
	if (node->page.role != RAFT_LEADER && world_chance(world, 0.5))
		depose(world);
}

void faults_suspend_end(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];

	/* A reboot or a heal meanwhile ended it before its time. */
	if (event->incarnation != (uint32_t)node->timing.boot ||
	    !world->faults_on)
		return;
	clock_host_disrupt(world, node,
			   (int64_t)event->a - node_raw(world, node));
}

/* What a fault does later. */
enum sequel {
	SEQUEL_NONE = 0,
	SEQUEL_DIE,	 /* b: if it leads that term still */
	SEQUEL_TRANSFER, /* the same */
	SEQUEL_DEPOSE,
};

static void later(struct world *world, enum sequel sequel,
		  const struct node *node, int64_t after_ns)
{
	world_post(world, after_ns,
		   (struct event){.kind = EVENT_FAULT,
				  .node = node->index,
				  .a = sequel,
				  .b = node->host.view.term});
}

static void hand_over(struct world *world, struct node *leader,
		      const struct node *to)
{
	node_post(world, leader->index, PROC_RAFTD, 0,
		  (struct event){.kind = EVENT_RAFT_TRANSFER, .a = to->id});
}

static void transfer(struct world *world)
{
	struct node *leader = leader_node(world);

	if (leader)
		hand_over(world, leader, some_node(world));
}

/* To a node that does not hear it. It goes on, and has a lease again, just
 * when the others want another leader. */
static void transfer_in_vain(struct world *world)
{
	struct node *leader = leader_node(world), *to = some_node(world);
	int64_t after_ns;

	if (!leader || to == leader)
		return;
	after_ns = leader->host.view.election_timeout_ns +
		   world_exponential(world, 10 * NS_PER_MS);
	cuts_pair(world, leader->index, to->index, after_ns);
	hand_over(world, leader, to);
	later(world, SEQUEL_DEPOSE, leader, after_ns);
}

static void false_hint(struct world *world)
{
	uint32_t listener = some_node(world)->index;

	node_peer_lost(world, listener, victim(world)->index);
}

static void rough_network(struct world *world)
{
	world_cover(world, COVER_DELAY_STORMS);
	world->network->rough_until_ns = world->now_ns + some_time(world);
}

static void wild_network(struct world *world)
{
	world_cover(world, COVER_WILD_SPELLS);
	world->network->wild_until_ns = world->now_ns + some_time(world);
}

/* Its page goes on, wider and wider, until it is void. */
static void freeze_page(struct world *world)
{
	struct node *node = victim(world);

	world_cover(world, COVER_FROZEN_PAGES);
	node_crash(world, node, 1u << PROC_TIMESYNCD,
		   world_between(world, NS_PER_SEC, 30 * NS_PER_SEC));
}

/* Minutes to days, either way. */
static void step_wall(struct world *world)
{
	struct node *node = some_node(world);
	int64_t step_ns = world_between(world, -1000, 1000) * 100 * NS_PER_SEC;

	world_cover(world, COVER_WALL_STEPS);
	world_trace(world, node->id, "wall clock steps by %.0f s",
		    (double)step_ns / 1e9);
	node->clock.wall_ahead_ns += step_ns;
}

static void reset_stream(struct world *world)
{
	uint32_t a = victim(world)->index, b = some_node(world)->index;

	if (a != b)
		network_reset(world, a, b);
}

static const struct {
	void (*strike)(struct world *world);
	uint32_t weight;
	uint32_t scenarios; /* besides mixed: 1 << scenario */
} kinds[] = {
#define IN(name) (1u << SCENARIO_##name)
	{crash, 4, IN(CHANGES) | IN(CRASHES) | IN(BEYOND_RHO) | IN(DISKS)},
	{reboot, 2, IN(CHANGES) | IN(CRASHES) | IN(BEYOND_RHO) | IN(DISKS)},
	{outage, 1, IN(CRASHES) | IN(BEYOND_RHO)},
	{pause_some, 4, IN(CHANGES) | IN(CLOCKS) | IN(BEYOND_RHO)},
	{pause_mid_step, 3, IN(CLOCKS) | IN(CRASHES)},
	{isolate, 6,
	 IN(CHANGES) | IN(PARTITIONS) | IN(CLOCKS) | IN(BEYOND_RHO) | IN(DISKS)},
	{split, 3, IN(CHANGES) | IN(PARTITIONS)},
	{bridge, 2, IN(PARTITIONS)},
	{cut_pair, 2, IN(PARTITIONS)},
	{slow_disk, 1, IN(CHANGES) | IN(CRASHES) | IN(DISKS)},
	{fail_sync, 1, IN(CRASHES) | IN(DISKS)},
	{fill_disk, 1, IN(DISKS)},
	{rot, 3, IN(CHANGES) | IN(DISKS)},
	{misdirect, 2, IN(DISKS)},
	{freeze_page, 1, IN(CLOCKS)},
	{step_wall, 1, IN(CLOCKS) | IN(CRASHES)},
	{disrupt, 3, IN(CLOCKS)},
	{depose, 3, IN(CHANGES) | IN(PARTITIONS) | IN(CLOCKS) | IN(HOSTILE)},
	{transfer, 2, IN(CHANGES) | IN(PARTITIONS) | IN(HOSTILE) | IN(BEYOND_RHO)},
	{transfer_in_vain, 2, IN(PARTITIONS) | IN(HOSTILE)},
	{false_hint, 1, IN(PARTITIONS) | IN(HOSTILE)},
	{rough_network, 1, IN(CHANGES) | IN(PARTITIONS) | IN(HOSTILE) | IN(CLOCKS)},
	{wild_network, 1, IN(PARTITIONS)},
	{reset_stream, 2, IN(CHANGES) | IN(PARTITIONS) | IN(HOSTILE)},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void strike_later(struct world *world)
{
	world_post(world,
		   world_exponential(world, world->faults->mean_gap_ns) + 1,
		   (struct event){.kind = EVENT_FAULT});
}

/* A seed sees about two thirds of the kinds: what is rare beside everything
 * else gets room in some seeds. */
void faults_init(struct world *world)
{
	struct faults *faults = calloc(1, sizeof(*faults));
	enum sim_scenario scenario = world->options.scenario;

	CHECK(faults && KINDS <= 32);
	world->faults = faults;
	faults->mean_gap_ns =
		world_between(world, 1, 6) * world->profile.election_max_ns;
	for (uint32_t i = 0; i < KINDS; i++)
		if (scenario == SCENARIO_MIXED
			    ? world_chance(world, 0.65)
			    : (kinds[i].scenarios >> scenario) & 1)
			faults->weights[i] = kinds[i].weight;
	world->faults_on =
		scenario != SCENARIO_CALM && scenario != SCENARIO_IDLE;
	if (world->faults_on && schedules_apply(world))
		schedules_init(world);
	else if (world->faults_on)
		strike_later(world);
}

static void follow_up(struct world *world, const struct event *event)
{
	struct node *node = &world->nodes[event->node];

	if (node->page.role != RAFT_LEADER || node->page.term != event->b)
		return;
	world_trace(world, node->id, "sequel %d", (int)event->a);
	switch ((enum sequel)event->a) {
	case SEQUEL_DIE:
		node_crash(world, node, RAFTD, some_time(world));
		break;
	case SEQUEL_TRANSFER:
		hand_over(world, node, some_node(world));
		break;
	default:
		depose(world);
	}
}

void faults_strike(struct world *world, struct event *event)
{
	struct faults *faults = world->faults;
	uint32_t total = 0, drawn;

	if (!world->faults_on)
		return;
	if (event->a != SEQUEL_NONE) {
		follow_up(world, event);
		return;
	}
	strike_later(world);
	for (uint32_t i = 0; i < KINDS; i++)
		total += faults->weights[i];
	if (total == 0)
		return;
	drawn = (uint32_t)world_between(world, 0, total - 1);
	for (uint32_t i = 0; i < KINDS; i++) {
		if (drawn < faults->weights[i]) {
			kinds[i].strike(world);
			return;
		}
		drawn -= faults->weights[i];
	}
}

void faults_heal(struct world *world, struct event *event)
{
	network_heal(world, (uint32_t)event->a);
}

void faults_end(struct world *world)
{
	world->faults_on = false;
	world_trace(world, 0, "all faults end");
	network_heal_all(world);
	node_heal_all(world);
	for (uint32_t i = 0; i < world->node_count; i++)
		world->nodes[i].host.stall = false;
}

static double touchiness(const struct raft_message *message)
{
	switch (message->type) {
	case RAFT_MSG_VOTE_REPLY:
		return message->vote_reply.granted ? 10 : 1;
	case RAFT_MSG_SNAPSHOT:
		return 20;
	case RAFT_MSG_TIMEOUT_NOW:
		return 60;
	case RAFT_MSG_VOTE:
		return 3;
	case RAFT_MSG_APPEND_REPLY:
		return 0.1;
	default:
		return message->append.count ? 0.1 : 0;
	}
}

void faults_after_send(struct world *world, struct node *node,
		       const struct raft_message *message)
{
	double chance = world->profile.snipe * touchiness(message);
	uint32_t procs;

	schedules_after_send(world, node, message);
	if (!world->faults_on || !world_chance(world, chance))
		return;
	world_trace(world, node->id, "struck just after sending");
	/* It gave its lease up, and may never hear that it was taken at its
	 * word. */
	if (message->type == RAFT_MSG_TIMEOUT_NOW && world_chance(world, 0.7)) {
		abandon(world, node);
		return;
	}
	procs = world_chance(world, 0.5) ? RAFTD : ALL_PROCS;
	node_crash(world, node, procs,
		   world_exponential(world, world->profile.election_min_ns));
}

void faults_after_win(struct world *world, struct node *node)
{
	enum sequel sequel;

	schedules_after_win(world, node);
	if (!world->faults_on ||
	    !world_chance(world, world->profile.snipe * 25))
		return;
	/* It dies, or hands over, when its first entry has left and is not
	 * committed: its predecessors' leases are not over (K, I10). */
	if (world_chance(world, 0.6)) {
		sequel = world_chance(world, 0.5) ? SEQUEL_DIE
						  : SEQUEL_TRANSFER;
		later(world, sequel, node,
		      world_exponential(world, 2 * world->profile.delay_ns));
		return;
	}
	world_trace(world, node->id, "struck just after winning");
	abandon(world, node);
}

/* Half of the cluster, as it was or as it will be, goes its own way. */
void faults_after_change(struct world *world, struct node *node)
{
	if (!world->faults_on || !world_chance(world, 0.2))
		return;
	world_trace(world, node->id, "struck just after changing the members");
	split_for(world, 4 * world->profile.election_max_ns + some_time(world));
}

/* It set the leases anew, and does not hear yet that this is committed: it
 * reads by the setting before, and who comes next has the new one. */
void faults_after_setting(struct world *world, struct node *node)
{
	if (!world->faults_on || !world_chance(world, 0.3))
		return;
	world_trace(world, node->id, "struck just after setting the leases");
	later(world, SEQUEL_DEPOSE, node,
	      world_exponential(world, 2 * world->profile.delay_ns) +
		      world_exponential(world, world->profile.disk_ns));
}

void faults_after_commit(struct world *world, struct node *node)
{
	uint64_t committed = world->facts->committed_last;
	bool first = committed != world->faults->commit_seen;

	world->faults->commit_seen = committed;
	if (first)
		schedules_after_commit(world, node);
	if (!world->faults_on || !first || node->page.role != RAFT_LEADER ||
	    !world_chance(world, world->profile.snipe * 0.5))
		return;
	/* Committed, perhaps answered, and nobody else knows yet. */
	world_trace(world, node->id, "struck just after committing");
	if (world_chance(world, 0.5)) {
		cuts_one(world, node->index, true, true,
			 some_time(world) * 2);
		return;
	}
	node_crash(world, node, RAFTD, some_time(world));
}
