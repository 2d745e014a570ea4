/* Processes of a node: start, crash, pause, and what survives. */
#include "tests/sim/node.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/checks.h"
#include "tests/sim/clock_host.h"
#include "tests/sim/network.h"
#include "tests/sim/raft_host.h"
#include "tests/sim/settings.h"
#include "tests/sim/storage.h"

#define ALL_PROCS ((1u << PROC_COUNT) - 1)

int64_t node_raw(const struct world *world, const struct node *node)
{
	return clocks_raw(&node->clock, world->now_ns);
}

struct node *node_add(struct world *world)
{
	struct node *node = &world->nodes[world->node_count];

	CHECK(world->node_count < SIM_NODES_MAX);
	node->world = world;
	node->index = world->node_count++;
	node->id = node->index + 1;
	node->lease_file_ns = settings_file_ns(world);
	clocks_init(world, &node->clock);
	disks_init(&node->disk);
	node->timing.boot = (uint64_t)node->id << 32;
	world_post(world, world_between(world, 0, NS_PER_SEC),
		   (struct event){.kind = EVENT_CLOCK_WANDER,
				  .node = node->index});
	return node;
}

void node_add_all(struct world *world)
{
	world->nodes = calloc(SIM_NODES_MAX, sizeof(struct node));
	CHECK(world->nodes);
	while (world->node_count < world->options.node_count)
		node_add(world);
}

void node_start_all(struct world *world)
{
	for (uint32_t i = 0; i < world->node_count; i++)
		node_start(world, &world->nodes[i], ALL_PROCS);
}

void node_post(struct world *world, uint32_t index, enum proc proc,
	       int64_t after_ns, struct event event)
{
	event.node = index;
	event.incarnation = world->nodes[index].procs[proc].incarnation;
	world_post(world, after_ns, event);
}

void node_defer(struct process *process, const struct event *event)
{
	if (process->deferred_count == process->deferred_capacity) {
		process->deferred_capacity =
			process->deferred_capacity * 2 + 16;
		process->deferred =
			realloc(process->deferred,
				process->deferred_capacity * sizeof(*event));
		CHECK(process->deferred);
	}
	process->deferred[process->deferred_count++] = *event;
}

static void drop_deferred(struct process *process)
{
	for (uint32_t i = 0; i < process->deferred_count; i++)
		world_drop(&process->deferred[i]);
	process->deferred_count = 0;
}

void node_start(struct world *world, struct node *node, uint32_t procs)
{
	for (uint32_t proc = 0; proc < PROC_COUNT; proc++) {
		struct process *process = &node->procs[proc];

		if (process->alive || !(procs & (1u << proc)) || node->lost ||
		    (proc == PROC_TIMESYNCD && node->clockless))
			continue;
		process->alive = true;
		process->paused_until_ns = 0;
		if (proc == PROC_RAFTD)
			raft_host_start(world, node);
		else if (proc == PROC_TIMESYNCD)
			clock_host_start(world, node);
		else
			storage_start(world, node);
	}
}

static void stop(struct world *world, struct node *node, enum proc proc)
{
	struct process *process = &node->procs[proc];

	if (!process->alive)
		return;
	process->alive = false;
	process->incarnation++;
	drop_deferred(process);
	if (proc == PROC_RAFTD)
		raft_host_stop(world, node);
	else if (proc == PROC_TIMESYNCD)
		clock_host_stop(node);
	world_cover(world, COVER_CRASHES);
}

/* Its supervisor has revoked the page and tells the others, who may hear it
 * at once, much later, twice or not at all. */
static void tell_death(struct world *world, struct node *node,
		       uint64_t term_led)
{
	for (uint32_t i = 0; i < world->node_count; i++) {
		int64_t mean_ns = world_chance(world, 0.9) ? NS_PER_MS :
							     NS_PER_SEC;

		if (i == node->index ||
		    world->network->blocked[node->index][i])
			continue;
		while (world_chance(world, 0.7))
			node_post(world, i, PROC_RAFTD,
				  world_exponential(world, mean_ns),
				  (struct event){ .kind = EVENT_RAFT_DEATH,
						  .a = node->id,
						  .b = term_led });
	}
}

void node_crash(struct world *world, struct node *node, uint32_t procs,
		int64_t after_ns)
{
	uint32_t stopped = 0;
	uint64_t term_led =
		node->page.role == RAFT_LEADER ? node->page.term : 0;

	for (uint32_t proc = 0; proc < PROC_COUNT; proc++)
		if ((procs & (1u << proc)) && node->procs[proc].alive) {
			stop(world, node, (enum proc)proc);
			stopped |= 1u << proc;
		}
	world_trace(world, node->id, "crash of processes %x for %.3f ms",
		    stopped, (double)after_ns / 1e6);
	if (stopped & (1u << PROC_RAFTD))
		for (uint32_t i = 0; i < world->node_count; i++)
			if (i != node->index && world_chance(world, 0.7))
				node_peer_lost(world, i, node->index);
	if (stopped & (1u << PROC_RAFTD) && term_led != 0)
		tell_death(world, node, term_led);
	if (stopped)
		world_post(world, after_ns,
			   (struct event){.kind = EVENT_PROC_RESTART,
					  .node = node->index,
					  .a = stopped});
}

void node_reboot(struct world *world, struct node *node, int64_t after_ns)
{
	world_trace(world, node->id, "reboot");
	world_cover(world, COVER_REBOOTS);
	memset(&node->page, 0, sizeof(node->page)); /* no last words */
	node_crash(world, node, ALL_PROCS, after_ns);
	clocks_reboot(world, &node->clock);
	node->suspended_until_ns = 0;
	node->timing.boot++;
	node->timing.disruptions_base = 0;
	memset(&node->clock_page, 0, sizeof(node->clock_page));
	memset(&node->page, 0, sizeof(node->page));
}

void node_pause(struct world *world, struct node *node, enum proc proc,
		int64_t duration_ns)
{
	struct process *process = &node->procs[proc];

	if (!process->alive)
		return;
	if (process->paused_until_ns < world->now_ns + duration_ns)
		process->paused_until_ns = world->now_ns + duration_ns;
	node_post(world, node->index, proc,
		  process->paused_until_ns - world->now_ns,
		  (struct event){.kind = EVENT_PROC_RESUME, .a = proc});
}

void node_resume(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct process *process = &node->procs[event->a];
	struct event *waiting = process->deferred;
	uint32_t count = process->deferred_count;

	if (!process->alive || process->incarnation != event->incarnation ||
	    process->paused_until_ns > world->now_ns)
		return;
	process->paused_until_ns = 0;
	process->deferred = NULL;
	process->deferred_count = process->deferred_capacity = 0;
	if (event->a == PROC_RAFTD)
		raft_host_resume(world, node);
	/* Its timers may fire before it reads its sockets, or after. */
	for (uint32_t i = 0; i < count; i++)
		world_post(world, 0, waiting[i]);
	free(waiting);
}

void node_restart(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];

	if (node->suspended_until_ns > world->now_ns) {
		world_post(world, node->suspended_until_ns - world->now_ns,
			   *event);
		return;
	}
	world_trace(world, node->id, "restart of processes %x",
		    (unsigned int)event->a);
	node_start(world, node, (uint32_t)event->a);
}

void node_heal_all(struct world *world)
{
	for (uint32_t i = 0; i < world->node_count; i++) {
		struct node *node = &world->nodes[i];

		node->disk.slow_ns = 0;
		node->disk.full_until_ns = 0;
		node->disk.fails = node->disk.misdirects = false;
		node->suspended_until_ns = 0;
		node_start(world, node, ALL_PROCS);
		for (uint32_t proc = 0; proc < PROC_COUNT; proc++) {
			if (node->procs[proc].paused_until_ns <= world->now_ns)
				continue;
			node->procs[proc].paused_until_ns = world->now_ns;
			node_post(world, i, (enum proc)proc, 0,
				  (struct event){.kind = EVENT_PROC_RESUME,
						 .a = proc});
		}
	}
}

void node_peer_lost(struct world *world, uint32_t index, uint32_t peer_index)
{
	node_post(world, index, PROC_RAFTD, world_exponential(world, NS_PER_MS),
		  (struct event){.kind = EVENT_RAFT_PEER_LOST,
				 .a = peer_index + 1});
}

bool node_clock_usable(const struct timesync_clock *page, int64_t raw_ns)
{
	return (page->quality == TIMESYNC_SYNCED ||
		page->quality == TIMESYNC_HOLDOVER) &&
	       raw_ns < page->void_after_ns;
}
