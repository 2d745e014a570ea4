/* members.conf: what is written reads back, whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/keys.h"
#include "raftd/membersfile.h"

static char dir[] = "/tmp/raftfs-members-XXXXXX";
static char path[64];
static struct config_members members;

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/members.conf", dir);
	memset(&members, 0, sizeof(members));
	for (uint32_t i = 0; i < 3; i++) {
		struct config_node *node = &members.nodes[members.count++];

		node->id = i + 1;
		snprintf(node->name, sizeof(node->name), "n%u", i + 1);
		strcpy(node->address, "127.0.0.1");
		node->raft_port = (uint16_t)(7001 + 10 * i);
		node->storage_port = (uint16_t)(7002 + 10 * i);
		node->time_port = (uint16_t)(7003 + 10 * i);
		node->key[0] = (uint8_t)(i + 1);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void what_is_written_reads_back(void **state)
{
	static struct config_members got;

	(void)state;
	assert_int_equal(membersfile_save(path, 17, &members), RFS_ERR_OK);
	assert_int_equal(config_load_members(path, NULL, &got), RFS_ERR_OK);
	assert_memory_equal(&got, &members, sizeof(got));
	members.count = 2;
	assert_int_equal(membersfile_save(path, 18, &members), RFS_ERR_OK);
	assert_int_equal(config_load_members(path, NULL, &got), RFS_ERR_OK);
	assert_int_equal(got.count, 2);
}

static void the_same_is_not_written_again(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(membersfile_save(path, 17, &members), RFS_ERR_OK);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(membersfile_save(path, 17, &members), RFS_ERR_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(membersfile_save(path, 18, &members), RFS_ERR_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
}

/* A new machine may have the address of the lost one it stands in for. */
static void the_newer_of_two_at_one_place_is_named(void **state)
{
	static struct config_members got;

	(void)state;
	members.nodes[2].raft_port = 7001;
	members.nodes[2].storage_port = 7002;
	members.nodes[2].time_port = 7003;
	membersfile_settle(&members);
	assert_int_equal(members.count, 2);
	assert_int_equal(members.nodes[0].id, 2);
	assert_int_equal(members.nodes[1].id, 3);
	assert_int_equal(membersfile_save(path, 17, &members), RFS_ERR_OK);
	assert_int_equal(config_load_members(path, NULL, &got), RFS_ERR_OK);
}

static void a_missing_directory_is_an_io_error(void **state)
{
	(void)state;
	assert_int_equal(membersfile_save("/nonexistent/members.conf", 1,
					  &members),
			 RFS_ERR_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_reads_back),
		TEST(the_same_is_not_written_again),
		TEST(the_newer_of_two_at_one_place_is_named),
		TEST(a_missing_directory_is_an_io_error),
	};

	keys_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
