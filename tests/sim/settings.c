/* Operators, and the facts that contradict a core. */
#include "tests/sim/settings.h"

#include <inttypes.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/faults.h"
#include "tests/sim/raft_host.h"

#define GAP_NS (4 * NS_PER_SEC)

/* ---- operators ---- */

static void later(struct world *world)
{
	world_post(world, world_exponential(world, GAP_NS) + NS_PER_MS,
		   (struct event){.kind = EVENT_SETTING});
}

void settings_init(struct world *world)
{
	bool made_for_one =
		world->options.scenario == SCENARIO_FIGURE_8 ||
		world->options.scenario == SCENARIO_FORGET ||
		world->options.scenario == SCENARIO_IDLE;

	if (!made_for_one && world_chance(world, 0.6))
		later(world);
}

int64_t settings_file_ns(const struct world *world)
{
	return world->profile.lease_ns;
}

int64_t settings_longest_ns(const struct world *world)
{
	return world->profile.lease_longest_ns;
}

static void edit(struct world *world, struct node *node, int64_t lease_ns)
{
	node->lease_file_ns = lease_ns;
	world_trace(world, node->id, "its file says leases last %.0f ms",
		    (double)lease_ns / 1e6);
	node_post(world, node->index, PROC_RAFTD,
		  world_exponential(world, 20 * NS_PER_MS),
		  (struct event){.kind = EVENT_RAFT_LEASE});
}

/* On all nodes, as it should be, or on one, which is then of its own mind. */
void settings_next(struct world *world, struct event *event)
{
	static const int64_t leases_ms[] = {0, 20, 50, 150, 400, 1000, 3000};
	struct world_profile *profile = &world->profile;
	int64_t lease_ns;

	(void)event;
	if (!world->faults_on)
		return;
	later(world);
	lease_ns = leases_ms[world_between(world, 0, 6)] * NS_PER_MS;
	if (profile->lease_longest_ns < lease_ns)
		profile->lease_longest_ns = lease_ns;
	if (world_chance(world, 0.3)) {
		edit(world,
		     &world->nodes[world_between(world, 0,
						 world->node_count - 1)],
		     lease_ns);
		return;
	}
	profile->lease_ns = lease_ns;
	for (uint32_t i = 0; i < world->node_count; i++)
		edit(world, &world->nodes[i], lease_ns);
}

void settings_reload(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_event lease = {.type = RAFT_EV_LEASE,
				   .lease_ns = node->lease_file_ns};

	raft_host_event(world, node, &lease);
}

/* ---- what must hold ---- */

static struct raft_lease decode(const struct fact *fact)
{
	struct raft_lease lease = {0};

	if (!fact)
		return lease;
	CHECK(raft_lease_decode(fact->data, fact->bytes, &lease) == RFS_ERR_OK);
	lease.index = fact->index;
	lease.stamp = fact->stamp;
	return lease;
}

struct raft_window settings_window(const struct fact *fact)
{
	struct raft_window window = {.lease = decode(fact ? fact->lease : NULL)};
	struct raft_handover records[RAFT_HANDOVERS_MAX];
	uint64_t epochs[RAFT_HANDOVERS_MAX];
	uint32_t count = 0;

	while (fact && fact->first && count < RAFT_HANDOVERS_MAX) {
		const struct fact *first = fact->first;

		fact = first->previous;
		if (raft_handover_decode(first->data, first->bytes,
					 &records[count]) != RFS_ERR_OK ||
		    records[count].old_epoch == 0)
			continue;
		epochs[count++] = first->term;
	}
	window.handover_count = count;
	for (uint32_t i = 0; i < count; i++) {
		window.handovers[i].epoch = epochs[count - 1 - i];
		window.handovers[i].record = records[count - 1 - i];
	}
	return window;
}

void settings_check_at(struct world *world, struct node *node, uint64_t index,
		       const struct raft_window *window)
{
	uint8_t a[RAFT_WINDOW_BYTES_MAX], b[RAFT_WINDOW_BYTES_MAX];
	struct raft_window core;
	uint32_t bytes;

	if (!raft_window_at(node->host.raft, index, &core))
		return;
	bytes = raft_window_encode(&core, a);
	if (bytes != raft_window_encode(window, b) || memcmp(a, b, bytes) != 0)
		world_violate(world, node->id, "setting",
			      "says entry %" PRIu64
			      " set the leases at %" PRIu64 ", it was %" PRIu64
			      ", or hand-overs differ",
			      core.lease.index, index, window->lease.index);
}

void settings_truncated(struct world *world, const struct node *node,
			uint64_t from)
{
	const struct fact *last =
		factlog_at(&node->host.log, factlog_last(&node->host.log));

	if (last && last->lease && last->lease->index >= from)
		world_cover(world, COVER_SETTINGS_UNDONE);
}

static void check_in_force(struct world *world, struct node *node)
{
	const struct raft_view *view = &node->host.view;
	const struct fact *fact =
		factlog_at(&node->host.log, view->commit_index);
	struct raft_lease lease = decode(fact ? fact->lease : NULL);

	if (lease.index != view->lease.index ||
	    lease.duration_ns != view->lease.duration_ns ||
	    lease.past_ns != view->lease.past_ns)
		world_violate(world, node->id, "setting",
			      "goes by %" PRIu64 " (%" PRId64
			      " ns) at commit %" PRIu64
			      ", its log says %" PRIu64 " (%" PRId64 " ns)",
			      view->lease.index, view->lease.duration_ns,
			      view->commit_index, lease.index,
			      lease.duration_ns);
}

/* Its leader has just made it. */
static void check_made(struct world *world, struct node *node,
		       const struct fact *fact)
{
	const struct raft_view *view = &node->host.view;
	const struct fact *committed =
		factlog_at(&node->host.log, view->commit_index);
	struct raft_lease lease = decode(fact);

	world_cover(world, COVER_SETTINGS);
	if (lease.duration_ns == 0)
		world_cover(world, COVER_SETTINGS_OFF);
	if (lease.past_ns > lease.duration_ns)
		world_cover(world, COVER_SETTINGS_OUTLASTED);
	world_trace(world, node->id,
		    "sets leases to %.0f ms, %.0f ms before",
		    (double)lease.duration_ns / 1e6,
		    (double)lease.past_ns / 1e6);
	if (!committed || committed->term != view->term ||
	    (fact->previous->lease &&
	     fact->previous->lease->index > view->commit_index))
		world_violate(world, node->id, "one-setting",
			      "made %" PRIu64 " at commit %" PRIu64,
			      fact->index, view->commit_index);
	faults_after_setting(world, node);
}

void settings_check(struct world *world, struct node *node)
{
	const struct raft_host *host = &node->host;
	const struct raft_effects *effects = &host->effects;

	check_in_force(world, node);
	for (uint32_t i = 0; i < effects->append_count; i++) {
		const struct raft_entry *entry = &effects->append[i];

		if (entry->kind == RAFT_ENTRY_LEASE &&
		    host->view.role == RAFT_LEADER &&
		    entry->term == host->view.term)
			check_made(world, node,
				   factlog_at(&host->log, entry->index));
	}
}
