/* The combination: several estimates of one offset, weighted by what each is
 * worth.
 *
 * The reference measured directly and the same through another node that
 * measures it too close a loop: A-B and A-C-B. Their errors are independent,
 * so both together are better than either; the way through a third carries two
 * errors and weighs less. An estimate that is further from the first than the
 * sigmas explain has another cause than noise and is left out.
 *
 * Statistics only. No bound rests on anything here.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_COMBINE_H
#define RAFTFS_TIMESYNCD_CORE_COMBINE_H

#include <stdint.h>

struct estimate {
	int64_t offset_ns;
	double drift_ppb;
	double sigma_ns; /* of offset_ns */
};

/* estimates[0] is the guide, the others are set beside it; count >= 1. */
struct estimate combine_estimates(const struct estimate *estimates,
				  uint32_t count);

#endif
