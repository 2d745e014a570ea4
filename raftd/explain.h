/* Why the values in force are what they are, in words for people. */
#ifndef RAFTFS_RAFTD_EXPLAIN_H
#define RAFTFS_RAFTD_EXPLAIN_H

#include <stdint.h>

#include "common/os/config.h"
#include "raftd/core/raft.h"

#define EXPLAIN_BYTES 200

struct explain {
	/* which of its causes is in force, then all of them with limits */
	char timeout[EXPLAIN_BYTES];
	char heartbeat[EXPLAIN_BYTES];
	char slots[EXPLAIN_BYTES];
	char lease[EXPLAIN_BYTES];
	char setting[EXPLAIN_BYTES]; /* how long leases last, and why */
	char handed_over[EXPLAIN_BYTES];
};

/* One sentence each for `raftfs status raft`; handed_over is "" when this node
 * never handed over by itself.
 *
 *   handed_over_to  the name of whom the last hand-over went to
 *   now_raw_ns      when: the view's instants are told as distances from it
 *
 * Pure, never fails; what does not fit is cut. */
void explain(const struct raft_view *view, const struct config *config,
	     const char *handed_over_to, int64_t now_raw_ns,
	     struct explain *explain);

/* explain->setting alone. */
void explain_setting(const struct raft_view *view, struct explain *explain);

#endif
