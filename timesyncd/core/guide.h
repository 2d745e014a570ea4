/* Whose estimate is followed, and what it and those beside it estimate.
 *
 * The carrier measured directly and the same by another node that measures it
 * have independent errors: loops of the mesh (combine.h).
 */
#ifndef RAFTFS_TIMESYNCD_CORE_GUIDE_H
#define RAFTFS_TIMESYNCD_CORE_GUIDE_H

#include "timesyncd/core/combine.h"
#include "timesyncd/core/select.h"
#include "timesyncd/core/state.h"

/* The witness to follow, of those that agree (bits by index): the leader (index;
 * -1: none), unless its way is in doubt and another measures it; else the one
 * with fewest nodes between, so that estimates never follow each other in a
 * circle; of those the one that knows best. NULL: nobody. */
const struct peer *guide_find(const struct timesync *t, int leader,
			      const struct select_voice *voices,
			      uint32_t agreeing_mask);

/* Where the timeline is, by the guide and by the others that agree. */
struct estimate guide_estimate(const struct timesync *t, int64_t raw_ns,
			       const struct peer *guide);

/* Who does not say is taken for one that measures the carrier itself. */
uint32_t guide_stratum(const struct peer *peer);

#endif
