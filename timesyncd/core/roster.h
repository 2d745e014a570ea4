/* Who is asked at present, where there are more nodes than max_peers: the
 * carrier of the timeline, and a choice of the others by distance and spread
 * (choose.h), made anew from time to time.
 *
 * Distance is the least round trip of late. Who was never measured comes first,
 * who does not answer last. References outside the cluster are always asked and
 * take nobody's place.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_ROSTER_H
#define RAFTFS_TIMESYNCD_CORE_ROSTER_H

#include <stdint.h>

#include "common/prng.h"
#include "timesyncd/core/peer.h"

struct roster {
	uint32_t places;       /* max_peers */
	uint32_t leader;       /* its id; 0: none that would be asked */
	const int64_t *gap_ns; /* by index; not 0: a reference */
};

/* Sets `chosen` of each peer. */
void roster_choose(const struct roster *roster, struct peer *peers,
		   uint32_t count, struct prng *prng);

#endif
