/* A mean weighted by inverse variances, around a guide. */
#include "timesyncd/core/combine.h"

#include <math.h>

#include "common/check.h"

/* Two estimates further apart than this do not measure the same. */
#define AGREE_SIGMAS 3.0
/* Stamps are no better, whatever a fit says of itself. */
#define SIGMA_LEAST_NS 50.0

static double variance(const struct estimate *estimate)
{
	return estimate->sigma_ns * estimate->sigma_ns +
	       SIGMA_LEAST_NS * SIGMA_LEAST_NS;
}

struct estimate combine_estimates(const struct estimate *estimates,
				  uint32_t count)
{
	const struct estimate *guide = &estimates[0];
	double weight = 0, offset_ns = 0, drift_ppb = 0;

	CHECK(count >= 1);
	for (uint32_t i = 0; i < count; i++) {
		double beside_ns =
			(double)(estimates[i].offset_ns - guide->offset_ns);
		double apart = variance(guide) + variance(&estimates[i]);
		double w = 1 / variance(&estimates[i]);

		if (beside_ns * beside_ns > AGREE_SIGMAS * AGREE_SIGMAS * apart)
			continue;
		weight += w;
		offset_ns += w * beside_ns;
		drift_ppb += w * estimates[i].drift_ppb;
	}
	return (struct estimate){
		.offset_ns = guide->offset_ns + llround(offset_ns / weight),
		.drift_ppb = drift_ppb / weight,
		.sigma_ns = sqrt(1 / weight),
	};
}
