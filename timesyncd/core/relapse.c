/* Counting breaks, and how long none must follow. */
#include "timesyncd/core/relapse.h"

#include "common/units.h"

/* A pause is seen by the host and by the peers, and once more when it comes in
 * the middle of measuring anew. */
#define PARDONED    3
#define DOUBLINGS   6
#define QUIET_NS    (1500 * NS_PER_MS)
#define FORGIVEN_NS (2 * (QUIET_NS << DOUBLINGS))

bool relapse_note(struct relapse *relapse, int64_t raw_ns)
{
	if (raw_ns - relapse->last_ns > FORGIVEN_NS)
		relapse->breaks = 0;
	relapse->last_ns = raw_ns;
	if (relapse->breaks < PARDONED + DOUBLINGS)
		relapse->breaks++;
	else
		return false;
	return relapse->breaks == PARDONED + 1;
}

bool relapse_is_habit(const struct relapse *relapse, int64_t raw_ns)
{
	if (relapse->breaks <= PARDONED)
		return false;
	return raw_ns - relapse->last_ns <
	       QUIET_NS << (relapse->breaks - PARDONED);
}
