/* The step: facts in, one published clock and a list of whom to ask out.
 *
 * Every event ends the same way: judge_clock() asks select.h whom to believe and
 * publishes; then whoever is due is asked.
 *
 * Quality, and the edges between (all in judge_clock() and state_break()):
 *
 *	UNSYNCED --witnesses--> HOLDOVER --enough of them--> SYNCED
 *	SYNCED --too few agree--> HOLDOVER --void_after--> UNSYNCED
 *	any --new epoch--> UNSYNCED		(SYNCED where it is carried)
 *	any --own clock broke--> DISRUPTED --a majority agrees--> as above
 */
#include "timesyncd/core/timesync.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/units.h"
#include "timesyncd/core/asking.h"
#include "timesyncd/core/judge.h"
#include "timesyncd/core/state.h"

/* Contradictions this close together have one cause. */
#define SAME_CAUSE_NS (5 * NS_PER_SEC)

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

/* -- events -------------------------------------------------------------- */

/* The estimate was far off: a rate changed, or the way there did. What comes
 * next has to be learnt, and fast. */
static void heed_surprise(const struct timesync *t, struct peer *peer,
			  int64_t raw_ns)
{
	bool surprised = peer->filter.surprised;

	peer->filter.surprised = false;
	if (surprised && state_is_news(t, raw_ns, peer))
		schedule_hurry(&peer->schedule, raw_ns);
}

/* One contradicting peer may have jumped; most of them at once did not. Who
 * does it all the time does not count. */
static bool contradicted_by_most(const struct timesync *t, int64_t raw_ns)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->peer_count; i++)
		count += t->peers[i].contradicted_ns != 0 &&
			 raw_ns - t->peers[i].contradicted_ns < SAME_CAUSE_NS &&
			 !relapse_is_habit(&t->peers[i].relapse, raw_ns);
	return t->peer_count > 1 && 2 * count > t->peer_count;
}

/* Another's clock broke, or the way to it. False: not to be told any more. */
static bool note_break(const struct timesync *t, int64_t raw_ns,
		       struct peer *peer)
{
	if (relapse_note(&peer->relapse, raw_ns))
		story(&t->config.story,
		      "node %" PRIu32 ": its clock breaks again and again",
		      peer->id);
	return state_is_news(t, raw_ns, peer);
}

static void on_contradiction(struct timesync *t, int64_t raw_ns,
			     struct peer *peer, struct interval held,
			     struct interval met)
{
	if (note_break(t, raw_ns, peer))
		story(&t->config.story,
		      "node %" PRIu32 " contradicts itself: offset was in [%"
		      PRId64 ", %" PRId64 "], is in [%" PRId64 ", %" PRId64 "]",
		      peer->id, held.low_ns, held.high_ns, met.low_ns,
		      met.high_ns);
	if (contradicted_by_most(t, raw_ns))
		state_break(t, raw_ns, "most peers contradict this node's "
					   "raw clock");
	else if (state_is_news(t, raw_ns, peer))
		state_hurry(t, raw_ns);
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
	struct peer *peer = state_peer(t, exchange->peer);
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
		if (note_break(t, raw_ns, peer))
			story(&t->config.story,
			      "node %" PRIu32 " has a new clock", peer->id);
		break;
	case PEER_CONTRADICTED:
		on_contradiction(t, raw_ns, peer, held, met);
		break;
	}
	heed_surprise(t, peer, raw_ns);
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
	struct peer *peer = state_peer(t, exchange->peer);
	struct interval held, met;

	if (peer == NULL)
		return false;
	if (peer_refine(peer, exchange, &t->limits, t->trust_since_ns, raw_ns,
			&held, &met) == PEER_CONTRADICTED) {
		on_contradiction(t, raw_ns, peer, held, met);
		return true;
	}
	heed_surprise(t, peer, raw_ns);
	return false;
}

static bool on_served(struct timesync *t, int64_t raw_ns,
		      const struct timesync_exchange *exchange)
{
	struct peer *peer = state_peer(t, exchange->peer);
	struct interval held, met;

	if (peer == NULL)
		return false;
	if (peer_take_served(peer, exchange, &t->limits, t->trust_since_ns,
			     raw_ns, &held, &met) == PEER_CONTRADICTED) {
		on_contradiction(t, raw_ns, peer, held, met);
		return true;
	}
	heed_surprise(t, peer, raw_ns);
	return false;
}

static void on_timeout(struct timesync *t, int64_t raw_ns, uint32_t id)
{
	struct peer *peer = state_peer(t, id);

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
		state_hurry(t, event->raw_ns);
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
	case TIMESYNC_EV_SERVED:
		news = on_served(t, raw_ns, &event->reply);
		break;
	case TIMESYNC_EV_TIMEOUT:
		on_timeout(t, raw_ns, event->peer);
		break;
	case TIMESYNC_EV_EPOCH:
		on_epoch(t, event);
		break;
	case TIMESYNC_EV_DISRUPTION:
		state_break(t, raw_ns, "suspend, pause or clock step");
		break;
	case TIMESYNC_EV_HURRY:
		state_hurry(t, raw_ns);
		break;
	}

	if (news || raw_ns >= t->refresh_ns) {
		judge_clock(t, raw_ns);
		effects->publish = true;
	}
	asking_due(t, raw_ns, effects);
	effects->clock = t->clock;
	effects->deadline_ns = asking_deadline_ns(t);
}
