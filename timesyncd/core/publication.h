/* The clock that is published, and its quality: from whom is believed to a line
 * with a bound. */
#ifndef RAFTFS_TIMESYNCD_CORE_PUBLICATION_H
#define RAFTFS_TIMESYNCD_CORE_PUBLICATION_H

#include "timesyncd/core/state.h"

/* UNSYNCED, or DISRUPTED while this node's clock is. why: static text. */
void publication_none(struct timesync *t, int64_t raw_ns, const char *why);

/* The timeline is our own raw clock: no error by definition. */
void publication_carried(struct timesync *t, int64_t raw_ns);

/* By t->truth, steered towards what guide and those beside it estimate; without
 * one (NULL) the line coasts. sources: nodes that agree, this one included. */
void publication_measured(struct timesync *t, int64_t raw_ns,
			  const struct peer *guide, uint32_t sources,
			  const char *why_not_synced);

#endif
