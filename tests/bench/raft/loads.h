/* Figures under load, ours and etcd's by the same code. */
#ifndef RAFTFS_TESTS_BENCH_RAFT_LOADS_H
#define RAFTFS_TESTS_BENCH_RAFT_LOADS_H

#include "tests/bench/raft/cluster.h"
#include "tests/bench/raft/driver.h"

/* put and lread (linearizable) by 1, 16, 64 and 256 clients: ops_s, p50_us,
 * p99_us; for 256 writers and 64 readers also the CPU time of the processes
 * that serve them, per operation. */
void loads_run(const char *prefix, const struct driver_protocol *protocol,
	       uint16_t port, const pid_t *pids, unsigned int pid_count);

/* All of that for our cluster; also what a lease read costs in messages more
 * than are sent anyway, and in syncs, counted by the raftds. */
void loads_run_ours(const struct cluster *cluster, uint32_t leader);

/* CPU of an idle process, in percent of a core. */
void loads_run_idle(const char *prefix, const pid_t *pids,
		    unsigned int pid_count);

#endif
