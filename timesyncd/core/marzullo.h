/* Truechimers and falsetickers: what a majority of clocks agrees on.
 *
 * Marzullo's and RFC 5905's intersection, in the form that stays true while
 * fewer than half of the claims are wrong: the hull of all points that a
 * majority of the claims covers. (The region of *most* overlap is narrower but
 * can be pulled off the truth by one liar who overlaps cleverly.)
 */
#ifndef RAFTFS_TIMESYNCD_CORE_MARZULLO_H
#define RAFTFS_TIMESYNCD_CORE_MARZULLO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/interval.h"

#define MARZULLO_CLAIMS_MAX 32

struct selection {
	struct interval interval;   /* empty when no majority agrees */
	uint32_t truechimers;	    /* claims that meet it */
	uint32_t falsetickers;	    /* claims that do not */
	uint32_t truechimer_mask;   /* bit i: claims[i] meets it */
};

/* Empty claims agree with nothing. count <= MARZULLO_CLAIMS_MAX; may be 0. */
struct selection marzullo_select(const struct interval *claims, uint32_t count);

static inline bool selection_has(const struct selection *s, uint32_t i)
{
	return (s->truechimer_mask >> i & 1) != 0;
}

#endif
