/* A child's life, event by event. Pure: times are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "supervisor/core/supervise.h"

static struct supervise_policy policy;
static struct supervise child;

static int set_up(void **state)
{
	(void)state;
	policy = (struct supervise_policy){
		.settled_ns = 10 * NS_PER_SEC,
		.backoff_first_ns = 10 * NS_PER_MS,
		.backoff_max_ns = 10 * NS_PER_SEC,
		.restarts_max = 20,
		.restarts_window_ns = 60 * NS_PER_SEC,
		.watchdog_ns = 5 * NS_PER_SEC,
		.stop_timeout_ns = 3 * NS_PER_SEC,
	};
	supervise_init(&child, &policy, 1);
	return 0;
}

/* The step does what is expected and leads where expected. */
static void goes(enum supervise_event event, int64_t mono_ns,
		 unsigned int effects, enum supervise_state to)
{
	assert_int_equal(supervise_step(&child, event, mono_ns), effects);
	assert_string_equal(supervise_state_name(child.state),
			    supervise_state_name(to));
}

static void a_start_spawns_and_ready_settles(void **state)
{
	(void)state;
	goes(SUPERVISE_EV_START, 0, SUPERVISE_DO_SPAWN, SUPERVISE_STARTING);
	goes(SUPERVISE_EV_SAID_READY, 5, 0, SUPERVISE_READY);
	assert_int_equal(child.restart_count, 0);
	assert_int_equal(child.ready_ns, 5);
}

static void what_was_long_ready_restarts_at_once(void **state)
{
	(void)state;
	policy.watchdog_ns = 0;
	goes(SUPERVISE_EV_START, 0, SUPERVISE_DO_SPAWN, SUPERVISE_STARTING);
	goes(SUPERVISE_EV_SAID_READY, 0, 0, SUPERVISE_READY);
	goes(SUPERVISE_EV_EXIT, 10 * NS_PER_SEC + 1, SUPERVISE_DO_SPAWN,
	     SUPERVISE_STARTING);
	assert_int_equal(child.restart_count, 1);
	/* The new run is not ready, however long the old one was. */
	goes(SUPERVISE_EV_EXIT, 30 * NS_PER_SEC, 0, SUPERVISE_BACKOFF);
}

static void early_deaths_wait_twice_as_long_each_time(void **state)
{
	int64_t now_ns = 0;
	int64_t want_ns = 10 * NS_PER_MS;

	(void)state;
	goes(SUPERVISE_EV_START, now_ns, SUPERVISE_DO_SPAWN,
	     SUPERVISE_STARTING);
	for (int i = 0; i < 16; i++) {
		int64_t wait_ns;

		goes(SUPERVISE_EV_EXIT, now_ns, 0, SUPERVISE_BACKOFF);
		wait_ns = supervise_deadline_ns(&child) - now_ns;
		assert_true(wait_ns >= want_ns - want_ns / 4);
		assert_true(wait_ns <= want_ns + want_ns / 4 + 1);
		goes(SUPERVISE_EV_TICK, now_ns + wait_ns - 1, 0,
		     SUPERVISE_BACKOFF);
		now_ns += wait_ns;
		goes(SUPERVISE_EV_TICK, now_ns, SUPERVISE_DO_SPAWN,
		     SUPERVISE_STARTING);
		want_ns = want_ns * 2 < policy.backoff_max_ns ?
				  want_ns * 2 :
				  policy.backoff_max_ns;
	}
	assert_int_equal(child.restart_count, 16);
}

static void a_settled_run_makes_early_deaths_forgotten(void **state)
{
	(void)state;
	policy.watchdog_ns = 0;
	goes(SUPERVISE_EV_START, 0, SUPERVISE_DO_SPAWN, SUPERVISE_STARTING);
	for (int i = 0; i < 4; i++) {
		supervise_step(&child, SUPERVISE_EV_EXIT, 0);
		supervise_step(&child, SUPERVISE_EV_TICK, INT64_C(1) << 30);
	}
	assert_int_equal(child.early_deaths, 4);
	goes(SUPERVISE_EV_SAID_READY, INT64_C(1) << 30, 0, SUPERVISE_READY);
	goes(SUPERVISE_EV_EXIT, (INT64_C(1) << 30) + 11 * NS_PER_SEC,
	     SUPERVISE_DO_SPAWN, SUPERVISE_STARTING);
	assert_int_equal(child.early_deaths, 0);
}

/* Jitter comes from the seed: alike with it, different without. */
static void jitter_follows_the_seed(void **state)
{
	struct supervise other;

	(void)state;
	supervise_init(&other, &policy, 1);
	supervise_step(&child, SUPERVISE_EV_START, 0);
	supervise_step(&child, SUPERVISE_EV_EXIT, 0);
	supervise_step(&other, SUPERVISE_EV_START, 0);
	supervise_step(&other, SUPERVISE_EV_EXIT, 0);
	assert_true(supervise_deadline_ns(&child) ==
		    supervise_deadline_ns(&other));
	supervise_init(&other, &policy, 2);
	supervise_step(&other, SUPERVISE_EV_START, 0);
	supervise_step(&other, SUPERVISE_EV_EXIT, 0);
	assert_true(supervise_deadline_ns(&child) !=
		    supervise_deadline_ns(&other));
}

static void too_many_restarts_in_the_window_hold_it(void **state)
{
	int64_t now_ns = 0;

	(void)state;
	policy.restarts_max = 3;
	supervise_step(&child, SUPERVISE_EV_START, now_ns);
	for (int i = 0; i < 3; i++) {
		goes(SUPERVISE_EV_EXIT, now_ns, 0, SUPERVISE_BACKOFF);
		now_ns = supervise_deadline_ns(&child);
		goes(SUPERVISE_EV_TICK, now_ns, SUPERVISE_DO_SPAWN,
		     SUPERVISE_STARTING);
	}
	goes(SUPERVISE_EV_EXIT, now_ns, 0, SUPERVISE_HELD);
	assert_true(supervise_deadline_ns(&child) == INT64_MAX);
	goes(SUPERVISE_EV_TICK, INT64_MAX - 1, 0, SUPERVISE_HELD);
	goes(SUPERVISE_EV_RESUME, now_ns + 1, SUPERVISE_DO_SPAWN,
	     SUPERVISE_STARTING);
	/* A fresh count: the old deaths do not hold it again at once. */
	goes(SUPERVISE_EV_EXIT, now_ns + 2, 0, SUPERVISE_BACKOFF);
}

static void restarts_outside_the_window_do_not_count(void **state)
{
	int64_t now_ns = 0;

	(void)state;
	policy.restarts_max = 3;
	supervise_step(&child, SUPERVISE_EV_START, now_ns);
	for (int i = 0; i < 100; i++) {
		now_ns += 21 * NS_PER_SEC;
		goes(SUPERVISE_EV_EXIT, now_ns, 0, SUPERVISE_BACKOFF);
		now_ns = supervise_deadline_ns(&child);
		goes(SUPERVISE_EV_TICK, now_ns, SUPERVISE_DO_SPAWN,
		     SUPERVISE_STARTING);
	}
	assert_int_equal(child.restart_count, 100);
}

static void silence_aborts_then_kills_then_restarts(void **state)
{
	(void)state;
	supervise_step(&child, SUPERVISE_EV_START, 0);
	goes(SUPERVISE_EV_SAID_READY, 0, 0, SUPERVISE_READY);
	goes(SUPERVISE_EV_HEARTBEAT, 4 * NS_PER_SEC, 0, SUPERVISE_READY);
	goes(SUPERVISE_EV_TICK, 5 * NS_PER_SEC, 0, SUPERVISE_READY);
	goes(SUPERVISE_EV_TICK, 9 * NS_PER_SEC, SUPERVISE_DO_ABORT,
	     SUPERVISE_ABORTING);
	goes(SUPERVISE_EV_HEARTBEAT, 10 * NS_PER_SEC, 0, SUPERVISE_ABORTING);
	goes(SUPERVISE_EV_TICK, 12 * NS_PER_SEC, SUPERVISE_DO_KILL,
	     SUPERVISE_ABORTING);
	goes(SUPERVISE_EV_TICK, 13 * NS_PER_SEC, 0, SUPERVISE_ABORTING);
	goes(SUPERVISE_EV_EXIT, 13 * NS_PER_SEC, SUPERVISE_DO_SPAWN,
	     SUPERVISE_STARTING);
}

static void a_slow_start_is_not_hung_until_it_has_a_heartbeat(void **state)
{
	(void)state;
	supervise_step(&child, SUPERVISE_EV_START, 0);
	goes(SUPERVISE_EV_TICK, 3600 * NS_PER_SEC, 0, SUPERVISE_STARTING);
	goes(SUPERVISE_EV_HEARTBEAT, 3600 * NS_PER_SEC, 0, SUPERVISE_STARTING);
	goes(SUPERVISE_EV_TICK, 3605 * NS_PER_SEC, SUPERVISE_DO_ABORT,
	     SUPERVISE_ABORTING);
}

static void without_watchdog_silence_is_fine(void **state)
{
	(void)state;
	policy.watchdog_ns = 0;
	supervise_step(&child, SUPERVISE_EV_START, 0);
	goes(SUPERVISE_EV_SAID_READY, 0, 0, SUPERVISE_READY);
	goes(SUPERVISE_EV_TICK, INT64_MAX - 1, 0, SUPERVISE_READY);
}

static void stop_asks_then_kills_and_ends_down(void **state)
{
	(void)state;
	supervise_step(&child, SUPERVISE_EV_START, 0);
	supervise_step(&child, SUPERVISE_EV_SAID_READY, 0);
	goes(SUPERVISE_EV_STOP, 1, SUPERVISE_DO_TERM, SUPERVISE_STOPPING);
	goes(SUPERVISE_EV_STOP, 2, 0, SUPERVISE_STOPPING);
	goes(SUPERVISE_EV_TICK, 3 * NS_PER_SEC, 0, SUPERVISE_STOPPING);
	goes(SUPERVISE_EV_TICK, 3 * NS_PER_SEC + 1, SUPERVISE_DO_KILL,
	     SUPERVISE_STOPPING);
	goes(SUPERVISE_EV_EXIT, 4 * NS_PER_SEC, 0, SUPERVISE_DOWN);
	goes(SUPERVISE_EV_TICK, INT64_MAX - 1, 0, SUPERVISE_DOWN);
}

static void what_waits_stops_at_once(void **state)
{
	(void)state;
	supervise_step(&child, SUPERVISE_EV_START, 0);
	goes(SUPERVISE_EV_EXIT, 0, 0, SUPERVISE_BACKOFF);
	goes(SUPERVISE_EV_STOP, 1, 0, SUPERVISE_DOWN);
	assert_true(supervise_deadline_ns(&child) == INT64_MAX);
	child.state = SUPERVISE_HELD;
	goes(SUPERVISE_EV_STOP, 1, 0, SUPERVISE_DOWN);
}

static void nothing_restarts_while_the_node_stops(void **state)
{
	(void)state;
	policy.watchdog_ns = 0;
	supervise_step(&child, SUPERVISE_EV_START, 0);
	supervise_step(&child, SUPERVISE_EV_SAID_READY, 0);
	policy.stopping = true;
	goes(SUPERVISE_EV_EXIT, 20 * NS_PER_SEC, 0, SUPERVISE_DOWN);
}

/* Every state x event: the state stays one of the known ones, a process is
 * spawned only where there is none, signalled only where there is one. */
static void no_event_breaks_a_state(void **state)
{
	(void)state;
	for (int s = 0; s < SUPERVISE_STATES; s++) {
		for (int e = 0; e < SUPERVISE_EVENTS; e++) {
			unsigned int effects;

			supervise_init(&child, &policy, 1);
			child.state = (enum supervise_state)s;
			child.deadline_ns = 10;
			effects = supervise_step(&child,
						 (enum supervise_event)e, 10);
			assert_true(child.state < SUPERVISE_STATES);
			if (effects & SUPERVISE_DO_SPAWN) {
				assert_true(!supervise_runs(s) ||
					    e == SUPERVISE_EV_EXIT);
				assert_int_equal(child.state,
						 SUPERVISE_STARTING);
			} else if (effects != 0) {
				assert_true(supervise_runs(s));
			}
		}
	}
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, set_up)
	const struct CMUnitTest tests[] = {
		FRESH(a_start_spawns_and_ready_settles),
		FRESH(what_was_long_ready_restarts_at_once),
		FRESH(early_deaths_wait_twice_as_long_each_time),
		FRESH(a_settled_run_makes_early_deaths_forgotten),
		FRESH(jitter_follows_the_seed),
		FRESH(too_many_restarts_in_the_window_hold_it),
		FRESH(restarts_outside_the_window_do_not_count),
		FRESH(silence_aborts_then_kills_then_restarts),
		FRESH(a_slow_start_is_not_hung_until_it_has_a_heartbeat),
		FRESH(without_watchdog_silence_is_fine),
		FRESH(stop_asks_then_kills_and_ends_down),
		FRESH(what_waits_stops_at_once),
		FRESH(nothing_restarts_while_the_node_stops),
		FRESH(no_event_breaks_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
