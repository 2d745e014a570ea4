/* Points, ever further apart. */
#include "timesyncd/history.h"

static int64_t spacing_ns(const struct history *history)
{
	return history->every_ns > 0 ? history->every_ns : HISTORY_EVERY_NS;
}

/* A timer is a little early or late: half the first spacing is no matter. */
static bool is_due(const struct history *history, int64_t raw_ns)
{
	const struct history_point *last;

	if (history->count == 0)
		return true;
	last = &history->points[history->count - 1];
	return raw_ns - last->raw_ns >=
	       spacing_ns(history) - HISTORY_EVERY_NS / 2;
}

static void thin_out(struct history *history)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < history->count; i += 2)
		history->points[kept++] = history->points[i];
	history->count = kept;
	history->every_ns = 2 * spacing_ns(history);
}

void history_put(struct history *history, const struct history_point *point)
{
	if (!is_due(history, point->raw_ns))
		return;
	if (history->count == HISTORY_POINTS_MAX) {
		thin_out(history);
		if (!is_due(history, point->raw_ns))
			return;
	}
	history->points[history->count++] = *point;
}

void history_add(struct history *history, int64_t raw_ns, int64_t wall_ns,
		 const struct timesync *timesync)
{
	const struct timesync_clock *clock = timesync_clock(timesync);
	struct interval now = timesync_clock_at(clock, raw_ns);
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct history_point point = {.raw_ns = raw_ns,
				      .bound_ns = -1,
				      .drift_ppb = clock->drift_ppb,
				      .quality = clock->quality};

	if (!is_due(history, raw_ns))
		return;
	if (!interval_is_empty(now)) {
		point.bound_ns = (now.high_ns - now.low_ns) / 2;
		point.to_wall_ns = now.low_ns + point.bound_ns - wall_ns;
	}
	point.peer_count = timesync_peers(timesync, views);
	for (uint32_t i = 0; i < point.peer_count; i++)
		point.peers[i] = (struct history_peer){
			.node = views[i].id,
			.drift_ppb = views[i].drift_ppb,
			.offset_ns = views[i].offset_ns,
			.delay_ns = views[i].delay_ns,
			.truechimer = views[i].truechimer,
		};
	history_put(history, &point);
}
