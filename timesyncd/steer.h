/* discipline_system_clock: the orders of core/sysclock.h, carried out by
 * clock_adjtime(2). Only frequency, tick, status and the two errors are ever
 * set: the clock is never stepped. */
#ifndef RAFTFS_TIMESYNCD_STEER_H
#define RAFTFS_TIMESYNCD_STEER_H

#include <stdbool.h>
#include <sys/timex.h>

#include "timesyncd/core/sysclock.h"

struct steer {
	bool on;
	struct sysclock sysclock;
	/* As clock_adjtime(CLOCK_REALTIME, timex); tests put another here. */
	int (*adjust)(struct timex *kernel);
};

/* Find out whether this process may: if not, one line says so, and nothing is
 * ever done. adjust NULL: the kernel's. */
void steer_init(struct steer *steer, int64_t max_slew_ppb, struct story story,
		int (*adjust)(struct timex *kernel));

/* After each publication. While the clock is slewed fast no kernel stamp is
 * believed (stamps_believe()). */
void steer_follow(struct steer *steer, const struct timesync_clock *clock);

/* Somebody else set the clock: steer_follow() looks at it at once. */
void steer_was_set(struct steer *steer);

/* Leave the clock at cluster time's rate. */
void steer_leave(struct steer *steer, const struct timesync_clock *clock);

#endif
