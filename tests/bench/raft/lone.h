/* One client, one write at a time, beside its floors and in turns with them. */
#ifndef RAFTFS_TESTS_BENCH_RAFT_LONE_H
#define RAFTFS_TESTS_BENCH_RAFT_LONE_H

#include "tests/bench/raft/cluster.h"

/* So many short rounds, each of floors and of writes: the ratio of a round is of
 * one mood of host and disk, and the median of the ratios says what the path
 * adds. put.1.p50_us, floor.*, and put.1.ratio_floor over two echoes and a
 * durable write. */
void lone_run(const struct cluster *cluster, const char *dir, uint16_t port,
	      unsigned int rounds);

#endif
