/* A loop that is late is lent priority, and gives it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "raftd/guard.h"

/* What the loop's thread does when its turn comes. */
static void on_turn(struct ev_loop *ev, ev_timer *timer, int revents)
{
	int *policy = timer->data;

	(void)revents;
	*policy = sched_getscheduler(0);
	ev_break(ev, EVBREAK_ALL);
}

static int policy_in_a_turn(struct ev_loop *ev)
{
	int policy = -1;
	ev_timer timer;

	ev_timer_init(&timer, on_turn, 0., 0.);
	timer.data = &policy;
	ev_timer_start(ev, &timer);
	ev_run(ev, 0);
	return policy;
}

static void until_counted(const struct guard *guard, uint64_t count)
{
	while (guard_count(guard) < count)
		usleep(1000);
}

/* More turns than a quiet loop has; again where the host let it have fewer. */
static void become_ordinary(struct ev_loop *ev)
{
	int tries = 0;

	while (policy_in_a_turn(ev) != SCHED_OTHER)
		assert_in_range(tries++, 0, 10000);
}

static void a_quiet_loop_goes_first(void **state)
{
	struct ev_loop *ev = *state;
	struct guard *guard = guard_new(ev);

	if (guard == NULL)
		skip();
	assert_int_equal(policy_in_a_turn(ev), SCHED_RR);
	guard_free(guard);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void a_busy_loop_is_an_ordinary_thread(void **state)
{
	struct ev_loop *ev = *state;
	struct guard *guard = guard_new(ev);

	if (guard == NULL)
		skip();
	become_ordinary(ev);
	/* And goes first again when it is quiet. */
	while (policy_in_a_turn(ev) == SCHED_OTHER)
		usleep(20000);
	assert_int_equal(guard_count(guard), 0);
	guard_free(guard);
}

/* A turn that takes long: time passes for this thread alone. */
static void on_long_turn(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct timespec used;
	int64_t until_ns = 0;

	(void)timer;
	(void)revents;
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
		if (until_ns == 0)
			until_ns = used.tv_nsec + used.tv_sec * NS_PER_SEC +
				   120 * NS_PER_MS;
	} while (used.tv_nsec + used.tv_sec * NS_PER_SEC < until_ns);
	ev_break(ev, EVBREAK_ALL);
}

static void few_turns_that_are_long_are_busy_too(void **state)
{
	struct ev_loop *ev = *state;
	struct guard *guard = guard_new(ev);
	ev_timer timer;

	if (guard == NULL)
		skip();
	ev_timer_init(&timer, on_long_turn, 0., 0.);
	ev_timer_start(ev, &timer);
	ev_run(ev, 0);
	assert_int_equal(policy_in_a_turn(ev), SCHED_OTHER);
	guard_free(guard);
}

static void a_busy_loop_that_is_late_goes_first_for_a_turn(void **state)
{
	struct ev_loop *ev = *state;
	struct guard *guard = guard_new(ev);

	if (guard == NULL)
		skip();
	for (uint64_t late = 1; late <= 3; late++) {
		become_ordinary(ev);
		guard_expect(guard, clock_raw_ns());
		until_counted(guard, late);
		guard_expect(guard, clock_raw_ns() + 60 * NS_PER_SEC);
		assert_int_equal(policy_in_a_turn(ev), SCHED_RR);
	}
	become_ordinary(ev);
	guard_free(guard);
}

static void without_a_guard_nothing_changes(void **state)
{
	(void)state;

	guard_expect(NULL, 1);
	assert_int_equal(guard_count(NULL), 0);
	guard_free(NULL);
}

static int setup(void **state)
{
	*state = ev_loop_new(EVFLAG_AUTO);
	return *state == NULL;
}

static int teardown(void **state)
{
	ev_loop_destroy(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_quiet_loop_goes_first, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_busy_loop_is_an_ordinary_thread, setup, teardown),
		cmocka_unit_test_setup_teardown(
			few_turns_that_are_long_are_busy_too, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_busy_loop_that_is_late_goes_first_for_a_turn, setup,
			teardown),
		cmocka_unit_test(without_a_guard_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
