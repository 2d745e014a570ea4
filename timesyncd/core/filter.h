/* The clock filter of one peer: its last exchanges, and what they say together.
 *
 * Interval: each sample proves one, each ages by rho; all are true, so the
 * truth lies in the intersection. An empty intersection proves that one of the
 * two clocks broke its promise.
 *
 * Estimate: the corridor (corridor.h), a line between the least of each
 * direction. For both, a burst is one sample: the intersection of its proofs,
 * and the least of each direction.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_FILTER_H
#define RAFTFS_TIMESYNCD_CORE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/interval.h"
#include "timesyncd/core/corridor.h"
#include "timesyncd/core/exchange.h"

#define FILTER_HISTORY_MAX 64
/* Samples closer than this to the one before belong to one burst. */
#define FILTER_BURST_NS	   (50 * INT64_C(1000000))

struct filter {
	struct exchange_sample ring[FILTER_HISTORY_MAX];
	uint32_t capacity; /* 1..FILTER_HISTORY_MAX */
	uint32_t count;
	uint32_t next_index;
	struct corridor corridor;
	bool drift_known; /* to a ppm or so: no longer a guess */
	bool surprised;	  /* an exchange did not fit; the reader's to clear */
};

/* capacity is clipped to 1..FILTER_HISTORY_MAX. */
void filter_init(struct filter *filter, uint32_t capacity,
		 double prior_drift_ppb);

/* Forget all samples; the drift stays as the prior. */
void filter_clear(struct filter *filter);

/* Keep what is proven, and estimate anew: what comes takes another way. */
void filter_estimate_anew(struct filter *filter);

/* Take one more sample, not older than the last. steers: it may move the
 * estimate; else it only proves, unless nothing else is known. False: it
 * contradicts the others (both intervals in *held and *met); they are dropped,
 * it stays. */
bool filter_add(struct filter *filter, const struct exchange_sample *sample,
		int64_t rho_ppb, bool steers, struct interval *held,
		struct interval *met);

/* Intersection at raw_ns; never empty when count > 0, empty else. */
struct interval filter_interval_at(const struct filter *filter, int64_t raw_ns,
				   int64_t rho_ppb);

/* Peer's raw minus ours at raw_ns, estimated; 0 while count is 0. */
int64_t filter_offset_at(const struct filter *filter, int64_t raw_ns);

/* Its rate: 1 ppb is a nanosecond more a second. */
double filter_drift_ppb(const struct filter *filter);

/* Newest (or newest burst) and minimum-delay samples; NULL while count is 0. */
const struct exchange_sample *filter_newest(const struct filter *filter);
const struct exchange_sample *filter_best(const struct filter *filter);

#endif
