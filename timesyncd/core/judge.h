/* Whom to believe: after every event, voices are heard, weighed (select.h), named,
 * and the clock is published accordingly. */
#ifndef RAFTFS_TIMESYNCD_CORE_JUDGE_H
#define RAFTFS_TIMESYNCD_CORE_JUDGE_H

#include "timesyncd/core/state.h"

/* The page is rewritten at least this often: slews are meant for a second. */
#define JUDGE_REFRESH_NS NS_PER_SEC

void judge_clock(struct timesync *t, int64_t raw_ns);

#endif
