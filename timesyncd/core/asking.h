/* Who is asked now, and when somebody is due next. */
#ifndef RAFTFS_TIMESYNCD_CORE_ASKING_H
#define RAFTFS_TIMESYNCD_CORE_ASKING_H

#include "timesyncd/core/state.h"

/* Those that are due: into the effects, and as sent in their schedules. */
void asking_due(struct timesync *t, int64_t raw_ns,
		struct timesync_effects *effects);

/* The next TICK: somebody is due, or the clock is to be published again. */
int64_t asking_deadline_ns(const struct timesync *t);

#endif
