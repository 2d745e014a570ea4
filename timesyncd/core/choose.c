/* Half of them near, the others one from each stretch of the distance. */
#include "timesyncd/core/choose.h"

#include <stdlib.h>

static int by_distance(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->rtt_ns > y->rtt_ns) - (x->rtt_ns < y->rtt_ns);
}

/* Equal distances in any order, so that not all ask the same ones. */
static void shuffle(struct candidate *candidates, uint32_t count,
		    struct prng *prng)
{
	for (uint32_t i = count; i > 1; i--) {
		uint32_t other = (uint32_t)prng_below(prng, i);
		struct candidate held = candidates[i - 1];

		candidates[i - 1] = candidates[other];
		candidates[other] = held;
	}
}

uint32_t choose_peers(struct candidate *candidates, uint32_t count,
		      uint32_t *chosen, uint32_t places, struct prng *prng)
{
	uint32_t near_count, far_count, taken = 0;

	shuffle(candidates, count, prng);
	if (count > 0) /* else candidates may be NULL */
		qsort(candidates, count, sizeof(*candidates), by_distance);
	if (places > count)
		places = count;
	near_count = (places + 1) / 2;
	far_count = places - near_count;
	while (taken < near_count) {
		chosen[taken] = candidates[taken].id;
		taken++;
	}
	for (uint32_t i = 0; i < far_count; i++) {
		uint32_t rest = count - near_count;
		uint32_t from =
			near_count + (uint32_t)((uint64_t)rest * i / far_count);
		uint32_t to = near_count +
			      (uint32_t)((uint64_t)rest * (i + 1) / far_count);

		chosen[taken++] =
			candidates[from + prng_below(prng, to - from)].id;
	}
	return taken;
}
