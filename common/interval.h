/* An interval of time that certainly contains the instant it speaks of. */
#ifndef RAFTFS_COMMON_INTERVAL_H
#define RAFTFS_COMMON_INTERVAL_H

#include <stdbool.h>
#include <stdint.h>

/* Closed on both ends; low_ns > high_ns is the empty interval. */
struct interval {
	int64_t low_ns;
	int64_t high_ns;
};

static inline bool interval_is_empty(struct interval a)
{
	return a.low_ns > a.high_ns;
}

static inline bool interval_contains(struct interval a, int64_t t_ns)
{
	return a.low_ns <= t_ns && t_ns <= a.high_ns;
}

static inline struct interval interval_intersect(struct interval a,
						 struct interval b)
{
	return (struct interval){
		.low_ns = a.low_ns > b.low_ns ? a.low_ns : b.low_ns,
		.high_ns = a.high_ns < b.high_ns ? a.high_ns : b.high_ns,
	};
}

/* Grow by by_ns on both sides; by_ns >= 0. */
static inline struct interval interval_widen(struct interval a, int64_t by_ns)
{
	return (struct interval){ a.low_ns - by_ns, a.high_ns + by_ns };
}

/* Move both ends. */
static inline struct interval interval_shift(struct interval a, int64_t by_ns)
{
	return (struct interval){ a.low_ns + by_ns, a.high_ns + by_ns };
}

#endif
