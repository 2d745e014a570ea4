/* When a leader should go although its raft is well, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "raftd/handover.h"

#define SEC NS_PER_SEC

/* We are 1 and lead; 2 has less of the log than 3. */
static struct raft_view leading(int64_t now_raw_ns)
{
	return (struct raft_view){
		.role = RAFT_LEADER,
		.election_timeout_ns = 150 * NS_PER_MS,
		.peer_count = 3,
		.peers = { { .id = 1,
			     .voter = true,
			     .match_index = 100,
			     .last_heard_raw_ns = now_raw_ns },
			   { .id = 2,
			     .voter = true,
			     .match_index = 90,
			     .last_heard_raw_ns = now_raw_ns },
			   { .id = 3,
			     .voter = true,
			     .match_index = 95,
			     .last_heard_raw_ns = now_raw_ns } },
	};
}

static const bool all[] = { false, true, true };

static void a_healthy_leader_stays(void **state)
{
	const struct raft_view view = leading(10 * SEC);
	struct handover handover;

	(void)state;
	handover_init(&handover, 1 * SEC);
	handover_note(&handover, false, true, 2 * SEC);
	assert_int_equal(handover_due(&handover, &view, 1, all, 10 * SEC),
			 RAFT_NOBODY);
	assert_true(handover_is_fit(&handover, 10 * SEC));
}

static void a_full_disk_sends_it_away_at_once(void **state)
{
	const struct raft_view view = leading(10 * SEC);
	struct handover handover;

	(void)state;
	handover_init(&handover, 1 * SEC);
	handover_note(&handover, true, true, 10 * SEC);
	assert_int_equal(handover_due(&handover, &view, 1, all, 10 * SEC), 3);
	assert_false(handover_is_fit(&handover, 10 * SEC));
	handover_note(&handover, false, true, 11 * SEC);
	assert_true(handover_is_fit(&handover, 11 * SEC));
}

static void a_learner_is_never_handed_leadership(void **state)
{
	struct raft_view view = leading(10 * SEC);

	(void)state;
	assert_int_equal(handover_successor(&view, 1, all, 10 * SEC), 3);
	view.peers[2].voter = false;
	assert_int_equal(handover_successor(&view, 1, all, 10 * SEC), 2);
	view.peers[1].voter = false;
	assert_int_equal(handover_successor(&view, 1, all, 10 * SEC),
			 RAFT_NOBODY);
}

static void a_missing_storaged_sends_it_away_after_a_while(void **state)
{
	const struct raft_view view = leading(10 * SEC);
	struct handover handover;

	(void)state;
	handover_init(&handover, 1 * SEC);
	handover_note(&handover, false, true, 9 * SEC);
	handover_note(&handover, false, false, 10 * SEC);
	handover_note(&handover, false, false, 10 * SEC + SEC / 2);
	assert_int_equal(handover_due(&handover, &view, 1, all,
				      10 * SEC + SEC / 2),
			 RAFT_NOBODY);
	/* A restart in between begins a new while. */
	handover_note(&handover, false, true, 10 * SEC + SEC / 2);
	handover_note(&handover, false, false, 11 * SEC);
	const struct raft_view later = leading(12 * SEC);
	assert_int_equal(handover_due(&handover, &later, 1, all, 12 * SEC),
			 RAFT_NOBODY);
	assert_int_equal(handover_due(&handover, &later, 1, all, 12 * SEC + 1),
			 3);
}

static void it_does_not_hand_over_again_and_again(void **state)
{
	struct raft_view view = leading(10 * SEC);
	struct handover handover;

	(void)state;
	handover_init(&handover, 1 * SEC);
	handover_note(&handover, true, true, 10 * SEC);
	assert_int_equal(handover_due(&handover, &view, 1, all, 10 * SEC), 3);
	view = leading(14 * SEC);
	assert_int_equal(handover_due(&handover, &view, 1, all, 14 * SEC),
			 RAFT_NOBODY);
	view = leading(15 * SEC);
	assert_int_equal(handover_due(&handover, &view, 1, all, 15 * SEC), 3);
}

static void a_follower_has_nothing_to_hand_over(void **state)
{
	struct raft_view view = leading(10 * SEC);
	struct handover handover;

	(void)state;
	view.role = RAFT_FOLLOWER;
	handover_init(&handover, 1 * SEC);
	handover_note(&handover, true, false, 10 * SEC);
	assert_int_equal(handover_due(&handover, &view, 1, all, 10 * SEC),
			 RAFT_NOBODY);
}

static void the_successor_is_alive_and_has_most(void **state)
{
	const bool only_2[] = { false, true, false };
	const bool none[] = { false, false, false };
	struct raft_view view = leading(10 * SEC);

	(void)state;
	assert_int_equal(handover_successor(&view, 1, all, 10 * SEC), 3);
	assert_int_equal(handover_successor(&view, 1, only_2, 10 * SEC), 2);
	assert_int_equal(handover_successor(&view, 1, none, 10 * SEC),
			 RAFT_NOBODY);
	view.peers[2].last_heard_raw_ns = 9 * SEC;
	assert_int_equal(handover_successor(&view, 1, all, 10 * SEC), 2);
	/* One that holds nothing yet is better than nobody. */
	view.peers[1].match_index = 0;
	assert_int_equal(handover_successor(&view, 1, all, 10 * SEC), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_leader_stays),
		cmocka_unit_test(a_full_disk_sends_it_away_at_once),
		cmocka_unit_test(a_learner_is_never_handed_leadership),
		cmocka_unit_test(a_missing_storaged_sends_it_away_after_a_while),
		cmocka_unit_test(it_does_not_hand_over_again_and_again),
		cmocka_unit_test(a_follower_has_nothing_to_hand_over),
		cmocka_unit_test(the_successor_is_alive_and_has_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
