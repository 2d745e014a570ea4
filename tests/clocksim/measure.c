/* Readings of all nodes, ten times a second, summed up. */
#include "tests/clocksim/measure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "tests/clocksim/sim.h"

#define USABLE_US 1000.0

void measure_init(struct measure *measure)
{
	*measure = (struct measure){.recover_s = -1};
}

double measure_rms_us(const struct measure *measure)
{
	return measure->error_count > 0 ? sqrt(measure->square_sum_us2 /
					       (double)measure->error_count)
					: 0;
}

/* One run's state between readings. */
struct run {
	const struct sim *sim;
	struct measure *measure;
	bool warm;
	double second;
	double worst_us; /* of this instant */
	bool all_usable; /* every node has a bound, below 1 ms */
	double low_us, high_us;
	double beyond_s; /* since when errors are too large; < 0: they are not */
};

static void take_error(struct measure *measure, double error_us)
{
	measure->square_sum_us2 += error_us * error_us;
	measure->error_count++;
	measure->max_us = fmax(measure->max_us, fabs(error_us));
}

static void complain(const struct run *run, uint32_t index,
		     const struct sim_reading *reading)
{
	if (run->measure->violations++ < 5)
		fprintf(stderr,
			"%s: node %u at %.3f s: off by %" PRId64
			" ns, bound %" PRId64 " ns\n",
			run->sim->scenario->name, index + 1, run->second,
			reading->error_ns, reading->bound_ns);
}

static void read_node(struct run *run, uint32_t index)
{
	struct measure *measure = run->measure;
	struct sim_reading reading = sim_read(run->sim, index);
	double error_us = (double)reading.error_ns / 1e3;
	double bound_us = (double)reading.bound_ns / 1e3;

	if (reading.usable) {
		measure->checks++;
		if (!reading.holds)
			complain(run, index, &reading);
	}
	if (!reading.usable || !reading.current) {
		run->all_usable = false;
		measure->unusable += run->warm;
		run->worst_us = INFINITY;
		return;
	}
	if (bound_us > USABLE_US)
		run->all_usable = false;
	run->worst_us = fmax(run->worst_us, fabs(error_us));
	run->low_us = fmin(run->low_us, error_us);
	run->high_us = fmax(run->high_us, error_us);
	if (!run->warm || sim_carrier(run->sim) == index)
		return;
	measure->bound_sum_us += bound_us;
	measure->bound_count++;
	if (!run->sim->scenario->pairwise)
		take_error(measure, error_us);
}

static void read_all(struct run *run)
{
	const struct sim *sim = run->sim;

	run->second = (double)sim->now_ns / 1e9;
	run->warm = run->second >= sim->scenario->warm_s;
	run->worst_us = 0;
	run->all_usable = true;
	run->low_us = INFINITY;
	run->high_us = -INFINITY;
	for (uint32_t i = 0; i < sim->count; i++)
		read_node(run, i);
	if (run->warm && sim->scenario->pairwise && run->high_us > run->low_us)
		take_error(run->measure, run->high_us - run->low_us);
}

static uint64_t sent(const struct sim *sim, bool requests)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < sim->count; i++)
		sum += requests ? sim->nodes[i].requests
				: sim->nodes[i].packets;
	return sum;
}

/* How long the last disturbance has shown: until errors stay small. Where
 * nothing is disturbed, the longest time on end that they were not. */
static void watch_recovery(struct run *run)
{
	const struct sim *sim = run->sim;
	bool beyond = run->worst_us > sim->scenario->recovered_us;
	double since_s = run->second - (double)sim->fault_ns / 1e9;

	if (!run->warm && sim->fault_ns == 0)
		return;
	if (sim->fault_ns == 0) {
		if (run->beyond_s < 0 || !beyond)
			run->beyond_s = beyond ? run->second : -1;
		since_s = run->second - run->beyond_s;
	}
	run->measure->recover_s = fmax(run->measure->recover_s, 0);
	if (beyond && since_s < 60)
		run->measure->recover_s =
			fmax(run->measure->recover_s, since_s);
}

void measure_run(struct measure *measure, const struct scenario *scenario,
		 uint64_t seed, int tracing)
{
	struct sim *sim = sim_new(scenario, seed, tracing > 0);
	struct run run = {.sim = sim, .measure = measure, .beyond_s = -1};
	int64_t end_ns = scenario->seconds * NS_PER_SEC;
	uint64_t packets = 0, requests = 0;
	double usable_s = -1;

	/* Off the whole seconds, at which nodes tick and scripts strike. */
	for (int64_t at_ns = SIM_SAMPLE_NS / 3; at_ns < end_ns;
	     at_ns += SIM_SAMPLE_NS) {
		bool was_warm = run.warm;

		sim_run(sim, at_ns);
		read_all(&run);
		watch_recovery(&run);
		if (usable_s < 0 && run.all_usable)
			usable_s = run.second;
		if (run.warm && !was_warm) {
			packets = sent(sim, false);
			requests = sent(sim, true);
		}
		if (tracing > 1)
			printf("%10.3f error %.3f us\n", run.second,
			       run.worst_us);
	}

	double span_s =
		(scenario->seconds - scenario->warm_s) * (double)sim->count;

	measure->packets_per_s += (double)(sent(sim, false) - packets) / span_s;
	measure->requests_per_s +=
		(double)(sent(sim, true) - requests) / span_s;
	measure->usable_s =
		fmax(measure->usable_s, usable_s < 0 ? INFINITY : usable_s);
	measure->runs++;
	sim_free(sim);
}
