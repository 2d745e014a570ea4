/* One reading of the interval, for inlining into rfsclock.c: there a call or a
 * division costs as much as the work.
 *
 * The clock is read first, so that the loads of the page overlap with it. That
 * is as good as the other order: a sample speaks of every instant from its asof
 * (its base) on, whenever it was written, and a younger one is turned down. The
 * caller has examined the sample of number `seq` once (quality, line): what
 * does not change while seq stands is not examined again.
 */
#ifndef RAFTFS_SHM_CLOCKREAD_H
#define RAFTFS_SHM_CLOCKREAD_H

#include <stdbool.h>
#include <time.h>

#include "common/os/tsc.h"
#include "common/units.h"
#include "shm/clockpage.h"
#include "shm/rfsclock.h"
#include "shm/seqlock.h"

/* Guessed right, a branch is cheaper than its absence. */
#define CLOCKREAD_LIKELY(fact) __builtin_expect((fact), 1)

#define CLOCKREAD_INLINE static inline __attribute__((always_inline))

/* age * mult / 2^64, rounded down. */
CLOCKREAD_INLINE int64_t clockread_scale(uint64_t age, uint64_t mult)
{
	return (int64_t)((unsigned __int128)age * mult >> 64);
}

CLOCKREAD_INLINE int64_t clockread_move(int64_t age, int64_t mult)
{
	return (int64_t)((__int128)age * mult >> 64);
}

CLOCKREAD_INLINE void clockread_rest(const struct clockpage *page,
				     struct rfsclock_interval *now)
{
	now->epoch = SEQLOCK_GET(page->epoch);
	now->quality = SEQLOCK_GET(page->quality);
	now->disruptions = SEQLOCK_GET(page->disruptions);
}

/* Where the line of sample number `seq` is at `cycles`. False: *now is
 * undefined; there is another sample, or no line for this instant. */
CLOCKREAD_INLINE bool clockread_tsc(const struct clockpage *page, uint64_t seq,
				    uint64_t cycles,
				    struct rfsclock_interval *now)
{
	if (!CLOCKREAD_LIKELY(SEQLOCK_GET(page->seq) == seq))
		return false;

	uint64_t age = cycles - SEQLOCK_GET(page->tsc_base);
	int64_t middle_ns =
		SEQLOCK_GET(page->tsc_cluster_ns) +
		clockread_scale(age, SEQLOCK_GET(page->tsc_mult));
	int64_t half_ns = SEQLOCK_GET(page->tsc_half_ns) +
			  clockread_scale(age, SEQLOCK_GET(page->tsc_growth));

	now->earliest_ns = middle_ns - half_ns;
	now->latest_ns = middle_ns + half_ns;
	clockread_rest(page, now);
	/* A counter that went back is as good as one that ran away. */
	return CLOCKREAD_LIKELY(age < SEQLOCK_GET(page->tsc_life)) &&
	       CLOCKREAD_LIKELY(SEQLOCK_GET(page->seq) == seq);
}

/* The same at a reading of CLOCK_MONOTONIC_RAW, of a sample with a bound. */
CLOCKREAD_INLINE bool clockread_raw(const struct clockpage *page, uint64_t seq,
				    const struct timespec *raw,
				    struct rfsclock_interval *now)
{
	/* Seconds are known before nanoseconds: whatever does not need the
	 * latter is put together apart. */
	int64_t second_ns = raw->tv_sec * NS_PER_SEC;
	int64_t rest_ns = raw->tv_nsec;

	if (!CLOCKREAD_LIKELY(SEQLOCK_GET(page->seq) == seq))
		return false;

	int64_t asof_ns = SEQLOCK_GET(page->asof_ns);
	int64_t life_ns = SEQLOCK_GET(page->void_after_ns) - asof_ns;
	int64_t age_ns = second_ns - asof_ns + rest_ns;

	now->earliest_ns =
		second_ns + SEQLOCK_GET(page->low_ns) + rest_ns +
		clockread_move(age_ns, SEQLOCK_GET(page->low_mult));
	now->latest_ns =
		second_ns + SEQLOCK_GET(page->high_ns) + rest_ns +
		clockread_move(age_ns, SEQLOCK_GET(page->high_mult));
	clockread_rest(page, now);
	/* A negative age is beyond any life, too. */
	return CLOCKREAD_LIKELY((uint64_t)age_ns < (uint64_t)life_ns) &&
	       CLOCKREAD_LIKELY(SEQLOCK_GET(page->seq) == seq);
}

#endif
