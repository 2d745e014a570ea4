/* Exchanges of one peer, and its claim about the timeline. */
#include "timesyncd/core/peer.h"

#include <math.h>

#include "common/units.h"

/* Published clocks older than this are history, not testimony. */
#define CLOCK_AGE_MAX_NS (INT64_C(1) << 50)

void peer_init(struct peer *peer, uint32_t id, uint32_t history_size,
	       int32_t drift_ppb, int64_t raw_ns)
{
	*peer = (struct peer){ .id = id, .why = "not asked yet" };
	filter_init(&peer->filter, history_size, drift_ppb);
	guard_path_init(&peer->path);
	schedule_init(&peer->schedule, raw_ns);
}

void peer_forget(struct peer *peer)
{
	filter_clear(&peer->filter);
	peer->doubt_ns = 0;
	peer->claim.valid = false;
	peer->truechimer = false;
	peer->contradicted_ns = 0;
	peer->relapse = (struct relapse){ 0 };
	peer->why = "not measured since the disruption";
}

static bool is_usable(const struct timesync_clock *clock, int64_t raw_ns)
{
	if (clock->quality != TIMESYNC_SYNCED &&
	    clock->quality != TIMESYNC_HOLDOVER)
		return false;
	return clock->epoch != 0 && raw_ns >= clock->asof_ns &&
	       raw_ns < clock->void_after_ns;
}

/* Values no honest clock has could overflow the sums below. */
static bool is_in_range(const struct timesync_clock *clock, int64_t raw_ns)
{
	return clock->asof_ns > -EXCHANGE_RAW_MAX_NS &&
	       raw_ns - clock->asof_ns < CLOCK_AGE_MAX_NS &&
	       clock->offset_ns > -(INT64_C(1) << 62) &&
	       clock->offset_ns < (INT64_C(1) << 62) &&
	       clock->bound_ns >= 0 && clock->bound_ns <= BOUND_USABLE_NS &&
	       clock->drift_ppb < PPB && clock->drift_ppb > -PPB &&
	       clock->growth_ppb < PPB;
}

/* The peer's clock at T3 brought to T4: at most `elapsed` later, in which its
 * line moved by its drift and its bound grew. */
static struct interval clock_at_t4(const struct timesync_clock *clock,
				   int64_t t3_ns, int64_t elapsed_ns)
{
	int64_t age_ns = t3_ns - clock->asof_ns;
	int64_t pace_ppb = (clock->drift_ppb < 0 ? -(int64_t)clock->drift_ppb :
						   clock->drift_ppb) +
			   clock->growth_ppb;
	int64_t middle_ns = clock->offset_ns +
			    units_scale_ppb(age_ns, clock->drift_ppb);
	int64_t half_ns =
		clock->bound_ns + units_scale_ppb(age_ns, clock->growth_ppb);

	/* A carrier's clock is exact: nothing to round either. Else twice the
	 * elapsed time covers that the peer's raw may run faster than ours. */
	if (pace_ppb != 0)
		half_ns += units_scale_ppb(2 * elapsed_ns, pace_ppb) + 3;
	return (struct interval){ middle_ns - half_ns, middle_ns + half_ns };
}

static void take_claim(struct peer *peer,
		       const struct timesync_exchange *exchange,
		       const struct exchange_limits *limits)
{
	const struct timesync_clock *clock = &exchange->server_clock;
	const struct exchange_sample *sample = filter_newest(&peer->filter);

	peer->clock = *clock;
	peer->heard_raw_ns = exchange->t3_ns;
	peer->claim.valid = is_usable(clock, exchange->t3_ns) &&
			    is_in_range(clock, exchange->t3_ns);
	if (!peer->claim.valid)
		return;

	struct interval raw = filter_interval_at(
		&peer->filter, exchange->t4_ns, limits->rho_ppb);
	struct interval theirs = clock_at_t4(clock, exchange->t3_ns,
					     exchange->t4_ns - exchange->t1_ns);

	peer->claim.epoch = clock->epoch;
	peer->claim.exact = clock->bound_ns == 0 && clock->growth_ppb == 0;
	peer->claim.witness = (struct bound_witness){
		.at_ns = exchange->t4_ns,
		.truth = { raw.low_ns + theirs.low_ns,
			   raw.high_ns + theirs.high_ns },
		.delay_ns = sample->delay_ns,
		.dispersion_ns = 2 * limits->precision_ns +
				 (theirs.high_ns - theirs.low_ns) / 2,
		.measured_ns = exchange->t4_ns,
	};
}

static bool is_new_clock(const struct peer *peer,
			 const struct timesync_exchange *exchange)
{
	return peer->heard_ns != 0 &&
	       (peer->boot != exchange->server_boot ||
		peer->clock.disruptions !=
			exchange->server_clock.disruptions);
}

static void note_contradiction(struct peer *peer, int64_t raw_ns)
{
	peer->contradictions++;
	peer->contradicted_ns = raw_ns;
}

static void note_tcp(struct peer *peer,
		     const struct timesync_exchange *exchange)
{
	bool fresh = exchange->tcp_age_ns >= 0 &&
		     exchange->tcp_age_ns <= GUARD_TCP_AGE_MAX_NS;

	peer->tcp_rtt_ns = fresh && exchange->tcp_rtt_ns > 0 ?
				   exchange->tcp_rtt_ns :
				   0;
}

/* Whether an exchange that is no slower than usual may steer. In doubt it only
 * may where nothing better is known: what was measured before the doubt is
 * better until its own sigma has grown past it. A line through exchanges of
 * both sorts would show the delay as a drift. */
static bool trusts_path(struct peer *peer, int64_t delay_ns, int64_t raw_ns)
{
	const struct corridor *corridor = &peer->filter.corridor;
	int64_t doubt_ns = guard_doubt_ns(delay_ns, peer->tcp_rtt_ns);
	int64_t usual_ns = guard_doubt_ns(guard_path_floor_ns(&peer->path),
					  peer->tcp_rtt_ns);

	if (doubt_ns != 0 && peer->doubt_ns == 0 && peer->filter.drift_known &&
	    corridor->upper.count > 0 &&
	    corridor_sigma_at_ns(corridor, raw_ns) < (double)doubt_ns)
		return false;
	if ((doubt_ns != 0) != (peer->doubt_ns != 0))
		filter_estimate_anew(&peer->filter);
	/* Of slow ones the least slow tell: more is a queue. */
	peer->doubt_ns = doubt_ns != 0 && usual_ns != 0 ? usual_ns : doubt_ns;
	return true;
}

enum peer_verdict peer_take(struct peer *peer,
			    const struct timesync_exchange *exchange,
			    const struct exchange_limits *limits,
			    int64_t trust_since_ns, int64_t raw_ns,
			    struct interval *held, struct interval *met)
{
	enum peer_verdict verdict = PEER_TAKEN;
	struct exchange_sample sample;
	enum rfs_err err = exchange_measure(limits, exchange->t1_ns,
					    exchange->t2_ns, exchange->t3_ns,
					    exchange->t4_ns, &sample);

	if (err != RFS_ERR_OK || exchange->t1_ns < trust_since_ns ||
	    exchange->t4_ns > raw_ns || exchange->t4_ns < peer->heard_ns) {
		peer->rejected++;
		peer->why = err == RFS_ERR_TIMEDOUT ?
				    "answers slower than max_rtt" :
				    "its stamps make no sense";
		return PEER_REFUSED;
	}

	if (is_new_clock(peer, exchange)) {
		filter_clear(&peer->filter);
		verdict = PEER_RESTARTED;
	}
	peer->boot = exchange->server_boot;
	peer->heard_ns = exchange->t4_ns;

	note_tcp(peer, exchange);
	peer->delay_ns = sample.delay_ns;
	peer->doubted += guard_doubt_ns(sample.delay_ns, peer->tcp_rtt_ns) != 0;
	(void)guard_doubt_watch(&peer->way, sample.delay_ns, peer->tcp_rtt_ns);

	bool steers = guard_path_admits(&peer->path, sample.delay_ns, raw_ns) &&
		      trusts_path(peer, sample.delay_ns, raw_ns);

	peer->withheld += !steers;
	if (!filter_add(&peer->filter, &sample, limits->rho_ppb, steers, held,
			met)) {
		note_contradiction(peer, raw_ns);
		verdict = PEER_CONTRADICTED;
	}
	take_claim(peer, exchange, limits);
	return verdict;
}

enum peer_verdict peer_refine(struct peer *peer,
			      const struct timesync_exchange *exchange,
			      const struct exchange_limits *limits,
			      int64_t trust_since_ns, int64_t raw_ns,
			      struct interval *held, struct interval *met)
{
	const struct exchange_sample *newest = filter_newest(&peer->filter);
	struct exchange_sample sample;

	if (exchange_measure(limits, exchange->t1_ns, exchange->t2_ns,
			     exchange->t3_ns, exchange->t4_ns,
			     &sample) != RFS_ERR_OK ||
	    exchange->t1_ns < trust_since_ns || newest == NULL ||
	    exchange->t4_ns != newest->at_ns || is_new_clock(peer, exchange))
		return PEER_REFUSED;
	peer->refined++;
	if (filter_add(&peer->filter, &sample, limits->rho_ppb,
		       guard_path_allows(&peer->path, sample.delay_ns) &&
			       trusts_path(peer, sample.delay_ns, raw_ns),
		       held, met))
		return PEER_TAKEN;
	note_contradiction(peer, raw_ns);
	return PEER_CONTRADICTED;
}

enum peer_verdict peer_take_served(struct peer *peer,
				   const struct timesync_exchange *exchange,
				   const struct exchange_limits *limits,
				   int64_t trust_since_ns, int64_t raw_ns,
				   struct interval *held, struct interval *met)
{
	const struct exchange_sample *newest = filter_newest(&peer->filter);
	struct exchange_sample sample;

	if (exchange_measure_served(limits, exchange->t1_ns, exchange->t2_ns,
				    exchange->t3_ns, exchange->t4_ns,
				    &sample) != RFS_ERR_OK ||
	    exchange->t2_ns < trust_since_ns || exchange->t3_ns > raw_ns ||
	    newest == NULL || sample.at_ns < newest->at_ns ||
	    is_new_clock(peer, exchange))
		return PEER_REFUSED;

	bool steers = guard_path_admits(&peer->path, sample.delay_ns, raw_ns) &&
		      trusts_path(peer, sample.delay_ns, raw_ns);

	peer->served++;
	if (filter_add(&peer->filter, &sample, limits->rho_ppb, steers, held,
		       met))
		return PEER_TAKEN;
	note_contradiction(peer, raw_ns);
	return PEER_CONTRADICTED;
}

bool peer_bears_witness(const struct peer *peer, uint64_t epoch, int64_t raw_ns)
{
	/* A peer that max_peers leaves out for now is heard less and less. */
	return peer->claim.valid && peer->claim.epoch == epoch &&
	       schedule_is_reachable(&peer->schedule) &&
	       raw_ns - peer->heard_ns <= peer->schedule.patience_ns;
}

int64_t peer_target_at(const struct peer *peer, int64_t raw_ns)
{
	int64_t age_ns = peer->heard_raw_ns - peer->clock.asof_ns +
			 (raw_ns - peer->heard_ns);

	return filter_offset_at(&peer->filter, raw_ns) +
	       peer->clock.offset_ns +
	       units_scale_ppb(age_ns, peer->clock.drift_ppb);
}

double peer_target_drift_ppb(const struct peer *peer)
{
	return filter_drift_ppb(&peer->filter) + peer->clock.drift_ppb;
}

double peer_target_sigma_ns(const struct peer *peer, int64_t raw_ns)
{
	return corridor_sigma_at_ns(&peer->filter.corridor, raw_ns);
}

double peer_target_doubt_ns(const struct peer *peer, int64_t raw_ns)
{
	double sigma_ns = peer_target_sigma_ns(peer, raw_ns);
	double doubt_ns = (double)peer->doubt_ns;

	return sqrt(sigma_ns * sigma_ns + doubt_ns * doubt_ns);
}
