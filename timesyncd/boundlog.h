/* The bound of the steered clock, appended to a file at every update, so that
 * somebody outside can check each claim:
 *
 *	UNIX_TIME BOUND_S GROWTH_S_PER_S
 *
 * At UNIX_TIME + t the steered clock is off by at most BOUND + GROWTH * t,
 * until the next line. The steered clock is cluster time, or, where the host's
 * clock is steered to it, that one. "inf" says that there is no bound.
 */
#ifndef RAFTFS_TIMESYNCD_BOUNDLOG_H
#define RAFTFS_TIMESYNCD_BOUNDLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "timesyncd/core/timesync.h"

struct boundlog {
	int fd; /* meant only if open */
	bool open;
	bool of_wall; /* the host's clock is the steered one */
	int64_t wall_rate_ppb; /* at most so fast or slow it is steered */
};

/* All zero is a log that is not open: adding does nothing. */
RFS_MUST_USE enum rfs_err boundlog_open(struct boundlog *log,
					const char *path);
void boundlog_close(struct boundlog *log);

void boundlog_add(struct boundlog *log, const struct timesync_clock *clock);

/* One line into text; as of raw_ns, within half_ns of which the host's clock
 * said wall_ns. */
void boundlog_line(const struct boundlog *log,
		   const struct timesync_clock *clock, int64_t raw_ns,
		   int64_t wall_ns, int64_t half_ns, char *text, size_t size);

#endif
