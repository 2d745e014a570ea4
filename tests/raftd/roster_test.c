/* Who the nodes are, out of what the log, the configuration and peers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "raftd/roster.h"

static struct config config;
static struct roster roster;

static struct config_node node(uint32_t id)
{
	struct config_node made = {
		.id = id,
		.raft_port = (uint16_t)(7000 + 10 * id),
		.storage_port = (uint16_t)(7001 + 10 * id),
		.time_port = (uint16_t)(7002 + 10 * id),
		.key = { (uint8_t)id },
	};

	snprintf(made.name, sizeof(made.name), "n%u", id);
	snprintf(made.address, sizeof(made.address), "192.0.2.%u", id);
	return made;
}

/* Voters with these ids, up to a 0. */
static struct raft_membership members(uint64_t index, const uint32_t *ids)
{
	struct raft_membership made = { .index = index };

	for (; *ids != 0; ids++) {
		struct config_node description = node(*ids);

		made.last_id = *ids;
		made.members[made.count].voter = true;
		roster_about(&description, &made.members[made.count++]);
	}
	return made;
}

#define IDS(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

static struct raft_view view_of(const struct raft_membership *membership,
				uint64_t commit_index)
{
	struct raft_view view = { .commit_index = commit_index };

	for (uint32_t i = 0; i < membership->count; i++)
		view.peers[view.peer_count++].id = membership->members[i].id;
	return view;
}

static void update(const struct raft_membership *membership,
		   uint64_t commit_index)
{
	const struct raft_view view = view_of(membership, commit_index);

	roster_update(&roster, membership, &view);
}

static int setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	for (uint32_t i = 0; i < 3; i++)
		config.nodes[i] = node(i + 1);
	config.node_count = 3;
	roster_init(&roster, &config);
	return 0;
}

static void a_description_comes_back(void **state)
{
	const struct config_node given = node(7);
	struct raft_member member = { 0 };
	struct config_node got;

	(void)state;
	roster_about(&given, &member);
	assert_int_equal(member.id, 7);
	assert_int_equal(roster_parse(&member, &got), RFS_ERR_OK);
	assert_string_equal(got.name, "n7");
	assert_string_equal(got.address, "192.0.2.7");
	assert_int_equal(got.storage_port, 7071);
	assert_memory_equal(got.key, given.key, sizeof(got.key));
	member.about[3] ^= 0x80;
	assert_int_equal(roster_parse(&member, &got), RFS_ERR_INVALID);
	member.about_bytes = 0;
	assert_int_equal(roster_parse(&member, &got), RFS_ERR_INVALID);
}

/* The longest there can be still fits into raft_member.about. */
static void the_longest_description_fits(void **state)
{
	struct config_node given = node(1000000);
	struct raft_member member = { 0 };
	struct config_node got;

	(void)state;
	memset(given.name, 'x', sizeof(given.name) - 1);
	strcpy(given.address, "2001:db8:1111:2222:3333:4444:5555:6666");
	given.raft_port = 65535;
	given.storage_port = 65534;
	given.time_port = 65533;
	memset(given.key, 0xff, sizeof(given.key));
	roster_about(&given, &member);
	assert_int_equal(roster_parse(&member, &got), RFS_ERR_OK);
	assert_string_equal(got.name, given.name);
}

static void members_come_and_go_with_the_log(void **state)
{
	struct raft_membership three = members(0, IDS(1, 2, 3));
	struct raft_membership four = members(50, IDS(1, 2, 3, 4));

	(void)state;
	update(&three, 10);
	assert_int_equal(roster.count, 3);
	update(&four, 49);
	assert_string_equal(roster_name(&roster, 4), "n4");
	assert_false(roster.settled);
	update(&three, 49); /* truncated */
	assert_null(roster_find(&roster, 4));
}

static void who_is_on_the_way_out_stays_until_that_is_committed(void **state)
{
	struct raft_membership three = members(0, IDS(1, 2, 3));
	struct raft_membership two = members(60, IDS(1, 2));
	struct raft_view view;

	(void)state;
	update(&three, 10);
	update(&two, 59);
	assert_non_null(roster_find(&roster, 3));
	view = view_of(&two, 60);
	assert_true(roster_is_due(&roster, &view, false));
	/* The leader still has something to tell it. */
	view.peers[view.peer_count++].id = 3;
	roster_update(&roster, &two, &view);
	assert_non_null(roster_find(&roster, 3));
	view.peer_count--;
	assert_true(roster_is_due(&roster, &view, false));
	roster_update(&roster, &two, &view);
	assert_null(roster_find(&roster, 3));
	assert_false(roster_is_due(&roster, &view, false));
}

static void a_joiner_knows_whom_its_configuration_names(void **state)
{
	const struct raft_membership none = { 0 };
	struct raft_membership others = members(80, IDS(5, 6));

	(void)state;
	update(&none, 0);
	assert_int_equal(roster.count, 3);
	/* And itself, once the log names others. */
	update(&others, 80);
	assert_int_equal(roster.count, 3);
	assert_non_null(roster_find(&roster, 1));
	assert_null(roster_find(&roster, 2));
}

static bool show(uint32_t peer, const struct raft_membership *membership)
{
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];

	return roster_show(&roster, peer, image,
			   raft_membership_encode(membership, image));
}

static void who_lags_listens_to_whom_a_peer_names(void **state)
{
	struct raft_membership three = members(0, IDS(1, 2, 3));
	struct raft_membership later = members(90, IDS(2, 3, 4));
	struct raft_membership before = members(40, IDS(1, 2, 3, 9));

	(void)state;
	update(&three, 10);
	assert_true(show(2, &later));
	update(&three, 10);
	assert_non_null(roster_find(&roster, 4));
	assert_non_null(roster_find(&roster, 1));
	/* Another peer's older word is no news; the same peer's is. */
	assert_false(show(3, &before));
	assert_true(show(2, &before));
	update(&three, 10);
	assert_null(roster_find(&roster, 4));
	/* Our own log has come as far: it alone counts. */
	assert_true(show(3, &later));
	update(&later, 90);
	assert_int_equal(roster.shown.count, 0);
	assert_false(show(3, &later));
}

static void a_new_address_takes_the_place_of_the_old(void **state)
{
	struct raft_membership three = members(0, IDS(1, 2, 3));
	struct raft_membership moved = members(30, IDS(1, 2, 3));
	struct config_node n2 = node(2);

	(void)state;
	update(&three, 10);
	strcpy(n2.address, "198.51.100.2");
	roster_about(&n2, &moved.members[1]);
	update(&moved, 29);
	assert_string_equal(roster_find(&roster, 2)->address, "198.51.100.2");
	assert_int_equal(roster.count, 3);
}

static void what_is_no_membership_is_no_news(void **state)
{
	(void)state;
	assert_false(roster_show(&roster, 2, "nonsense", 8));
	assert_false(roster_show(&roster, 2, NULL, 0));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_description_comes_back),
		TEST(the_longest_description_fits),
		TEST(members_come_and_go_with_the_log),
		TEST(who_is_on_the_way_out_stays_until_that_is_committed),
		TEST(a_joiner_knows_whom_its_configuration_names),
		TEST(who_lags_listens_to_whom_a_peer_names),
		TEST(a_new_address_takes_the_place_of_the_old),
		TEST(what_is_no_membership_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
