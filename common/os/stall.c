/* A check watcher and a prepare watcher, one at each end of a turn. */
#include "common/os/stall.h"

#include "common/os/clock.h"

static void on_awake(struct ev_loop *loop, struct ev_check *watcher, int events)
{
	struct stall *stall = watcher->data;

	(void)loop;
	(void)events;
	stall->awake_raw_ns = clock_raw_ns();
}

static void on_asleep(struct ev_loop *loop, struct ev_prepare *watcher,
		      int events)
{
	struct stall *stall = watcher->data;

	(void)loop;
	(void)events;
	if (stall->awake_raw_ns == 0)
		return;
	int64_t away_ns = clock_raw_ns() - stall->awake_raw_ns;
	if (away_ns > stall->max_ns)
		stall->max_ns = away_ns;
	stall->long_count += away_ns > STALL_LONG_NS;
}

void stall_start(struct stall *stall, struct ev_loop *loop)
{
	*stall = (struct stall){ 0 };
	ev_check_init(&stall->awake, on_awake);
	ev_set_priority(&stall->awake, EV_MAXPRI);
	stall->awake.data = stall;
	ev_check_start(loop, &stall->awake);
	ev_prepare_init(&stall->asleep, on_asleep);
	ev_set_priority(&stall->asleep, EV_MINPRI);
	stall->asleep.data = stall;
	ev_prepare_start(loop, &stall->asleep);
}

void stall_stop(struct stall *stall, struct ev_loop *loop)
{
	ev_check_stop(loop, &stall->awake);
	ev_prepare_stop(loop, &stall->asleep);
}
