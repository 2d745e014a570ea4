/* Two hulls, the likelihood of a drift, and a memory that fits the clocks. */
#include "timesyncd/core/corridor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* Kernel stamps are no better than this, whatever the network is. */
#define QUEUE_LEAST_NS 200.0
/* A first guess of the queues: a part of the round trip. */
#define QUEUE_OF_DELAY	  0.05
#define QUEUE_FIRST_NS	  2000.0
#define QUEUE_GUESS_TRIPS 3.0
/* Walks of crystals' rates, per square root of a second: first and limits. */
#define WANDER_FIRST_PPB 1.5
#define WANDER_LEAST_PPB 0.5
#define WANDER_MOST_PPB	 1000.0
#define WANDER_UP	 1.5
#define WANDER_DOWN	 0.985
/* How far an old point may be off before it holds no wall: in sigmas of the
 * walk. A hull is held by its worst point, so more than one. */
#define LOOSE_SIGMAS 2.5
/* Residuals in sigmas: what raises the wander, what drops the past. */
#define STRANGE_SIGMAS	  3.0
#define IMPOSSIBLE_SIGMAS 8.0
#define IMPOSSIBLE_QUEUES 2.0
#define FEW_POINTS	  8.0
/* After that the drift may be this far from what it was. */
#define STEP_SPREAD_PPB 50000.0
/* Walls too close together, per mean queue. */
#define NARROW_COST   20.0
#define NARROW_QUEUES 0.4
/* The least of CORRIDOR_TRIPS is known this well. */
#define TRIP_SIGMA_QUEUES 0.1
/* Fewer say too little of the least. */
#define TRIPS_ENOUGH	  16
/* A drift this sure is the prior of the next fit, this much wider. */
#define DRIFT_KNOWN_PPB 1000.0
#define PRIOR_SIGMAS	10.0
/* Excesses beyond so many means are a burst's, not the queue's. */
#define BURST_QUEUES 5.0
/* The newest points are never dropped to make room. */
#define POINTS_KEPT 12
/* No drift is beyond this: the search's limits. */
#define DRIFT_MOST_PPB 1000000.0

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

void corridor_init(struct corridor *corridor, double prior_drift_ppb,
		   double prior_spread_ppb)
{
	*corridor = (struct corridor){
		.prior_drift_ppb = prior_drift_ppb,
		.prior_spread_ppb = prior_spread_ppb,
		.drift_ppb = prior_drift_ppb,
		.drift_sigma_ppb = prior_spread_ppb,
		.wander_ppb = WANDER_FIRST_PPB,
	};
}

/* -- points as the fit sees them ------------------------------------------- */

/* One wall, turned so that excess is upwards: x in seconds before the newest
 * point, y in ns from the fit's base, plus what wander may have done. */
struct side {
	double x[CORRIDOR_POINTS], y[CORRIDOR_POINTS];
	double loose_ns[CORRIDOR_POINTS], weight[CORRIDOR_POINTS];
	uint32_t count;
	double turn; /* 1: upper, -1: lower */
	double queue_ns;
};

struct sides {
	struct side upper, lower;
	const struct corridor *corridor;
};

/* a^1.5 / sqrt(3) */
static double wander_ns(double wander_ppb, double age_s)
{
	return wander_ppb * age_s * sqrt(age_s / 3);
}

static void fill_side(struct side *side, const struct corridor_wall *wall,
		      double turn, int64_t at_ns, int64_t base_ns,
		      double wander_ppb)
{
	side->count = wall->count;
	side->turn = turn;
	side->queue_ns = wall->queue_ns;
	for (uint32_t i = 0; i < wall->count; i++) {
		double x = (double)(wall->points[i].at_ns - at_ns) / 1e9;
		double loose_ns =
			LOOSE_SIGMAS * wander_ns(wander_ppb, larger(0, -x));
		double share = loose_ns / wall->queue_ns;

		side->x[i] = x;
		side->loose_ns[i] = loose_ns;
		side->y[i] = turn * (double)(wall->points[i].y_ns - base_ns) +
			     loose_ns;
		side->weight[i] = 1 / (1 + share * share);
	}
}

/* The wall for a drift: the least of y - f x, both turned. */
static double hull(const struct side *side, double drift_ppb)
{
	double slope = side->turn * drift_ppb;
	double least = side->y[0] - slope * side->x[0];

	for (uint32_t i = 1; i < side->count; i++)
		least = smaller(least, side->y[i] - slope * side->x[i]);
	return least;
}

/* Excesses over the wall, in means of the queue. */
static double strain(const struct side *side, double drift_ppb, double wall_ns)
{
	double slope = side->turn * drift_ppb;
	double sum_ns = 0;

	for (uint32_t i = 0; i < side->count; i++)
		sum_ns += side->weight[i] *
			  (side->y[i] - slope * side->x[i] - wall_ns);
	return sum_ns / side->queue_ns;
}

/* The walls for a drift, both turned. */
struct walls {
	double top, bottom;
};

/* Minus the logarithm of a drift's likelihood, prior included. Walls closer
 * than the least round trip are as good as impossible. */
static double cost_of(const struct sides *sides, double drift_ppb,
		      struct walls *walls)
{
	const struct corridor *corridor = sides->corridor;
	double off = (drift_ppb - corridor->prior_drift_ppb) /
		     corridor->prior_spread_ppb;
	double top = hull(&sides->upper, drift_ppb);
	double bottom = hull(&sides->lower, drift_ppb);
	double narrow_ns = larger(0, corridor->least_trip_ns - top - bottom);

	*walls = (struct walls){top, bottom};
	return strain(&sides->upper, drift_ppb, top) +
	       strain(&sides->lower, drift_ppb, bottom) +
	       NARROW_COST * narrow_ns / corridor->queue_ns + off * off / 2;
}

static double cost(const struct sides *sides, double drift_ppb)
{
	struct walls walls;

	return cost_of(sides, drift_ppb, &walls);
}

/* -- the fit -----------------------------------------------------------------
 */

/* An end of a range around `from` beyond which the cost only rises: it is
 * convex, so as soon as it is higher there than here. */
static double outside(const struct sides *sides, double from, double step)
{
	double here = cost(sides, from), to = from + step;

	while (fabs(to) < DRIFT_MOST_PPB && cost(sides, to) < here) {
		here = cost(sides, to);
		step *= 4;
		to += step;
	}
	return larger(-DRIFT_MOST_PPB, smaller(to, DRIFT_MOST_PPB));
}

/* The cost is convex: golden section, from where the last fit was. */
static double best_drift(const struct sides *sides)
{
	const struct corridor *corridor = sides->corridor;
	const double golden = 0.6180339887498949;
	double step = larger(1, 6 * corridor->drift_sigma_ppb);
	double low = outside(sides, corridor->drift_ppb, -step);
	double high = outside(sides, corridor->drift_ppb, step);
	double a = high - golden * (high - low);
	double b = low + golden * (high - low);
	double cost_a = cost(sides, a), cost_b = cost(sides, b);

	while (high - low > 0.01) {
		if (cost_a < cost_b) {
			high = b;
			b = a;
			cost_b = cost_a;
			a = high - golden * (high - low);
			cost_a = cost(sides, a);
		} else {
			low = a;
			a = b;
			cost_a = cost_b;
			b = low + golden * (high - low);
			cost_b = cost(sides, b);
		}
	}
	return (low + high) / 2;
}

/* exp(-x) to a percent or so, at most 1: weights need no more. */
static double fading(double x)
{
	double root = larger(0, 1 - larger(0, x) / 256);

	for (int i = 0; i < 8; i++)
		root *= root;
	return root;
}

/* How far from the best drift the likelihood is down to a hundredth or so. */
static double reach_ppb(const struct sides *sides, double best, double sign)
{
	double enough = cost(sides, best) + 4.5;
	double reach = 0.02;

	while (reach < DRIFT_MOST_PPB &&
	       cost(sides, best + sign * reach) < enough)
		reach *= 1.5;
	return reach;
}

struct moments {
	double weight, f, ff, o, oo, width;
};

static void gather(struct moments *sum, const struct walls *walls, double f,
		   double weight)
{
	double top = walls->top;
	double bottom = -walls->bottom;
	double middle = (top + bottom) / 2;

	sum->weight += weight;
	sum->f += weight * f;
	sum->ff += weight * f * f;
	sum->o += weight * middle;
	sum->oo += weight * middle * middle;
	sum->width += weight * (top - bottom);
}

/* How many points hold a wall: those that wander blurs by less than the wall is
 * off, which is the queue over their number. */
static double holders(const struct side *side)
{
	double count = side->count;

	for (int i = 0; i < 4; i++) {
		double room_ns = side->queue_ns / count;
		double sum = 0;

		for (uint32_t k = 0; k < side->count; k++) {
			double share = side->loose_ns[k] / room_ns;

			sum += 1 / (1 + share * share);
		}
		count = larger(1, (sum + count) / 2);
	}
	return count;
}

/* Given the drift, each wall is off by about its queue over its points. */
static double wall_sigma_ns(const struct sides *sides)
{
	double top = sides->upper.queue_ns / holders(&sides->upper);
	double bottom = sides->lower.queue_ns / holders(&sides->lower);

	return sqrt(top * top + bottom * bottom) / 2;
}

/* Means under the likelihood, over a grid that holds nearly all of it. */
static void average(struct corridor *corridor, const struct sides *sides,
		    int64_t base_ns)
{
	enum { STEPS = 12 };
	double best = best_drift(sides);
	double least = cost(sides, best);
	/* Points of a clock that broke its promise may fit best outside. */
	double below =
		smaller(reach_ppb(sides, best, -1), best + DRIFT_MOST_PPB);
	double above =
		smaller(reach_ppb(sides, best, 1), DRIFT_MOST_PPB - best);
	struct moments sum = {0};

	for (int i = -STEPS; i <= STEPS; i++) {
		double step = (i < 0 ? below : above) / STEPS;
		double f = best + i * step;
		double span = i == 0 ? (below + above) / 2 / STEPS : step;
		struct walls walls;
		double more = cost_of(sides, f, &walls) - least;

		gather(&sum, &walls, f, span * fading(more));
	}

	double f = sum.f / sum.weight, o = sum.o / sum.weight;
	double spread = larger(0, sum.oo / sum.weight - o * o);
	double wall_ns = wall_sigma_ns(sides);

	corridor->drift_ppb = f;
	corridor->drift_sigma_ppb =
		sqrt(larger(0, sum.ff / sum.weight - f * f));
	corridor->offset_ns = base_ns + llround(o);
	corridor->offset_sigma_ns = sqrt(spread + wall_ns * wall_ns);
	corridor->width_ns = sum.width / sum.weight;
}

/* Mean excess over the wall of the points that wander does not blur; a burst
 * counts as a long queue, and the guess as two points. */
static double mean_excess_ns(const struct side *side, double drift_ppb,
			     double guess_ns)
{
	double slope = side->turn * drift_ppb;
	double wall_ns = hull(side, drift_ppb);
	double sum_ns = 2 * guess_ns, weight = 2;

	for (uint32_t i = 0; i < side->count; i++) {
		double blur = side->loose_ns[i] / guess_ns;
		double w = 1 / (1 + blur * blur);
		double excess_ns = side->y[i] - slope * side->x[i] - wall_ns;

		sum_ns += w * smaller(excess_ns, BURST_QUEUES * guess_ns);
		weight += w;
	}
	return sum_ns / weight;
}

/* Bursts say nothing of the drift. */
static void ignore_bursts(struct side *side, double drift_ppb)
{
	double slope = side->turn * drift_ppb;
	double wall_ns = hull(side, drift_ppb);

	for (uint32_t i = 0; i < side->count; i++)
		if (side->y[i] - slope * side->x[i] - wall_ns >
		    BURST_QUEUES * side->queue_ns)
			side->weight[i] = 0;
}

static void fill_sides(struct sides *sides, const struct corridor *corridor,
		       int64_t base_ns)
{
	sides->corridor = corridor;
	fill_side(&sides->upper, &corridor->upper, 1, corridor->at_ns, base_ns,
		  corridor->wander_ppb);
	fill_side(&sides->lower, &corridor->lower, -1, corridor->at_ns, base_ns,
		  corridor->wander_ppb);
}

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Round trips have no clock in them, so they tell the queues whatever the
 * clocks do. Of two exponential queues the median is 1.68 means. */
static void learn_trips(struct corridor *corridor)
{
	uint32_t count = corridor->trip_count < CORRIDOR_TRIPS
				 ? corridor->trip_count
				 : CORRIDOR_TRIPS;
	int64_t sorted_ns[CORRIDOR_TRIPS];

	memcpy(sorted_ns, corridor->trips_ns, count * sizeof(*sorted_ns));
	qsort(sorted_ns, count, sizeof(*sorted_ns), compare_ns);

	int64_t median_ns = sorted_ns[count / 2];
	double queue_ns = (double)(median_ns - sorted_ns[0]) / 1.68;

	double guess_ns =
		larger(QUEUE_FIRST_NS, QUEUE_OF_DELAY * (double)sorted_ns[0]);

	/* The guess counts as some trips. */
	queue_ns = larger((queue_ns * count + guess_ns * QUEUE_GUESS_TRIPS) /
				  (count + QUEUE_GUESS_TRIPS),
			  QUEUE_LEAST_NS);
	/* The least of n sums of two is about this far above both delays. */
	corridor->queue_ns = queue_ns;
	corridor->least_trip_ns =
		(double)sorted_ns[0] - queue_ns * sqrt(1.6 / count);
}

/* Of the mean queue, this wall's share. */
static void learn_queues(struct corridor *corridor, const struct sides *sides)
{
	double queue_ns = corridor->queue_ns;
	double top =
		mean_excess_ns(&sides->upper, corridor->drift_ppb, queue_ns);
	double bottom =
		mean_excess_ns(&sides->lower, corridor->drift_ppb, queue_ns);

	corridor->upper.queue_ns =
		larger(QUEUE_LEAST_NS, 2 * queue_ns * top / (top + bottom));
	corridor->lower.queue_ns =
		larger(QUEUE_LEAST_NS, 2 * queue_ns * bottom / (top + bottom));
}

/* What was measured well is where the next fit starts from; loosely, so that
 * it does not count twice. */
static void learn_prior(struct corridor *corridor)
{
	if (corridor->drift_sigma_ppb > DRIFT_KNOWN_PPB)
		return;
	corridor->prior_drift_ppb = corridor->drift_ppb;
	corridor->prior_spread_ppb = larger(
		DRIFT_KNOWN_PPB, PRIOR_SIGMAS * corridor->drift_sigma_ppb);
}

static void fit(struct corridor *corridor, int64_t base_ns)
{
	struct sides sides = {0};

	learn_trips(corridor);
	fill_sides(&sides, corridor, base_ns);
	/* Once with everything, lest a wrong drift makes bursts of the truth.
	 */
	corridor->drift_ppb = best_drift(&sides);
	learn_queues(corridor, &sides);
	fill_sides(&sides, corridor, base_ns);
	ignore_bursts(&sides.upper, corridor->drift_ppb);
	ignore_bursts(&sides.lower, corridor->drift_ppb);
	average(corridor, &sides, base_ns);
	learn_prior(corridor);
}

/* -- points in and out ------------------------------------------------------
 */

static void drop(struct corridor_wall *wall, uint32_t index)
{
	wall->count--;
	for (uint32_t i = index; i < wall->count; i++)
		wall->points[i] = wall->points[i + 1];
}

/* The point that says least: furthest from the wall, wander included. */
static void make_room(struct corridor *corridor, struct corridor_wall *wall,
		      double turn)
{
	double worst = -INFINITY;
	uint32_t worst_index = 0;
	struct side side = {0};

	if (wall->count < CORRIDOR_POINTS)
		return;
	fill_side(&side, wall, turn, corridor->at_ns, corridor->offset_ns,
		  corridor->wander_ppb);
	for (uint32_t i = 0; i + POINTS_KEPT < wall->count; i++) {
		double excess =
			side.y[i] - turn * corridor->drift_ppb * side.x[i];

		if (excess > worst) {
			worst = excess;
			worst_index = i;
		}
	}
	drop(wall, worst_index);
}

static void put(struct corridor *corridor, struct corridor_wall *wall,
		double turn, int64_t at_ns, int64_t y_ns)
{
	make_room(corridor, wall, turn);
	wall->points[wall->count].at_ns = at_ns;
	wall->points[wall->count].y_ns = y_ns;
	wall->count++;
}

/* Of one burst the least queue of each direction stays. */
static void merge(struct corridor *corridor, struct corridor_wall *wall,
		  double turn, int64_t at_ns, int64_t y_ns)
{
	uint32_t last = wall->count - 1;
	int64_t moved_ns = wall->points[last].y_ns +
			   llround((double)(at_ns - wall->points[last].at_ns) *
				   corridor->drift_ppb / 1e9);

	if (turn * (double)(y_ns - moved_ns) >= 0)
		return;
	wall->points[last].at_ns = at_ns;
	wall->points[last].y_ns = y_ns;
}

/* The round trip of the newest points; a burst's has the least of both. */
static void note_trip(struct corridor *corridor)
{
	uint32_t last = corridor->upper.count - 1;

	corridor->trips_ns[(corridor->trip_count - 1) % CORRIDOR_TRIPS] =
		corridor->upper.points[last].y_ns -
		corridor->lower.points[corridor->lower.count - 1].y_ns;
}

/* -- residuals ---------------------------------------------------------------
 */

/* How far outside the corridor a new exchange puts the difference, in ns. */
static double residual_ns(const struct corridor *corridor, int64_t at_ns,
			  int64_t upper_ns, int64_t lower_ns)
{
	double here = (double)(corridor_offset_at(corridor, at_ns) - lower_ns);
	double room = (double)(upper_ns - lower_ns);
	double half = corridor->least_trip_ns / 2;

	return larger(0, larger(half - here, here - (room - half)));
}

double corridor_sigma_at_ns(const struct corridor *corridor, int64_t raw_ns)
{
	double age_s = larger(0, (double)(raw_ns - corridor->at_ns) / 1e9);
	double drift_ns = corridor->drift_sigma_ppb * age_s;
	double walk_ns = wander_ns(corridor->wander_ppb, age_s);

	return sqrt(corridor->offset_sigma_ns * corridor->offset_sigma_ns +
		    drift_ns * drift_ns + walk_ns * walk_ns);
}

static double hypot_ns(double a, double b)
{
	return sqrt(a * a + b * b);
}

static void forget(struct corridor *corridor, double spread_ppb)
{
	double drift_ppb = corridor->drift_ppb;
	uint64_t surprises = corridor->surprises + 1;

	corridor_init(corridor, drift_ppb, spread_ppb);
	corridor->surprises = surprises;
}

/* True: the past may stay. */
static bool judge(struct corridor *corridor, int64_t at_ns, int64_t upper_ns,
		  int64_t lower_ns, bool is_burst)
{
	double sigma_ns = hypot_ns(corridor_sigma_at_ns(corridor, at_ns),
				   TRIP_SIGMA_QUEUES * corridor->queue_ns) +
			  QUEUE_LEAST_NS;
	double residual = residual_ns(corridor, at_ns, upper_ns, lower_ns);
	double off = residual / sigma_ns;

	/* A fit through few points thinks too well of itself. */
	double sigmas =
		IMPOSSIBLE_SIGMAS * (1 + FEW_POINTS / corridor->upper.count);

	if (residual >
	    sigmas * sigma_ns + IMPOSSIBLE_QUEUES * corridor->queue_ns) {
		forget(corridor, STEP_SPREAD_PPB);
		return false;
	}
	if (is_burst)
		return true;
	/* Walls too close together were bent by what is called wander here. */
	if (corridor->trip_count >= TRIPS_ENOUGH &&
	    corridor->width_ns <
	    corridor->least_trip_ns - NARROW_QUEUES * corridor->queue_ns)
		off = INFINITY;
	corridor->wander_ppb *= off > STRANGE_SIGMAS ? WANDER_UP : WANDER_DOWN;
	corridor->wander_ppb =
		smaller(larger(corridor->wander_ppb, WANDER_LEAST_PPB),
			WANDER_MOST_PPB);
	return true;
}

bool corridor_add(struct corridor *corridor, int64_t at_ns, int64_t upper_ns,
		  int64_t lower_ns, int64_t merge_ns)
{
	int64_t base_ns = lower_ns + (upper_ns - lower_ns) / 2;
	bool is_burst =
		corridor->upper.count > 0 && at_ns - corridor->at_ns < merge_ns;
	bool fits = true;

	if (corridor->upper.count > 0)
		fits = judge(corridor, at_ns, upper_ns, lower_ns, is_burst);
	if (corridor->upper.count == 0) {
		corridor->upper.queue_ns = QUEUE_FIRST_NS;
		corridor->lower.queue_ns = QUEUE_FIRST_NS;
	}
	if (is_burst && fits) {
		merge(corridor, &corridor->upper, 1, at_ns, upper_ns);
		merge(corridor, &corridor->lower, -1, at_ns, lower_ns);
	} else {
		put(corridor, &corridor->upper, 1, at_ns, upper_ns);
		put(corridor, &corridor->lower, -1, at_ns, lower_ns);
		corridor->at_ns = at_ns;
		corridor->trip_count++;
	}
	note_trip(corridor);
	fit(corridor, base_ns);
	return fits;
}

int64_t corridor_offset_at(const struct corridor *corridor, int64_t raw_ns)
{
	if (corridor->upper.count == 0)
		return 0;
	return corridor->offset_ns +
	       llround((double)(raw_ns - corridor->at_ns) *
		       corridor->drift_ppb / 1e9);
}
