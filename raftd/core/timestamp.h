/* The time an entry gets: on the leader's own raw clock, never backwards.
 *
 * A leader of term t opens timeline (epoch) t with its first entry: from that
 * instant on, time of epoch t = ts + (its raw clock - raw). Followers measure
 * it; the leader's own error is 0 (SAFETY.md I1, I3, I4).
 */
#ifndef RAFTFS_RAFTD_CORE_TIMESTAMP_H
#define RAFTFS_RAFTD_CORE_TIMESTAMP_H

#include "raftd/core/raft.h"

/* How far a stamp may run ahead of its timeline, when more entries than
 * nanoseconds went by. Beyond it the leader refuses commands for a moment. */
#define TIMESTAMP_LEAD_MAX_NS INT64_C(100000)

struct timeline {
	uint64_t epoch; /* 0: this node carries none */
	int64_t raw_ns; /* its first instant, on this node's raw clock */
	int64_t ts_ns;	/* and on its own */
};

/* Open epoch `term` so that time never falls behind what was promised.
 *
 *   last  stamp of the log's last entry; epoch 0: the log is empty
 *   old   what is known of the timeline so far, at now; may be empty
 *   cold  nobody who could know more has carried it since it started
 *
 * I4: the new time is max(high end of old, last ts + 1). The wall clock joins
 * in only at a cold start with old unknown, or for the very first timeline:
 * after an outage time goes on from now, not from where it stopped. */
struct timeline timestamp_open(uint64_t term, const struct raft_now *now,
			       struct raft_stamp last, struct interval old,
			       bool cold);

/* The epoch's time at a raw instant not before its first. */
int64_t timestamp_at(const struct timeline *timeline, int64_t raw_ns);

/* The stamp of the next entry, above `last`. */
struct raft_stamp timestamp_next(const struct timeline *timeline,
				 int64_t raw_ns, struct raft_stamp last);

/* Has stamping run so far ahead that commands must wait? */
bool timestamp_is_ahead(const struct timeline *timeline, int64_t raw_ns,
			struct raft_stamp last);

#endif
