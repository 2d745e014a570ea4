/* What a loop's turns take, told apart from the time it sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "common/os/stall.h"
#include "common/units.h"

static void stay(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	int64_t until_raw_ns = clock_raw_ns() + *(int64_t *)timer->data;

	(void)loop;
	(void)events;
	while (clock_raw_ns() < until_raw_ns)
		;
}

static void turns_are_measured_and_sleep_is_not(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int64_t since_raw_ns = clock_raw_ns();
	int64_t work_ns = 60 * NS_PER_MS;
	struct ev_timer timer;
	struct stall stall;

	(void)state;
	stall_start(&stall, loop);
	ev_timer_init(&timer, stay, 0.3, 0.);
	timer.data = &work_ns;
	ev_now_update(loop);
	ev_timer_start(loop, &timer);
	ev_run(loop, EVRUN_ONCE);
	ev_run(loop, EVRUN_NOWAIT);
	assert_true(stall.max_ns >= work_ns);
	assert_true(stall.long_count > 0);
	/* However slow this machine is: the sleep is no part of it. */
	int64_t all_ns = clock_raw_ns() - since_raw_ns;
	assert_true(stall.max_ns <= all_ns - 250 * NS_PER_MS);
	stall_stop(&stall, loop);
	ev_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_are_measured_and_sleep_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
