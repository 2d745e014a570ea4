/* raftfs-bench: load on a cluster, in one line of JSON; how long it was away
 * after a failure. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bench/failover.h"
#include "client/bench/load.h"
#include "common/os/log.h"
#include "common/units.h"

#ifndef RAFTFS_VERSION
#define RAFTFS_VERSION "0.1.0"
#endif
#define EXIT_USAGE 2

struct options {
	struct load load;
	uint32_t rounds;
};

static const char *const op_names[] = {"put", "lread", "sread"};

static const char usage[] =
	"usage: raftfs-bench raft put|lread|sread [options]\n"
	"       raftfs-bench failover [options]\n"
	"\n"
	"  --endpoints WHERE  sockets with commas between, a configuration or "
	"a\n"
	"                     cluster directory; else $RAFTFS_SOCKET\n"
	"  --clients N        at the same time, each one operation after the\n"
	"                     other (1)\n"
	"  --connections N    that they share (one each)\n"
	"  --size BYTES       of a value (256)\n"
	"  --seconds S        (5)\n"
	"  --stale TIME       how old an sread may be (1s)\n"
	"  --timeout TIME     of one operation (10s)\n"
	"  --rounds N         of failover (1)\n"
	"raftfs-bench(1) says what the figures mean.\n";

static int bad_usage(const char *what, const char *why)
{
	fprintf(stderr, "raftfs-bench: %s: %s\n%s", what, why, usage);
	return EXIT_USAGE;
}

static bool parse_count(const char *text, uint32_t max, uint32_t *count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value == 0 || value > max)
		return false;
	*count = (uint32_t)value;
	return true;
}

static bool parse_size(const char *text, uint32_t *bytes)
{
	uint64_t value;

	if (units_parse_size(text, &value) != RFS_ERR_OK || value == 0 ||
	    value > LOAD_VALUE_MAX_BYTES)
		return false;
	*bytes = (uint32_t)value;
	return true;
}

static bool parse_time(const char *text, int64_t *ns)
{
	return units_parse_duration(text, ns) == RFS_ERR_OK && *ns > 0;
}

static bool parse_option(struct options *options, int letter, const char *text)
{
	struct load *load = &options->load;

	switch (letter) {
	case 'e':
		load->endpoints = text;
		return true;
	case 'c':
		return parse_count(text, LOAD_CLIENTS_MAX, &load->clients);
	case 'n':
		return parse_count(text, LOAD_CLIENTS_MAX, &load->connections);
	case 'b':
		return parse_size(text, &load->value_bytes);
	case 's':
		return parse_time(text, &load->duration_ns);
	case 'a':
		return parse_time(text, &load->stale_ns);
	case 't':
		return parse_time(text, &load->timeout_ns);
	default:
		return parse_count(text, UINT32_MAX, &options->rounds);
	}
}

/* -1: go on; else the exit code. */
static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"endpoints", required_argument, NULL, 'e'},
		{"clients", required_argument, NULL, 'c'},
		{"connections", required_argument, NULL, 'n'},
		{"size", required_argument, NULL, 'b'},
		{"seconds", required_argument, NULL, 's'},
		{"stale", required_argument, NULL, 'a'},
		{"timeout", required_argument, NULL, 't'},
		{"rounds", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int letter, which = 0;

	while ((letter = getopt_long(argc, argv, "hV", longs, &which)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (letter == 'V') {
			printf("raftfs-bench " RAFTFS_VERSION "\n");
			return 0;
		}
		if (letter == '?') {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		if (!parse_option(options, letter, optarg))
			return bad_usage(optarg, "not a value this option has");
	}
	return -1;
}

static int run_load(const struct load *load)
{
	struct load_result result;

	if (!load_run(load, &result))
		return 1;
	printf("{\"op\": \"%s\", \"clients\": %u, \"connections\": %u, "
	       "\"size\": %u, \"seconds\": %.3f, \"ops\": %llu, "
	       "\"ops_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"errors\": %llu, \"client_cpu_s\": %.3f}\n",
	       op_names[load->op], load->clients, load->connections,
	       load->value_bytes, result.seconds,
	       (unsigned long long)result.done,
	       (double)result.done / result.seconds,
	       (double)result.p50_ns / (double)NS_PER_US,
	       (double)result.p99_ns / (double)NS_PER_US,
	       (unsigned long long)result.errors, result.client_cpu_s);
	return result.done == 0;
}

static bool find_op(const char *word, enum load_op *op)
{
	for (int i = 0; i < 3; i++) {
		if (strcmp(word, op_names[i]) == 0) {
			*op = (enum load_op)i;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct options options = {
		.load = {.clients = 1,
			 .value_bytes = 256,
			 .duration_ns = 5 * NS_PER_SEC,
			 .stale_ns = NS_PER_SEC,
			 .timeout_ns = 10 * NS_PER_SEC},
		.rounds = 1,
	};
	struct load *load = &options.load;
	int code;

	signal(SIGPIPE, SIG_IGN);
	log_init("raftfs-bench", NULL);
	code = parse_options(&options, argc, argv);
	if (code >= 0)
		return code;
	argv += optind;
	argc -= optind;
	if (argc > 0 && strcmp(argv[0], "raft") == 0) {
		argv++;
		argc--;
	}
	if (argc != 1)
		return bad_usage("operands", "one operation is wanted");
	if (load->connections == 0 || load->connections > load->clients)
		load->connections = load->clients;
	if (strcmp(argv[0], "failover") == 0)
		return !failover_run(load->endpoints, options.rounds,
				     load->timeout_ns);
	if (!find_op(argv[0], &load->op))
		return bad_usage(argv[0], "no such operation");
	return run_load(load);
}
