/* Raw clocks that differ in rate by at most rho, and wander. */
#include "tests/sim/clocks.h"

#include "common/units.h"
#include "tests/sim/world.h"

/* Any two rates within +-a differ by at most 2a/(1 - a): a = rho/(2 + rho). */
static int64_t limit_of(uint32_t rho_ppb)
{
	double rho = (double)rho_ppb / 1e9;

	return (int64_t)(rho / (2 + rho) * 1e9);
}

void clocks_init(struct world *world, struct sim_clock *clock)
{
	*clock = (struct sim_clock){
		.true_ns = world->now_ns,
		.oscillator_ns = world_between(world, 0, 1000 * NS_PER_SEC),
		.limit_ppb = limit_of(world->profile.rho_ppb),
	};
	clock->wall_ahead_ns =
		INT64_C(1700000000) * NS_PER_SEC +
		world_between(world, -5 * NS_PER_SEC, 5 * NS_PER_SEC);
	clocks_reboot(world, clock);
	/* The edges of the rule are where mistakes show: half the clocks. */
	if (world_chance(world, 0.5))
		clock->rate_ppb = world_chance(world, 0.5) ? clock->limit_ppb
							   : -clock->limit_ppb;
	else
		clock->rate_ppb = world_between(world, -clock->limit_ppb,
						clock->limit_ppb);
}

int64_t clocks_oscillator(const struct sim_clock *clock, int64_t true_ns)
{
	int64_t passed = true_ns - clock->true_ns;

	return clock->oscillator_ns + passed +
	       units_scale_ppb(passed, clock->rate_ppb);
}

int64_t clocks_raw(const struct sim_clock *clock, int64_t true_ns)
{
	return clocks_oscillator(clock, true_ns) + clock->raw_ahead_ns;
}

int64_t clocks_wall(const struct sim_clock *clock, int64_t true_ns)
{
	return true_ns + clock->wall_ahead_ns;
}

int64_t clocks_true_at(const struct sim_clock *clock, int64_t now_ns,
		       int64_t raw_ns)
{
	int64_t left = raw_ns - clocks_raw(clock, now_ns);

	if (left <= 0)
		return now_ns;
	if (left > INT64_C(1000000) * NS_PER_SEC)
		left = INT64_C(1000000) * NS_PER_SEC;
	return now_ns +
	       (int64_t)((__int128)left * PPB / (PPB + clock->rate_ppb)) + 1;
}

void clocks_set_rate(struct sim_clock *clock, int64_t now_ns, int64_t rate_ppb)
{
	clock->oscillator_ns = clocks_oscillator(clock, now_ns);
	clock->true_ns = now_ns;
	clock->rate_ppb = rate_ppb;
}

void clocks_wander(struct world *world, struct sim_clock *clock)
{
	int64_t step = clock->limit_ppb / 4;
	int64_t rate = clock->rate_ppb + world_between(world, -step, step);

	if (rate > clock->limit_ppb)
		rate = clock->limit_ppb;
	if (rate < -clock->limit_ppb)
		rate = -clock->limit_ppb;
	clocks_set_rate(clock, world->now_ns, rate);
}

void clocks_reboot(struct world *world, struct sim_clock *clock)
{
	int64_t shown = world_between(world, NS_PER_SEC, 5000 * NS_PER_SEC);

	clock->raw_ahead_ns = shown - clocks_oscillator(clock, world->now_ns);
}
