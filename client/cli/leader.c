/* leader: who leads, and to let another one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/json.h"
#include "client/cli/judge.h"
#include "client/cli/members.h"
#include "client/cli/status.h"

#define PATIENCE_MS 5000
#define LOOK_MS	    25

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

/* It is under way: wait until it has happened, or did not. A cluster without a
 * leader for a moment is what must be expected. */
static int outcome(const struct cli *cli, const struct ask_nodes *nodes,
		   const char *to)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	bool leads = false;

	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS;
	for (int ms = 0; !leads && ms < PATIENCE_MS; ms += LOOK_MS) {
		const DistributedFs__MemberStatus *member = NULL;

		usleep(LOOK_MS * 1000);
		if (members_ask(nodes, &request, cli->timeout_ns, &reply) ==
			    RFS_ERR_OK &&
		    reply->members != NULL)
			member = members_find(reply->members, to);
		leads = member != NULL && member->leader;
		ask_free(reply);
	}
	if (leads)
		printf("%s leads\n", to);
	else
		fprintf(stderr, "raftfs: leader transfer: %s did not take over\n",
			to);
	return leads ? CLI_OK : CLI_FAILED;
}

/* Ask any node; it asks the leader. */
static int transfer_to(const struct cli *cli, const struct ask_nodes *nodes,
		       const DistributedFs__MemberStatus *member)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	enum rfs_err err;
	int status = CLI_OK;

	if (member->leader) {
		printf("%s leads already\n", members_name(member));
		return CLI_OK;
	}
	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER;
	request.node = member->node;
	err = members_ask(nodes, &request, cli->timeout_ns, &reply);
	if (err == RFS_ERR_OK)
		status = outcome(cli, nodes, members_name(member));
	else
		status = members_fail("leader transfer", err, reply);
	ask_free(reply);
	return status;
}

static int transfer(const struct cli *cli, const struct ask_nodes *nodes,
		    const char *to)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	const DistributedFs__MemberStatus *member;
	enum rfs_err err;
	int status;

	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS;
	err = members_ask(nodes, &request, cli->timeout_ns, &reply);
	if (err != RFS_ERR_OK || reply->members == NULL) {
		status = members_fail("leader transfer", err, reply);
		ask_free(reply);
		return status;
	}
	member = members_find(reply->members, to);
	status = member != NULL ?
			 transfer_to(cli, nodes, member) :
			 cli_usage("leader", "leader: there is no node \"%s\"",
				   to);
	ask_free(reply);
	return status;
}

int command_leader(struct cli *cli, int argc, char **argv)
{
	struct ask_nodes nodes;
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0 && (argc != 2 || strcmp(argv[0], "transfer") != 0))
		return cli_usage("leader", "leader: transfer to which node?");
	status = status_gather(cli, &nodes);
	if (status != CLI_OK)
		return status;
	status = argc == 0 ? show_leader(cli, &nodes)
			   : transfer(cli, &nodes, argv[1]);
	ask_nodes_free(&nodes);
	return status;
}
