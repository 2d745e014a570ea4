/* How long a loop stays away from its descriptors: the time between two polls
 * in which everybody else waits. */
#ifndef RAFTFS_COMMON_OS_STALL_H
#define RAFTFS_COMMON_OS_STALL_H

#include <ev.h>
#include <stdint.h>

/* Longer than this is too long: a heartbeat or a lease may depend on it. */
#define STALL_LONG_NS INT64_C(50000000)

struct stall {
	int64_t max_ns;	     /* since stall_start() */
	uint64_t long_count; /* those over STALL_LONG_NS */

	/* its own */
	struct ev_check awake;
	struct ev_prepare asleep;
	int64_t awake_raw_ns;
};

/* Before the watchers it is to measure; the first to hear that the loop is
 * awake, the last before it sleeps. */
void stall_start(struct stall *stall, struct ev_loop *loop);
void stall_stop(struct stall *stall, struct ev_loop *loop);

#endif
