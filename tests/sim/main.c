/* raftfs-sim: what to run, from the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/batch.h"

#define JOBS_MAX       64
#define SOAK_SEEDS_MAX 100000

static const char usage_text[] =
	"usage: raftfs-sim [--seeds N] [--seed FIRST] [--nodes 1..9] "
	"[--minutes M]\n"
	"                  [--scenario NAME] [--jobs J] [--verbose] [--tail "
	"N]\n"
	"                  [--skip CHECKS] [--trace FILE] [--stop]\n"
	"                  [--soak MINUTES]\n"
	"scenarios: mixed calm idle crashes partitions clocks disks changes "
	"hostile beyond-rho figure-8 forget\n"
	"A seed fixes everything: same seed and options, same run.\n";

static void parse_scenario(struct batch *batch, const char *name)
{
	for (int i = 0; i < SCENARIO_COUNT; i++)
		if (strcmp(batch_scenario_names[i], name) == 0) {
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

/* Seeds nobody has run: the seconds of the day they began. */
static void soak(struct batch *batch, double minutes)
{
	time_t now = time(NULL);

	batch->first_seed = (uint64_t)now * 1000;
	batch->seed_count = SOAK_SEEDS_MAX;
	batch->until = now + (time_t)(minutes * 60);
	batch->stop = true;
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
		{"soak", required_argument, NULL, 'a'},
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
		case 'a':
			soak(batch, parse_minutes(optarg));
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
	if (optind != argc || batch->nodes > SIM_NODES_MAX || batch->jobs < 1 ||
	    batch->jobs > JOBS_MAX || batch->seed_count < 1) {
		fputs(usage_text, stderr);
		exit(2);
	}
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

	parse(&batch, argc, argv);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	return batch_run(&batch) ? 0 : 1;
}
