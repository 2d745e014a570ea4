/* What the members command makes of a leader's answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/cli/members.h"

struct scene {
	DistributedFs__MembersStatus status;
	DistributedFs__MemberStatus member[3];
	DistributedFs__MemberStatus *members[3];
	DistributedFs__Member about[3];
	uint8_t key[32];
};

static void draw(struct scene *s)
{
	static const char *const names[] = {"n1", "n2", "n7"};
	static const uint32_t ids[] = {1, 2, 7};

	memset(s, 0, sizeof(*s));
	distributed_fs__members_status__init(&s->status);
	for (size_t i = 0; i < 3; i++) {
		distributed_fs__member_status__init(&s->member[i]);
		distributed_fs__member__init(&s->about[i]);
		s->about[i].name = (char *)names[i];
		s->about[i].address = (char *)"192.0.2.1";
		s->about[i].raft_port = 1001 + 10 * (uint32_t)i;
		s->about[i].storage_port = 1002 + 10 * (uint32_t)i;
		s->about[i].time_port = 1003 + 10 * (uint32_t)i;
		s->about[i].key.data = s->key;
		s->about[i].key.len = sizeof(s->key);
		s->member[i].node = ids[i];
		s->member[i].about = &s->about[i];
		s->member[i].voter = true;
		s->members[i] = &s->member[i];
	}
	s->status.members = s->members;
	s->status.n_members = 3;
}

static void a_member_is_found_by_name_or_number(void **state)
{
	struct scene s;

	(void)state;
	draw(&s);
	assert_ptr_equal(members_find(&s.status, "n7"), &s.member[2]);
	assert_ptr_equal(members_find(&s.status, "7"), &s.member[2]);
	assert_null(members_find(&s.status, "n3"));
	assert_null(members_find(&s.status, "07"));
}

static void what_a_member_is_has_one_word(void **state)
{
	struct scene s;

	(void)state;
	draw(&s);
	assert_string_equal(members_kind(&s.status, &s.member[0]), "voter");
	s.member[1].voter = false;
	assert_string_equal(members_kind(&s.status, &s.member[1]), "learner");
	s.member[1].promote = true;
	assert_string_equal(members_kind(&s.status, &s.member[1]),
			    "learner (joins)");
	s.status.joint = true;
	s.member[0].voter_before = true;
	assert_string_equal(members_kind(&s.status, &s.member[0]), "voter");
	assert_string_equal(members_kind(&s.status, &s.member[2]),
			    "voter (new)");
	s.member[0].voter = false;
	assert_string_equal(members_kind(&s.status, &s.member[0]),
			    "voter (leaves)");
}

static void a_description_is_taken_over_whole_or_not(void **state)
{
	struct config_node node;
	struct scene s;

	(void)state;
	draw(&s);
	assert_true(members_describe(&s.member[2], &node));
	assert_int_equal(node.id, 7);
	assert_string_equal(node.name, "n7");
	assert_int_equal(node.time_port, 1023);
	s.about[2].key.len = 31;
	assert_false(members_describe(&s.member[2], &node));
	s.member[2].about = NULL;
	assert_false(members_describe(&s.member[2], &node));
	assert_string_equal(members_name(&s.member[2]), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_is_found_by_name_or_number),
		cmocka_unit_test(what_a_member_is_has_one_word),
		cmocka_unit_test(a_description_is_taken_over_whole_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
