/* The failure detector: what it takes for normal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/core/detector.h"

#define EVERY_NS (20 * NS_PER_MS)
#define TERM	 7

/* Heartbeats for a while, each late by as much as `late_ns`(i). */
static int64_t beats(struct detector *detector, int64_t from_ns, int count,
		     int64_t late_ns(int i))
{
	for (int i = 0; i < count; i++) {
		from_ns += EVERY_NS;
		detector_heard(detector, detector->term,
			       from_ns + (late_ns ? late_ns(i) : 0));
	}
	return from_ns;
}

static void nothing_is_known_at_first(void **state)
{
	struct detector detector = { 0 };
	(void)state;

	detector_heard(&detector, TERM, NS_PER_SEC);
	beats(&detector, NS_PER_SEC, 20, NULL);
	assert_int_equal(detector_limit_ns(&detector), 0);
}

static void a_steady_leader_is_missed_after_two_heartbeats(void **state)
{
	struct detector detector = { 0 };
	(void)state;

	detector_heard(&detector, TERM, NS_PER_SEC);
	beats(&detector, NS_PER_SEC, 1000, NULL);
	assert_in_range(detector_limit_ns(&detector), 2 * EVERY_NS,
			2 * EVERY_NS * 5 / 4);
}

static int64_t now_and_then(int i)
{
	return i % 100 == 99 ? 60 * NS_PER_MS : 0;
}

static void a_busy_host_is_given_longer(void **state)
{
	struct detector detector = { 0 };
	int64_t now_ns = NS_PER_SEC;
	(void)state;

	detector_heard(&detector, TERM, now_ns);
	now_ns = beats(&detector, now_ns, 1000, now_and_then);
	assert_true(detector_limit_ns(&detector) >= 2 * 80 * NS_PER_MS);
	/* And no longer once it is quiet again. */
	beats(&detector, now_ns, 5000, NULL);
	assert_true(detector_limit_ns(&detector) <= 2 * EVERY_NS * 5 / 4);
}

static int64_t once(int i)
{
	return i == 200 ? 700 * NS_PER_MS : 0;
}

static void one_accident_changes_nothing(void **state)
{
	struct detector detector = { 0 };
	(void)state;

	detector_heard(&detector, TERM, NS_PER_SEC);
	beats(&detector, NS_PER_SEC, 400, once);
	assert_true(detector_limit_ns(&detector) <= 2 * EVERY_NS * 5 / 4);
}

static void the_longest_silence_of_a_leader_is_remembered(void **state)
{
	struct detector detector = { 0 };
	int64_t now_ns;
	(void)state;

	detector_heard(&detector, TERM, NS_PER_SEC);
	now_ns = beats(&detector, NS_PER_SEC, 400, once);
	assert_int_equal(detector.most_ns, EVERY_NS + 700 * NS_PER_MS);
	detector_heard(&detector, TERM + 1, now_ns);
	assert_int_equal(detector.most_ns, 0);
}

static void a_false_alarm_is_a_silence_of_the_same_leader(void **state)
{
	struct detector detector = { 0 };
	int64_t now_ns = NS_PER_SEC;
	(void)state;

	detector_heard(&detector, TERM, now_ns);
	for (int i = 0; i < 30; i++) {
		now_ns = beats(&detector, now_ns, 40, NULL) +
			 100 * NS_PER_MS;
		detector_heard(&detector, TERM, now_ns);
	}
	assert_true(detector_limit_ns(&detector) >= 2 * 100 * NS_PER_MS);
}

static void a_stream_of_data_hides_no_stall(void **state)
{
	struct detector detector = { 0 };
	int64_t now_ns = NS_PER_SEC;
	(void)state;

	detector_heard(&detector, TERM, now_ns);
	for (int second = 0; second < 20; second++) {
		for (int i = 0; i < 9000; i++)
			detector_heard(&detector, TERM,
				       now_ns += 100 * NS_PER_US);
		now_ns += 90 * NS_PER_MS;
		detector_heard(&detector, TERM, now_ns);
	}
	assert_true(detector_limit_ns(&detector) >= 2 * 90 * NS_PER_MS);
}

static void the_time_without_a_leader_is_no_silence(void **state)
{
	struct detector detector = { 0 };
	int64_t now_ns = NS_PER_SEC;
	(void)state;

	for (uint64_t term = 1; term < 50; term++) {
		detector_heard(&detector, term, now_ns);
		now_ns = beats(&detector, now_ns, 20, NULL) + 300 * NS_PER_MS;
	}
	assert_true(detector_limit_ns(&detector) <= 2 * EVERY_NS * 5 / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_known_at_first),
		cmocka_unit_test(a_steady_leader_is_missed_after_two_heartbeats),
		cmocka_unit_test(a_busy_host_is_given_longer),
		cmocka_unit_test(one_accident_changes_nothing),
		cmocka_unit_test(
			the_longest_silence_of_a_leader_is_remembered),
		cmocka_unit_test(a_false_alarm_is_a_silence_of_the_same_leader),
		cmocka_unit_test(a_stream_of_data_hides_no_stall),
		cmocka_unit_test(the_time_without_a_leader_is_no_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
