/* The schedule: bursts, doubling, retries, reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "timesyncd/core/schedule.h"

static struct prng prng;

static int seed(void **state)
{
	(void)state;
	prng_seed(&prng, 1);
	return 0;
}

/* Ask when due and answer after rtt_ns; returns the instant of the answer. */
static int64_t exchange(struct schedule *schedule, int64_t rtt_ns,
			int64_t steady_ns)
{
	int64_t raw_ns = schedule->next_ns;

	assert_true(schedule_is_due(schedule, raw_ns));
	assert_false(schedule_is_due(schedule, raw_ns - 1));
	schedule_sent(schedule, raw_ns);
	assert_false(schedule_is_due(schedule, raw_ns + NS_PER_SEC));
	schedule_answered(schedule, raw_ns + rtt_ns, steady_ns, false, &prng);
	return raw_ns + rtt_ns;
}

static void it_begins_with_a_burst_and_then_doubles(void **state)
{
	(void)state;
	struct schedule schedule;
	int64_t answered_ns = 0;

	schedule_init(&schedule, 1000);
	assert_true(schedule_is_due(&schedule, 1000));
	for (int i = 0; i < SCHEDULE_BURST; i++) {
		answered_ns = exchange(&schedule, 100, 4 * NS_PER_SEC);
		assert_int_equal(schedule.next_ns - answered_ns,
				 SCHEDULE_GAP_NS);
	}
	for (int64_t expected = 2 * SCHEDULE_FASTEST_NS;
	     expected < 4 * NS_PER_SEC; expected *= 2) {
		answered_ns = exchange(&schedule, 100, 4 * NS_PER_SEC);
		assert_in_range(schedule.next_ns - answered_ns,
				expected * 95 / 100, expected * 105 / 100);
	}
	exchange(&schedule, 100, 4 * NS_PER_SEC);
	answered_ns = exchange(&schedule, 100, 4 * NS_PER_SEC);
	assert_in_range(schedule.next_ns - answered_ns, 38 * NS_PER_SEC / 10,
			42 * NS_PER_SEC / 10);
}

static void a_round_may_be_a_burst(void **state)
{
	(void)state;
	struct schedule schedule;

	schedule_init(&schedule, 0);
	schedule.round = 4;
	for (int i = 0; i < SCHEDULE_BURST; i++)
		exchange(&schedule, 100, 200 * NS_PER_MS);
	for (int round = 0; round < 3; round++) {
		int64_t answered_ns =
			exchange(&schedule, 100, 200 * NS_PER_MS);

		assert_in_range(schedule.next_ns - answered_ns,
				190 * NS_PER_MS, 210 * NS_PER_MS);
		for (int i = 0; i < 3; i++) {
			answered_ns =
				exchange(&schedule, 100, 200 * NS_PER_MS);
			assert_int_equal(schedule.next_ns - answered_ns,
					 SCHEDULE_GAP_NS);
		}
	}
}

static void while_something_is_wanting_it_stays_fast(void **state)
{
	(void)state;
	struct schedule schedule;

	schedule_init(&schedule, 0);
	for (int i = 0; i < 50; i++) {
		int64_t raw_ns = schedule.next_ns;

		schedule_sent(&schedule, raw_ns);
		schedule_answered(&schedule, raw_ns, 60 * NS_PER_SEC, true,
				  &prng);
		assert_true(schedule.next_ns - raw_ns <=
			    SCHEDULE_FASTEST_NS * 105 / 100);
	}
}

static void a_lost_packet_is_asked_again_at_once_a_dead_peer_is_not(
	void **state)
{
	(void)state;
	struct schedule schedule;
	int64_t wait_ns = 0;

	schedule_init(&schedule, 0);
	for (int i = 0; i < 20; i++) {
		int64_t raw_ns = schedule.next_ns;

		schedule_sent(&schedule, raw_ns);
		assert_true(schedule_timed_out(&schedule, raw_ns + NS_PER_SEC,
					       &prng));
		wait_ns = schedule.next_ns - (raw_ns + NS_PER_SEC);
		if (i < 2)
			assert_true(wait_ns <= SCHEDULE_GAP_NS * 105 / 100);
	}
	assert_in_range(wait_ns, SCHEDULE_RETRY_MAX_NS * 95 / 100,
			SCHEDULE_RETRY_MAX_NS * 105 / 100);
	assert_int_equal(schedule.timeouts, 20);
}

static void a_peer_that_was_away_is_asked_in_a_burst(void **state)
{
	(void)state;
	struct schedule schedule;

	schedule_init(&schedule, 0);
	for (int i = 0; i < SCHEDULE_BURST; i++)
		exchange(&schedule, 100, NS_PER_SEC);
	for (int i = 0; i < 3; i++) {
		int64_t raw_ns = schedule.next_ns;

		schedule_sent(&schedule, raw_ns);
		assert_true(schedule_timed_out(&schedule, raw_ns + NS_PER_SEC,
					       &prng));
	}
	for (int i = 0; i < SCHEDULE_BURST; i++) {
		int64_t answered_ns = exchange(&schedule, 100, NS_PER_SEC);

		assert_int_equal(schedule.next_ns - answered_ns,
				 SCHEDULE_GAP_NS);
	}
}

static void a_late_timeout_changes_nothing(void **state)
{
	(void)state;
	struct schedule schedule;

	schedule_init(&schedule, 0);
	exchange(&schedule, 100, NS_PER_SEC);
	int64_t next_ns = schedule.next_ns;
	assert_false(schedule_timed_out(&schedule, 500, &prng));
	assert_int_equal(schedule.next_ns, next_ns);
}

static void reach_forgets_after_three_misses(void **state)
{
	(void)state;
	struct schedule schedule;

	schedule_init(&schedule, 0);
	assert_false(schedule_is_reachable(&schedule));
	exchange(&schedule, 100, NS_PER_SEC);
	assert_true(schedule_is_reachable(&schedule));
	for (int i = 0; i < 3; i++) {
		assert_true(schedule_is_reachable(&schedule));
		schedule_sent(&schedule, schedule.next_ns);
		assert_true(schedule_is_reachable(&schedule));
		assert_true(schedule_timed_out(&schedule, schedule.next_ns,
					       &prng));
	}
	assert_false(schedule_is_reachable(&schedule));
	exchange(&schedule, 100, NS_PER_SEC);
	assert_true(schedule_is_reachable(&schedule));
}

static void hurry_takes_no_patience_away(void **state)
{
	(void)state;
	struct schedule schedule;
	int64_t patience_ns;

	schedule_init(&schedule, 0);
	for (int i = 0; i < 30; i++)
		exchange(&schedule, 100, 16 * NS_PER_SEC);
	patience_ns = schedule.patience_ns;
	assert_true(patience_ns > 64 * NS_PER_SEC);
	schedule_hurry(&schedule, schedule.next_ns);
	assert_int_equal(schedule.patience_ns, patience_ns);
	/* Only answers that come faster do. */
	for (int i = 0; i < 9; i++)
		exchange(&schedule, 100, 16 * NS_PER_SEC);
	assert_true(schedule.patience_ns < 5 * NS_PER_SEC);
}

static void the_steady_interval_is_what_the_target_allows(void **state)
{
	(void)state;
	/* 1 ms - 0.1 ms at 200 ppm: 4.5 s. */
	assert_int_equal(schedule_steady_ns(100 * NS_PER_US, 200000, NS_PER_MS,
					    60 * NS_PER_SEC),
			 4500 * NS_PER_MS);
	/* Never slower than sync_interval, never faster than it buys. */
	assert_int_equal(schedule_steady_ns(0, 200000, NS_PER_SEC,
					    60 * NS_PER_SEC),
			 60 * NS_PER_SEC);
	assert_int_equal(schedule_steady_ns(0, 200000, NS_PER_US,
					    60 * NS_PER_SEC),
			 SCHEDULE_FASTEST_NS);
	/* A target below half the round trip: a quarter of it on top. */
	assert_int_equal(schedule_steady_ns(20 * NS_PER_MS, 200000, NS_PER_MS,
					    60 * NS_PER_SEC),
			 25 * NS_PER_SEC);
	/* sync_interval wins over everything. */
	assert_int_equal(schedule_steady_ns(0, 200000, NS_PER_US,
					    10 * NS_PER_MS),
			 10 * NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_a_burst_and_then_doubles),
		cmocka_unit_test(a_round_may_be_a_burst),
		cmocka_unit_test(while_something_is_wanting_it_stays_fast),
		cmocka_unit_test(
			a_lost_packet_is_asked_again_at_once_a_dead_peer_is_not),
		cmocka_unit_test(a_peer_that_was_away_is_asked_in_a_burst),
		cmocka_unit_test(a_late_timeout_changes_nothing),
		cmocka_unit_test(reach_forgets_after_three_misses),
		cmocka_unit_test(hurry_takes_no_patience_away),
		cmocka_unit_test(the_steady_interval_is_what_the_target_allows),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
