/* Exponential jitter, one-way bursts, three regions. */
#include "tests/clocksim/links.h"

#include <math.h>
#include <stdlib.h>

#include "common/check.h"
#include "tests/clocksim/sim.h"
#include "timesyncd/core/choose.h"

static double exponential(struct sim *sim, double mean)
{
	return -log(1 - prng_unit(&sim->prng)) * mean;
}

bool links_loses(struct sim *sim)
{
	return sim->scenario->loss > 0 &&
	       prng_unit(&sim->prng) < sim->scenario->loss;
}

/* Queues come and go on the ways out of node 1; each way by itself. */
static double burst_us(struct sim *sim, uint32_t from, uint32_t to)
{
	const struct scenario *s = sim->scenario;

	if (s->burst_us <= 0 || from != 0 || to >= 4)
		return 0;
	struct burst *burst = &sim->bursts[from][to];

	while (burst->until_ns <= sim->now_ns) {
		burst->on = !burst->on;
		burst->until_ns +=
			(int64_t)(1e9 * exponential(sim, burst->on
								 ? s->burst_s
								 : s->calm_s));
	}
	return burst->on ? exponential(sim, s->burst_us) : 0;
}

static double regional_ms(uint32_t a, uint32_t b)
{
	if (a == b)
		return 0.1;
	return a + b == 1 ? 30 : 80;
}

int64_t links_delay_ns(struct sim *sim, uint32_t from, uint32_t to)
{
	const struct scenario *s = sim->scenario;
	double delay_us = s->delay_us;
	double jitter_us = s->jitter_us;
	double queue_us = burst_us(sim, from, to);

	if (s->regions) {
		delay_us = 1e3 * regional_ms(sim->nodes[from].region,
					     sim->nodes[to].region);
		jitter_us = delay_us / 30;
	}
	if (sim->attacked && from == 0 && to == 1)
		queue_us += s->attack_us;
	queue_us += exponential(sim, jitter_us);
	return (int64_t)((delay_us + queue_us) * 1e3);
}

int64_t links_tcp_rtt_ns(const struct sim *sim, uint32_t a, uint32_t b)
{
	const struct scenario *s = sim->scenario;
	double way_us = s->regions ? 1e3 * regional_ms(sim->nodes[a].region,
						       sim->nodes[b].region)
				   : s->delay_us;

	return s->probes ? (int64_t)(2e3 * way_us) : 0;
}

/* What each would have measured: twice the way between the regions. */
static void choose_among_many(struct sim *sim, struct node *node)
{
	struct candidate *candidates = calloc(sim->count, sizeof(*candidates));
	uint32_t count = 0;

	CHECK(candidates != NULL);
	for (uint32_t i = 0; i < sim->count; i++)
		if (i != node->index)
			candidates[count++] = (struct candidate){
				.id = i + 1,
				.rtt_ns = (int64_t)(2e6 *
						    regional_ms(node->region,
								i % 3)),
			};
	node->peer_count = choose_peers(candidates, count, node->peers,
					SIM_MAX_PEERS, &sim->prng);
	free(candidates);
}

void links_choose_peers(struct sim *sim, struct node *node)
{
	if (sim->count > TIMESYNC_PEERS_MAX + 1) {
		choose_among_many(sim, node);
		return;
	}
	for (uint32_t i = 0; i < sim->count; i++)
		if (i != node->index)
			node->peers[node->peer_count++] = i + 1;
}
