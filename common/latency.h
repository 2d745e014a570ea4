/* Percentiles of many durations in little memory: a histogram whose buckets
 * grow by a quarter, so that an answer is at most 25 % high. */
#ifndef RAFTFS_COMMON_LATENCY_H
#define RAFTFS_COMMON_LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS 256

struct latency {
	uint64_t window; /* forget: when twice as many were added, all counts
			  * are halved. 0: never */
	uint64_t count;
	uint64_t in_bucket[LATENCY_BUCKETS];
};

/* A negative duration counts as 0. */
void latency_add(struct latency *latency, int64_t duration_ns);

/* The upper edge of the bucket below which `permille` of 1000 lie; 0 when
 * nothing was added. */
int64_t latency_percentile_ns(const struct latency *latency,
			      unsigned int permille);

/* The same, but never for the single longest: one accident shows nothing. 0
 * when fewer than two were added. */
int64_t latency_high_ns(const struct latency *latency, unsigned int permille);

#endif
