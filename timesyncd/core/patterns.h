/* What a peer's drift does over time, told when it starts and when it ends.
 *
 *	drift	beyond drift_threshold
 *	wander	its rate walks faster than any crystal at an even temperature
 *	step	an exchange that no noise explains: its rate changed at once, or
 *		the way to it did
 *	doubt	time packets take far longer than TCP does (core/guard.h)
 *
 * Only tells: nothing is decided by it.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_PATTERNS_H
#define RAFTFS_TIMESYNCD_CORE_PATTERNS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/story.h"
#include "timesyncd/core/filter.h"

/* All zero: nothing seen yet. */
struct patterns {
	bool drifting, restless;
	int64_t since_ns; /* our raw: of the wander */
	double worst_ppb; /* while it lasted */
	uint64_t steps_told;
	bool drift_known; /* before the exchange looked at */
	bool doubting;
	int64_t doubt_since_ns, slowest_ns;
};

/* After each exchange with the peer of this id. */
void patterns_watch(struct patterns *patterns, const struct filter *filter,
		    double drift_limit_ppb, int64_t raw_ns, uint32_t id,
		    const struct story *to);

/* After each exchange: whether the way is in doubt, its round trip, and the
 * least of TCP's. */
void patterns_watch_path(struct patterns *patterns, bool doubtful,
			 int64_t delay_ns, int64_t tcp_rtt_ns, int64_t raw_ns,
			 uint32_t id, const struct story *to);

#endif
