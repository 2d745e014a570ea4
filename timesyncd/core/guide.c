/* The leader or who stands in for it; estimates by several ways round. */
#include "timesyncd/core/guide.h"

#include <math.h>

uint32_t guide_stratum(const struct peer *peer)
{
	return peer->clock.stratum != 0 ? peer->clock.stratum : 2;
}

static bool is_better_guide(const struct peer *a, struct interval claim_a,
			    const struct peer *b, struct interval claim_b)
{
	if (guide_stratum(a) != guide_stratum(b))
		return guide_stratum(a) < guide_stratum(b);
	return claim_a.high_ns - claim_a.low_ns <
	       claim_b.high_ns - claim_b.low_ns;
}

/* For a leader whose way here is in doubt: one that measures it itself. */
static bool may_stand_in(const struct peer *peer)
{
	return !peer->way.on && peer->clock.stratum == 2 &&
	       peer->clock.quality == TIMESYNC_SYNCED;
}

const struct peer *guide_find(const struct timesync *t, int leader,
			      const struct select_voice *voices,
			      uint32_t agreeing_mask)
{
	uint32_t best = TIMESYNC_PEERS_MAX;
	bool led = leader >= 0 && (agreeing_mask >> leader & 1) != 0;

	if (led && !t->peers[leader].way.on)
		return &t->peers[leader];
	for (uint32_t i = 0; i < t->peer_count; i++) {
		if ((agreeing_mask >> i & 1) == 0 ||
		    (led && !may_stand_in(&t->peers[i])))
			continue;
		if (best == TIMESYNC_PEERS_MAX ||
		    is_better_guide(&t->peers[i], voices[i].claim,
				    &t->peers[best], voices[best].claim))
			best = i;
	}
	if (best == TIMESYNC_PEERS_MAX)
		return led ? &t->peers[leader] : NULL;
	return &t->peers[best];
}

static struct estimate estimate_by(const struct peer *peer, int64_t raw_ns)
{
	return (struct estimate){
		.offset_ns = peer_target_at(peer, raw_ns),
		.drift_ppb = peer_target_drift_ppb(peer),
		.sigma_ns = peer_target_doubt_ns(peer, raw_ns),
	};
}

/* The same by another way round the loop: as of its last answer, for its line
 * bends every second, and from there with the guide's drift. What it says it
 * measured about as well as the guide was measured here: an error more. A doubt
 * about our way to the guide is none about its way there. */
static struct estimate estimate_beside(const struct peer *peer, int64_t raw_ns,
				       const struct peer *guide)
{
	double age_ns = (double)(raw_ns - peer->heard_ns);
	double drift_ppb = peer_target_drift_ppb(guide);
	double here_ns = peer_target_doubt_ns(peer, raw_ns);
	double there_ns = peer_target_sigma_ns(guide, raw_ns);

	return (struct estimate){
		.offset_ns = peer_target_at(peer, peer->heard_ns) +
			     llround(age_ns * drift_ppb / 1e9),
		.drift_ppb = drift_ppb,
		.sigma_ns = sqrt(here_ns * here_ns + there_ns * there_ns),
	};
}

struct estimate guide_estimate(const struct timesync *t, int64_t raw_ns,
			       const struct peer *guide)
{
	struct estimate all[TIMESYNC_PEERS_MAX] = {estimate_by(guide, raw_ns)};
	/* Beside the carrier those that measure it; else nobody further off
	 * than the guide, who might follow us. */
	uint32_t strata = guide_stratum(guide) > 2 ? guide_stratum(guide) : 2;
	uint32_t count = 1;

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct peer *peer = &t->peers[i];

		if (peer == guide || !peer->truechimer ||
		    guide_stratum(peer) > strata ||
		    peer->clock.quality != TIMESYNC_SYNCED)
			continue;
		all[count] = estimate_beside(peer, raw_ns, guide);
		count++;
	}
	return combine_estimates(all, count);
}
