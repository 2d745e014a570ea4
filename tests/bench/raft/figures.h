/* Figures: one line each, "figure NAME VALUE". */
#ifndef RAFTFS_TESTS_BENCH_RAFT_FIGURES_H
#define RAFTFS_TESTS_BENCH_RAFT_FIGURES_H

#include <stdint.h>
#include <sys/types.h>

/* "figure PREFIXraft.NAME value": prefix "" is ours. */
void figure(const char *prefix, double value, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

/* Median and greatest of them, as NAME.median_ms and NAME.max_ms. Sorts. */
void figure_gaps(const char *name, int64_t *gaps_ns, unsigned int count);

/* CPU time of all threads of these processes so far. */
uint64_t figure_cpu_ns(const pid_t *pids, unsigned int count);

/* The same of one thread or process, in percent of a core, over `seconds`. */
double figure_percent(uint64_t cpu_ns, unsigned int seconds);

#endif
