/* Voices to verdict to published clock. */
#include "timesyncd/core/judge.h"

#include <inttypes.h>

#include "common/units.h"
#include "timesyncd/core/guide.h"
#include "timesyncd/core/publication.h"
#include "timesyncd/core/reference.h"
#include "timesyncd/core/schedule.h"
#include "timesyncd/core/select.h"

static int leader_index(const struct timesync *t, int64_t raw_ns)
{
	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct peer *peer = &t->peers[i];

		if (peer->id == t->epoch.leader && peer->claim.exact &&
		    peer_bears_witness(peer, t->epoch.number, raw_ns))
			return (int)i;
	}
	return -1;
}

static void hear(const struct timesync *t, int64_t raw_ns,
		 struct select_voice *self, struct select_voice *peers)
{
	int64_t rho_ppb = t->limits.rho_ppb;

	*self = (struct select_voice){.heard = t->has_truth};
	if (t->has_truth)
		self->claim = bound_truth_at(&t->truth, raw_ns, rho_ppb);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct peer *peer = &t->peers[i];

		peers[i] = (struct select_voice){.heard = false};
		if (!peer_bears_witness(peer, t->epoch.number, raw_ns))
			continue;
		peers[i].heard = true;
		peers[i].claim =
			bound_truth_at(&peer->claim.witness, raw_ns, rho_ppb);
	}
}

static const char *why_silent(const struct timesync *t, const struct peer *peer)
{
	if (!peer->chosen)
		return "not among the max_peers asked now";
	if (peer->schedule.answered == 0 && peer->schedule.timeouts > 0)
		return "has never answered";
	if (peer->heard_ns == 0)
		return peer->why;
	if (!schedule_is_reachable(&peer->schedule))
		return "does not answer";
	if (!peer->claim.valid)
		return "is not synchronised itself";
	if (peer->claim.epoch != t->epoch.number)
		return "follows another epoch";
	return "not heard lately";
}

static void name_voices(struct timesync *t, int64_t raw_ns,
			const struct select_voice *voices,
			uint32_t agreeing_mask)
{
	static const char falseticker[] =
		"falseticker: disagrees with the majority";

	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct peer *peer = &t->peers[i];
		bool agrees = (agreeing_mask >> i & 1) != 0;
		bool lies = voices[i].heard && !agrees;

		/* Whose own clock broke has no say in who lies. */
		if (lies && state_is_news(t, raw_ns, peer) &&
		    (peer->truechimer ||
		     (!t->disrupted && peer->why != falseticker)))
			story(&t->config.story,
			      "node %" PRIu32 " is a falseticker", peer->id);
		peer->truechimer = agrees;
		if (agrees)
			peer->why = "";
		else if (lies)
			peer->why = falseticker;
		else
			peer->why = why_silent(t, peer);
	}
}

static void keep_truth(struct timesync *t, int64_t raw_ns,
		       struct interval truth, const struct peer *guide)
{
	if (guide == NULL)
		return;
	if (!t->has_truth)
		t->majority_ns = raw_ns;
	t->has_truth = true;
	t->truth = guide->claim.witness;
	t->truth.at_ns = raw_ns;
	t->truth.truth = truth;
}

/* What the steady interval has to keep within target_bound. */
static void pace(struct timesync *t, const struct peer *guide)
{
	if (guide == NULL)
		return;
	t->steady_ns = schedule_steady_ns(
		guide->claim.witness.delay_ns / 2 +
			guide->claim.witness.dispersion_ns,
		t->clock.growth_ppb > 0 ? t->clock.growth_ppb
					: t->limits.rho_ppb,
		t->config.target_bound_ns, t->config.sync_interval_ns);
}

/* What has the authority of a leader where the timeline is UTC; -1: nothing.
 * *denied: the host's clock, which most nodes contradict; -1: it is not. */
static int find_reference(const struct timesync *t, struct select_voice *voices,
			  int *denied)
{
	const int64_t *gap_ns = t->config.peer_gap_ns;
	int chosen = reference_choose(voices, gap_ns, t->peer_count);

	if (chosen < 0 || t->peers[chosen].id != REFERENCE_SYSTEM_ID ||
	    !reference_denies_host(voices, gap_ns, t->peer_count, chosen,
				   t->disrupted))
		return chosen;
	voices[chosen].heard = false;
	*denied = chosen;
	return -1;
}

static void name_denied(struct timesync *t, int denied)
{
	if (denied != t->denied && denied >= 0)
		story(&t->config.story, "most nodes contradict this host's "
					"clock: not following it");
	t->denied = denied;
	if (denied >= 0)
		t->peers[denied].why = "falseticker: most nodes contradict "
				       "this host's clock";
}

static void follow(struct timesync *t, int64_t raw_ns)
{
	struct select_voice self, voices[TIMESYNC_PEERS_MAX];
	int leader = leader_index(t, raw_ns);
	int denied = -1;

	hear(t, raw_ns, &self, voices);
	if (t->epoch.number == REFERENCE_EPOCH)
		leader = find_reference(t, voices, &denied);

	struct select_result got =
		select_judge(&self, voices, t->peer_count, leader);
	name_voices(t, raw_ns, voices, got.agreeing_mask);
	name_denied(t, denied);

	const struct peer *guide =
		guide_find(t, leader, voices, got.agreeing_mask);
	uint32_t sources = 1 + got.agreeing_count;

	switch (got.verdict) {
	case SELECT_NOTHING:
		publication_none(t, raw_ns, "no witness of this epoch yet");
		break;
	case SELECT_LEADER_BROKE:
		publication_none(t, raw_ns,
				 "the majority contradicts the leader");
		break;
	case SELECT_SELF_BROKE:
		if (!relapse_is_habit(&t->relapse, raw_ns))
			story(&t->config.story,
			      "the timeline was in [%" PRId64 ", %" PRId64
			      "], the others say [%" PRId64 ", %" PRId64 "]",
			      got.held.low_ns, got.held.high_ns, got.met.low_ns,
			      got.met.high_ns);
		state_break(t, raw_ns, "this node's clock is in the minority");
		publication_none(t, raw_ns, t->why);
		break;
	case SELECT_ALONE:
		publication_measured(t, raw_ns, NULL, 1, "nobody answers");
		break;
	case SELECT_AGREED:
		keep_truth(t, raw_ns, got.truth, guide);
		if (sources >= state_majority(t))
			t->majority_ns = raw_ns;
		publication_measured(t, raw_ns, guide, sources,
				     "fewer sources than min_peers");
		pace(t, guide);
		break;
	}
}

/* We carry the timeline; the others only tell whether they could follow. A
 * majority that finds us elsewhere than we are means our clock jumped. */
static void carry(struct timesync *t, int64_t raw_ns)
{
	struct select_voice self, voices[TIMESYNC_PEERS_MAX];
	uint32_t against = 0, agreeing_mask = 0;

	hear(t, raw_ns, &self, voices);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		if (!voices[i].heard)
			continue;
		if (interval_contains(voices[i].claim, t->epoch.offset_ns))
			agreeing_mask |= UINT32_C(1) << i;
		else
			against++;
	}
	name_voices(t, raw_ns, voices, agreeing_mask);
	if (!t->disrupted && against >= state_majority(t))
		state_break(t, raw_ns,
			    "the majority contradicts this "
			    "node's clock");
	if (t->disrupted)
		publication_none(t, raw_ns, t->why);
	else
		publication_carried(t, raw_ns);
}

void judge_clock(struct timesync *t, int64_t raw_ns)
{
	t->refresh_ns = raw_ns + JUDGE_REFRESH_NS;
	if (t->epoch.number == 0) {
		struct select_voice none[TIMESYNC_PEERS_MAX] = {0};

		name_voices(t, raw_ns, none, 0);
		publication_none(t, raw_ns, "no timeline yet: nobody carries it");
	} else if (t->epoch.broken) {
		publication_none(t, raw_ns, "the leader's clock is disrupted");
	} else if (t->epoch.carried) {
		carry(t, raw_ns);
	} else {
		follow(t, raw_ns);
	}
}
