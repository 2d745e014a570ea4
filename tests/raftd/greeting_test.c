/* Who is let in by its first words, and what the others are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "raftd/greeting.h"

/* n1, who is asked, and n2; ids up to 3 have been used. */
static struct config ours;
static struct config theirs;
static struct roster roster;
static struct greeting got;

static int setup(void **state)
{
	(void)state;
	memset(&ours, 0, sizeof(ours));
	ours.node_count = 2;
	ours.nodes[0] = (struct config_node){ .name = "n1", .id = 1 };
	ours.nodes[1] = (struct config_node){ .name = "n2", .id = 2 };
	ours.nodes[1].key[0] = 2;
	theirs = ours;
	theirs.self_index = 1;
	roster_init(&roster, &ours);
	roster.last_id = 3;
	roster.settled = true;
	return 0;
}

/* As the node of `theirs`, with n2's key, on that membership. */
static void judge(uint64_t members_index)
{
	const struct roster far = { .index = members_index };
	DistributedFs__PeerHello hello;

	greeting_hello(&theirs, &far, 77, &hello);
	assert_int_equal(hello.incarnation, 77);
	greeting_judge(&ours, &roster, &hello, ours.nodes[1].key, &got);
}

static void a_member_is_welcome(void **state)
{
	(void)state;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_OK);
	assert_ptr_equal(got.node, roster_find(&roster, 2));
	assert_string_equal(got.why, "");
}

static void another_key_is_not(void **state)
{
	(void)state;
	ours.nodes[1].key[0] = 9;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_DENIED);
	assert_null(got.node);
	assert_string_equal(got.why, "node id 2 does not go with its key");
}

static void nobody_else_is_us(void **state)
{
	(void)state;
	theirs.nodes[1].id = 1;
	memcpy(roster.nodes[0].key, ours.nodes[1].key, CONFIG_KEY_BYTES);
	judge(0);
	assert_int_equal(got.err, RFS_ERR_DENIED);
}

static void who_was_removed_is_told_as_of_when(void **state)
{
	(void)state;
	theirs.nodes[1].id = 3;
	roster.index = 123;
	judge(50);
	assert_int_equal(got.err, RFS_ERR_DENIED);
	assert_int_equal(got.removed_index, 123);
	assert_string_equal(got.why, "removed from the cluster (membership "
				     "entry 123)");
}

/* It may yet be taken back: nobody is told that he is out. */
static void a_removal_counts_once_it_is_committed(void **state)
{
	(void)state;
	theirs.nodes[1].id = 3;
	roster.index = 123;
	roster.settled = false;
	judge(50);
	assert_int_equal(got.err, RFS_ERR_NOENT);
	assert_int_equal(got.removed_index, 0);
}

static void who_is_new_is_told_how_to_get_in(void **state)
{
	(void)state;
	theirs.nodes[1].id = 4;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_NOENT);
	assert_int_equal(got.removed_index, 0);
	assert_non_null(strstr(got.why, "raftfs members add"));
}

/* A new node has promised nothing; a voter cannot have. */
static void a_voter_without_a_log_is_never_let_in_again(void **state)
{
	const struct roster far = { .fresh = true };
	DistributedFs__PeerHello hello;

	(void)state;
	theirs.join = true;
	greeting_hello(&theirs, &far, 77, &hello);
	greeting_judge(&ours, &roster, &hello, ours.nodes[1].key, &got);
	assert_int_equal(got.err, RFS_ERR_OK); /* a learner, so far */
	roster.voters[0] = 2;
	roster.voter_count = 1;
	greeting_judge(&ours, &roster, &hello, ours.nodes[1].key, &got);
	assert_int_equal(got.err, RFS_ERR_DENIED);
	assert_true(got.forgotten);
	assert_string_equal(got.why,
			    "n2 was a voter and has lost its log: it can only "
			    "come back under a new id (raftfs members "
			    "replace)");
	hello.fresh = false;
	greeting_judge(&ours, &roster, &hello, ours.nodes[1].key, &got);
	assert_int_equal(got.err, RFS_ERR_OK);
}

static void all_agree_on_what_is_agreed(void **state)
{
	(void)state;
	theirs.digest[0] = 1;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_INVALID);
	assert_non_null(got.node);
	assert_string_equal(got.why,
			    "the configurations differ: n2 has digest "
			    "0100000000000000, n1 has 0000000000000000");
}

static void nodes_are_compared_only_where_a_cluster_starts(void **state)
{
	(void)state;
	theirs.nodes_digest[0] = 1;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_INVALID);
	judge(5);
	assert_int_equal(got.err, RFS_ERR_OK);
	roster.index = 5;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_OK);
	roster.index = 0;
	theirs.join = true;
	judge(0);
	assert_int_equal(got.err, RFS_ERR_OK);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_member_is_welcome),
		TEST(another_key_is_not),
		TEST(nobody_else_is_us),
		TEST(who_was_removed_is_told_as_of_when),
		TEST(a_removal_counts_once_it_is_committed),
		TEST(who_is_new_is_told_how_to_get_in),
		TEST(a_voter_without_a_log_is_never_let_in_again),
		TEST(all_agree_on_what_is_agreed),
		TEST(nodes_are_compared_only_where_a_cluster_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
