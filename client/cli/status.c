/* status, members and leader: the cluster as its daemons tell it. */
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
#include "proto/sockets.h"

/* --- common --- */

static int gather(struct cli *cli, struct ask_nodes *nodes)
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
	int status = gather(cli, &nodes);

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

int command_status(struct cli *cli, int argc, char **argv)
{
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0)
		return cli_usage("status", "status: takes no operand");
	return status_show(cli);
}

/* --- members --- */

struct member {
	uint32_t id;
	const char *name;
	const DistributedFs__RaftStatus *raft; /* its own, if it answers */
	const DistributedFs__StorageStatus *storage;
	const DistributedFs__RaftPeer
		*seen; /* by the leader or the one asked */
};

static const DistributedFs__RaftPeer *
peer_by_name(const DistributedFs__RaftStatus *raft, const char *name)
{
	for (size_t i = 0; raft != NULL && i < raft->n_peers; i++)
		if (strcmp(raft->peers[i]->name, name) == 0)
			return raft->peers[i];
	return NULL;
}

static void add_own(const struct ask_node *node, struct member *member)
{
	member->name = ask_name(node);
	if (node->raft != NULL)
		member->raft = node->raft->raft;
	if (node->storage != NULL)
		member->storage = node->storage->storage;
}

/* Those on this host, then those that the view knows of besides. */
static size_t collect_members(const struct ask_nodes *nodes,
			      const DistributedFs__RaftStatus *view,
			      struct member members[2 * CONFIG_NODES_MAX])
{
	size_t count = nodes->count;

	for (size_t i = 0; i < nodes->count; i++) {
		members[i] = (struct member){0};
		add_own(&nodes->node[i], &members[i]);
		members[i].seen = peer_by_name(view, members[i].name);
	}
	for (size_t p = 0;
	     view != NULL && p < view->n_peers && count < 2 * CONFIG_NODES_MAX;
	     p++) {
		bool known = false;

		for (size_t i = 0; i < nodes->count; i++)
			known |= strcmp(members[i].name,
					view->peers[p]->name) == 0;
		if (!known)
			members[count++] = (struct member){
				.name = view->peers[p]->name,
				.seen = view->peers[p],
			};
	}
	return count;
}

static const char *member_role(const struct member *member)
{
	if (member->raft != NULL)
		return member->raft->role;
	if (member->seen == NULL)
		return "no answer";
	return member->seen->connected ? "connected" : "not connected";
}

static void index_text(uint64_t index, char text[24])
{
	if (index == 0)
		snprintf(text, 24, "-");
	else
		snprintf(text, 24, "%" PRIu64, index);
}

static void print_member(const struct member *member)
{
	char commit[24], match[24], applied[24], rtt[24] = "-";

	index_text(member->raft != NULL ? member->raft->commit_index : 0,
		   commit);
	index_text(member->seen != NULL	  ? member->seen->match_index
		   : member->raft != NULL ? member->raft->last_index
					  : 0,
		   match);
	index_text(member->storage != NULL ? member->storage->applied_index : 0,
		   applied);
	if (member->seen != NULL && member->seen->rtt_ns > 0)
		units_format_duration(member->seen->rtt_ns, rtt, sizeof(rtt));
	printf("%-8s %-14s %10s %10s %10s %10s %s\n", member->name,
	       member_role(member), match, commit, applied, rtt,
	       member->seen != NULL ? member->seen->refused : "");
}

static void member_json(struct json *json, const struct member *member)
{
	json_open(json, NULL, '{');
	json_text(json, "name", member->name);
	json_text(json, "role", member_role(member));
	json_message(json, "raft", (ProtobufCMessage *)member->raft);
	json_message(json, "storage", (ProtobufCMessage *)member->storage);
	json_message(json, "seen", (ProtobufCMessage *)member->seen);
	json_close(json, '}');
}

static void members_show(const struct cli *cli, const struct member *members,
			 size_t count)
{
	struct json json;

	if (!cli->json) {
		printf("%-8s %-14s %10s %10s %10s %10s\n", "node", "role",
		       "log", "commit", "applied", "rtt");
		for (size_t i = 0; i < count; i++)
			print_member(&members[i]);
		return;
	}
	json_init(&json, stdout);
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < count; i++)
		member_json(&json, &members[i]);
	json_close(&json, ']');
}

int command_members(struct cli *cli, int argc, char **argv)
{
	struct member members[2 * CONFIG_NODES_MAX];
	const DistributedFs__RaftStatus *view;
	struct ask_nodes nodes;
	const char *leader;
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0)
		return cli_usage("members", "members: takes no operand");
	status = gather(cli, &nodes);
	if (status != CLI_OK)
		return status;
	view = judge_leader(&nodes, &leader);
	if (view == NULL && nodes.node[0].raft != NULL)
		view = nodes.node[0].raft->raft;
	members_show(cli, members, collect_members(&nodes, view, members));
	ask_nodes_free(&nodes);
	return CLI_OK;
}

/* --- leader --- */

static int show_leader(struct cli *cli, const struct ask_nodes *nodes)
{
	const char *name = NULL;
	const DistributedFs__RaftStatus *leader = judge_leader(nodes, &name);
	struct json json;

	if (leader == NULL) {
		fprintf(stderr, "raftfs: no leader\n");
		return CLI_NO_QUORUM;
	}
	if (!cli->json) {
		printf("%s\n", name);
		return CLI_OK;
	}
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "leader", name);
	json_uint(&json, "id", leader->leader);
	json_uint(&json, "term", leader->term);
	json_close(&json, '}');
	return CLI_OK;
}

/* The id of a node by name or number; 0: no such node. */
static uint32_t node_id(const struct ask_nodes *nodes, const char *name)
{
	char id[16];

	for (uint32_t m = 0; m < nodes->cluster_size; m++) {
		snprintf(id, sizeof(id), "%u", nodes->members[m].id);
		if (strcmp(nodes->members[m].name, name) == 0 ||
		    strcmp(id, name) == 0)
			return nodes->members[m].id;
	}
	for (size_t i = 0; i < nodes->count; i++) {
		const DistributedFs__RaftStatus *raft =
			nodes->node[i].raft == NULL ? NULL
						    : nodes->node[i].raft->raft;

		for (size_t p = 0; raft != NULL && p < raft->n_peers; p++)
			if (strcmp(raft->peers[p]->name, name) == 0)
				return raft->peers[p]->node;
	}
	return 0;
}

static int transfer(const struct ask_nodes *nodes, const char *to)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply = NULL;
	enum rfs_err err = RFS_ERR_NOT_LEADER;

	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER;
	request.node = node_id(nodes, to);
	if (request.node == 0)
		return cli_usage("leader", "leader: there is no node \"%s\"",
				 to);
	const char *leader = "";

	if (judge_leader(nodes, &leader) != NULL &&
	    judge_leader(nodes, &leader)->leader == request.node) {
		printf("%s leads already\n", leader);
		return CLI_OK;
	}
	for (size_t i = 0; i < nodes->count; i++) {
		const struct ask_node *node = &nodes->node[i];

		/* With one node asked, let its raftd say who leads. */
		if (nodes->count > 1 &&
		    (node->raft == NULL || node->raft->raft == NULL ||
		     strcmp(node->raft->raft->role, "leader") != 0))
			continue;
		err = ask(node->run_dir, SOCKETS_RAFTD, &request, &reply);
	}
	if (err == RFS_ERR_OK)
		printf("leadership is being handed to %s\n", to);
	else
		fprintf(stderr, "raftfs: leader transfer %s: %s%s%s\n", to,
			rfs_err_text(err),
			reply != NULL && reply->reason[0] != '\0' ? ": " : "",
			reply != NULL ? reply->reason : "");
	ask_free(reply);
	return err == RFS_ERR_OK ? CLI_OK : CLI_FAILED;
}

int command_leader(struct cli *cli, int argc, char **argv)
{
	struct ask_nodes nodes;
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0 && (argc != 2 || strcmp(argv[0], "transfer") != 0))
		return cli_usage("leader", "leader: transfer to which node?");
	status = gather(cli, &nodes);
	if (status != CLI_OK)
		return status;
	status = argc == 0 ? show_leader(cli, &nodes)
			   : transfer(&nodes, argv[1]);
	ask_nodes_free(&nodes);
	return status;
}
