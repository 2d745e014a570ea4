/* Whom to ask, out of more nodes than anybody should ask: by distance and
 * spread.
 *
 * Near ones measure best: half of the places go to them. The rest is spread
 * over all distances, so that a region that is cut off or wrong is noticed and
 * every node reaches every other over a few hops. Which of many equals it is
 * depends on the asker, so that the load is spread too.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_CHOOSE_H
#define RAFTFS_TIMESYNCD_CORE_CHOOSE_H

#include <stdint.h>

#include "common/prng.h"

struct candidate {
	uint32_t id;
	int64_t rtt_ns; /* as far as known; equal ones are drawn by lot */
};

/* Up to `places` ids into chosen[]; returns how many. The candidates are left
 * in order of distance. prng: the asker's own. */
uint32_t choose_peers(struct candidate *candidates, uint32_t count,
		      uint32_t *chosen, uint32_t places, struct prng *prng);

#endif
