/* cluster: a real cluster of several nodes on this machine. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/cli.h"
#include "client/cli/cluster_files.h"
#include "client/cli/cluster_process.h"
#include "client/cli/members.h"
#include "client/cli/status.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"

#define DIR_DEFAULT   "raftfs-cluster"
#define PORT_DEFAULT  7100
#define UP_LIMIT_NS   (20 * NS_PER_SEC)
#define SYNC_LIMIT_NS (5 * NS_PER_SEC)
#define STOP_LIMIT_NS (20 * NS_PER_SEC)
#define LOG_LINES     12

struct cluster {
	struct cli *cli;
	char dir[PATH_MAX]; /* absolute */
	const char *as_given;
	uint32_t nodes; /* 0: not said */
	uint16_t base_port;
	struct config *configs;
	size_t count;
	pid_t started[CONFIG_NODES_MAX]; /* by us, just now; 0: not */
};

static void nap_ms(long ms)
{
	const struct timespec time = {.tv_nsec = ms * 1000000};

	nanosleep(&time, NULL);
}

/* --- up --- */

static void show_log_end(const struct config *config)
{
	const char *path = cluster_process_log(config);
	char lines[LOG_LINES][512];
	size_t count = 0;
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return;
	while (fgets(lines[count % LOG_LINES], sizeof(lines[0]), in) != NULL)
		count++;
	fclose(in);
	fprintf(stderr, "the end of %s:\n", path);
	for (size_t i = count > LOG_LINES ? count - LOG_LINES : 0; i < count;
	     i++)
		fprintf(stderr, "  %s", lines[i % LOG_LINES]);
}

static bool children_ready(const struct ask_node *node)
{
	const DistributedFs__SupervisorStatus *status =
		node->supervisor == NULL ? NULL : node->supervisor->supervisor;

	if (status == NULL || status->n_children == 0)
		return false;
	for (size_t i = 0; i < status->n_children; i++)
		if (strcmp(status->children[i]->state, "ready") != 0)
			return false;
	return true;
}

static bool has_leader(const struct ask_node *node)
{
	return node->raft != NULL && node->raft->raft != NULL &&
	       node->raft->raft->leader != 0;
}

/* All its daemons serve; a leader may need more nodes than this one. */
static bool node_ready(const struct ask_node *node)
{
	return children_ready(node) && node->storage != NULL &&
	       node->storage->storage != NULL &&
	       node->storage->storage->attached;
}

static bool node_serves(const struct ask_node *node)
{
	return node_ready(node) && has_leader(node);
}

static bool clock_synced(const struct ask_node *node)
{
	return node->timesync != NULL && node->timesync->timesync != NULL &&
	       strcmp(node->timesync->timesync->quality, "SYNCED") == 0;
}

/* The first node that is not; -1: all are. only: this one alone, or -1. */
static int first_not(const struct cluster *cluster, int only,
		     bool (*is)(const struct ask_node *node))
{
	struct ask_nodes nodes;
	int found = -1;

	if (ask_find(cluster->cli, &nodes) != CLI_OK)
		return 0;
	(void)ask_all(&nodes);
	for (size_t i = 0; i < nodes.count && found < 0; i++)
		if ((only < 0 || (size_t)only == i) && !is(&nodes.node[i]))
			found = (int)i;
	ask_nodes_free(&nodes);
	return found;
}

/* A supervisor that ends while we wait will not come up. */
static int first_dead(const struct cluster *cluster)
{
	for (size_t i = 0; i < cluster->count; i++)
		if (cluster->started[i] > 0 &&
		    waitpid(cluster->started[i], NULL, WNOHANG) ==
			    cluster->started[i])
			return (int)i;
	return -1;
}

/* only: this node is ready; -1: all of them are, under a leader. */
static int wait_until_ready(const struct cluster *cluster, int only)
{
	int64_t until_ns = clock_raw_ns() + UP_LIMIT_NS;

	for (;;) {
		int dead = first_dead(cluster);
		int unready = dead >= 0 ? dead :
					  first_not(cluster, only,
						    only < 0 ? node_serves :
							       node_ready);

		if (unready < 0)
			return CLI_OK;
		if (dead >= 0 || clock_raw_ns() >= until_ns) {
			fprintf(stderr, "raftfs: %s %s\n",
				cluster->configs[unready].self,
				dead >= 0 ? "ended" : "is not ready in time");
			show_log_end(&cluster->configs[unready]);
			return CLI_FAILED;
		}
		nap_ms(50);
	}
}

/* A cluster serves before its clocks agree; but `status` straight after `up`
 * shall find it healthy. Why one does not get there, status says. */
static void wait_until_synced(const struct cluster *cluster)
{
	int64_t until_ns = clock_raw_ns() + SYNC_LIMIT_NS;

	while (clock_raw_ns() < until_ns &&
	       first_not(cluster, -1, clock_synced) >= 0)
		nap_ms(50);
}

static int start_node(struct cluster *cluster, size_t i)
{
	cluster->started[i] = 0;
	if (cluster_process_find(&cluster->configs[i]) != 0)
		return CLI_OK;
	cluster->started[i] = cluster_process_start(&cluster->configs[i]);
	return cluster->started[i] > 0 ? CLI_OK : CLI_FAILED;
}

static void show_use(const struct cluster *cluster)
{
	const char *dir = cluster->as_given;

	printf("the cluster is up; its nodes:\n");
	for (size_t i = 0; i < cluster->count; i++)
		printf("  %s  %s/%s, log %s\n", cluster->configs[i].self,
		       cluster->configs[i].run_dir, SOCKETS_FILES,
		       cluster_process_log(&cluster->configs[i]));
	printf("try:\n"
	       "  raftfs -d %s status\n"
	       "  echo hello | raftfs -d %s put - /hello\n"
	       "  raftfs -d %s cat /hello\n"
	       "  raftfs cluster kill %s --dir %s\n"
	       "  raftfs cluster down --dir %s\n",
	       dir, dir, dir, cluster->configs[0].self, dir, dir);
}

static int load(struct cluster *cluster)
{
	return cluster_files_load(cluster->dir, cluster->configs,
				  &cluster->count);
}

static int cluster_up(struct cluster *cluster)
{
	int status = cluster_files_make(cluster->dir, cluster->nodes,
					cluster->base_port);

	if (status == CLI_OK)
		status = load(cluster);
	for (size_t i = 0; i < cluster->count && status == CLI_OK; i++)
		status = start_node(cluster, i);
	if (status == CLI_OK)
		status = wait_until_ready(cluster, -1);
	if (status == CLI_OK) {
		wait_until_synced(cluster);
		show_use(cluster);
	}
	return status;
}

/* --- down --- */

static int cluster_down(struct cluster *cluster)
{
	int status = load(cluster);

	if (status != CLI_OK)
		return status;
	/* All are told first: the last must not wait for a lost quorum. */
	for (size_t i = 0; i < cluster->count; i++) {
		pid_t pid = cluster_process_find(&cluster->configs[i]);

		if (pid == 0)
			continue;
		cluster_process_signal_all(pid, SIGCONT);
		kill(pid, SIGTERM);
	}
	for (size_t i = 0; i < cluster->count; i++) {
		if (cluster_process_stop(&cluster->configs[i], STOP_LIMIT_NS))
			continue;
		fprintf(stderr, "raftfs: %s did not stop and was killed\n",
			cluster->configs[i].self);
		show_log_end(&cluster->configs[i]);
		status = CLI_FAILED;
	}
	return status;
}

/* --- one node --- */

static int find_node(struct cluster *cluster, const char *name, size_t *index)
{
	int status = load(cluster);

	if (status != CLI_OK)
		return status;
	for (size_t i = 0; i < cluster->count; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%u",
			 config_self(&cluster->configs[i])->id);
		if (strcmp(cluster->configs[i].self, name) == 0 ||
		    strcmp(id, name) == 0) {
			*index = i;
			return CLI_OK;
		}
	}
	return cli_usage("cluster", "cluster: there is no node \"%s\"", name);
}

static pid_t daemon_pid(const struct config *config, const char *daemon)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	pid_t pid = 0;

	if (strcmp(daemon, "supervisor") == 0)
		return cluster_process_find(config);
	if (ask(config->run_dir, SOCKETS_SUPERVISOR, &request, &reply) ==
		    RFS_ERR_OK &&
	    reply->supervisor != NULL)
		for (size_t i = 0; i < reply->supervisor->n_children; i++)
			if (strcmp(reply->supervisor->children[i]->name,
				   daemon) == 0)
				pid = reply->supervisor->children[i]->pid;
	ask_free(reply);
	return pid;
}

static int cluster_kill(struct cluster *cluster, const char *name,
			const char *daemon)
{
	size_t i = 0;
	int status = find_node(cluster, name, &i);

	if (status != CLI_OK)
		return status;
	pid_t pid = daemon_pid(&cluster->configs[i], daemon);

	if (pid <= 1) {
		fprintf(stderr, "raftfs: %s: no %s runs there\n", name, daemon);
		return CLI_FAILED;
	}
	if (kill(pid, SIGKILL) != 0)
		return cli_fail_errno(daemon);
	printf("killed %s of %s (pid %d)\n", daemon, cluster->configs[i].self,
	       pid);
	return CLI_OK;
}

static int cluster_signal(struct cluster *cluster, const char *name, int signal,
			  const char *done)
{
	size_t i = 0;
	int status = find_node(cluster, name, &i);

	if (status != CLI_OK)
		return status;
	pid_t pid = cluster_process_find(&cluster->configs[i]);

	if (pid == 0) {
		fprintf(stderr, "raftfs: %s does not run\n", name);
		return CLI_FAILED;
	}
	printf("%s %s: %d processes\n", done, cluster->configs[i].self,
	       cluster_process_signal_all(pid, signal));
	return CLI_OK;
}

static int cluster_restart(struct cluster *cluster, const char *name)
{
	size_t i = 0;
	int status = find_node(cluster, name, &i);

	if (status != CLI_OK)
		return status;
	if (!cluster_process_stop(&cluster->configs[i], STOP_LIMIT_NS))
		fprintf(stderr, "raftfs: %s did not stop and was killed\n",
			name);
	status = start_node(cluster, i);
	if (status == CLI_OK)
		status = wait_until_ready(cluster, (int)i);
	if (status == CLI_OK)
		printf("restarted %s\n", cluster->configs[i].self);
	return status;
}

/* --- one node more, one less --- */

/* Who is a member, for the new one to ask; and the id it gets. */
static int ask_members(struct cluster *cluster, struct config_node *members,
		       uint32_t *count, uint32_t *next_id)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	struct ask_nodes nodes;
	enum rfs_err err;
	int status = ask_find(cluster->cli, &nodes);

	if (status != CLI_OK)
		return status;
	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS;
	err = members_ask(&nodes, &request, cluster->cli->timeout_ns, &reply);
	ask_nodes_free(&nodes);
	if (err != RFS_ERR_OK || reply->members == NULL) {
		status = members_fail("cluster add", err, reply);
		ask_free(reply);
		return status;
	}
	for (size_t i = 0; i < reply->members->n_members &&
			   *count < CONFIG_NODES_MAX - 1;
	     i++)
		*count += members_describe(reply->members->members[i],
					   &members[*count]);
	*next_id = reply->members->last_id + 1;
	ask_free(reply);
	return status;
}

static int cluster_add(struct cluster *cluster, const char *name)
{
	struct config_node members[CONFIG_NODES_MAX];
	struct config_node node = {0};
	uint32_t count = 0;
	size_t i = 0;
	int status = load(cluster);

	if (status == CLI_OK)
		status = ask_members(cluster, members, &count, &node.id);
	if (status == CLI_OK)
		status = cluster_files_add(cluster->dir, name,
					   &cluster->configs[0], members, count,
					   &node);
	if (status == CLI_OK)
		status = find_node(cluster, node.name, &i);
	if (status == CLI_OK)
		status = start_node(cluster, i);
	if (status == CLI_OK)
		status = members_add_node(cluster->cli, &node);
	return status == CLI_OK ? wait_until_ready(cluster, (int)i) : status;
}

static int cluster_remove(struct cluster *cluster, const char *name)
{
	size_t i = 0;
	int status = find_node(cluster, name, &i);

	if (status == CLI_OK)
		status = members_remove_node(cluster->cli, name);
	if (status != CLI_OK)
		return status;
	if (!cluster_process_stop(&cluster->configs[i], STOP_LIMIT_NS))
		fprintf(stderr, "raftfs: %s did not stop and was killed\n",
			name);
	return cluster_files_remove(cluster->dir,
				    config_self(&cluster->configs[i]));
}

/* --- the command --- */

static bool parse_number(const char *text, long min, long max, long *number)
{
	char *end;

	*number = strtol(text, &end, 10);
	return end != text && *end == '\0' && *number >= min && *number <= max;
}

static int parse(struct cluster *cluster, int *argc, char ***argv)
{
	static const struct option longs[] = {
		{"nodes", required_argument, NULL, 'n'},
		{"dir", required_argument, NULL, 'D'},
		{"base-port", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	long number;
	int letter;

	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(*argc, *argv, "h", longs, NULL)) != -1) {
		switch (letter) {
		case 'n':
			if (!parse_number(optarg, 1, CONFIG_NODES_MAX, &number))
				return cli_usage("cluster",
						 "--nodes %s: 1 to %d", optarg,
						 CONFIG_NODES_MAX);
			cluster->nodes = (uint32_t)number;
			break;
		case 'D':
			cluster->as_given = optarg;
			break;
		case 'p':
			if (!parse_number(optarg, 1, 65535 - 100, &number))
				return cli_usage("cluster",
						 "--base-port %s: 1 to 65435",
						 optarg);
			cluster->base_port = (uint16_t)number;
			break;
		case 'j':
			cluster->cli->json = true;
			break;
		case 'h':
			return cli_usage("cluster", "cluster: up, down, ...");
		default:
			return cli_usage("cluster", "cluster: cannot use %s",
					 (*argv)[optind - 1]);
		}
	}
	*argc -= optind;
	*argv += optind;
	return CLI_OK;
}

static int run(struct cluster *cluster, int argc, char **argv)
{
	const char *verb = argv[0];

	if (argc == 1 && strcmp(verb, "up") == 0)
		return cluster_up(cluster);
	if (argc == 1 && strcmp(verb, "down") == 0)
		return cluster_down(cluster);
	if (argc == 1 && strcmp(verb, "status") == 0)
		return status_show(cluster->cli);
	if ((argc == 2 || argc == 3) && strcmp(verb, "kill") == 0)
		return cluster_kill(cluster, argv[1],
				    argc == 3 ? argv[2] : "raftd");
	if (argc == 2 && strcmp(verb, "pause") == 0)
		return cluster_signal(cluster, argv[1], SIGSTOP, "paused");
	if (argc == 2 && strcmp(verb, "resume") == 0)
		return cluster_signal(cluster, argv[1], SIGCONT, "resumed");
	if (argc == 2 && strcmp(verb, "restart") == 0)
		return cluster_restart(cluster, argv[1]);
	if ((argc == 1 || argc == 2) && strcmp(verb, "add") == 0)
		return cluster_add(cluster, argc == 2 ? argv[1] : NULL);
	if (argc == 2 && strcmp(verb, "remove") == 0)
		return cluster_remove(cluster, argv[1]);
	return cli_usage("cluster", "cluster: cannot do \"%s\" with that",
			 verb);
}

int command_cluster(struct cli *cli, int argc, char **argv)
{
	struct cluster cluster = {
		.cli = cli, .as_given = cli->where, .base_port = PORT_DEFAULT};
	int status = parse(&cluster, &argc, &argv);

	if (status != CLI_OK)
		return status;
	if (argc == 0)
		return cli_usage("cluster", "cluster: do what?");
	if (cluster.as_given == NULL)
		cluster.as_given = DIR_DEFAULT;
	if (strcmp(argv[0], "up") == 0 && mkdir(cluster.as_given, 0755) != 0 &&
	    errno != EEXIST)
		return cli_fail_errno(cluster.as_given);
	if (realpath(cluster.as_given, cluster.dir) == NULL)
		return cli_fail_errno(cluster.as_given);
	cli->where = cluster.as_given;
	cluster.configs = calloc(CONFIG_NODES_MAX, sizeof(*cluster.configs));
	if (cluster.configs == NULL)
		return cli_fail("cluster", RFS_ERR_NOMEM);
	status = run(&cluster, argc, argv);
	free(cluster.configs);
	return status;
}
