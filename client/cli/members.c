/* members: who is in the cluster, and how far each has come. */
#include "client/cli/members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/json_message.h"
#include "client/cli/status.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"

#define RETRY_NS   (100 * NS_PER_MS)
#define LIST_NS	   (1 * NS_PER_SEC) /* a list without a leader is one too */
#define MEMBER_ROWS (2 * CONFIG_NODES_MAX)

/* --- asking --- */

/* Another node, or another moment, may know better. */
static bool may_pass(enum rfs_err err)
{
	return err == RFS_ERR_NO_QUORUM || err == RFS_ERR_NOT_LEADER ||
	       err == RFS_ERR_CLOSED || err == RFS_ERR_TIMEDOUT;
}

static enum rfs_err ask_each(const struct ask_nodes *nodes,
			     const DistributedFs__ControlRequest *request,
			     DistributedFs__ControlReply **reply)
{
	enum rfs_err err = RFS_ERR_CLOSED;

	*reply = NULL;
	for (size_t i = 0; i < nodes->count; i++) {
		DistributedFs__ControlReply *got;
		enum rfs_err said = ask(nodes->node[i].run_dir, SOCKETS_RAFTD,
					request, &got);

		if (got == NULL && *reply != NULL)
			continue;
		ask_free(*reply);
		*reply = got;
		err = said;
		if (!may_pass(err))
			break;
	}
	return err;
}

enum rfs_err members_ask(const struct ask_nodes *nodes,
			 const DistributedFs__ControlRequest *request,
			 int64_t limit_ns, DistributedFs__ControlReply **reply)
{
	const struct timespec nap = {.tv_nsec = RETRY_NS};
	int64_t until_ns = clock_raw_ns() + limit_ns;
	enum rfs_err err = ask_each(nodes, request, reply);

	while ((err == RFS_ERR_NO_QUORUM || err == RFS_ERR_NOT_LEADER) &&
	       clock_raw_ns() < until_ns) {
		ask_free(*reply);
		nanosleep(&nap, NULL);
		err = ask_each(nodes, request, reply);
	}
	return err;
}

const char *members_name(const DistributedFs__MemberStatus *member)
{
	return member->about != NULL ? member->about->name : "?";
}

const DistributedFs__MemberStatus *
members_find(const DistributedFs__MembersStatus *members, const char *name)
{
	for (size_t i = 0; i < members->n_members; i++) {
		const DistributedFs__MemberStatus *member = members->members[i];
		char id[16];

		snprintf(id, sizeof(id), "%u", member->node);
		if (strcmp(members_name(member), name) == 0 ||
		    strcmp(id, name) == 0)
			return member;
	}
	return NULL;
}

const char *members_kind(const DistributedFs__MembersStatus *members,
			 const DistributedFs__MemberStatus *member)
{
	if (member->voter && members->joint && !member->voter_before)
		return "voter (new)";
	if (member->voter)
		return "voter";
	if (member->voter_before)
		return "voter (leaves)";
	return member->promote ? "learner (joins)" : "learner";
}

bool members_describe(const DistributedFs__MemberStatus *member,
		      struct config_node *node)
{
	const DistributedFs__Member *about = member->about;

	memset(node, 0, sizeof(*node));
	if (about == NULL || about->key.len != sizeof(node->key))
		return false;
	node->id = member->node;
	snprintf(node->name, sizeof(node->name), "%s", about->name);
	snprintf(node->address, sizeof(node->address), "%s", about->address);
	node->raft_port = (uint16_t)about->raft_port;
	node->storage_port = (uint16_t)about->storage_port;
	node->time_port = (uint16_t)about->time_port;
	memcpy(node->key, about->key.data, sizeof(node->key));
	return config_node_fault(node) == NULL;
}

int members_fail(const char *what, enum rfs_err err,
		 const DistributedFs__ControlReply *reply)
{
	const char *reason = reply != NULL ? reply->reason : "";

	if (reason[0] == '\0')
		reason = rfs_err_text(err);
	fprintf(stderr, "raftfs: %s: %s\n", what, reason);
	if (err == RFS_ERR_NO_QUORUM)
		return CLI_NO_QUORUM;
	return err == RFS_ERR_CLOSED ? CLI_UNREACHABLE : CLI_FAILED;
}

/* --- the list --- */

struct row {
	const char *name;
	const char *kind;
	const DistributedFs__MemberStatus *seen; /* NULL: no member */
	const DistributedFs__RaftStatus *raft;	 /* its own, if it answers */
	const DistributedFs__StorageStatus *storage;
};

static void add_own(struct row *row, const struct ask_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		const struct ask_node *node = &nodes->node[i];

		if (strcmp(ask_name(node), row->name) != 0)
			continue;
		if (node->raft != NULL)
			row->raft = node->raft->raft;
		if (node->storage != NULL)
			row->storage = node->storage->storage;
	}
}

/* The members, then who is none but was asked. members may be NULL. */
static size_t make_rows(const struct ask_nodes *nodes,
			const DistributedFs__MembersStatus *members,
			struct row rows[MEMBER_ROWS])
{
	size_t count = 0;

	memset(rows, 0, MEMBER_ROWS * sizeof(rows[0]));
	for (size_t i = 0; members != NULL && i < members->n_members &&
			   i < CONFIG_NODES_MAX;
	     i++) {
		rows[count].seen = members->members[i];
		rows[count].name = members_name(members->members[i]);
		rows[count].kind = members_kind(members, rows[count].seen);
		add_own(&rows[count++], nodes);
	}
	for (size_t i = 0; i < nodes->count; i++) {
		bool known = false;

		for (size_t k = 0; k < count; k++)
			known |= strcmp(rows[k].name,
					ask_name(&nodes->node[i])) == 0;
		if (known)
			continue;
		rows[count].name = ask_name(&nodes->node[i]);
		rows[count].kind = "-";
		add_own(&rows[count], nodes);
		if (rows[count].raft != NULL)
			rows[count].kind = rows[count].raft->standing;
		count++;
	}
	return count;
}

static const char *role_of(const struct row *row)
{
	if (row->raft != NULL)
		return row->raft->role;
	if (row->seen == NULL)
		return "no answer";
	if (row->seen->leader)
		return "leader";
	return row->seen->connected ? "connected" : "not connected";
}

/* What else there is to say of it: "" when all is well. */
static const char *note_of(const struct row *row)
{
	static char lacks[64];

	if (row->raft != NULL && row->raft->standing_why[0] != '\0')
		return row->raft->standing_why;
	if (row->storage != NULL && row->storage->chunks_missing > 0) {
		snprintf(lacks, sizeof(lacks), "lacks %" PRIu64 " chunks",
			 row->storage->chunks_missing);
		return lacks;
	}
	if (row->seen != NULL && !row->seen->connected)
		return row->seen->refused;
	return "";
}

static void index_text(uint64_t index, char text[24])
{
	if (index == 0)
		snprintf(text, 24, "-");
	else
		snprintf(text, 24, "%" PRIu64, index);
}

static void print_row(const struct row *row)
{
	char commit[24], match[24], applied[24], rtt[24] = "-";
	char address[80] = "-";
	uint64_t log = row->raft != NULL ? row->raft->last_index : 0;

	if (row->seen != NULL && row->seen->match_index > 0)
		log = row->seen->match_index;
	index_text(log, match);
	index_text(row->raft != NULL ? row->raft->commit_index : 0, commit);
	index_text(row->storage != NULL ? row->storage->applied_index : 0,
		   applied);
	if (row->seen != NULL && row->seen->rtt_ns > 0)
		units_format_duration(row->seen->rtt_ns, rtt, sizeof(rtt));
	if (row->seen != NULL && row->seen->about != NULL)
		snprintf(address, sizeof(address),
			 strchr(row->seen->about->address, ':') != NULL ?
				 "[%s]:%u" : "%s:%u",
			 row->seen->about->address, row->seen->about->raft_port);
	printf("%-8s %-15s %-14s %10s %10s %10s %10s  %s", row->name, row->kind,
	       role_of(row), match, commit, applied, rtt, address);
	printf("%s%s\n", note_of(row)[0] != '\0' ? "  " : "",
	       note_of(row));
}

static void row_json(struct json *json, const struct row *row)
{
	json_open(json, NULL, '{');
	json_text(json, "name", row->name);
	json_text(json, "member", row->kind);
	json_text(json, "role", role_of(row));
	json_message(json, "seen", (ProtobufCMessage *)row->seen);
	json_message(json, "raft", (ProtobufCMessage *)row->raft);
	json_message(json, "storage", (ProtobufCMessage *)row->storage);
	json_close(json, '}');
}

static void show(const struct cli *cli, const struct row *rows, size_t count)
{
	struct json json;

	if (!cli->json) {
		printf("%-8s %-15s %-14s %10s %10s %10s %10s  %s\n", "node",
		       "member", "role", "log", "commit", "applied", "rtt",
		       "address");
		for (size_t i = 0; i < count; i++)
			print_row(&rows[i]);
		return;
	}
	json_init(&json, stdout);
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < count; i++)
		row_json(&json, &rows[i]);
	json_close(&json, ']');
}

static int list(struct cli *cli)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	struct row rows[MEMBER_ROWS];
	struct ask_nodes nodes;
	int status = status_gather(cli, &nodes);

	if (status != CLI_OK)
		return status;
	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS;
	if (members_ask(&nodes, &request, LIST_NS, &reply) != RFS_ERR_OK) {
		ask_free(reply);
		reply = NULL;
	}
	show(cli, rows,
	     make_rows(&nodes, reply != NULL ? reply->members : NULL, rows));
	ask_free(reply);
	ask_nodes_free(&nodes);
	return CLI_OK;
}

int command_members(struct cli *cli, int argc, char **argv)
{
	int status;

	if (argc > 1 && argv[1][0] != '-')
		return members_change(cli, argc - 1, argv + 1);
	status = cli_options(cli, &argc, &argv, "", NULL, NULL);
	if (status != CLI_OK)
		return status;
	if (argc > 0) /* options came first */
		return members_change(cli, argc, argv);
	return list(cli);
}
