/* Counting who is heard, and what follows from it. */
#include "timesyncd/core/carrier.h"

#include <inttypes.h>

#include "common/check.h"

#define RANKS 16u
/* A round no honest node reaches: wall seconds need 31 bits. */
#define ROUND_MAX (UINT64_C(1) << 56)
/* A node begins rounds less often than this, so that its numbers do not run
 * ahead of its wall clock. */
#define ROUND_NS (CARRIER_SETTLE_NS / 2)
/* How often everybody is asked while the carrier is lost, or none is. */
#define HURRY_LOST_NS  (2 * NS_PER_SEC)
#define HURRY_START_NS (300 * NS_PER_MS)

_Static_assert(CARRIER_NODES_MAX < RANKS, "a rank fits an epoch number");

/* How good a carrier a node would make. */
enum level {
	LEVEL_BROKEN,	/* its raw clock broke, and it knows no better yet */
	LEVEL_LOST,	/* has no bound */
	LEVEL_ON_TIMELINE,
};

void carrier_init(struct carrier *c, uint32_t self, const uint32_t *ids,
		  uint32_t count, int64_t raw_ns, struct story story)
{
	CHECK(count >= 1 && count <= CARRIER_NODES_MAX);
	*c = (struct carrier){
		.count = count,
		.hurried_ns = raw_ns,
		.story = story,
	};
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = i;

		for (; at > 0 && c->ids[at - 1] > ids[i]; at--)
			c->ids[at] = c->ids[at - 1];
		c->ids[at] = ids[i];
	}
	while (c->rank < count && c->ids[c->rank] != self)
		c->rank++;
	CHECK(c->rank < count);
}

void carrier_recall(struct carrier *c, uint64_t highest)
{
	if (highest / RANKS <= ROUND_MAX)
		c->highest = highest;
}

static uint32_t rank_of_id(const struct carrier *c, uint32_t id)
{
	uint32_t rank = 0;

	while (rank < c->count && c->ids[rank] != id)
		rank++;
	return rank;
}

/* c->count or more: not the number of any epoch. */
static uint32_t rank_of_epoch(const struct carrier *c, uint64_t epoch)
{
	uint32_t low = (uint32_t)(epoch % RANKS);

	return low == 0 || epoch / RANKS > ROUND_MAX ? c->count : low - 1;
}

uint32_t carrier_of(const struct carrier *c, uint64_t epoch)
{
	uint32_t rank = rank_of_epoch(c, epoch);

	return rank < c->count ? c->ids[rank] : 0;
}

static uint32_t majority(const struct carrier *c)
{
	return c->count / 2 + 1;
}

void carrier_heard(struct carrier *c, uint32_t id,
		   const struct timesync_clock *clock, uint32_t hears)
{
	uint32_t rank = rank_of_id(c, id);

	if (rank >= c->count || rank == c->rank)
		return;
	c->reports[rank] = (struct carrier_report){
		.told = true,
		.heard = true,
		.quality = clock->quality,
		.epoch = carrier_of(c, clock->epoch) != 0 ? clock->epoch : 0,
		.hears = hears,
	};
	if (c->reports[rank].epoch > c->highest)
		c->highest = clock->epoch;
}

uint32_t carrier_hears(const struct carrier *c)
{
	uint32_t mask = UINT32_C(1) << c->rank;

	for (uint32_t i = 0; i < c->count; i++)
		if (c->reports[i].heard)
			mask |= UINT32_C(1) << i;
	return mask;
}

/* -- what is known --------------------------------------------------------- */

static void look_who_answers(struct carrier *c,
			     const struct timesync_peer_view *views,
			     uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t rank = rank_of_id(c, views[i].id);

		/* One of the last three polls, as everywhere in the core. */
		if (rank < c->count)
			c->reports[rank].heard = c->reports[rank].told &&
						 views[i].reachable;
	}
}

/* Up to when the raw clock held, the clock tells where the timeline goes on,
 * void or not. */
static void remember(struct carrier *c, int64_t raw_ns,
		     const struct timesync_clock *clock)
{
	if (clock->disruptions != c->disruptions) {
		c->disruptions = clock->disruptions;
		c->remembers = false;
	}
	if (!interval_is_empty(timesync_clock_at(clock, raw_ns))) {
		c->last = *clock;
		c->remembers = true;
	}
}

static bool majority_hears(const struct carrier *c, uint32_t rank)
{
	uint32_t count = 1; /* a node hears itself */

	for (uint32_t i = 0; i < c->count; i++) {
		uint32_t hears = i == c->rank	      ? carrier_hears(c) :
				 c->reports[i].heard ? c->reports[i].hears :
						       0;

		if (i != rank)
			count += hears >> rank & 1;
	}
	return count >= majority(c);
}

static bool is_usable(enum timesync_quality quality)
{
	return quality == TIMESYNC_SYNCED || quality == TIMESYNC_HOLDOVER;
}

static enum level level_of(const struct carrier *c, uint32_t rank,
			   const struct timesync_clock *own, int64_t raw_ns)
{
	const struct carrier_report *report = &c->reports[rank];
	enum timesync_quality quality = report->quality;

	if (rank == c->rank)
		quality = interval_is_empty(timesync_clock_at(own, raw_ns)) &&
					  is_usable(own->quality) ?
				  TIMESYNC_UNSYNCED :
				  own->quality;
	else if (!report->heard) /* others hear it: do not usurp */
		return rank == rank_of_epoch(c, c->epoch) ? LEVEL_ON_TIMELINE :
							    LEVEL_LOST;
	if (quality == TIMESYNC_DISRUPTED)
		return LEVEL_BROKEN;
	return is_usable(quality) ? LEVEL_ON_TIMELINE : LEVEL_LOST;
}

/* c->count: there is none. */
static uint32_t find_candidate(const struct carrier *c, int64_t raw_ns,
			       const struct timesync_clock *own)
{
	uint32_t best = c->count;
	enum level best_level = LEVEL_BROKEN;

	for (uint32_t i = 0; i < c->count; i++) {
		enum level level = level_of(c, i, own, raw_ns);

		if (!majority_hears(c, i))
			continue;
		if (best < c->count && level <= best_level)
			continue;
		best = i;
		best_level = level;
	}
	return best;
}

static bool carrier_works(const struct carrier *c)
{
	uint32_t rank = rank_of_epoch(c, c->epoch);
	const struct carrier_report *report = &c->reports[rank];

	if (c->epoch == 0 || rank == c->rank || !majority_hears(c, rank))
		return false;
	return !report->heard ||
	       (report->epoch == c->epoch && is_usable(report->quality));
}

/* The highest epoch worth following: of the candidate, or of a majority. */
static uint64_t epoch_to_follow(const struct carrier *c, uint32_t candidate)
{
	uint64_t best = c->epoch;

	for (uint32_t i = 0; i < c->count; i++) {
		const struct carrier_report *report = &c->reports[i];
		uint32_t followers = 0;

		if (!report->heard || report->epoch <= best ||
		    rank_of_epoch(c, report->epoch) == c->rank)
			continue;
		for (uint32_t k = 0; k < c->count; k++)
			followers += c->reports[k].heard &&
				     c->reports[k].epoch == report->epoch;
		if (rank_of_epoch(c, report->epoch) == candidate ||
		    followers >= majority(c))
			best = report->epoch;
	}
	return best;
}

/* -- what follows ---------------------------------------------------------- */

static bool tell(const struct carrier *c, int64_t raw_ns,
		 struct timesync_event *event)
{
	*event = (struct timesync_event){
		.type = TIMESYNC_EV_EPOCH,
		.raw_ns = raw_ns,
		.epoch = {
			.leader = c->leads || rank_of_epoch(c, c->epoch) !=
						      c->rank ?
					  carrier_of(c, c->epoch) :
					  0,
			.epoch = c->epoch,
			.self = c->leads,
			.anchor_raw_ns = c->anchor_raw_ns,
			.anchor_ts_ns = c->anchor_ts_ns,
		},
	};
	return true;
}

/* Where the old timeline is at most: its clock's upper end, as of raw_ns. */
static int64_t upper_ns(const struct timesync_clock *clock, int64_t raw_ns)
{
	int64_t age_ns = raw_ns - clock->asof_ns;
	int64_t pace_ppb = (int64_t)clock->drift_ppb + clock->growth_ppb;
	/* A carrier's clock is exact, and so is what continues it. */
	int64_t rounding_ns = clock->bound_ns == 0 && pace_ppb == 0 ? 0 : 3;

	return raw_ns + clock->offset_ns + clock->bound_ns +
	       units_scale_ppb(age_ns, pace_ppb) + rounding_ns;
}

static bool take_over(struct carrier *c, int64_t raw_ns, int64_t wall_ns,
		      struct timesync_event *event)
{
	uint64_t highest = c->epoch > c->highest ? c->epoch : c->highest;
	uint64_t round = highest / RANKS + 1;
	uint64_t by_wall = wall_ns > 0 ? (uint64_t)wall_ns / ROUND_NS : 0;

	if (round < by_wall)
		round = by_wall;
	c->epoch = round * RANKS + c->rank + 1;
	c->highest = c->epoch;
	c->leads = true;
	c->hopeful = false;
	c->anchor_raw_ns = raw_ns;
	c->anchor_ts_ns = c->remembers ? upper_ns(&c->last, raw_ns) : wall_ns;
	story(&c->story, "carries the timeline from now on, epoch %" PRIu64
	      ", %s", c->epoch, c->remembers ? "continued" :
					       "seeded from the wall clock");
	return tell(c, raw_ns, event);
}

static bool follow(struct carrier *c, int64_t raw_ns, uint64_t epoch,
		   struct timesync_event *event)
{
	c->epoch = epoch;
	c->leads = false;
	c->hopeful = false;
	story(&c->story, "node %" PRIu32 " carries the timeline, epoch %" PRIu64,
	      carrier_of(c, epoch), epoch);
	return tell(c, raw_ns, event);
}

/* At the very first: everybody could have been asked three times by now. */
static int64_t settle_ns(const struct carrier *c)
{
	for (uint32_t i = 0; c->epoch == 0 && i < c->rank; i++)
		if (!c->reports[i].told)
			return CARRIER_START_NS;
	return CARRIER_SETTLE_NS;
}

/* The candidate is this node and does not carry: is it time? */
static bool is_settled(struct carrier *c, int64_t raw_ns, bool sound)
{
	/* A stray epoch is gone above without haste: its maker may do it
	 * again. */
	bool returning = c->leads ? sound : carrier_works(c);

	if (!c->hopeful || c->returning != returning) {
		c->hopeful = true;
		c->returning = returning;
		c->since_ns = raw_ns;
	}
	return raw_ns - c->since_ns >=
	       (returning ? CARRIER_RETURN_NS : settle_ns(c));
}

static uint32_t heard_count(const struct carrier *c)
{
	uint32_t count = 1;

	for (uint32_t i = 0; i < c->count; i++)
		count += c->reports[i].heard;
	return count;
}

/* Old answers tell of a carrier that is no more: ask again. */
static bool hurry(struct carrier *c, int64_t raw_ns,
		  struct timesync_event *event)
{
	uint32_t rank = rank_of_epoch(c, c->epoch);
	int64_t gap_ns = c->epoch == 0 ? HURRY_START_NS : HURRY_LOST_NS;

	if (c->leads || heard_count(c) < majority(c) ||
	    raw_ns - c->hurried_ns < gap_ns)
		return false;
	if (c->epoch != 0 && rank != c->rank && c->reports[rank].heard &&
	    c->reports[rank].epoch == c->epoch)
		return false;
	c->hurried_ns = raw_ns;
	*event = (struct timesync_event){ .type = TIMESYNC_EV_HURRY,
					  .raw_ns = raw_ns };
	return true;
}

bool carrier_step(struct carrier *c, int64_t raw_ns, int64_t wall_ns,
		  const struct timesync_clock *clock,
		  const struct timesync_peer_view *views, uint32_t view_count,
		  struct timesync_event *event)
{
	uint32_t candidate;
	uint64_t epoch;
	bool carries, heard, sound, highest;

	remember(c, raw_ns, clock);
	look_who_answers(c, views, view_count);
	candidate = find_candidate(c, raw_ns, clock);
	epoch = epoch_to_follow(c, candidate);
	if (epoch != c->epoch)
		return follow(c, raw_ns, epoch, event);

	/* What is carried here goes on here while a majority hears it, the
	 * clock is whole, and nobody has gone further. */
	carries = c->epoch != 0 && rank_of_epoch(c, c->epoch) == c->rank;
	heard = majority_hears(c, c->rank);
	sound = clock->quality != TIMESYNC_DISRUPTED;
	highest = c->highest <= c->epoch;
	if (carries && c->leads != heard) {
		c->leads = heard;
		return tell(c, raw_ns, event);
	}
	if (candidate == c->rank && !(carries && sound && highest)) {
		if (is_settled(c, raw_ns, sound))
			return take_over(c, raw_ns, wall_ns, event);
	} else {
		c->hopeful = false;
	}
	return hurry(c, raw_ns, event);
}
