/* Whom to ask, and all at once. */
#include "client/cli/ask.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/lib/control.h"
#include "client/lib/endpoints.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"

#define LIMIT_NS (2 * NS_PER_SEC)

enum rfs_err ask(const char *run_dir, const char *socket,
		 const DistributedFs__ControlRequest *request,
		 DistributedFs__ControlReply **reply)
{
	return control_ask(run_dir, socket, request, LIMIT_NS, reply);
}

void ask_free(DistributedFs__ControlReply *reply)
{
	if (reply != NULL)
		distributed_fs__control_reply__free_unpacked(reply, NULL);
}

/* --- whom --- */

static void fault_to_stderr(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "raftfs: %s\n", text);
}

static void add_node(struct ask_nodes *nodes, const char *name,
		     const char *run_dir)
{
	struct ask_node *node = &nodes->node[nodes->count++];

	memset(node, 0, sizeof(*node));
	snprintf(node->name, sizeof(node->name), "%s", name);
	snprintf(node->run_dir, sizeof(node->run_dir), "%s", run_dir);
}

static void add_config(struct ask_nodes *nodes, const struct config *config)
{
	add_node(nodes, config->self, config->run_dir);
	nodes->cluster_size = config->node_count;
	memcpy(nodes->members, config->nodes, sizeof(nodes->members));
}

/* The directory of each socket named. */
static int from_sockets(const char *list, struct ask_nodes *nodes)
{
	for (const char *at = list; nodes->count < CONFIG_NODES_MAX;) {
		size_t bytes = strcspn(at, ",");
		size_t dir = bytes;
		char run_dir[CONFIG_PATH_MAX];

		while (dir > 0 && at[dir - 1] != '/')
			dir--;
		if (dir >= sizeof(run_dir))
			return cli_fail(list, RFS_ERR_NAMETOOLONG);
		snprintf(run_dir, sizeof(run_dir), "%.*s",
			 dir == 0 ? 1 : (int)dir, dir == 0 ? "." : at);
		if (dir > 1)
			run_dir[dir - 1] = '\0';
		add_node(nodes, "", run_dir);
		if (at[bytes] == '\0')
			return CLI_OK;
		at += bytes + 1;
	}
	return CLI_OK;
}

static int from_dir(const char *dir, struct ask_nodes *nodes)
{
	const struct config_errors errors = {fault_to_stderr, NULL};
	struct config *configs = calloc(CONFIG_NODES_MAX, sizeof(*configs));

	if (configs == NULL)
		return cli_fail(dir, RFS_ERR_NOMEM);
	size_t count = endpoints_cluster_configs(dir, &errors, configs);

	for (size_t i = 0; i < count; i++)
		add_config(nodes, &configs[i]);
	free(configs);
	if (count == 0)
		add_node(nodes, "", dir); /* a run directory, then */
	return CLI_OK;
}

static int from_config(const char *path, struct ask_nodes *nodes)
{
	const struct config_errors errors = {fault_to_stderr, NULL};
	struct config *config = calloc(1, sizeof(*config));

	if (config == NULL)
		return cli_fail(path, RFS_ERR_NOMEM);
	enum rfs_err err = config_load(path, &errors, config);

	if (err == RFS_ERR_OK)
		add_config(nodes, config);
	free(config);
	return err == RFS_ERR_OK ? CLI_OK : CLI_FAILED;
}

int ask_find(const struct cli *cli, struct ask_nodes *nodes)
{
	const char *where = cli->where;
	struct stat st;

	nodes->count = 0;
	nodes->cluster_size = 0;
	if (where == NULL)
		where = getenv("RAFTFS_SOCKET");
	if (where == NULL)
		where = RAFTFS_CONF;
	if (strchr(where, ',') != NULL)
		return from_sockets(where, nodes);
	if (stat(where, &st) != 0) {
		size_t bytes = strlen(where);

		if (bytes > 5 && strcmp(where + bytes - 5, ".sock") == 0)
			return from_sockets(where, nodes);
		fprintf(stderr,
			"raftfs: %s: no socket, configuration or cluster "
			"there\n",
			where);
		return CLI_UNREACHABLE;
	}
	if (S_ISDIR(st.st_mode))
		return from_dir(where, nodes);
	if (S_ISSOCK(st.st_mode))
		return from_sockets(where, nodes);
	return from_config(where, nodes);
}

/* --- all of them --- */

/* One question in a thread of its own: a node that hangs holds up nobody. */
struct question {
	pthread_t thread;
	bool asked;
	const char *run_dir;
	const char *socket;
	DistributedFs__ControlReply *reply;
	enum rfs_err err;
	int64_t wall_ns;
};

static void *ask_one(void *arg)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	struct question *question = arg;
	int64_t before_ns = clock_wall_ns();

	question->err = ask(question->run_dir, question->socket, &request,
			    &question->reply);
	question->wall_ns = before_ns + (clock_wall_ns() - before_ns) / 2;
	if (question->err != RFS_ERR_OK) {
		ask_free(question->reply);
		question->reply = NULL;
	}
	return NULL;
}

static void ask_begin(struct question *question, const char *run_dir,
		      const char *socket)
{
	*question = (struct question){.run_dir = run_dir, .socket = socket};
	question->asked =
		pthread_create(&question->thread, NULL, ask_one, question) == 0;
	if (!question->asked)
		ask_one(question);
}

static DistributedFs__ControlReply *ask_end(struct question *question,
					    bool *any)
{
	if (question->asked)
		pthread_join(question->thread, NULL);
	*any |= question->reply != NULL;
	return question->reply;
}

bool ask_all(struct ask_nodes *nodes)
{
	struct question questions[CONFIG_NODES_MAX][4];
	bool any = false;

	for (size_t i = 0; i < nodes->count; i++) {
		const char *dir = nodes->node[i].run_dir;

		ask_begin(&questions[i][0], dir, SOCKETS_SUPERVISOR);
		ask_begin(&questions[i][1], dir, SOCKETS_TIMESYNCD);
		ask_begin(&questions[i][2], dir, SOCKETS_RAFTD);
		ask_begin(&questions[i][3], dir, SOCKETS_STORAGED);
	}
	for (size_t i = 0; i < nodes->count; i++) {
		struct ask_node *node = &nodes->node[i];

		node->supervisor = ask_end(&questions[i][0], &any);
		node->timesync = ask_end(&questions[i][1], &any);
		node->raft = ask_end(&questions[i][2], &any);
		node->storage = ask_end(&questions[i][3], &any);
		node->supervisor_err = questions[i][0].err;
		node->timesync_wall_ns = questions[i][1].wall_ns;
	}
	return any;
}

void ask_nodes_free(struct ask_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++) {
		ask_free(nodes->node[i].supervisor);
		ask_free(nodes->node[i].timesync);
		ask_free(nodes->node[i].raft);
		ask_free(nodes->node[i].storage);
	}
	nodes->count = 0;
}

const char *ask_name(const struct ask_node *node)
{
	if (node->name[0] != '\0')
		return node->name;
	if (node->supervisor != NULL && node->supervisor->supervisor != NULL &&
	    node->supervisor->supervisor->node[0] != '\0')
		return node->supervisor->supervisor->node;
	if (node->raft != NULL && node->raft->raft != NULL &&
	    node->raft->raft->node[0] != '\0')
		return node->raft->raft->node;
	return node->run_dir;
}
