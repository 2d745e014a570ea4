/* Bending the line, filling in the bound, naming the quality. */
#include "timesyncd/core/publication.h"

#include <inttypes.h>

#include "common/units.h"
#include "timesyncd/core/guide.h"

static void publish(struct timesync *t, enum timesync_quality quality,
		    const char *why)
{
	static const char *const names[] = {
		[TIMESYNC_UNSYNCED] = "UNSYNCED",
		[TIMESYNC_HOLDOVER] = "HOLDOVER",
		[TIMESYNC_SYNCED] = "SYNCED",
		[TIMESYNC_DISRUPTED] = "DISRUPTED",
	};

	if (quality != t->clock.quality)
		story(&t->config.story,
		      "clock %s, was %s, epoch %" PRIu64 "%s%s", names[quality],
		      names[t->clock.quality], t->epoch.number,
		      *why ? ": " : "", why);
	t->clock.quality = quality;
	t->clock.epoch = t->epoch.number;
	t->clock.disruptions = t->disruptions;
	t->why = why;
}

void publication_none(struct timesync *t, int64_t raw_ns, const char *why)
{
	t->clock.asof_ns = raw_ns;
	t->clock.void_after_ns = raw_ns;
	t->clock.bound_ns = 0;
	t->clock.growth_ppb = 0;
	t->clock.part_delay_ns = 0;
	t->clock.part_dispersion_ns = 0;
	t->clock.part_drift_ns = 0;
	t->clock.part_unslewed_ns = 0;
	t->clock.stratum = 0;
	if (t->disrupted)
		publish(t, TIMESYNC_DISRUPTED, t->why);
	else
		publish(t, TIMESYNC_UNSYNCED, why);
}

void publication_carried(struct timesync *t, int64_t raw_ns)
{
	int64_t until_ns =
		units_add_sat(t->epoch.leads ? raw_ns : t->majority_ns,
			      t->config.void_after_ns);

	if (raw_ns >= until_ns) {
		publication_none(t, raw_ns, "no leader for void_after");
		return;
	}
	t->clock = (struct timesync_clock){
		.quality = t->clock.quality,
		.asof_ns = raw_ns,
		.offset_ns = t->epoch.offset_ns,
		.void_after_ns = until_ns,
		.stratum = 1,
	};
	if (t->epoch.leads) {
		t->majority_ns = raw_ns;
		publish(t, TIMESYNC_SYNCED, "this node is the reference");
	} else {
		publish(t, TIMESYNC_HOLDOVER,
			"deposed: the timeline ends with the next leader");
	}
}

static int64_t clip_into(int64_t v_ns, struct interval within)
{
	if (v_ns < within.low_ns)
		return within.low_ns;
	return v_ns > within.high_ns ? within.high_ns : v_ns;
}

/* Once when the budget is spent, once when there is some again. */
static void tell_budget(struct timesync *t, uint64_t held_back)
{
	bool spent = t->discipline.held_back != held_back;

	if (spent == t->budget_spent)
		return;
	t->budget_spent = spent;
	story(&t->config.story, spent ? "corrections of the last hour have "
					"reached max_correction: slewing less"
				      : "corrections are within "
					"max_correction again");
}

/* Bend the line towards what `guide` and those beside it estimate, but never
 * towards a value that is proven wrong. Without a guide, coast. */
static void steer(struct timesync *t, int64_t raw_ns, const struct peer *guide)
{
	struct discipline *d = &t->discipline;
	struct interval truth =
		bound_truth_at(&t->truth, raw_ns, t->limits.rho_ppb);
	uint64_t held_back = d->held_back;

	if (guide != NULL) {
		struct estimate target = guide_estimate(t, raw_ns, guide);

		discipline_steer(d, raw_ns, clip_into(target.offset_ns, truth),
				 target.drift_ppb, target.sigma_ns);
	} else if (d->started) {
		discipline_coast(d, raw_ns);
	} else {
		discipline_steer(d, raw_ns,
				 truth.low_ns +
					 (truth.high_ns - truth.low_ns) / 2,
				 0, (double)(truth.high_ns - truth.low_ns));
	}

	tell_budget(t, held_back);
	t->clock.asof_ns = raw_ns;
	t->clock.offset_ns = d->offset_ns;
	t->clock.drift_ppb = d->drift_ppb;
	bound_fill(&t->clock, &t->truth, t->limits.rho_ppb);
}

/* Peers that answer, but cannot witness: their own clock broke as well. Were
 * they counted as against us, a majority whose clocks break together (a paused
 * host of virtual machines) would wait for one another for ever. */
static uint32_t abstaining(const struct timesync *t)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct peer *peer = &t->peers[i];

		count += peer->heard_ns != 0 && !peer->truechimer &&
			 peer->clock.quality == TIMESYNC_DISRUPTED &&
			 schedule_is_reachable(&peer->schedule);
	}
	return count;
}

void publication_measured(struct timesync *t, int64_t raw_ns,
			  const struct peer *guide, uint32_t sources,
			  const char *why_not_synced)
{
	steer(t, raw_ns, guide);
	if (guide != NULL)
		t->clock.stratum = guide_stratum(guide) + 1;

	int64_t void_ns =
		units_add_sat(t->majority_ns, t->config.void_after_ns);
	int64_t useless_ns = bound_useless_at_ns(&t->clock);

	if (void_ns <= raw_ns) {
		publication_none(t, raw_ns, "no majority for void_after");
		return;
	}
	if (useless_ns <= raw_ns) {
		publication_none(t, raw_ns, "the bound is beyond one second");
		return;
	}
	t->clock.void_after_ns = void_ns < useless_ns ? void_ns : useless_ns;
	if (!relapse_is_habit(&t->relapse, raw_ns) &&
	    (sources >= state_majority(t) ||
	     (guide != NULL && guide->id == t->epoch.leader &&
	      sources + abstaining(t) >= state_majority(t))))
		t->disrupted = false;
	if (t->disrupted)
		publish(t, TIMESYNC_DISRUPTED, t->why);
	else if (sources >= state_sources_needed(t))
		publish(t, TIMESYNC_SYNCED, "");
	else
		publish(t, TIMESYNC_HOLDOVER, why_not_synced);
}
