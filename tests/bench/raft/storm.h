/* Nothing fails, but the host makes everything late: the storm itself is the
 * caller's. */
#ifndef RAFTFS_TESTS_BENCH_RAFT_STORM_H
#define RAFTFS_TESTS_BENCH_RAFT_STORM_H

#include "tests/bench/raft/cluster.h"
#include "tests/bench/raft/driver.h"

/* One client that writes, and rests, for so long: storm.elections, by the term;
 * storm.silence_max_ms, the longest a follower heard nothing of a leader it
 * followed; storm.stall_max_ms, the longest turn of a raftd's loop;
 * storm.hurried_s, turns that needed its guard; storm.host_late_max_ms, how
 * late a core was with a thread of high real-time priority; storm.writes_s, and
 * storm.slowest_ms of them. */
void storm_run(const struct cluster *cluster, unsigned int seconds);

/* The same client on somebody else's cluster: the last two. */
void storm_write(const char *prefix, const struct driver_protocol *protocol,
		 uint16_t port, unsigned int seconds);

#endif
