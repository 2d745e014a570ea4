/* What raftd allocates while it serves. */
#ifndef RAFTFS_TESTS_BENCH_RAFT_ALLOCATIONS_H
#define RAFTFS_TESTS_BENCH_RAFT_ALLOCATIONS_H

#include <stdbool.h>

#include "tests/bench/raft/cluster.h"

/* Calls of malloc and its like in all raftds, which run under the shim
 * tests/system/shim/allocations.c that counts into `dir`, for as many writes,
 * then for as many reads by way of a follower. Prints both counts; true when
 * neither grows with the number of operations. */
bool allocations_stay(const struct cluster *cluster, const char *dir);

#endif
