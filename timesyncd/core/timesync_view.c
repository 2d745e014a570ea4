/* What the core shows of itself: the clock in force, why, and each peer's row.
 */
#include "common/units.h"
#include "timesyncd/core/state.h"

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
	view->claim =
		bound_truth_at(&peer->claim.witness, raw_ns, t->limits.rho_ppb);
	view->claim.low_ns -= t->clock.offset_ns;
	view->claim.high_ns -= t->clock.offset_ns;
}

static void fill_view(struct timesync_peer_view *view, const struct peer *peer)
{
	const struct corridor *corridor = &peer->filter.corridor;
	const struct exchange_sample *best = filter_best(&peer->filter);

	*view = (struct timesync_peer_view){
		.id = peer->id,
		.reachable = schedule_is_reachable(&peer->schedule),
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
		.served = peer->served,
		.tcp_rtt_ns = peer->tcp_rtt_ns,
		.doubt_ns = peer->doubt_ns,
		.doubted = peer->doubted,
		.doubtful_path = peer->way.on,
		.floor_ns = peer->heard_ns != 0
				    ? guard_path_floor_ns(&peer->path)
				    : 0,
		.points = corridor->upper.count,
		.span_ns = corridor->upper.count > 0
				   ? corridor->at_ns -
					     corridor->upper.points[0].at_ns
				   : 0,
		.skew_ppb = corridor->drift_sigma_ppb < PPB
				    ? (uint32_t)corridor->drift_sigma_ppb
				    : PPB,
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
