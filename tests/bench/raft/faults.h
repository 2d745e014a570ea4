/* Figures of failures, and of their absence. */
#ifndef RAFTFS_TESTS_BENCH_RAFT_FAULTS_H
#define RAFTFS_TESTS_BENCH_RAFT_FAULTS_H

#include "tests/bench/raft/cluster.h"

/* kill -9 of the leader's raftd, so many times: to the first write through the
 * others that began after it. kill.median_ms, kill.max_ms. */
void faults_run_kills(struct cluster *cluster, unsigned int rounds);

/* The same by SIGSTOP: it says nothing any more, and nobody says that it is
 * dead. pause.* */
void faults_run_pauses(struct cluster *cluster, unsigned int rounds);

/* Reads of random keys that are all asked the moment a paused leader's
 * successor leads, while writes are under way: PREFIX.reads_5ms_percent are
 * answered within 5 ms (settled_5ms_percent: of the same asked of a leader long
 * in office), reads_100ms_percent within 100 (what is left waits for
 * a command in limbo), first_write_ms after which (median) it takes writes;
 * inherited: so often there were such commands. */
void faults_run_limbo(struct cluster *cluster, const char *prefix,
		      unsigned int rounds);

/* Nobody asks anything: idle.cpu_percent, idle.leader_cpu_percent,
 * idle.fsyncs_s. */
void faults_run_idle(struct cluster *cluster);

#endif
