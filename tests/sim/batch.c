/* Workers, their reports, and what the whole set exercised. */
#include "tests/sim/batch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "tests/sim/run.h"

const char *const batch_scenario_names[SCENARIO_COUNT] = {
	[SCENARIO_MIXED] = "mixed",
	[SCENARIO_CALM] = "calm",
	[SCENARIO_IDLE] = "idle",
	[SCENARIO_CRASHES] = "crashes",
	[SCENARIO_PARTITIONS] = "partitions",
	[SCENARIO_CLOCKS] = "clocks",
	[SCENARIO_DISKS] = "disks",
	[SCENARIO_CHANGES] = "changes",
	[SCENARIO_FIGURE_8] = "figure-8",
	[SCENARIO_FORGET] = "forget",
	[SCENARIO_HOSTILE] = "hostile",
	[SCENARIO_BEYOND_RHO] = "beyond-rho",
};

static struct sim_options options_of(const struct batch *batch, uint64_t seed)
{
	/* Three is what people run; five and seven have quorums that barely
	 * overlap. */
	static const uint32_t sizes[8] = {3, 5, 3, 5, 3, 7, 3, 5};
	struct sim_options options = batch->options;

	options.seed = seed;
	options.node_count = batch->nodes ? batch->nodes : sizes[seed % 8];
	if (batch->scenario >= 0)
		options.scenario = (enum sim_scenario)batch->scenario;
	else if (seed % 3 == 0)
		options.scenario =
			(enum sim_scenario)(seed / 3 % SCENARIO_COUNT);
	return options;
}

static void report_check(const char *file, int line, const char *fact)
{
	printf("CHECK failed at %s:%d: %s\n", file, line, fact);
	fflush(stdout);
}

static pid_t start(const struct sim_options *options, struct sim_result *result)
{
	struct sim_options mine = *options;
	char trace[PATH_MAX];
	pid_t pid;

	fflush(stdout);
	memset(result, 0, sizeof(*result));
	pid = fork();
	if (pid < 0) {
		perror("raftfs-sim: fork");
		exit(2);
	}
	if (pid > 0)
		return pid;
	if (options->tracing)
		check_report = report_check;
	if (options->record) {
		snprintf(trace, sizeof(trace), "%s.%llu", options->record,
			 (unsigned long long)options->seed);
		mine.record = trace;
	}
	run_seed(&mine, result);
	fflush(stdout);
	_exit(0);
}

/* True when the seed held. */
static bool finish(pid_t pid, const struct sim_result *result)
{
	int status = 0;

	if (waitpid(pid, &status, 0) != pid)
		return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	       result->finished;
}

static bool again(const struct batch *batch, uint64_t number, bool tracing,
		  struct sim_result *result)
{
	struct sim_options options =
		options_of(batch, batch->first_seed + number);

	options.tracing = options.tracing || tracing;
	return finish(start(&options, result), result);
}

static void report(struct batch *batch, uint64_t number,
		   struct sim_result *scratch)
{
	const struct sim_result *before = &batch->results[number];
	struct sim_options options =
		options_of(batch, batch->first_seed + number);

	printf("---- seed %llu failed; nodes %u, scenario %s; its last "
	       "lines:\n",
	       (unsigned long long)options.seed, options.node_count,
	       batch_scenario_names[options.scenario]);
	again(batch, number, true, scratch);
	if (!before->violated && !before->finished)
		printf("seed %llu: the process died\n",
		       (unsigned long long)options.seed);
	else if (scratch->digest != before->digest)
		printf("seed %llu did not replay: digest %016llx, then "
		       "%016llx\n",
		       (unsigned long long)options.seed,
		       (unsigned long long)before->digest,
		       (unsigned long long)scratch->digest);
	printf("replay: raftfs-sim --seed %llu --seeds 1 --nodes %u --scenario "
	       "%s --minutes %g --verbose\n",
	       (unsigned long long)options.seed, options.node_count,
	       batch_scenario_names[options.scenario],
	       (double)options.duration_ns / 60e9);
}

static void reap(struct batch *batch, struct sim_result *scratch)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0)
		return;
	for (uint64_t i = 0; i < batch->started; i++) {
		if (batch->workers[i] != info.si_pid)
			continue;
		batch->workers[i] = 0;
		if (finish(info.si_pid, &batch->results[i])) {
			batch->passed++;
			continue;
		}
		batch->failed++;
		report(batch, i, scratch);
	}
}

static void run_all(struct batch *batch, struct sim_result *scratch)
{
	uint32_t running = 0;

	for (uint64_t i = 0; i < batch->seed_count; i++) {
		struct sim_options options =
			options_of(batch, batch->first_seed + i);

		if ((batch->stop && batch->failed) ||
		    (batch->until && time(NULL) >= batch->until))
			break;
		if (running == batch->jobs) {
			reap(batch, scratch);
			running--;
		}
		batch->workers[i] = start(&options, &batch->results[i]);
		batch->started++;
		running++;
	}
	while (running-- > 0)
		reap(batch, scratch);
}

/* Essential rows must have happened at least once in a set of mixed seeds
 * large enough to expect them. */
static bool sum_up(const struct batch *batch)
{
	static const struct {
		const char *text;
		bool essential;
	} rows[COVER_COUNT] = {
#define X(name, text, essential) [COVER_##name] = {text, essential},
		SIM_COVERAGE_MAP(X)
#undef X
	};
	bool demanding = batch->scenario < 0 && batch->started >= 50;
	bool complete = true;

	for (uint32_t row = 0; row < COVER_COUNT; row++) {
		uint64_t total = 0;

		for (uint64_t i = 0; i < batch->started; i++)
			total += batch->results[i].coverage[row];
		printf("covered %12llu  %s\n", (unsigned long long)total,
		       rows[row].text);
		if (total == 0 && rows[row].essential && demanding) {
			printf("never exercised: %s\n", rows[row].text);
			complete = false;
		}
	}
	return complete;
}

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("raftfs-sim: mmap");
		exit(2);
	}
	return memory;
}

/* One seed, run twice, must take the same course. */
static bool replays(const struct batch *batch, struct sim_result *scratch)
{
	const struct sim_result *before = &batch->results[0];

	again(batch, 0, false, scratch);
	if (scratch->digest != before->digest) {
		printf("seed %llu took two courses: digests %016llx and "
		       "%016llx\n",
		       (unsigned long long)batch->first_seed,
		       (unsigned long long)before->digest,
		       (unsigned long long)scratch->digest);
		return false;
	}
	return true;
}

/* Simulated time per time of one core, all seeds together. */
static void print_speed(const struct batch *batch)
{
	struct rusage used;
	double core_s, simulated_s = (double)batch->options.duration_ns / 1e9 *
				     (double)(batch->passed + batch->failed);

	if (getrusage(RUSAGE_CHILDREN, &used) != 0)
		return;
	core_s = (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
		 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	if (core_s > 0)
		printf("figure sim.speed %.0f x\n", simulated_s / core_s);
}

bool batch_run(struct batch *batch)
{
	struct sim_result *scratch = shared(sizeof(*scratch));
	bool sound;

	printf("seed %llu, %s%llu seeds, %g simulated minutes each\n",
	       (unsigned long long)batch->first_seed,
	       batch->until ? "at most " : "",
	       (unsigned long long)batch->seed_count,
	       (double)batch->options.duration_ns / 60e9);
	batch->results = shared(batch->seed_count * sizeof(*batch->results));
	batch->workers = calloc(batch->seed_count, sizeof(*batch->workers));
	CHECK(batch->workers);
	run_all(batch, scratch);
	print_speed(batch);
	sound = sum_up(batch);
	if (!batch->options.live && !replays(batch, scratch))
		sound = false;
	printf("digest %016llx of seed %llu\n",
	       (unsigned long long)batch->results[0].digest,
	       (unsigned long long)batch->first_seed);
	printf("%llu passed, %llu failed\n", (unsigned long long)batch->passed,
	       (unsigned long long)batch->failed);
	free(batch->workers);
	return batch->failed == 0 && sound;
}
