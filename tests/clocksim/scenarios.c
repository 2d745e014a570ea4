/* The scenarios: networks, oscillators, faults. */
#include "tests/clocksim/scenario.h"

#include <string.h>

#include "tests/clocksim/sim.h"

/* Faults come this often, so that each has time to be over. */
#define FAULT_EVERY_S 300
#define FIRST_FAULT_S 600

static bool is_fault_time(uint32_t second)
{
	return second >= FIRST_FAULT_S && second % FAULT_EVERY_S == 0;
}

static void lie(struct sim *sim, uint32_t second)
{
	if (second == 100)
		sim->nodes[2].lies = true;
}

static void lie_to_both(struct sim *sim, uint32_t second)
{
	lie(sim, second);
	sim->nodes[2].two_faced = true;
}

/* Half of the time. */
static void delay(struct sim *sim, uint32_t second)
{
	sim->attacked = second >= FIRST_FAULT_S && second % 240 < 120;
}

static void delay_always(struct sim *sim, uint32_t second)
{
	(void)second;
	sim->attacked = true;
}

/* Held up until the slow way would be the usual one, and longer. */
static void delay_from_then_on(struct sim *sim, uint32_t second)
{
	sim->attacked = second >= FIRST_FAULT_S;
}

/* Up and down again, so that rates stay within rho. */
static void step_rate(struct sim *sim, uint32_t second)
{
	if (is_fault_time(second))
		sim_rate_step(sim, 1,
			      second / FAULT_EVERY_S % 2 == 0 ? 50000 : -50000);
}

static void jump(struct sim *sim, uint32_t second)
{
	if (is_fault_time(second))
		sim_jump(sim, 1,
			 second / FAULT_EVERY_S % 2 == 0 ? 100 * NS_PER_MS
							 : -100 * NS_PER_MS);
}

static void cut(struct sim *sim, uint32_t second)
{
	if (second == FIRST_FAULT_S) {
		sim->nodes[1].cut = true;
		sim->fault_ns = sim->now_ns + 1800 * NS_PER_SEC;
	}
	if (second == FIRST_FAULT_S + 1800)
		sim->nodes[1].cut = false;
}

static void hand_over(struct sim *sim, uint32_t second)
{
	if (second >= 120 && second % 4 == 0) {
		sim_elect(sim, second / 4 % sim->count);
		sim->fault_ns = sim->now_ns;
	}
}

static void restart(struct sim *sim, uint32_t second)
{
	uint32_t victim = 1 + second / FAULT_EVERY_S % 2;

	if (is_fault_time(second)) {
		sim_stop(sim, victim);
		sim->fault_ns = sim->now_ns + 5 * NS_PER_SEC;
	} else if (second > FIRST_FAULT_S && second % FAULT_EVERY_S == 5) {
		sim_start(sim, victim);
	}
}

/* A new leader, a jump or a restart now and then. */
static void disturb(struct sim *sim, uint32_t second)
{
	uint32_t who = (uint32_t)prng_below(&sim->prng, sim->count);
	bool carries = sim_carrier(sim) == who;

	switch (prng_below(&sim->prng, 60)) {
	case 0:
		sim_elect(sim, who);
		break;
	case 1:
		if (!carries)
			sim_jump(sim, who, 10 * NS_PER_MS);
		break;
	case 2:
		sim_stop(sim, who);
		sim_start(sim, who);
		if (carries)
			sim_elect(sim, (who + 1) % sim->count);
		break;
	case 3:
		sim->nodes[who].cut = true;
		break;
	case 4:
	case 5:
	case 6:
		sim->nodes[second % sim->count].cut = false;
		break;
	default:
		break;
	}
}

/* Every 30 s somebody, half of the time the carrier, is stopped or cut off for
 * 10 s. */
static void churn(struct sim *sim, uint32_t second)
{
	uint32_t who = (uint32_t)prng_below(&sim->prng, sim->count);

	if (second < 60)
		return;
	if (second % 30 == 0) {
		sim->fault_ns = sim->now_ns + 10 * NS_PER_SEC;
		if (prng_below(&sim->prng, 2) == 0)
			who = sim_carrier(sim);
		if (prng_below(&sim->prng, 2) == 0)
			sim->nodes[who].cut = true;
		else
			sim_stop(sim, who);
	}
	for (uint32_t i = 0; second % 30 == 10 && i < sim->count; i++) {
		sim->nodes[i].cut = false;
		if (sim->nodes[i].timesync == NULL)
			sim_start(sim, i);
	}
}

static void cold(struct sim *sim, uint32_t second)
{
	(void)second;
	if (sim->fault_ns == 0)
		sim->fault_ns = 1;
}

/* Rates within 20 ppm at first, then a walk of 1e-9 a second. */
#define WANDER .wander_ppb = 1, .start_ppm = 20
#define LAN_OF(count)                                                          \
	.nodes = (count), .delay_us = 100, .jitter_us = 10,                    \
	.recovered_us = 10, WANDER
#define LAN LAN_OF(3)
#define RHO .max_rate_ppm = 200
/* An exchange with each peer about every second, every 16 s. */
#define EVERY_SECOND  .sync_interval_s = 1, .target_bound_us = 260
#define EVERY_SIXTEEN .sync_interval_s = 16, .target_bound_us = 1e6

/* Targets: parts of what chronyd 4.3 reached on the same networks and
 * oscillators (2.9 us at about 16 s, 5.7 and 235 us at 64 s, 8.4 us through
 * bursts, 1.7 ms after the step). The bound: half the round trip, rho times
 * half a second, 10 us. Loss: 1.2 of the LAN without. */
const struct scenario scenarios[] = {
	{LAN, RHO, EVERY_SIXTEEN, .name = "lan",
	 .about = "LAN, an exchange every 16 s", .target = {.rms_us = 1.45},
	 .seconds = 4600, .warm_s = 1000},
	{LAN, RHO, .name = "lan_burst", .sync_interval_s = 60,
	 .target_bound_us = 1e6, .about = "LAN, one burst of 4 a minute",
	 .burst = 4, .target = {.rms_us = 2.0}, .seconds = 8200,
	 .warm_s = 1000},
	{LAN, EVERY_SECOND, .name = "lan_fast", .max_rate_ppm = 60,
	 .about = "LAN, an exchange every second, rho 60 ppm",
	 .target = {.rms_us = 1.45, .bound_mean_us = 150}, .seconds = 1800,
	 .warm_s = 300},
	{WANDER, RHO, .name = "wan", .about = "WAN, an exchange a minute",
	 .nodes = 3, .delay_us = 30000, .jitter_us = 1000, .recovered_us = 500,
	 .sync_interval_s = 60, .target_bound_us = 1e6,
	 .target = {.rms_us = 117}, .seconds = 24000, .warm_s = 6000},
	{LAN, RHO, EVERY_SECOND, .name = "bursty",
	 .about = "queues of 1 ms come and go, one way", .burst_us = 1000,
	 .burst_s = 5, .calm_s = 15, .target = {.rms_us = 2.5}, .seconds = 1800,
	 .warm_s = 300},
	{LAN, RHO, EVERY_SIXTEEN, .name = "loss", .about = "LAN, 10 % lost",
	 .loss = 0.1, .target = {.rms_us = 1.6}, .seconds = 4600,
	 .warm_s = 1000},
	{LAN, RHO, EVERY_SIXTEEN, .name = "liar", .about = "LAN, node 3 lies",
	 .target = {.rms_us = 1.45}, .seconds = 4600, .warm_s = 1000,
	 .each_second = lie},
	{LAN_OF(5), RHO, EVERY_SIXTEEN, .name = "two_faced",
	 .about = "LAN, node 3 of 5 tells each another lie",
	 .target = {.rms_us = 1.45}, .seconds = 4600, .warm_s = 1000,
	 .each_second = lie_to_both},
	{LAN, RHO, EVERY_SECOND, .name = "delayer",
	 .about = "5 ms more one way, for 2 min, every 4 min",
	 .attack_us = 5000, .target = {.max_us = 50}, .seconds = 3000,
	 .warm_s = 300, .each_second = delay},
	{LAN, RHO, EVERY_SECOND, .name = "delayer_ever", .probes = true,
	 .about = "5 ms more one way from the start; TCP is seen to be faster",
	 .attack_us = 5000, .target = {.max_us = 50}, .seconds = 1800,
	 .warm_s = 300, .each_second = delay_always},
	{LAN, RHO, EVERY_SECOND, .name = "delayer_waits", .probes = true,
	 .about = "5 ms more one way from 10 min on; TCP is seen to be faster",
	 .attack_us = 5000, .target = {.max_us = 50}, .seconds = 3000,
	 .warm_s = 300, .each_second = delay_from_then_on},
	{LAN, RHO, EVERY_SECOND, .name = "delayer_unseen",
	 .about = "5 ms more one way from the start; nothing sees TCP",
	 .attack_us = 5000, .seconds = 1800, .warm_s = 300,
	 .each_second = delay_always},
	{LAN, RHO, EVERY_SECOND, .name = "rate_step",
	 .about = "+-50 ppm at once, every 5 min",
	 .target = {.max_us = 170, .recover_s = 10}, .seconds = 2400,
	 .warm_s = 300, .each_second = step_rate},
	{LAN, RHO, EVERY_SECOND, .name = "jump",
	 .about = "+-100 ms at once, every 5 min", .target = {.recover_s = 10},
	 .seconds = 2400, .warm_s = 300, .each_second = jump},
	{LAN, RHO, EVERY_SIXTEEN, .name = "cut",
	 .about = "30 min without a network", .target = {.recover_s = 10},
	 .seconds = 3000, .warm_s = 300, .each_second = cut},
	{LAN, RHO, EVERY_SIXTEEN, .name = "mesh",
	 .about = "pairwise, all wander", .seconds = 4600, .warm_s = 1000,
	 .leader_wanders = true, .pairwise = true},
	{LAN_OF(5), RHO, EVERY_SECOND, .name = "mesh_ruled",
	 .about = "nobody elects: the mesh rule, undisturbed",
	 .seconds = 1200, .warm_s = 300, .leader_wanders = true, .ruled = true,
	 .pairwise = true},
	{LAN_OF(5), RHO, EVERY_SECOND, .name = "mesh_churn",
	 .about = "the mesh rule; every 30 s one stops or is cut off",
	 .target = {.max_us = 100, .recover_s = 20}, .seconds = 2400,
	 .warm_s = 60, .leader_wanders = true, .ruled = true,
	 .pairwise = true, .each_second = churn},
	{LAN, RHO, EVERY_SECOND, .name = "hand_over",
	 .about = "a new leader every 4 s", .seconds = 1200, .warm_s = 120,
	 .leader_wanders = true, .each_second = hand_over},
	{LAN, RHO, EVERY_SECOND, .name = "restart",
	 .about = "a follower restarts every 5 min", .seconds = 2400,
	 .warm_s = 300, .each_second = restart},
	{.nodes = 5,
	 .delay_us = 500,
	 .jitter_us = 200,
	 .loss = 0.1,
	 .burst_us = 5000,
	 .burst_s = 5,
	 .calm_s = 5,
	 .wander_ppb = 30000,
	 .start_ppm = 100,
	 .leader_wanders = true,
	 RHO,
	 .sync_interval_s = 8,
	 .target_bound_us = 2000,
	 .recovered_us = 1000,
	 .name = "wild",
	 .about = "rates anywhere within rho, bursts, loss, new leaders",
	 .seconds = 3000,
	 .warm_s = 60,
	 .each_second = disturb},
	{LAN, RHO, EVERY_SECOND, .name = "cold_start",
	 .about = "from nothing, 20 ppm", .target = {.usable_s = 2},
	 .seconds = 20, .warm_s = 0, .each_second = cold},
	{WANDER, RHO, EVERY_SIXTEEN, .name = "scale", .nodes = 1000,
	 .about = "1000 nodes, regions 0.1, 30, 80 ms apart", .regions = true,
	 .leader_wanders = true, .recovered_us = 1000, .seconds = 400,
	 .warm_s = 200},
	{.name = NULL},
};

const struct scenario *scenario_by_name(const char *name)
{
	for (const struct scenario *s = scenarios; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}
