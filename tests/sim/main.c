/* raftfs-sim: run seeds, each in a process of its own, and sum up.
 *
 * A seed that fails is run once more with its trace kept, which prints the
 * report and shows that the seed replays: the digests must be equal. The
 * first seed of a set is always run twice for the same reason.
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "tests/sim/run.h"

#define JOBS_MAX 64

static const char *const scenario_names[SCENARIO_COUNT] = {
	[SCENARIO_MIXED] = "mixed",
	[SCENARIO_CALM] = "calm",
	[SCENARIO_CRASHES] = "crashes",
	[SCENARIO_PARTITIONS] = "partitions",
	[SCENARIO_CLOCKS] = "clocks",
	[SCENARIO_DISKS] = "disks",
	[SCENARIO_FIGURE_8] = "figure-8",
	[SCENARIO_FORGET] = "forget",
	[SCENARIO_HOSTILE] = "hostile",
	[SCENARIO_BEYOND_RHO] = "beyond-rho",
};

struct batch {
	struct sim_options options; /* seed and node_count vary */
	uint64_t first_seed, seed_count;
	uint32_t nodes; /* 0: by seed */
	int scenario;	/* -1: mostly mixed, the others now and then */
	uint32_t jobs;
	bool stop; /* at the first seed that fails */
	struct sim_result *results; /* shared with the workers */
	pid_t *workers;		    /* by seed number; 0: not running */
	uint64_t passed, failed;
};

static const char usage_text[] =
	"usage: raftfs-sim [--seeds N] [--seed FIRST] [--nodes 1..9] "
	"[--minutes M]\n"
	"                  [--scenario NAME] [--jobs J] [--verbose] [--tail N]\n"
	"                  [--skip CHECKS] [--trace FILE] [--stop]\n"
	"scenarios: mixed calm crashes partitions clocks disks hostile "
	"beyond-rho figure-8 forget\n"
	"A seed fixes everything: same seed and options, same run.\n";

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
	       scenario_names[options.scenario]);
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
	       scenario_names[options.scenario],
	       (double)options.duration_ns / 60e9);
}

static void reap(struct batch *batch, struct sim_result *scratch)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0)
		return;
	for (uint64_t i = 0; i < batch->seed_count; i++) {
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

		if (batch->stop && batch->failed)
			break;
		if (running == batch->jobs) {
			reap(batch, scratch);
			running--;
		}
		batch->workers[i] = start(&options, &batch->results[i]);
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
	bool demanding = batch->scenario < 0 && batch->seed_count >= 50;
	bool complete = true;

	for (uint32_t row = 0; row < COVER_COUNT; row++) {
		uint64_t total = 0;

		for (uint64_t i = 0; i < batch->seed_count; i++)
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

static void parse_scenario(struct batch *batch, const char *name)
{
	for (int i = 0; i < SCENARIO_COUNT; i++)
		if (strcmp(scenario_names[i], name) == 0) {
			batch->scenario = i;
			return;
		}
	fprintf(stderr, "raftfs-sim: no scenario %s\n%s", name, usage_text);
	exit(2);
}

static uint64_t parse_number(const char *option, const char *text)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0') {
		fprintf(stderr, "raftfs-sim: --%s: not a number: %s\n", option,
			text);
		exit(2);
	}
	return number;
}

static double parse_minutes(const char *text)
{
	char *end;
	double minutes = strtod(text, &end);

	if (end == text || *end != '\0' || !(minutes > 0) || minutes > 1e4) {
		fprintf(stderr, "raftfs-sim: --minutes: %s\n", text);
		exit(2);
	}
	return minutes;
}

static void parse(struct batch *batch, int argc, char **argv)
{
	static const struct option options[] = {
		{"seeds", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},
		{"nodes", required_argument, NULL, 'c'},
		{"minutes", required_argument, NULL, 'm'},
		{"scenario", required_argument, NULL, 'k'},
		{"jobs", required_argument, NULL, 'j'},
		{"trace", required_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},
		{"stop", no_argument, NULL, 'o'},
		{"tail", required_argument, NULL, 'l'},
		{"skip", required_argument, NULL, 'x'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			batch->seed_count = parse_number("seeds", optarg);
			break;
		case 's':
			batch->first_seed = parse_number("seed", optarg);
			break;
		case 'c':
			batch->nodes = (uint32_t)parse_number("nodes", optarg);
			break;
		case 'm':
			batch->options.duration_ns =
				(int64_t)(parse_minutes(optarg) * 60e9);
			break;
		case 'k':
			parse_scenario(batch, optarg);
			break;
		case 'j':
			batch->jobs = (uint32_t)parse_number("jobs", optarg);
			break;
		case 't':
			batch->options.record = optarg;
			break;
		case 'v':
			batch->options.tracing = batch->options.live = true;
			break;
		case 'o':
			batch->stop = true;
			break;
		case 'l':
			batch->options.tail =
				(uint32_t)parse_number("tail", optarg);
			break;
		case 'x':
			batch->options.skip = optarg;
			break;
		default:
			fputs(usage_text, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	if (optind != argc ||
	    batch->nodes > SIM_NODES_MAX ||
	    batch->jobs < 1 || batch->jobs > JOBS_MAX ||
	    batch->seed_count < 1) {
		fputs(usage_text, stderr);
		exit(2);
	}
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

int main(int argc, char **argv)
{
	struct batch batch = {
		.options = {.duration_ns = 180 * NS_PER_SEC, .tail = 60},
		.first_seed = 1,
		.seed_count = 1,
		.scenario = -1,
		.jobs = 2,
	};
	struct sim_result *scratch;
	bool sound;

	parse(&batch, argc, argv);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	printf("seed %llu, %llu seeds, %g simulated minutes each\n",
	       (unsigned long long)batch.first_seed,
	       (unsigned long long)batch.seed_count,
	       (double)batch.options.duration_ns / 60e9);
	batch.results = shared(batch.seed_count * sizeof(*batch.results));
	scratch = shared(sizeof(*scratch));
	batch.workers = calloc(batch.seed_count, sizeof(*batch.workers));
	CHECK(batch.workers);
	run_all(&batch, scratch);
	sound = sum_up(&batch);
	if (!batch.options.live && !replays(&batch, scratch))
		sound = false;
	printf("digest %016llx of seed %llu\n",
	       (unsigned long long)batch.results[0].digest,
	       (unsigned long long)batch.first_seed);
	printf("%llu passed, %llu failed\n", (unsigned long long)batch.passed,
	       (unsigned long long)batch.failed);
	free(batch.workers);
	return batch.failed == 0 && sound ? 0 : 1;
}
