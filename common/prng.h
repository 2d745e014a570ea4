/* A seeded generator for cores and simulator: xoshiro256**, seeded by
 * splitmix64. Not for secrets. */
#ifndef RAFTFS_COMMON_PRNG_H
#define RAFTFS_COMMON_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t s[4];
};

void prng_seed(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);

/* Uniform in [0, below); 0 when below is 0. */
uint64_t prng_below(struct prng *prng, uint64_t below);

/* Uniform in [0, 1). */
double prng_unit(struct prng *prng);

#endif
