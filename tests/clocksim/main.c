/* raftfs-clocksim: the clock core on simulated networks and oscillators.
 *
 *	raftfs-clocksim [--seeds N] [--seed S] [--scenario NAME]...
 *	                [--figures] [--check] [--trace]
 *
 * Prints a row per scenario. --figures prints "figure NAME VALUE UNIT" lines
 * for make bench-clock. --check: a few seeds; each scenario is one test, which
 * fails when any published interval missed the truth or a target was missed;
 * the last line is "N passed, N failed".
 */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/clocksim/measure.h"

struct options {
	uint64_t seed;
	uint32_t seeds;
	const char *scenario;
	bool figures, check;
	int tracing;
};

static double bound_mean_us(const struct measure *m)
{
	return m->bound_sum_us / fmax(1, (double)m->bound_count);
}

static void print_figures(const struct scenario *scenario,
			  const struct measure *m)
{
	const struct {
		const char *name;
		double value;
		const char *unit;
	} rows[] = {
		{"rms_us", measure_rms_us(m), "us"},
		{"max_us", m->max_us, "us"},
		{"violations", (double)m->violations, "count"},
		{"bound_mean_us", bound_mean_us(m), "us"},
		{"packets_per_s", m->packets_per_s / m->runs, "1/s"},
		{"recover_s", m->recover_s, "s"},
		{"usable_s", m->usable_s, "s"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].value >= 0 && isfinite(rows[i].value))
			printf("figure clock.sim.%s.%s %.6g %s\n",
			       scenario->name, rows[i].name, rows[i].value,
			       rows[i].unit);
}

static void print_row(const struct scenario *scenario, const struct measure *m)
{
	printf("%-12s rms %9.3f us  max %9.1f us  bound %9.1f us  "
	       "%6.3f packets/s  recovers %6.1f s  usable %5.1f s  "
	       "%" PRIu64 "/%" PRIu64 " wrong  %" PRIu64 " without\n",
	       scenario->name, measure_rms_us(m), m->max_us, bound_mean_us(m),
	       m->packets_per_s / m->runs, m->recover_s, m->usable_s,
	       m->violations, m->checks, m->unusable);
}

static bool reached(const struct scenario *scenario, const char *name,
		    double value, double target)
{
	if (target <= 0 || value <= target)
		return true;
	printf("%s: %s is %.4g, not within %.4g\n", scenario->name, name, value,
	       target);
	return false;
}

static bool reached_all(const struct scenario *s, const struct measure *m)
{
	bool all = true;

	if (m->checks == 0 || m->violations > 0) {
		printf("%s: %" PRIu64 " of %" PRIu64
		       " intervals missed the truth\n",
		       s->name, m->violations, m->checks);
		all = false;
	}
	all &= reached(s, "rms_us", measure_rms_us(m), s->target.rms_us);
	all &= reached(s, "max_us", m->max_us, s->target.max_us);
	all &= reached(s, "bound_mean_us", bound_mean_us(m),
		       s->target.bound_mean_us);
	all &= reached(s, "recover_s", m->recover_s, s->target.recover_s);
	all &= reached(s, "usable_s", m->usable_s, s->target.usable_s);
	return all;
}

static bool run(const struct options *options, const struct scenario *scenario)
{
	struct measure m;

	measure_init(&m);
	for (uint32_t i = 0; i < options->seeds; i++)
		measure_run(&m, scenario, options->seed + i, options->tracing);
	if (options->figures)
		print_figures(scenario, &m);
	else
		print_row(scenario, &m);
	fflush(stdout);
	return reached_all(scenario, &m);
}

static int usage(void)
{
	fputs("usage: raftfs-clocksim [--seeds N] [--seed S] "
	      "[--scenario NAME] [--figures] [--check] [--trace]\n",
	      stderr);
	return 2;
}

static bool parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 'n'},
		{"scenario", required_argument, NULL, 'S'},
		{"figures", no_argument, NULL, 'f'},
		{"check", no_argument, NULL, 'c'},
		{"trace", no_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 's':
			options->seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			options->seeds = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'S':
			options->scenario = optarg;
			break;
		case 'f':
			options->figures = true;
			break;
		case 'c':
			options->check = true;
			break;
		case 't':
			options->tracing++;
			break;
		default:
			return false;
		}
	}
	return optind == argc && options->seeds > 0 &&
	       (options->scenario == NULL ||
		scenario_by_name(options->scenario) != NULL);
}

int main(int argc, char **argv)
{
	struct options options = {.seed = 1, .seeds = 3};
	uint32_t passed = 0, failed = 0;

	if (!parse(argc, argv, &options))
		return usage();
	for (const struct scenario *s = scenarios; s->name != NULL; s++) {
		if (options.scenario != NULL &&
		    s != scenario_by_name(options.scenario))
			continue;
		if (run(&options, s))
			passed++;
		else
			failed++;
	}
	if (options.check)
		printf("%" PRIu32 " passed, %" PRIu32 " failed\n", passed,
		       failed);
	return failed > 0;
}
