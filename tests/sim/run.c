/* Profile, fault phase, recovery. */
#include "tests/sim/run.h"

#include <stdlib.h>

#include "tests/sim/changes.h"
#include "tests/sim/checks.h"
#include "tests/sim/clients.h"
#include "tests/sim/faults.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/record.h"
#include "tests/sim/schedules.h"
#include "tests/sim/settings.h"

/* What a cluster looks like: from one rack to a region, from quartz to the
 * worst clock the rule can be set for; leases shorter and longer than an
 * election. Mistakes in rho show only where rho x D is not lost in a round
 * trip, so half of the seeds have a coarse rho. */
static void draw_profile(struct world *world)
{
	static const uint32_t rhos_ppb[] = {200000, 200000, 1000000, 10000000,
					    30000000};
	static const int64_t delays_us[] = {50, 200, 200, 1000, 5000};
	static const int64_t leases_ms[] = {0, 50, 150, 400, 1000, 3000};
	struct world_profile *profile = &world->profile;

	profile->rho_ppb = rhos_ppb[world_between(world, 0, 4)];
	profile->delay_ns = delays_us[world_between(world, 0, 4)] * NS_PER_US;
	profile->jitter_ns = profile->delay_ns / world_between(world, 1, 10);
	profile->lease_ns = leases_ms[world_between(world, 0, 5)] * NS_PER_MS;
	profile->election_min_ns = world_between(world, 40, 120) * NS_PER_MS +
				   10 * profile->delay_ns;
	profile->election_max_ns =
		profile->election_min_ns * world_between(world, 2, 4);
	profile->heartbeat_ns = profile->election_min_ns / 6;
	profile->disk_ns = world_between(world, 50, 4000) * NS_PER_US;
	profile->packet_loss = world_chance(world, 0.5) ? 0.05 : 0;
	profile->packet_twice = 0.02;
	profile->stream_reset = world_chance(world, 0.5) ? 0.0005 : 0;
	profile->snipe = world_chance(world, 0.6) ? 0.005 : 0;
	profile->snapshot_every = (uint64_t)world_between(world, 40, 600);
	profile->log_entries_max = profile->snapshot_every * 4 + 2000;
	profile->think_ns = world_between(world, 5, 40) * NS_PER_MS;
	if (world->options.scenario == SCENARIO_IDLE)
		profile->think_ns = 5 * NS_PER_SEC;
	profile->inflight_entries = 64;
	schedules_profile(world);
	profile->lease_longest_ns = profile->lease_ns;
}

/* No cluster clock, on one node or on all of them, for the whole run. */
static void take_clocks(struct world *world)
{
	bool all = world_chance(world, 0.3);

	for (uint32_t i = 0; i < world->node_count; i++)
		if (all || world_chance(world, 0.3)) {
			world->nodes[i].clockless = true;
			world_cover(world, COVER_CLOCKLESS);
		}
}

/* One clock gains or loses several times what the rule allows. */
static void break_clock_rule(struct world *world)
{
	struct sim_clock *clock =
		&world->nodes[world_between(world, 0,
					    world->node_count - 1)]
			 .clock;

	world->clock_rule_broken = true;
	clock->limit_ppb *= 10;
	clocks_set_rate(clock, world->now_ns,
			world_chance(world, 0.5) ? clock->limit_ppb
						 : -clock->limit_ppb);
}

/* Is there one leader that everybody follows? */
static bool led(const struct world *world)
{
	const struct raft_view *first = NULL;

	for (uint32_t i = 0; i < world->node_count; i++) {
		const struct raft_view *view = &world->nodes[i].host.view;

		if (!changes_takes_part(world, &world->nodes[i]))
			continue;
		if (!first)
			first = view;
		if (view->leader == RAFT_NOBODY || view->term != first->term ||
		    view->leader != first->leader)
			return false;
	}
	return true;
}

/* Serve until a fact holds; it must within the limit. */
static void expect(struct world *world, bool (*fact)(const struct world *),
		   int64_t limit_ns, const char *what)
{
	int64_t end_ns = world->now_ns + limit_ns;

	while (!fact(world) && world->now_ns < end_ns)
		world_run_until(world, world->now_ns + 20 * NS_PER_MS);
	if (!fact(world))
		world_violate(world, 0, "liveness", "no %s within %.1f s", what,
			      (double)limit_ns / 1e9);
}

static bool converged(const struct world *world)
{
	return checks_converged((struct world *)world);
}

/* A lease that cannot be told old holds commits back for D(1 + 2 rho) and
 * more; everything else is a few elections. */
static void recover(struct world *world)
{
	const struct world_profile *profile = &world->profile;
	int64_t limit_ns = 5 * NS_PER_SEC + 20 * profile->election_max_ns +
			   3 * settings_longest_ns(world);

	clients_stop(world);
	faults_end(world);
	changes_end(world);
	expect(world, changes_settled, 2 * limit_ns,
	       "end of the change that was begun");
	expect(world, led, limit_ns, "leader that all nodes follow");
	clients_probe(world);
	expect(world, clients_probes_done, limit_ns,
	       "answer to a write and a read on every node");
	expect(world, converged, limit_ns, "equal logs");
}

void run_seed(const struct sim_options *options, struct sim_result *result)
{
	struct world *world = world_new(options, result);

	draw_profile(world);
	world_trace(world, 0,
		    "rho %u ppb, lease %.0f ms, election %.0f-%.0f ms, delay "
		    "%.0f us, disk %.0f us, snapshot every %u",
		    world->profile.rho_ppb,
		    (double)world->profile.lease_ns / 1e6,
		    (double)world->profile.election_min_ns / 1e6,
		    (double)world->profile.election_max_ns / 1e6,
		    (double)world->profile.delay_ns / 1e3,
		    (double)world->profile.disk_ns / 1e3,
		    (unsigned int)world->profile.snapshot_every);
	facts_init(world);
	checks_init(world);
	network_init(world);
	world->history = history_new(KV_KEYS);
	node_add_all(world);
	if (options->scenario == SCENARIO_BEYOND_RHO)
		break_clock_rule(world);
	if (options->scenario == SCENARIO_MIXED && world_chance(world, 0.1))
		take_clocks(world);
	record_open(world);
	node_start_all(world);
	clients_init(world);
	faults_init(world);
	changes_init(world);
	settings_init(world);
	world_run_until(world, options->duration_ns);
	recover(world);
	record_close(world);
	result->digest = world->digest;
	result->finished = true;
}
