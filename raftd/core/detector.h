/* How long a leader that lives may be silent: learnt from how it arrives here.
 *
 * What delays a heartbeat - the leader's loop, the network, this node's own
 * loop, a busy host - shows in one figure, the time between two of its
 * messages. Silences are cut into blocks of time and the longest of each block
 * counts, so that a stream of data does not hide what happens once a second.
 * The limit is twice what all but one block in a hundred stayed below, and so
 * about all but one heartbeat in a thousand (phi accrual, Hayashibara 2004,
 * without assuming a distribution). It forgets within a minute.
 *
 * Raw durations only (I12).
 */
#ifndef RAFTFS_RAFTD_CORE_DETECTOR_H
#define RAFTFS_RAFTD_CORE_DETECTOR_H

#include <stdint.h>

#include "common/latency.h"

struct detector {
	struct latency longest; /* of each block */
	uint64_t term;		/* whose leader was heard last */
	int64_t heard_raw_ns;
	int64_t block_from_raw_ns;
	int64_t block_longest_ns;
	int64_t high_ns; /* of the blocks; 0: too few */
	int64_t most_ns; /* the longest of all, of this leader */
};

/* A message of that term's leader. The first one ends no silence; one that
 * comes after it was given up does. */
void detector_heard(struct detector *detector, uint64_t term, int64_t raw_ns);

/* Longer than this it is not silent while it lives; 0: not known yet. */
int64_t detector_limit_ns(const struct detector *detector);

#endif
