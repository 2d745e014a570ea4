/* A local cluster's files: made once, found again, and read by everyone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/cli/ask.h"
#include "client/cli/cli.h"
#include "client/cli/cluster_files.h"
#include "client/lib/endpoints.h"
#include "client/lib/raftfs.h"

struct scene {
	char dir[64];
	struct config configs[CONFIG_NODES_MAX];
	size_t count;
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	strcpy(scene->dir, "/tmp/raftfs-cluster-XXXXXX");
	*state = scene;
	return mkdtemp(scene->dir) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	for (int n = 1; n <= CONFIG_NODES_MAX; n++) {
		static const char *const names[] = {"raftfs.conf", "node.key",
						    ""};
		char path[128];

		for (size_t i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), "%s/n%d/%s", scene->dir, n,
				 names[i]);
			remove(path);
		}
	}
	rmdir(scene->dir);
	free(scene);
	return 0;
}

static void nodes_are_made_with_ports_of_their_own(void **state)
{
	struct scene *s = *state;
	struct stat st;
	char path[128];

	assert_int_equal(cluster_files_make(s->dir, 3, 7200), CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, s->configs, &s->count),
			 CLI_OK);
	assert_int_equal(s->count, 3);
	assert_string_equal(s->configs[1].self, "n2");
	assert_int_equal(s->configs[0].node_count, 3);
	assert_int_equal(s->configs[0].nodes[2].raft_port, 7221);
	assert_int_equal(s->configs[0].nodes[2].storage_port, 7222);
	assert_int_equal(s->configs[0].nodes[2].time_port, 7223);
	assert_memory_equal(s->configs[0].digest, s->configs[2].digest, 32);
	snprintf(path, sizeof(path), "%s/n1/node.key", s->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
}

static void without_a_number_three_nodes_are_made(void **state)
{
	struct scene *s = *state;

	assert_int_equal(cluster_files_make(s->dir, 0, 7200), CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, s->configs, &s->count),
			 CLI_OK);
	assert_int_equal(s->count, 3);
}

static void a_cluster_is_found_again_unchanged(void **state)
{
	struct scene *s = *state;
	struct config *before = calloc(CONFIG_NODES_MAX, sizeof(*before));
	size_t count;

	assert_int_equal(cluster_files_make(s->dir, 3, 7200), CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, before, &count), CLI_OK);
	assert_int_equal(cluster_files_make(s->dir, 0, 9000), CLI_OK);
	assert_int_equal(cluster_files_make(s->dir, 3, 9000), CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, s->configs, &s->count),
			 CLI_OK);
	assert_memory_equal(before[0].digest, s->configs[0].digest, 32);
	assert_int_equal(cluster_files_make(s->dir, 5, 7200), CLI_FAILED);
	free(before);
}

static void every_node_is_an_endpoint(void **state)
{
	struct scene *s = *state;
	struct endpoints endpoints;
	char reason[128], conf[128], expect[128];

	assert_int_equal(cluster_files_make(s->dir, 3, 7200), CLI_OK);
	assert_int_equal(
		endpoints_find(s->dir, &endpoints, reason, sizeof(reason)),
		RFS_ERR_OK);
	assert_int_equal(endpoints.count, 3);
	snprintf(expect, sizeof(expect), "%s/n3/run/files.sock", s->dir);
	assert_string_equal(endpoints.path[2], expect);
	snprintf(conf, sizeof(conf), "%s/n2/raftfs.conf", s->dir);
	assert_int_equal(
		endpoints_find(conf, &endpoints, reason, sizeof(reason)),
		RFS_ERR_OK);
	assert_int_equal(endpoints.count, 1);
	snprintf(expect, sizeof(expect), "%s/n2/run/files.sock", s->dir);
	assert_string_equal(endpoints.path[0], expect);
}

static void wrong_places_are_refused_with_a_sentence(void **state)
{
	struct scene *s = *state;
	struct endpoints endpoints;
	char reason[128], longest[300];

	assert_int_equal(endpoints_find("/nonexistent", &endpoints, reason,
					sizeof(reason)),
			 RFS_ERR_NOENT);
	assert_non_null(strstr(reason, "/nonexistent"));
	assert_int_equal(
		endpoints_find(s->dir, &endpoints, reason, sizeof(reason)),
		RFS_ERR_NOENT);
	assert_int_equal(endpoints_find("a.sock,,b.sock", &endpoints, reason,
					sizeof(reason)),
			 RFS_ERR_INVALID);
	memset(longest, 'x', sizeof(longest));
	strcpy(longest + 200, ".sock");
	assert_int_equal(
		endpoints_find(longest, &endpoints, reason, sizeof(reason)),
		RFS_ERR_RANGE);
	assert_int_equal(cluster_files_make(longest, 3, 7200), CLI_FAILED);
}

static void nodes_that_do_not_run_are_found_and_silent(void **state)
{
	struct scene *s = *state;
	struct cli cli = {.where = s->dir};
	struct ask_nodes *nodes = calloc(1, sizeof(*nodes));

	assert_int_equal(cluster_files_make(s->dir, 3, 7200), CLI_OK);
	assert_int_equal(ask_find(&cli, nodes), CLI_OK);
	assert_int_equal(nodes->count, 3);
	assert_string_equal(ask_name(&nodes->node[1]), "n2");
	/* Nobody runs. */
	assert_false(ask_all(nodes));
	assert_int_equal(nodes->node[0].supervisor_err, RFS_ERR_CLOSED);
	ask_nodes_free(nodes);
	free(nodes);
}

static void a_node_that_joins_gets_what_is_free(void **state)
{
	struct scene *s = *state;
	struct config_node node = {.id = 9};
	char path[128];

	assert_int_equal(cluster_files_make(s->dir, 2, 7200), CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, s->configs, &s->count),
			 CLI_OK);
	assert_int_equal(cluster_files_add(s->dir, NULL, &s->configs[1],
					   s->configs[0].nodes, 2, &node),
			 CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, s->configs, &s->count),
			 CLI_OK);
	assert_int_equal(s->count, 3);
	assert_true(s->configs[2].join);
	assert_string_equal(s->configs[2].self, "n3");
	assert_int_equal(config_self(&s->configs[2])->id, 9);
	assert_int_equal(config_self(&s->configs[2])->raft_port, 7221);
	assert_int_equal(s->configs[2].node_count, 3);
	assert_memory_equal(s->configs[2].digest, s->configs[0].digest, 32);
	assert_int_equal(cluster_files_add(s->dir, "n2", &s->configs[1],
					   s->configs[0].nodes, 2, &node),
			 CLI_FAILED);
	assert_int_equal(cluster_files_add(s->dir, "other", &s->configs[1],
					   s->configs[0].nodes, 2, &node),
			 CLI_FAILED);

	/* Removed, it is found no more, and its place is free. */
	assert_int_equal(cluster_files_remove(s->dir, &node), CLI_OK);
	assert_int_equal(cluster_files_load(s->dir, s->configs, &s->count),
			 CLI_OK);
	assert_int_equal(s->count, 2);
	snprintf(path, sizeof(path), "rm -r %s/n3.removed-9", s->dir);
	assert_int_equal(system(path), 0);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_SCENE(nodes_are_made_with_ports_of_their_own),
		IN_SCENE(without_a_number_three_nodes_are_made),
		IN_SCENE(a_cluster_is_found_again_unchanged),
		IN_SCENE(every_node_is_an_endpoint),
		IN_SCENE(wrong_places_are_refused_with_a_sentence),
		IN_SCENE(nodes_that_do_not_run_are_found_and_silent),
		IN_SCENE(a_node_that_joins_gets_what_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
