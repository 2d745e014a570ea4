/* status: the cluster as its daemons tell it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/cli.h"
#include "client/cli/json_message.h"
#include "client/cli/judge.h"
#include "client/cli/status.h"
#include "common/units.h"

/* --- common --- */

int status_gather(struct cli *cli, struct ask_nodes *nodes)
{
	int status = ask_find(cli, nodes);

	if (status != CLI_OK)
		return status;
	if (ask_all(nodes))
		return CLI_OK;
	fprintf(stderr, "raftfs: cannot connect: no daemon answers in %s%s\n",
		nodes->node[0].run_dir,
		nodes->count > 1 ? " or its peers" : "");
	ask_nodes_free(nodes);
	return CLI_UNREACHABLE;
}

/* How the commands that are suggested name the cluster. */
static void target_text(const struct cli *cli, char *text, size_t bytes)
{
	size_t end = cli->where == NULL ? 0 : strlen(cli->where);

	if (end == 0)
		snprintf(text, bytes, "%s", "");
	else if (end > 5 && strcmp(cli->where + end - 5, ".sock") == 0)
		snprintf(text, bytes, "-s %s", cli->where);
	else if (end > 5 && strcmp(cli->where + end - 5, ".conf") == 0)
		snprintf(text, bytes, "-c %s", cli->where);
	else
		snprintf(text, bytes, "-d %s", cli->where);
}

/* --- status --- */

static bool is_coloured(void)
{
	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
}

static void print_verdict(const struct judge_verdict *verdict)
{
	const char *colour = "";
	const char *plain = "";

	if (is_coloured()) {
		colour = verdict->exit == CLI_OK       ? "\033[32m"
			 : verdict->exit == CLI_FAILED ? "\033[33m"
						       : "\033[31m";
		plain = "\033[0m";
	}
	printf("%s%s%s\n", colour, verdict->line, plain);
	for (size_t i = 0; i < verdict->fault_count; i++) {
		const struct judge_fault *fault = &verdict->faults[i];

		printf("  fault:  %s\n  effect: %s\n  next:   %s\n",
		       fault->fault, fault->effect, fault->next);
	}
	if (verdict->faults_dropped > 0)
		printf("  and %zu more\n", verdict->faults_dropped);
}

static void node_json(struct json *json, const struct ask_node *node)
{
	json_open(json, NULL, '{');
	json_text(json, "name", ask_name(node));
	json_text(json, "run_dir", node->run_dir);
	json_message(
		json, "supervisor",
		node->supervisor == NULL
			? NULL
			: (ProtobufCMessage *)node->supervisor->supervisor);
	json_message(json, "timesync",
		     node->timesync == NULL
			     ? NULL
			     : (ProtobufCMessage *)node->timesync->timesync);
	json_message(json, "raft",
		     node->raft == NULL ? NULL
					: (ProtobufCMessage *)node->raft->raft);
	json_message(json, "storage",
		     node->storage == NULL
			     ? NULL
			     : (ProtobufCMessage *)node->storage->storage);
	json_close(json, '}');
}

static const char *state_name(enum cli_exit exit)
{
	return exit == CLI_OK	    ? "healthy"
	       : exit == CLI_FAILED ? "degraded"
				    : "no quorum";
}

static void verdict_json(const struct judge_verdict *verdict,
			 const struct ask_nodes *nodes)
{
	struct json json;

	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_int(&json, "version", 1);
	json_text(&json, "state", state_name(verdict->exit));
	json_text(&json, "line", verdict->line);
	json_open(&json, "faults", '[');
	for (size_t i = 0; i < verdict->fault_count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "fault", verdict->faults[i].fault);
		json_text(&json, "effect", verdict->faults[i].effect);
		json_text(&json, "next", verdict->faults[i].next);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "nodes", '[');
	for (size_t i = 0; i < nodes->count; i++)
		node_json(&json, &nodes->node[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

int status_show(struct cli *cli)
{
	struct judge_verdict verdict;
	struct ask_nodes nodes;
	char target[CONFIG_PATH_MAX + 8];
	int status = status_gather(cli, &nodes);

	if (status != CLI_OK)
		return status;
	target_text(cli, target, sizeof(target));
	judge(&nodes, target, &verdict);
	if (cli->json)
		verdict_json(&verdict, &nodes);
	else
		print_verdict(&verdict);
	ask_nodes_free(&nodes);
	return (int)verdict.exit;
}

int status_if_no_quorum(struct cli *cli, int status)
{
	struct judge_verdict verdict;
	struct ask_nodes nodes;

	if (ask_find(cli, &nodes) != CLI_OK || !ask_all(&nodes))
		return status;
	judge(&nodes, "", &verdict);
	ask_nodes_free(&nodes);
	if (verdict.exit != CLI_NO_QUORUM)
		return status;
	fprintf(stderr, "raftfs: %s\n", verdict.line);
	return CLI_NO_QUORUM;
}

static void print_raft(const struct ask_node *node)
{
	const DistributedFs__RaftStatus *raft;
	char timeout[24], heartbeat[24], disk[24];

	if (node->raft == NULL || node->raft->raft == NULL) {
		printf("%s: raftd does not answer\n", ask_name(node));
		return;
	}
	raft = node->raft->raft;
	printf("%s: %s of term %" PRIu64 "\n", ask_name(node), raft->role,
	       raft->term);
	printf("  election timeout  %s: %s\n",
	       units_format_duration(raft->election_timeout_ns, timeout,
				     sizeof(timeout)),
	       raft->election_timeout_why);
	printf("  heartbeat         %s: %s\n",
	       units_format_duration(raft->heartbeat_ns, heartbeat,
				     sizeof(heartbeat)),
	       raft->heartbeat_why);
	printf("  elections         %s\n", raft->slots_why);
	printf("  lease             %s\n", raft->lease_why);
	printf("  lease time        %s\n", raft->lease_setting);
	printf("  disk              %s until an entry is durable\n",
	       raft->disk_ns > 0 ? units_format_duration(raft->disk_ns, disk,
							 sizeof(disk)) :
				   "unknown time");
	printf("  may lead          %s%s\n", raft->unfit[0] ? "no: " : "yes",
	       raft->unfit);
	if (raft->handed_over_why[0] != '\0')
		printf("  handed over       %" PRIu64 " times, last %s\n",
		       raft->handed_over, raft->handed_over_why);
}

/* What consensus goes by at present, and why; the same is in the JSON. */
static int status_raft(struct cli *cli)
{
	struct ask_nodes nodes;
	int status;

	if (cli->json)
		return status_show(cli);
	status = status_gather(cli, &nodes);
	if (status != CLI_OK)
		return status;
	for (size_t i = 0; i < nodes.count; i++)
		print_raft(&nodes.node[i]);
	ask_nodes_free(&nodes);
	return CLI_OK;
}

int command_status(struct cli *cli, int argc, char **argv)
{
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc == 1 && strcmp(argv[0], "raft") == 0)
		return status_raft(cli);
	if (argc != 0)
		return cli_usage("status", "status: no such view \"%s\"",
				 argv[0]);
	return status_show(cli);
}
