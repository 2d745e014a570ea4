/* The published clock as a line over the time stamp counter, for readers that
 * need not call anything: struct clock_tsc of shm/clockpage.h.
 *
 * There is one only while the kernel's clock is the invariant TSC, looked at
 * once a second, and raw has been a line over it ever since (core/tscline.h).
 * Each publication pairs the two anew; a line lives a few seconds, so that
 * readers of a dead timesyncd go back to raw by themselves.
 */
#ifndef RAFTFS_TIMESYNCD_FASTLINE_H
#define RAFTFS_TIMESYNCD_FASTLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/clockpage.h"
#include "timesyncd/core/tscline.h"

struct fastline {
	bool invariant;
	bool is_clocksource; /* when last looked at */
	int clocksource_fd;  /* -1: none */
	int64_t looked_ns;
	struct tscline line;
};

/* Logs in one line when there will be no fast reading, and why. */
void fastline_init(struct fastline *fast);
void fastline_fini(struct fastline *fast);

/* Pair raw and TSC, and add the line to a sample about to be published. */
void fastline_add(struct fastline *fast, struct clock_sample *sample);

/* The arithmetic of it: the sample's clock along the line through `point`. No
 * line when the sample has no bound at that point. */
void fastline_project(const struct tscline_point *point,
		      struct clock_sample *sample);

#endif
