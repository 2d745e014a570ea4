/* Keys and configurations of a local cluster. */
#include "client/cli/cluster_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/lib/endpoints.h"
#include "common/check.h"
#include "common/os/keys.h"

#define PATH_BYTES (CONFIG_PATH_MAX + 64)
#define DIR_MAX	   70u /* a socket's path holds 108 bytes */

static int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return CLI_OK;
	return cli_fail_errno(path);
}

/* The node's key: the one that is there, or a new one. */
static int node_key(const char *dir, uint32_t n, char text[KEY_TEXT_BYTES])
{
	char path[PATH_BYTES];
	struct node_key key;
	enum rfs_err err;

	snprintf(path, sizeof(path), "%s/n%u", dir, n);
	int status = make_dir(path, 0755);

	if (status != CLI_OK)
		return status;
	snprintf(path, sizeof(path), "%s/n%u/node.key", dir, n);
	if (access(path, F_OK) == 0) {
		err = keys_load(path, &key);
	} else {
		err = keys_generate(&key);
		if (err == RFS_ERR_OK)
			err = keys_save(path, &key);
	}
	if (err != RFS_ERR_OK)
		return cli_fail(path, err);
	keys_public_text(key.public_key, text);
	keys_wipe(&key);
	return CLI_OK;
}

struct plan {
	const char *dir;
	uint32_t nodes;
	uint16_t base_port;
	char keys[CONFIG_NODES_MAX][KEY_TEXT_BYTES];
	char cluster_id[CONFIG_NAME_MAX];
};

static void write_config(const struct plan *plan, uint32_t n, FILE *out)
{
	fprintf(out,
		"# Node n%u of a cluster on one machine; see raftfs.conf(5).\n"
		"# Made by \"raftfs cluster up\"; kept when it is run again.\n"
		"self = \"n%u\"\n"
		"data_dir = \"%s/n%u/data\"\n"
		"run_dir = \"%s/n%u/run\"\n"
		"key_file = \"%s/n%u/node.key\"\n\n"
		"cluster {\n\tid = \"%s\"\n}\n",
		n, n, plan->dir, n, plan->dir, n, plan->dir, n,
		plan->cluster_id);
	for (uint32_t i = 1; i <= plan->nodes; i++) {
		unsigned int port = plan->base_port +
				    (i - 1) * CLUSTER_FILES_PORTS_PER_NODE;

		fprintf(out,
			"\nnode \"n%u\" {\n\tid = %u\n"
			"\taddress = \"127.0.0.1\"\n\traft_port = %u\n"
			"\tstorage_port = %u\n\ttime_port = %u\n"
			"\tkey = \"%s\"\n}\n",
			i, i, port + 1, port + 2, port + 3, plan->keys[i - 1]);
	}
}

/* Whole under its name, or not there. */
static int save_config(const struct plan *plan, uint32_t n)
{
	char path[PATH_BYTES], temporary[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/n%u/raftfs.conf", plan->dir, n);
	snprintf(temporary, sizeof(temporary), "%s/n%u/raftfs.conf.tmp",
		 plan->dir, n);
	FILE *out = fopen(temporary, "we");

	if (out == NULL)
		return cli_fail_errno(temporary);
	write_config(plan, n, out);
	if (fclose(out) != 0 || rename(temporary, path) != 0) {
		int status = cli_fail_errno(path);

		unlink(temporary);
		return status;
	}
	return CLI_OK;
}

static int check_dir(const char *dir)
{
	if (strlen(dir) > DIR_MAX) {
		fprintf(stderr,
			"raftfs: %s: too long for the sockets in it (at most "
			"%u bytes); choose another --dir\n",
			dir, DIR_MAX);
		return CLI_FAILED;
	}
	if (strpbrk(dir, "\"\\\n$") != NULL) {
		fprintf(stderr,
			"raftfs: %s: quotes, \\, $ and newlines cannot "
			"be in --dir\n",
			dir);
		return CLI_FAILED;
	}
	return CLI_OK;
}

static uint32_t found_nodes(const char *dir)
{
	uint32_t found = 0;

	for (uint32_t n = 1; n <= CONFIG_NODES_MAX; n++) {
		char path[PATH_BYTES];

		snprintf(path, sizeof(path), "%s/n%u/raftfs.conf", dir, n);
		found += access(path, F_OK) == 0;
	}
	return found;
}

static int make_all(struct plan *plan)
{
	int status = CLI_OK;

	for (uint32_t n = 1; n <= plan->nodes && status == CLI_OK; n++)
		status = node_key(plan->dir, n, plan->keys[n - 1]);
	/* The first node's key makes the name of the cluster its own. */
	snprintf(plan->cluster_id, sizeof(plan->cluster_id), "local-%.8s",
		 plan->keys[0]);
	for (char *c = plan->cluster_id; *c != '\0'; c++)
		if (*c == '+' || *c == '/')
			*c = 'x';
	for (uint32_t n = 1; n <= plan->nodes && status == CLI_OK; n++)
		status = save_config(plan, n);
	return status;
}

int cluster_files_make(const char *dir, uint32_t nodes, uint16_t base_port)
{
	struct plan plan = {.dir = dir, .nodes = nodes, .base_port = base_port};
	uint32_t found = found_nodes(dir);
	int status = check_dir(dir);

	if (status != CLI_OK)
		return status;
	if (found > 0 && (nodes == 0 || nodes == found))
		return CLI_OK;
	if (found > 0) {
		fprintf(stderr,
			"raftfs: %s: holds a cluster of %u nodes, not %u; "
			"leave --nodes out, or choose another --dir\n",
			dir, found, nodes);
		return CLI_FAILED;
	}
	if (plan.nodes == 0)
		plan.nodes = 3;
	keys_init();
	return make_all(&plan);
}

/* --- one more, one less --- */

/* The K of the next node; 0: said why not. */
static uint32_t choose(const char *dir, const char *name)
{
	char path[PATH_BYTES];
	uint32_t wanted = 0;

	if (name != NULL && (name[0] != 'n' || name[1] < '1' || name[1] > '9' ||
			     name[2] != '\0')) {
		fprintf(stderr, "raftfs: %s: nodes here are called n1 to n9\n",
			name);
		return 0;
	}
	if (name != NULL)
		wanted = (uint32_t)(name[1] - '0');
	for (uint32_t n = 1; n <= CONFIG_NODES_MAX; n++) {
		if (wanted != 0 && n != wanted)
			continue;
		snprintf(path, sizeof(path), "%s/n%u", dir, n);
		if (access(path, F_OK) != 0)
			return n;
	}
	fprintf(stderr, "raftfs: %s: %s\n", dir,
		wanted != 0 ? "there is such a node already" :
			      "holds as many nodes as there can be");
	return 0;
}

/* As "up" would have numbered them: by the node that is there. */
static uint16_t base_port(const struct config *any)
{
	const struct config_node *self = config_self(any);
	uint32_t k = (uint32_t)(self->name[1] - '1');

	return (uint16_t)(self->raft_port - 1 -
			  k * CLUSTER_FILES_PORTS_PER_NODE);
}

static void print_joiner(const char *dir, const struct config *any,
			 const struct config_node *members, uint32_t count,
			 const struct config_node *node, FILE *out)
{
	fprintf(out,
		"# Node %s, which joined a cluster on one machine; see "
		"raftfs.conf(5).\n"
		"self = \"%s\"\njoin = true\n"
		"data_dir = \"%s/%s/data\"\nrun_dir = \"%s/%s/run\"\n"
		"key_file = \"%s/%s/node.key\"\n\n"
		"cluster {\n\tid = \"%s\"\n}\n\n",
		node->name, node->name, dir, node->name, dir, node->name, dir,
		node->name, any->cluster_id);
	config_print_members(node, 1, out);
	config_print_members(members, count, out);
}

int cluster_files_add(const char *dir, const char *name,
		      const struct config *any,
		      const struct config_node *members, uint32_t member_count,
		      struct config_node *node)
{
	uint32_t n = choose(dir, name);
	char path[PATH_BYTES], key[KEY_TEXT_BYTES];
	uint32_t port = base_port(any) + (n - 1) * CLUSTER_FILES_PORTS_PER_NODE;
	int status;
	FILE *out;

	if (n == 0)
		return CLI_FAILED;
	keys_init();
	status = node_key(dir, n, key);
	if (status != CLI_OK)
		return status;
	CHECK(keys_public_parse(key, node->key) == RFS_ERR_OK);
	snprintf(node->name, sizeof(node->name), "n%u", n);
	snprintf(node->address, sizeof(node->address), "127.0.0.1");
	node->raft_port = (uint16_t)(port + 1);
	node->storage_port = (uint16_t)(port + 2);
	node->time_port = (uint16_t)(port + 3);
	snprintf(path, sizeof(path), "%s/n%u/raftfs.conf", dir, n);
	out = fopen(path, "we");
	if (out == NULL)
		return cli_fail_errno(path);
	print_joiner(dir, any, members, member_count, node, out);
	return fclose(out) == 0 ? CLI_OK : cli_fail_errno(path);
}

int cluster_files_remove(const char *dir, const struct config_node *node)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	snprintf(from, sizeof(from), "%s/%s", dir, node->name);
	snprintf(to, sizeof(to), "%s/%s.removed-%u", dir, node->name, node->id);
	if (rename(from, to) != 0)
		return cli_fail_errno(from);
	printf("its directory is %s now\n", to);
	return CLI_OK;
}

static void fault_to_stderr(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "raftfs: %s\n", text);
}

int cluster_files_load(const char *dir, struct config *configs, size_t *count)
{
	const struct config_errors errors = {fault_to_stderr, NULL};

	*count = endpoints_cluster_configs(dir, &errors, configs);
	if (*count > 0)
		return CLI_OK;
	fprintf(stderr,
		"raftfs: %s: no cluster there; make one with: raftfs cluster "
		"up --dir %s\n",
		dir, dir);
	return CLI_FAILED;
}
