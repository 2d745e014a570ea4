/* clock: cluster time as each node has it, what each peer contributes, and how
 * it came to be so. */
#include "client/cli/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/json.h"
#include "client/cli/json_message.h"
#include "common/units.h"

typedef void clock_show(const struct ask_nodes *nodes);

static const struct {
	const char *name;
	clock_show *show;
} views[] = {
	{"", clock_show_overview},
	{"tracking", clock_show_tracking},
	{"sources", clock_show_sources},
	{"sourcestats", clock_show_sourcestats},
	{"selectdata", clock_show_selectdata},
};

static clock_show *find_view(const char *name)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(views[i].name, name) == 0)
			return views[i].show;
	return NULL;
}

void clock_print_json(const struct ask_nodes *nodes)
{
	struct json json;

	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_int(&json, "version", 1);
	json_open(&json, "nodes", '[');
	for (size_t i = 0; i < nodes->count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "name", ask_name(&nodes->node[i]));
		json_message(&json, "clock",
			     (ProtobufCMessage *)clock_of(&nodes->node[i]));
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* Healthy when every node that was asked is SYNCED. */
static int verdict(const struct ask_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (clock_of(&nodes->node[i]) == NULL ||
		    strcmp(clock_of(&nodes->node[i])->quality, "SYNCED") != 0)
			return CLI_FAILED;
	return CLI_OK;
}

static int look(const struct cli *cli, clock_show *show)
{
	struct ask_nodes nodes;
	int status = ask_find(cli, &nodes);

	if (status != CLI_OK)
		return status;
	if (!ask_all(&nodes)) {
		fprintf(stderr,
			"raftfs: cannot connect: no daemon answers in %s\n",
			nodes.node[0].run_dir);
		return CLI_UNREACHABLE;
	}
	if (cli->json)
		clock_print_json(&nodes);
	else
		show(&nodes);
	status = verdict(&nodes);
	ask_nodes_free(&nodes);
	return status;
}

static bool take_duration(const char *text, int64_t *ns)
{
	return units_parse_duration(text, ns) == RFS_ERR_OK;
}

/* -1: go on with *argc, *argv; else the exit code. */
static int parse(struct cli *cli, int *argc, char ***argv,
		 struct clock_options *options, bool *repeat)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"watch", no_argument, NULL, 'w'},
		{"bound", required_argument, NULL, 'b'},
		{"timeout", required_argument, NULL, 't'},
		{"svg", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	bool good = true;
	int letter;

	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(*argc, *argv, "h", longs, NULL)) != -1) {
		if (letter == 'j')
			cli->json = true;
		else if (letter == 'w')
			*repeat = true;
		else if (letter == 's')
			options->svg = optarg;
		else if (letter == 'b')
			good = take_duration(optarg, &options->bound_ns);
		else if (letter == 't')
			good = take_duration(optarg, &options->timeout_ns);
		else
			return letter == 'h' ? cli_help("clock")
					     : cli_usage("clock",
							 "clock: cannot use %s",
							 (*argv)[optind - 1]);
		if (!good)
			return cli_usage("clock", "clock: %s: not a time",
					 optarg);
	}
	*argc -= optind;
	*argv += optind;
	return -1;
}

static int run(const struct cli *cli, const char *what,
	       const struct clock_options *options)
{
	struct ask_nodes nodes;
	int status;

	if (find_view(what) != NULL)
		return look(cli, find_view(what));
	status = ask_find(cli, &nodes);
	if (status != CLI_OK)
		return status;
	if (strcmp(what, "wait") == 0)
		return clock_wait(cli, &nodes, options);
	if (strcmp(what, "history") == 0)
		return clock_history(cli, &nodes);
	return clock_plot(&nodes, options);
}

/* Until interrupted; on a terminal each look replaces the one before. */
static int watch(const struct cli *cli, const char *what,
		 const struct clock_options *options)
{
	const struct timespec second = {.tv_sec = 1};

	for (;;) {
		if (!cli->json && isatty(STDOUT_FILENO))
			printf("\033[H\033[J");
		(void)run(cli, what, options);
		if (fflush(stdout) != 0)
			return CLI_FAILED;
		nanosleep(&second, NULL);
	}
}

/* NULL: the options are for what was asked; else the one that is not. */
static const char *misplaced(const struct cli *cli, const char *what,
			     const struct clock_options *options, bool repeat)
{
	bool waits = strcmp(what, "wait") == 0;
	bool plots = strcmp(what, "plot") == 0;

	if (repeat && waits)
		return "--watch";
	if (options->bound_ns > 0 && !waits)
		return "--bound";
	if (options->timeout_ns >= 0 && !waits)
		return "--timeout";
	if (options->svg != NULL && !plots)
		return "--svg";
	return cli->json && plots ? "--json" : NULL;
}

int command_clock(struct cli *cli, int argc, char **argv)
{
	struct clock_options options = {.timeout_ns = -1};
	bool repeat = false;
	int status = parse(cli, &argc, &argv, &options, &repeat);
	const char *wrong;
	const char *what = argc > 0 ? argv[0] : "";

	if (status >= 0)
		return status;
	if (argc > 1)
		return cli_usage("clock", "clock: %s takes no operand", what);
	if (find_view(what) == NULL && strcmp(what, "wait") != 0 &&
	    strcmp(what, "history") != 0 && strcmp(what, "plot") != 0)
		return cli_usage("clock", "clock: there is no \"%s\"", what);
	wrong = misplaced(cli, what, &options, repeat);
	if (wrong != NULL)
		return cli_usage("clock", "clock %s: %s has no meaning here",
				 what, wrong);
	return repeat ? watch(cli, what, &options) : run(cli, what, &options);
}
