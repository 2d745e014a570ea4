/* Who is enough, and what raftd has to say of everyone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "storaged/members.h"

/* A letter for each: v voter, l learner, b only of the set before, B both. */
static struct members made_of(const char *roles)
{
	struct members members = { .joint = strpbrk(roles, "bB") != NULL,
				   .count = (uint32_t)strlen(roles) };

	for (uint32_t i = 0; i < members.count; i++) {
		members.list[i].node.id = i + 1;
		members.list[i].voter = strchr("vB", roles[i]) != NULL;
		members.list[i].voter_before = strchr("bB", roles[i]) != NULL;
	}
	return members;
}

/* held: x for each that has it. */
static bool decides(const char *roles, const char *held)
{
	const struct members members = made_of(roles);
	uint32_t set = 0;

	for (uint32_t i = 0; held[i]; i++)
		set |= (uint32_t)(held[i] == 'x') << i;
	return members_decide(&members, set);
}

static void more_than_half_of_the_voters_decide(void **state)
{
	(void)state;
	assert_true(decides("v", "x"));
	assert_true(decides("vvv", "x x"));
	assert_false(decides("vvv", " x "));
	assert_false(decides("vvvv", "xx  "));
	assert_true(decides("vvvvv", "xxx  "));
}

static void a_learner_does_not_count(void **state)
{
	(void)state;
	assert_false(decides("vvvl", "x  x"));
	assert_true(decides("vvvl", "xx  "));
	assert_false(decides("llv", "xx "));
	assert_false(decides("ll", "xx"));
}

static void while_two_sets_rule_each_must_agree(void **state)
{
	(void)state;
	/* 1, 2, 3 are replaced by 1, 4, 5. */
	assert_false(decides("Bbbvv", "x  xx"));
	assert_false(decides("Bbbvv", "xxx  "));
	assert_true(decides("Bbbvv", "xx x "));
	assert_true(decides("Bbbvv", " xxxx"));
}

static DistributedFs__Member about;
static DistributedFs__LocalMember member;
static DistributedFs__LocalMember *list[CONFIG_NODES_MAX + 1];
static DistributedFs__LocalMembers message;
static uint8_t key[CONFIG_KEY_BYTES] = { 1, 2, 3 };

static void make_message(void)
{
	distributed_fs__local_members__init(&message);
	distributed_fs__local_member__init(&member);
	distributed_fs__member__init(&about);
	about.name = (char *)"n7";
	about.address = (char *)"192.0.2.7";
	about.storage_port = 7102;
	about.key.data = key;
	about.key.len = sizeof(key);
	member.id = 7;
	member.voter = true;
	member.about = &about;
	list[0] = &member;
	message.index = 99;
	message.members = list;
	message.n_members = 1;
}

static void what_raftd_says_is_found_by_number_and_by_key(void **state)
{
	struct members members;

	(void)state;
	make_message();
	assert_int_equal(members_from_message(&members, &message), RFS_ERR_OK);
	assert_int_equal(members.index, 99);
	assert_int_equal(members.count, 1);
	const struct member *found = members_find(&members, 7);
	assert_non_null(found);
	assert_ptr_equal(found, members_find_key(&members, key));
	assert_string_equal(found->node.name, "n7");
	assert_string_equal(found->node.address, "192.0.2.7");
	assert_int_equal(found->node.storage_port, 7102);
	assert_true(found->voter);
	assert_false(found->voter_before);
	key[0]++;
	assert_null(members_find(&members, 1));
	assert_null(members_find_key(&members, key));
	key[0]--;
}

static void refuses(void)
{
	struct members members = { .index = 5 };

	assert_int_equal(members_from_message(&members, &message),
			 RFS_ERR_INVALID);
	assert_int_equal(members.index, 5);
	make_message();
}

static void what_nobody_could_reach_or_know_is_refused(void **state)
{
	static char long_name[CONFIG_NAME_MAX + 1];

	(void)state;
	memset(long_name, 'n', CONFIG_NAME_MAX);
	make_message();
	member.about = NULL;
	refuses();
	member.id = 0;
	refuses();
	about.key.len--;
	refuses();
	about.storage_port = 0;
	refuses();
	about.storage_port = 65536;
	refuses();
	about.name = long_name;
	refuses();
	for (size_t i = 0; i <= CONFIG_NODES_MAX; i++)
		list[i] = &member;
	message.n_members = CONFIG_NODES_MAX + 1;
	refuses();
}

static void the_configuration_makes_voters(void **state)
{
	struct config config = { .node_count = 3 };
	struct members members;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		config.nodes[i].id = i + 1;
	members_from_config(&members, &config);
	assert_int_equal(members.index, 0);
	assert_int_equal(members.count, 3);
	assert_true(members_decide(&members, 3));
	assert_false(members_decide(&members, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_half_of_the_voters_decide),
		cmocka_unit_test(a_learner_does_not_count),
		cmocka_unit_test(while_two_sets_rule_each_must_agree),
		cmocka_unit_test(what_raftd_says_is_found_by_number_and_by_key),
		cmocka_unit_test(what_nobody_could_reach_or_know_is_refused),
		cmocka_unit_test(the_configuration_makes_voters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
