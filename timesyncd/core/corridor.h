/* The corridor: an offset and a drift from one-sided noise.
 *
 * A request can only be late, so T2 - T1 lies above the true difference of the
 * two clocks by the path's delay and whatever queued; T3 - T4 lies below it in
 * the same way. Drawn over time the first are a cloud above a line, the second
 * a cloud below one; the least of each direction touch two parallel lines, the
 * walls of a corridor, and the difference runs in its middle where the two ways
 * take equally long at best.
 *
 * For a drift f the walls are U(f) = min(upper - f x) and L(f) = max(lower -
 * f x), hulls both. With exponential queues of mean b the likelihood of f is
 * that of the excesses, exp(-sum (excess / b)); it is concave in f, and the
 * estimate is the mean of (U + L) / 2 and of f under it. Averages would use
 * every packet's queue; this uses the packets that met none.
 *
 * Drifts wander: a point of age a counts only up to wander * a^1.5 / sqrt(3),
 * what a random walk of the rate does to an offset (one sigma). The wander is
 * learnt: residuals beyond what it explains raise it, so the memory is as long
 * as the clocks allow. A residual far beyond it drops the past.
 *
 * Statistics only. No bound rests on anything here.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_CORRIDOR_H
#define RAFTFS_TIMESYNCD_CORE_CORRIDOR_H

#include <stdbool.h>
#include <stdint.h>

#define CORRIDOR_POINTS 48
#define CORRIDOR_TRIPS	64

struct corridor_wall {
	struct {
		int64_t at_ns; /* our raw */
		int64_t y_ns;
	} points[CORRIDOR_POINTS]; /* oldest first */
	uint32_t count;
	double queue_ns; /* mean excess: b above */
};

struct corridor {
	struct corridor_wall upper, lower;
	int64_t trips_ns[CORRIDOR_TRIPS]; /* upper - lower: no clock in it */
	uint32_t trip_count;		  /* of all so far */
	double prior_drift_ppb, prior_spread_ppb;
	double wander_ppb; /* per square root of a second */
	/* The fit, refreshed by corridor_add(). */
	int64_t at_ns; /* newest point */
	int64_t offset_ns;
	double drift_ppb;
	double offset_sigma_ns, drift_sigma_ppb;
	double width_ns;      /* between the walls */
	double queue_ns;      /* mean of one way's, from round trips */
	double least_trip_ns; /* what the walls must leave between them */
	uint64_t surprises;
};

void corridor_init(struct corridor *corridor, double prior_drift_ppb,
		   double prior_spread_ppb);

/* One exchange, or the least of each direction over a burst, at our raw
 * instant at_ns, not before the last: other minus ours is at most upper_ns
 * less the delay there and at least lower_ns plus the delay back. False: it
 * does not fit what was predicted; the past was dropped. An instant less than
 * merge_ns after the last point's is of the same burst. */
bool corridor_add(struct corridor *corridor, int64_t at_ns, int64_t upper_ns,
		  int64_t lower_ns, int64_t merge_ns);

/* Other minus ours by the fit; 0 without points. */
int64_t corridor_offset_at(const struct corridor *corridor, int64_t raw_ns);

/* One sigma of that, as the fit sees it: a wrong model is not in it. */
double corridor_sigma_at_ns(const struct corridor *corridor, int64_t raw_ns);

#endif
