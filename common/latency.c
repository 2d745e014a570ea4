/* A histogram of durations: four buckets to each power of two. */
#include "common/latency.h"

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int power;

	if (ns < 4)
		return (unsigned int)ns;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	return power * 4 + (unsigned int)((ns >> (power - 2)) & 3) - 4;
}

/* The first duration beyond the bucket. */
static uint64_t upper_edge(unsigned int bucket)
{
	unsigned int power = (bucket + 4) / 4;

	if (bucket < 4)
		return bucket + 1;
	if (power >= 62)
		return INT64_MAX;
	return (uint64_t)(4 + (bucket & 3) + 1) << (power - 2);
}

static void forget_half(struct latency *latency)
{
	latency->count = 0;
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		latency->in_bucket[i] /= 2;
		latency->count += latency->in_bucket[i];
	}
}

void latency_add(struct latency *latency, int64_t duration_ns)
{
	uint64_t ns = duration_ns > 0 ? (uint64_t)duration_ns : 0;

	latency->in_bucket[bucket_of(ns)]++;
	latency->count++;
	if (latency->window > 0 && latency->count >= 2 * latency->window)
		forget_half(latency);
}

/* 0: there is none. */
static int64_t by_rank_ns(const struct latency *latency, uint64_t rank)
{
	uint64_t seen = 0;

	for (unsigned int i = 0; i < LATENCY_BUCKETS && rank > 0; i++) {
		seen += latency->in_bucket[i];
		if (seen >= rank)
			return (int64_t)upper_edge(i);
	}
	return 0;
}

static uint64_t rank_of(const struct latency *latency, unsigned int permille)
{
	uint64_t rank = (latency->count * permille + 999) / 1000;

	return rank > 0 || latency->count == 0 ? rank : 1;
}

int64_t latency_percentile_ns(const struct latency *latency,
			      unsigned int permille)
{
	return by_rank_ns(latency, rank_of(latency, permille));
}

int64_t latency_high_ns(const struct latency *latency, unsigned int permille)
{
	uint64_t rank = rank_of(latency, permille);

	if (rank == latency->count && rank > 0)
		rank--;
	return by_rank_ns(latency, rank);
}
