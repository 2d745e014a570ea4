/* The step: facts in, one published clock and a list of whom to ask out.
 *
 * Every event ends the same way: judge() asks select.h whom to believe and
 * publishes; then whoever is due is asked.
 *
 * Quality, and the edges between (all in judge() and break_own_clock()):
 *
 *	UNSYNCED --witnesses--> HOLDOVER --enough of them--> SYNCED
 *	SYNCED --too few agree--> HOLDOVER --void_after--> UNSYNCED
 *	any --new epoch--> UNSYNCED		(SYNCED where it is carried)
 *	any --own clock broke--> DISRUPTED --a majority agrees--> as above
 */
#include "timesyncd/core/timesync.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/bound.h"
#include "timesyncd/core/combine.h"
#include "timesyncd/core/discipline.h"
#include "timesyncd/core/peer.h"
#include "timesyncd/core/reference.h"
#include "timesyncd/core/roster.h"
#include "timesyncd/core/schedule.h"
#include "timesyncd/core/select.h"

/* The page is rewritten at least this often: slews are meant for a second. */
#define REFRESH_NS NS_PER_SEC
/* Contradictions this close together have one cause. */
#define SAME_CAUSE_NS (5 * NS_PER_SEC)

struct epoch {
	uint64_t number; /* 0: no timeline yet */
	uint32_t leader; /* 0: none known */
	bool leads;	 /* this node is the reference */
	bool carried;	 /* by our raw clock: we lead, or led, this epoch */
	bool broken;	 /* its carrier said so itself */
	int64_t offset_ns; /* carried: cluster minus raw, exactly */
};

struct timesync {
	struct timesync_config config;
	struct exchange_limits limits;
	struct prng prng;
	struct peer peers[TIMESYNC_PEERS_MAX];
	uint32_t peer_count;
	struct epoch epoch;
	struct discipline discipline;
	bool budget_spent;

	bool has_truth; /* of this epoch, by our own extrapolation */
	struct bound_witness truth;

	bool disrupted;
	uint32_t disruptions;
	int64_t trust_since_ns; /* exchanges begun earlier are void */

	int64_t majority_ns; /* when a majority last agreed, in this epoch */
	int64_t refresh_ns;
	int denied; /* index of a host's clock that is not believed; -1: none */
	int64_t choose_ns; /* raw: when whom to ask is chosen anew */
	uint32_t chosen_leader;
	int64_t steady_ns;

	struct timesync_clock clock;
	const char *why;
};

static void take_settings(struct timesync *t,
			  const struct timesync_config *config)
{
	t->config = *config;
	t->limits = (struct exchange_limits){
		.rho_ppb = exchange_effective_rho_ppb(config->max_rate_ppb),
		.precision_ns = config->precision_ns,
		.max_rtt_ns = config->max_rtt_ns,
	};
	t->steady_ns = config->sync_interval_ns;
	for (uint32_t i = 0; i < TIMESYNC_PEERS_MAX; i++)
		t->peers[i].schedule.round = config->burst;
	discipline_configure(&t->discipline, config->adjustment_rate,
			     config->max_slew_ppb, t->limits.rho_ppb,
			     config->max_correction_ns);
}

struct timesync *timesync_new(const struct timesync_config *config,
			      int64_t raw_ns)
{
	struct timesync *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	CHECK(config->peer_count <= TIMESYNC_PEERS_MAX);
	take_settings(t, config);
	t->peer_count = config->peer_count;
	t->trust_since_ns = raw_ns;
	t->why = "just started";
	t->clock.asof_ns = raw_ns;
	t->clock.void_after_ns = raw_ns;
	t->choose_ns = raw_ns;
	t->denied = -1;
	prng_seed(&t->prng, config->seed);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		peer_init(&t->peers[i], config->peers[i], config->history_size,
			  config->peer_drift_ppb[i], raw_ns);
		t->peers[i].schedule.round = config->burst;
	}
	return t;
}

static bool is_listed(const struct timesync_config *config, uint32_t id)
{
	for (uint32_t i = 0; i < config->peer_count; i++)
		if (config->peers[i] == id)
			return true;
	return false;
}

static void swap_peers(struct timesync *t, uint32_t a, uint32_t b)
{
	struct peer held = t->peers[a];

	t->peers[a] = t->peers[b];
	t->peers[b] = held;
}

/* The list of the configuration, in its order: who stays keeps all that is
 * known of it, who is new is asked at once. */
static void take_peers(struct timesync *t, const struct timesync_config *config)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->peer_count; i++)
		if (is_listed(config, t->peers[i].id))
			swap_peers(t, kept++, i);
	for (uint32_t i = 0; i < config->peer_count; i++) {
		uint32_t at = i;

		while (at < kept && t->peers[at].id != config->peers[i])
			at++;
		if (at == kept)
			peer_init(&t->peers[kept++], config->peers[i],
				  config->history_size,
				  config->peer_drift_ppb[i], t->clock.asof_ns);
		swap_peers(t, i, at);
	}
	t->peer_count = kept;
	t->choose_ns = t->clock.asof_ns;
	CHECK(t->peer_count == config->peer_count);
}

void timesync_configure(struct timesync *t,
			const struct timesync_config *config)
{
	bool resized = config->history_size != t->config.history_size;

	CHECK(config->self == t->config.self);
	CHECK(config->peer_count <= TIMESYNC_PEERS_MAX);
	take_peers(t, config);
	take_settings(t, config);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct filter *filter = &t->peers[i].filter;

		if (resized)
			filter_init(filter, config->history_size,
				    filter_drift_ppb(filter));
		schedule_hurry(&t->peers[i].schedule, t->clock.asof_ns);
	}
}

void timesync_free(struct timesync *timesync)
{
	free(timesync);
}

static struct peer *peer_by_id(struct timesync *t, uint32_t id)
{
	for (uint32_t i = 0; i < t->peer_count; i++)
		if (t->peers[i].id == id)
			return &t->peers[i];
	return NULL;
}

static void hurry_all(struct timesync *t, int64_t raw_ns)
{
	for (uint32_t i = 0; i < t->peer_count; i++)
		schedule_hurry(&t->peers[i].schedule, raw_ns);
}

/* How many nodes' agreement SYNCED takes, and what counts as a majority: of
 * the nodes this one may ask, itself included. */
static uint32_t voters(const struct timesync *t)
{
	uint32_t asked = t->peer_count < t->config.max_peers ?
				 t->peer_count :
				 t->config.max_peers;

	return asked + 1;
}

static uint32_t majority(const struct timesync *t)
{
	return voters(t) / 2 + 1;
}

static uint32_t sources_needed(const struct timesync *t)
{
	uint32_t wanted = t->config.min_peers < voters(t) ?
				  t->config.min_peers :
				  voters(t);

	return wanted > majority(t) ? wanted : majority(t);
}

/* This node's raw clock is not what it was: nothing measured against it holds,
 * and the published line may have to jump. */
static void break_own_clock(struct timesync *t, int64_t raw_ns, const char *why)
{
	story(&t->config.story, "disrupted: %s", why);
	t->disrupted = true;
	t->disruptions++;
	t->trust_since_ns = raw_ns;
	t->has_truth = false;
	t->why = why;
	discipline_restart(&t->discipline);
	for (uint32_t i = 0; i < t->peer_count; i++)
		peer_forget(&t->peers[i]);
	hurry_all(t, raw_ns);
}

/* -- publishing ---------------------------------------------------------- */

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
		story(&t->config.story, "clock %s, was %s, epoch %" PRIu64
		      "%s%s", names[quality], names[t->clock.quality],
		      t->epoch.number, *why ? ": " : "", why);
	t->clock.quality = quality;
	t->clock.epoch = t->epoch.number;
	t->clock.disruptions = t->disruptions;
	t->why = why;
}

static void publish_no_bound(struct timesync *t, int64_t raw_ns,
			     const char *why)
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

/* The timeline is our own raw clock: no error by definition. */
static void publish_carried(struct timesync *t, int64_t raw_ns)
{
	int64_t until_ns = units_add_sat(t->epoch.leads ? raw_ns :
							  t->majority_ns,
					 t->config.void_after_ns);

	if (raw_ns >= until_ns) {
		publish_no_bound(t, raw_ns, "no leader for void_after");
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

/* Who does not say is taken for one that measures the carrier itself. */
static uint32_t stratum_of(const struct peer *peer)
{
	return peer->clock.stratum != 0 ? peer->clock.stratum : 2;
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

/* Where the timeline is, by the guide and by the others that agree. */
static struct estimate estimate_all(const struct timesync *t, int64_t raw_ns,
				    const struct peer *guide)
{
	struct estimate all[TIMESYNC_PEERS_MAX] = {
		estimate_by(guide, raw_ns)
	};
	/* Beside the carrier those that measure it; else nobody further off
	 * than the guide, who might follow us. */
	uint32_t strata = stratum_of(guide) > 2 ? stratum_of(guide) : 2;
	uint32_t count = 1;

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct peer *peer = &t->peers[i];

		if (peer == guide || !peer->truechimer ||
		    stratum_of(peer) > strata ||
		    peer->clock.quality != TIMESYNC_SYNCED)
			continue;
		all[count] = estimate_beside(peer, raw_ns, guide);
		count++;
	}
	return combine_estimates(all, count);
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
		struct estimate target = estimate_all(t, raw_ns, guide);

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

static void publish_measured(struct timesync *t, int64_t raw_ns,
			     const struct peer *guide, uint32_t sources,
			     const char *why_not_synced)
{
	steer(t, raw_ns, guide);
	if (guide != NULL)
		t->clock.stratum = stratum_of(guide) + 1;

	int64_t void_ns =
		units_add_sat(t->majority_ns, t->config.void_after_ns);
	int64_t useless_ns = bound_useless_at_ns(&t->clock);

	if (void_ns <= raw_ns) {
		publish_no_bound(t, raw_ns, "no majority for void_after");
		return;
	}
	if (useless_ns <= raw_ns) {
		publish_no_bound(t, raw_ns, "the bound is beyond one second");
		return;
	}
	t->clock.void_after_ns = void_ns < useless_ns ? void_ns : useless_ns;
	if (sources >= majority(t) ||
	    (guide != NULL && guide->id == t->epoch.leader &&
	     sources + abstaining(t) >= majority(t)))
		t->disrupted = false;
	if (t->disrupted)
		publish(t, TIMESYNC_DISRUPTED, t->why);
	else if (sources >= sources_needed(t))
		publish(t, TIMESYNC_SYNCED, "");
	else
		publish(t, TIMESYNC_HOLDOVER, why_not_synced);
}

/* -- judging ------------------------------------------------------------- */

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

	*self = (struct select_voice){ .heard = t->has_truth };
	if (t->has_truth)
		self->claim = bound_truth_at(&t->truth, raw_ns, rho_ppb);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct peer *peer = &t->peers[i];

		peers[i] = (struct select_voice){ .heard = false };
		if (!peer_bears_witness(peer, t->epoch.number, raw_ns))
			continue;
		peers[i].heard = true;
		peers[i].claim = bound_truth_at(&peer->claim.witness, raw_ns,
						rho_ppb);
	}
}

static const char *why_silent(const struct timesync *t,
			      const struct peer *peer)
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

static void name_voices(struct timesync *t, const struct select_voice *voices,
			uint32_t agreeing_mask)
{
	static const char falseticker[] =
		"falseticker: disagrees with the majority";

	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct peer *peer = &t->peers[i];
		bool agrees = (agreeing_mask >> i & 1) != 0;
		bool lies = voices[i].heard && !agrees;

		/* Whose own clock broke has no say in who lies. */
		if (lies && (peer->truechimer || (!t->disrupted &&
						  peer->why != falseticker)))
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

static bool is_better_guide(const struct peer *a, struct interval claim_a,
			    const struct peer *b, struct interval claim_b)
{
	if (stratum_of(a) != stratum_of(b))
		return stratum_of(a) < stratum_of(b);
	return claim_a.high_ns - claim_a.low_ns <
	       claim_b.high_ns - claim_b.low_ns;
}

/* For a leader whose way here is in doubt: one that measures it itself. */
static bool may_stand_in(const struct peer *peer)
{
	return !peer->way.on && peer->clock.stratum == 2 &&
	       peer->clock.quality == TIMESYNC_SYNCED;
}

/* The witness to follow: the leader, else the one with fewest nodes between,
 * so that estimates never follow each other in a circle; of those the one that
 * knows best. */
static const struct peer *find_guide(const struct timesync *t, int leader,
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
		t->clock.growth_ppb > 0 ? t->clock.growth_ppb :
					  t->limits.rho_ppb,
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
	name_voices(t, voices, got.agreeing_mask);
	name_denied(t, denied);

	const struct peer *guide =
		find_guide(t, leader, voices, got.agreeing_mask);
	uint32_t sources = 1 + got.agreeing_count;

	switch (got.verdict) {
	case SELECT_NOTHING:
		publish_no_bound(t, raw_ns, "no witness of this epoch yet");
		break;
	case SELECT_LEADER_BROKE:
		publish_no_bound(t, raw_ns,
				 "the majority contradicts the leader");
		break;
	case SELECT_SELF_BROKE:
		story(&t->config.story,
		      "the timeline was in [%" PRId64 ", %" PRId64
		      "], the others say [%" PRId64 ", %" PRId64 "]",
		      got.held.low_ns, got.held.high_ns, got.met.low_ns,
		      got.met.high_ns);
		break_own_clock(t, raw_ns,
				"this node's clock is in the minority");
		publish_no_bound(t, raw_ns, t->why);
		break;
	case SELECT_ALONE:
		publish_measured(t, raw_ns, NULL, 1, "nobody answers");
		break;
	case SELECT_AGREED:
		keep_truth(t, raw_ns, got.truth, guide);
		if (sources >= majority(t))
			t->majority_ns = raw_ns;
		publish_measured(t, raw_ns, guide, sources,
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
	name_voices(t, voices, agreeing_mask);
	if (!t->disrupted && against >= majority(t))
		break_own_clock(t, raw_ns, "the majority contradicts this "
					   "node's clock");
	if (t->disrupted)
		publish_no_bound(t, raw_ns, t->why);
	else
		publish_carried(t, raw_ns);
}

static void judge(struct timesync *t, int64_t raw_ns)
{
	t->refresh_ns = raw_ns + REFRESH_NS;
	if (t->epoch.number == 0) {
		struct select_voice none[TIMESYNC_PEERS_MAX] = { 0 };

		name_voices(t, none, 0);
		publish_no_bound(t, raw_ns, "no timeline yet: no leader");
	} else if (t->epoch.broken) {
		publish_no_bound(t, raw_ns, "the leader's clock is disrupted");
	} else if (t->epoch.carried) {
		carry(t, raw_ns);
	} else {
		follow(t, raw_ns);
	}
}

/* -- events -------------------------------------------------------------- */

/* The estimate was far off: a rate changed, or the way there did. What comes
 * next has to be learnt, and fast. */
static void heed_surprise(struct peer *peer, int64_t raw_ns)
{
	if (!peer->filter.surprised)
		return;
	peer->filter.surprised = false;
	schedule_hurry(&peer->schedule, raw_ns);
}

/* One contradicting peer may have jumped; most of them at once did not. */
static bool contradicted_by_most(const struct timesync *t, int64_t raw_ns)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->peer_count; i++)
		count += t->peers[i].contradicted_ns != 0 &&
			 raw_ns - t->peers[i].contradicted_ns < SAME_CAUSE_NS;
	return t->peer_count > 1 && 2 * count > t->peer_count;
}

static void on_contradiction(struct timesync *t, int64_t raw_ns,
			     const struct peer *peer, struct interval held,
			     struct interval met)
{
	story(&t->config.story,
	      "node %" PRIu32 " contradicts itself: offset was in [%" PRId64
	      ", %" PRId64 "], is in [%" PRId64 ", %" PRId64 "]",
	      peer->id, held.low_ns, held.high_ns, met.low_ns, met.high_ns);
	if (contradicted_by_most(t, raw_ns))
		break_own_clock(t, raw_ns, "most peers contradict this node's "
					   "raw clock");
	else
		hurry_all(t, raw_ns);
}

static void tell_patterns(struct timesync *t, int64_t raw_ns, struct peer *peer)
{
	patterns_watch(&peer->patterns, &peer->filter,
		       t->config.drift_threshold * 1e6, raw_ns, peer->id,
		       &t->config.story);
	patterns_watch_path(&peer->patterns, peer->way.on, peer->delay_ns,
			    peer->tcp_rtt_ns, raw_ns, peer->id,
			    &t->config.story);
}

static void on_reply(struct timesync *t, int64_t raw_ns,
		     const struct timesync_exchange *exchange)
{
	struct peer *peer = peer_by_id(t, exchange->peer);
	struct interval held, met;

	if (peer == NULL || !peer->schedule.outstanding)
		return;

	switch (peer_take(peer, exchange, &t->limits, t->trust_since_ns, raw_ns,
			  &held, &met)) {
	case PEER_REFUSED:
		break;
	case PEER_TAKEN:
		tell_patterns(t, raw_ns, peer);
		break;
	case PEER_RESTARTED:
		story(&t->config.story, "node %" PRIu32 " has a new clock",
		      peer->id);
		break;
	case PEER_CONTRADICTED:
		on_contradiction(t, raw_ns, peer, held, met);
		break;
	}
	heed_surprise(peer, raw_ns);
	if (peer->id == t->epoch.leader && !t->epoch.carried &&
	    peer->clock.quality == TIMESYNC_DISRUPTED &&
	    peer->clock.epoch == t->epoch.number)
		t->epoch.broken = true;

	bool wanting = t->epoch.number != 0 && !t->epoch.carried &&
		       peer->id == t->epoch.leader &&
		       !(peer->claim.valid &&
			 peer->claim.epoch == t->epoch.number);
	schedule_answered(&peer->schedule, raw_ns, t->steady_ns, wanting,
			  &t->prng);
}

/* True: the clock is to be judged at once, not with the reply that follows. */
static bool on_refined(struct timesync *t, int64_t raw_ns,
		       const struct timesync_exchange *exchange)
{
	struct peer *peer = peer_by_id(t, exchange->peer);
	struct interval held, met;

	if (peer == NULL)
		return false;
	if (peer_refine(peer, exchange, &t->limits, t->trust_since_ns, raw_ns,
			&held, &met) == PEER_CONTRADICTED) {
		on_contradiction(t, raw_ns, peer, held, met);
		return true;
	}
	heed_surprise(peer, raw_ns);
	return false;
}

static void on_timeout(struct timesync *t, int64_t raw_ns, uint32_t id)
{
	struct peer *peer = peer_by_id(t, id);

	if (peer != NULL)
		schedule_timed_out(&peer->schedule, raw_ns, &t->prng);
}

static void begin_epoch(struct timesync *t, uint64_t number)
{
	t->epoch = (struct epoch){ .number = number };
	t->has_truth = false;
	discipline_restart(&t->discipline);
}

static void on_epoch(struct timesync *t, const struct timesync_event *event)
{
	uint32_t leader = event->epoch.leader;
	bool new_epoch = event->epoch.epoch > t->epoch.number;
	bool new_leader = leader != t->epoch.leader;

	if (new_epoch)
		begin_epoch(t, event->epoch.epoch);
	t->epoch.leader = leader;
	/* A raftd that was restarted may name an older epoch for a while: the
	 * one we know goes on, but nobody here leads it. */
	t->epoch.leads = event->epoch.self && event->epoch.epoch != 0 &&
			 event->epoch.epoch == t->epoch.number;

	if (t->epoch.leads && !t->epoch.carried) {
		t->epoch.carried = true;
		t->epoch.offset_ns = event->epoch.anchor_ts_ns -
				     event->epoch.anchor_raw_ns;
		t->majority_ns = event->raw_ns;
		/* An anchor set before our clock broke anchors nothing. */
		if (event->epoch.anchor_raw_ns >= t->trust_since_ns)
			t->disrupted = false;
	}
	if ((new_epoch || new_leader) && !t->epoch.carried)
		hurry_all(t, event->raw_ns);
}

/* -- asking -------------------------------------------------------------- */

/* Among more peers than max_peers. Anew each sync_interval, and when the
 * leader is another. */
static void choose_whom(struct timesync *t, int64_t raw_ns)
{
	const struct roster roster = {
		.places = t->config.max_peers,
		.leader = t->epoch.carried ? 0 : t->epoch.leader,
		.gap_ns = t->config.peer_gap_ns,
	};

	if (raw_ns < t->choose_ns && roster.leader == t->chosen_leader)
		return;
	t->choose_ns = raw_ns + t->config.sync_interval_ns;
	t->chosen_leader = roster.leader;
	roster_choose(&roster, t->peers, t->peer_count, &t->prng);
}

/* A reference outside is not asked more often than its gap allows. */
static int64_t due_ns(const struct timesync *t, uint32_t index)
{
	const struct schedule *schedule = &t->peers[index].schedule;
	int64_t gap_ns = t->config.peer_gap_ns[index];

	if (gap_ns == 0 || schedule->asked == 0 ||
	    schedule->next_ns > schedule->sent_ns + gap_ns)
		return schedule->next_ns;
	return schedule->sent_ns + gap_ns;
}

static void ask_who_is_due(struct timesync *t, int64_t raw_ns,
			   struct timesync_effects *effects)
{
	choose_whom(t, raw_ns);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct peer *peer = &t->peers[i];

		if (!peer->chosen || raw_ns < due_ns(t, i) ||
		    !schedule_is_due(&peer->schedule, raw_ns))
			continue;
		schedule_sent(&peer->schedule, raw_ns);
		effects->ask[effects->ask_count++] = peer->id;
	}
}

static int64_t next_deadline_ns(const struct timesync *t)
{
	int64_t deadline_ns = t->refresh_ns;

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct schedule *schedule = &t->peers[i].schedule;

		if (t->peers[i].chosen && !schedule->outstanding &&
		    due_ns(t, i) < deadline_ns)
			deadline_ns = due_ns(t, i);
	}
	return deadline_ns;
}

void timesync_step(struct timesync *t, const struct timesync_event *event,
		   struct timesync_effects *effects)
{
	int64_t raw_ns = event->raw_ns;
	bool news = event->type != TIMESYNC_EV_TICK;

	*effects = (struct timesync_effects){ 0 };
	switch (event->type) {
	case TIMESYNC_EV_TICK:
		break;
	case TIMESYNC_EV_REPLY:
		on_reply(t, raw_ns, &event->reply);
		break;
	case TIMESYNC_EV_REFINED:
		news = on_refined(t, raw_ns, &event->reply);
		break;
	case TIMESYNC_EV_TIMEOUT:
		on_timeout(t, raw_ns, event->peer);
		break;
	case TIMESYNC_EV_EPOCH:
		on_epoch(t, event);
		break;
	case TIMESYNC_EV_DISRUPTION:
		break_own_clock(t, raw_ns, "suspend, pause or clock step");
		break;
	case TIMESYNC_EV_HURRY:
		hurry_all(t, raw_ns);
		break;
	}

	if (news || raw_ns >= t->refresh_ns) {
		judge(t, raw_ns);
		effects->publish = true;
	}
	ask_who_is_due(t, raw_ns, effects);
	effects->clock = t->clock;
	effects->deadline_ns = next_deadline_ns(t);
}

/* -- views --------------------------------------------------------------- */

const struct timesync_clock *timesync_clock(const struct timesync *timesync)
{
	return &timesync->clock;
}

const char *timesync_why(const struct timesync *timesync)
{
	return timesync->why;
}

struct timesync_corrections
timesync_corrections(const struct timesync *timesync, int64_t raw_ns)
{
	struct guard_budget budget = timesync->discipline.budget;

	return (struct timesync_corrections){
		.spent_ns = guard_budget_spent_ns(&budget, raw_ns),
		.held_back = timesync->discipline.held_back,
	};
}

int64_t timesync_poll_ns(const struct timesync *timesync)
{
	return timesync->steady_ns;
}

/* As of the last publication. */
static void fill_claim(struct timesync_peer_view *view,
		       const struct timesync *t, const struct peer *peer)
{
	int64_t raw_ns = t->clock.asof_ns;

	view->claims = peer_bears_witness(peer, t->epoch.number, raw_ns);
	if (!view->claims)
		return;
	view->claim = bound_truth_at(&peer->claim.witness, raw_ns,
				     t->limits.rho_ppb);
	view->claim.low_ns -= t->clock.offset_ns;
	view->claim.high_ns -= t->clock.offset_ns;
}

static void fill_view(struct timesync_peer_view *view, const struct peer *peer)
{
	const struct corridor *corridor = &peer->filter.corridor;
	const struct exchange_sample *best = filter_best(&peer->filter);

	*view = (struct timesync_peer_view){
		.id = peer->id,
		.reach = peer->schedule.reach,
		.truechimer = peer->truechimer,
		.chosen = peer->chosen,
		.offset_ns = best != NULL ? best->offset_ns : 0,
		.delay_ns = best != NULL ? best->delay_ns : 0,
		.jitter_ns = (int64_t)corridor_sigma_at_ns(
			&peer->filter.corridor, peer->filter.corridor.at_ns),
		.drift_ppb = (int32_t)filter_drift_ppb(&peer->filter),
		.last_heard_ns = peer->heard_ns,
		.asked = peer->schedule.asked,
		.answered = peer->schedule.answered,
		.timeouts = peer->schedule.timeouts,
		.rejected = peer->rejected,
		.contradictions = peer->contradictions,
		.withheld = peer->withheld,
		.refined = peer->refined,
		.tcp_rtt_ns = peer->tcp_rtt_ns,
		.doubt_ns = peer->doubt_ns,
		.doubted = peer->doubted,
		.doubtful_path = peer->way.on,
		.floor_ns = peer->heard_ns != 0 ?
				    guard_path_floor_ns(&peer->path) :
				    0,
		.points = corridor->upper.count,
		.span_ns = corridor->upper.count > 0 ?
				   corridor->at_ns -
					   corridor->upper.points[0].at_ns :
				   0,
		.skew_ppb = corridor->drift_sigma_ppb < PPB ?
				    (uint32_t)corridor->drift_sigma_ppb :
				    PPB,
		.why = peer->why,
	};
}

uint32_t timesync_peers(const struct timesync *timesync,
			struct timesync_peer_view views[TIMESYNC_PEERS_MAX])
{
	for (uint32_t i = 0; i < timesync->peer_count; i++) {
		fill_view(&views[i], &timesync->peers[i]);
		fill_claim(&views[i], timesync, &timesync->peers[i]);
	}
	return timesync->peer_count;
}
