/* What the clock was like since this process started, for `raftfs clock plot`:
 * a bounded list of points, equally spaced.
 *
 * When it is full every other point goes and the spacing doubles: the list
 * always reaches back to the start, in 240 points or more, whatever the age.
 */
#ifndef RAFTFS_TIMESYNCD_HISTORY_H
#define RAFTFS_TIMESYNCD_HISTORY_H

#include <stdint.h>

#include "timesyncd/core/timesync.h"

#define HISTORY_POINTS_MAX 480u
#define HISTORY_EVERY_NS   INT64_C(1000000000) /* at first */

struct history_peer {
	uint32_t node;
	int32_t drift_ppb;
	int64_t offset_ns; /* peer's raw minus ours */
	int64_t delay_ns;
	bool truechimer;
};

struct history_point {
	int64_t raw_ns;
	int64_t to_wall_ns; /* cluster minus wall clock */
	int64_t bound_ns;   /* -1: there was none, and to_wall_ns is void */
	int32_t drift_ppb;
	enum timesync_quality quality;
	uint32_t peer_count;
	struct history_peer peers[TIMESYNC_PEERS_MAX];
};

/* Zeroed: empty. */
struct history {
	struct history_point points[HISTORY_POINTS_MAX]; /* oldest first */
	uint32_t count;
	int64_t every_ns; /* 0: HISTORY_EVERY_NS */
};

/* Take the clock down, if the last point is long enough ago. */
void history_add(struct history *history, int64_t raw_ns, int64_t wall_ns,
		 const struct timesync *timesync);

/* The list's own arithmetic: one more point, if it is due. */
void history_put(struct history *history, const struct history_point *point);

#endif
