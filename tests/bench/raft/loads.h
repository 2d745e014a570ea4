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

/* What one client cannot beat here: an echo over TCP, and a durable write on
 * the disk of `dir`. Measured at several times of a run, for a disk has its
 * moods; the lowest medians are floor.echo_us and floor.sync_us. */
struct loads_floors {
	int64_t echo_ns; /* 0: not measured yet */
	int64_t sync_ns;
};
void loads_measure_floors(struct loads_floors *floors, const char *dir,
			  uint16_t port);
void loads_tell_floors(const struct loads_floors *floors);

/* CPU of an idle process, in percent of a core. */
void loads_run_idle(const char *prefix, const pid_t *pids,
		    unsigned int pid_count);

#endif
