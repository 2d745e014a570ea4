/* Status for `raftfs clock`: what is published, why, each peer's row, and the
 * history of all that. */
#include <string.h>
#include <time.h>

#include "common/os/clock.h"
#include "common/os/confine.h"
#include "common/units.h"
#include "timesyncd/daemon.h"

static const char *const quality_names[] = {
	[TIMESYNC_UNSYNCED] = "UNSYNCED",
	[TIMESYNC_HOLDOVER] = "HOLDOVER",
	[TIMESYNC_SYNCED] = "SYNCED",
	[TIMESYNC_DISRUPTED] = "DISRUPTED",
};

/* What the reply points to; valid until the next call. */
struct answer {
	DistributedFs__TimesyncStatus status;
	DistributedFs__TimesyncPeer rows[TIMESYNC_PEERS_MAX];
	DistributedFs__TimesyncPeer *row_pointers[TIMESYNC_PEERS_MAX];
};

static const char *name_of(const struct config *config, uint32_t id)
{
	const struct config_node *node = config_node(config, id);
	const char *name = node != NULL ? node->name :
					  references_name(config, id);

	return name != NULL ? name : "";
}

static void fill_row(DistributedFs__TimesyncPeer *row,
		     const struct timesync_peer_view *view,
		     const struct config *config, int64_t raw_ns)
{
	distributed_fs__timesync_peer__init(row);
	row->node = view->id;
	row->name = (char *)name_of(config, view->id);
	row->reach = view->reach;
	row->truechimer = view->truechimer;
	row->offset_ns = view->offset_ns;
	row->delay_ns = view->delay_ns;
	row->jitter_ns = view->jitter_ns;
	row->drift_ppb = view->drift_ppb;
	row->age_ns = view->last_heard_ns != 0 ? raw_ns - view->last_heard_ns :
						 -1;
	row->asked = view->asked;
	row->answered = view->answered;
	row->timeouts = view->timeouts;
	row->rejected = view->rejected;
	row->why = (char *)view->why;
	row->withheld = view->withheld;
	row->refined = view->refined;
	row->floor_ns = view->floor_ns;
	row->chosen = view->chosen;
	row->points = view->points;
	row->span_ns = view->span_ns;
	row->skew_ppb = view->skew_ppb;
	row->claims = view->claims;
	row->claim_low_ns = view->claim.low_ns;
	row->claim_high_ns = view->claim.high_ns;
	row->tcp_rtt_ns = view->tcp_rtt_ns;
	row->doubtful = view->doubtful_path;
	row->doubt_ns = view->doubt_ns;
	row->doubted = view->doubted;
	row->served = view->served;
}

static void fill_clock(DistributedFs__TimesyncStatus *status,
		       const struct daemon *daemon, int64_t raw_ns)
{
	const struct timesync_clock *clock = timesync_clock(daemon->timesync);
	struct interval now = timesync_clock_at(clock, raw_ns);

	status->quality = (char *)quality_names[clock->quality];
	status->why = (char *)timesync_why(daemon->timesync);
	status->epoch = clock->epoch;
	status->leader = daemon->watch.leader;
	status->offset_ns = clock->offset_ns;
	status->drift_ppb = clock->drift_ppb;
	status->growth_ppb = clock->growth_ppb;
	status->part_delay_ns = clock->part_delay_ns;
	status->part_dispersion_ns = clock->part_dispersion_ns;
	status->part_drift_ns = clock->part_drift_ns;
	status->part_unslewed_ns = clock->part_unslewed_ns;
	status->confined = (char *)confine_text();
	status->disruptions = publish_disruptions(&daemon->publish, clock);
	status->age_ns = raw_ns - clock->asof_ns;
	status->stratum = clock->stratum;
	if (interval_is_empty(now))
		return;
	status->bound_ns = (now.high_ns - now.low_ns) / 2;
	/* What the bound has grown by since asof is age, too. */
	status->part_drift_ns += status->bound_ns - clock->bound_ns;
	status->cluster_ns = now.low_ns + (now.high_ns - now.low_ns) / 2;
}

static void fill_corrections(DistributedFs__TimesyncStatus *status,
			     const struct daemon *daemon, int64_t raw_ns)
{
	struct timesync_corrections corrections =
		timesync_corrections(daemon->timesync, raw_ns);

	status->corrected_ns = corrections.spent_ns;
	status->corrections_held = corrections.held_back;
	status->max_correction_ns = daemon->settings.max_correction_ns;
}

static void fill_cost(DistributedFs__TimesyncStatus *status,
		      const struct daemon *daemon, int64_t raw_ns)
{
	struct timespec cpu;

	status->uptime_ns = raw_ns - daemon->started_ns;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
		status->cpu_ns = cpu.tv_sec * NS_PER_SEC + cpu.tv_nsec;
}

static void fill_packets(DistributedFs__TimesyncStatus *status,
			 const struct daemon *daemon)
{
	const struct peers_counters *counters = peers_counters(daemon->peers);

	status->packets_in = counters->packets_in;
	status->packets_out = counters->packets_out;
	status->refused_mac = counters->refused_mac;
	status->refused_replay = counters->refused_replay;
	status->refused_rate = counters->refused_rate;
	status->refused_other = counters->refused_other;
	status->timestamping =
		peers_kernel_stamps(daemon->peers) ? "kernel" : "user";
	status->poll_ns = timesync_poll_ns(daemon->timesync);
}

/* What a history reply points to; valid until the next call. */
struct history_answer {
	DistributedFs__TimesyncHistory history;
	DistributedFs__TimesyncPoint points[HISTORY_POINTS_MAX];
	DistributedFs__TimesyncPoint *point_pointers[HISTORY_POINTS_MAX];
	DistributedFs__TimesyncPeerPoint peers[HISTORY_POINTS_MAX]
					      [TIMESYNC_PEERS_MAX];
	DistributedFs__TimesyncPeerPoint *peer_pointers[HISTORY_POINTS_MAX]
						       [TIMESYNC_PEERS_MAX];
};

static void fill_point(struct history_answer *answer, uint32_t index,
		       const struct history_point *from, int64_t raw_ns)
{
	DistributedFs__TimesyncPoint *point = &answer->points[index];

	answer->point_pointers[index] = point;
	distributed_fs__timesync_point__init(point);
	point->age_ns = raw_ns - from->raw_ns;
	point->quality = (char *)quality_names[from->quality];
	point->to_wall_ns = from->to_wall_ns;
	point->bound_ns = from->bound_ns;
	point->drift_ppb = from->drift_ppb;
	point->n_peers = from->peer_count;
	point->peers = answer->peer_pointers[index];
	for (uint32_t i = 0; i < from->peer_count; i++) {
		DistributedFs__TimesyncPeerPoint *peer =
			&answer->peers[index][i];

		answer->peer_pointers[index][i] = peer;
		distributed_fs__timesync_peer_point__init(peer);
		peer->node = from->peers[i].node;
		peer->offset_ns = from->peers[i].offset_ns;
		peer->delay_ns = from->peers[i].delay_ns;
		peer->drift_ppb = from->peers[i].drift_ppb;
		peer->truechimer = from->peers[i].truechimer;
	}
}

static void answer_history(const struct history *history,
			   DistributedFs__ControlReply *reply)
{
	static struct history_answer answer;
	int64_t raw_ns = clock_raw_ns();

	distributed_fs__timesync_history__init(&answer.history);
	answer.history.every_ns = history->every_ns > 0 ? history->every_ns :
							  HISTORY_EVERY_NS;
	for (uint32_t i = 0; i < history->count; i++)
		fill_point(&answer, i, &history->points[i], raw_ns);
	answer.history.n_points = history->count;
	answer.history.points = answer.point_pointers;
	reply->history = &answer.history;
}

enum rfs_err control_answer_status(void *ctx,
				   const DistributedFs__ControlRequest *request,
				   DistributedFs__ControlReply *reply)
{
	static struct answer answer;
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct daemon *daemon = ctx;
	int64_t raw_ns = clock_raw_ns();
	uint32_t count;

	if (request->kind == DISTRIBUTED_FS__CONTROL_KIND__CONTROL_HISTORY) {
		answer_history(&daemon->history, reply);
		return RFS_ERR_OK;
	}
	if (request->kind != DISTRIBUTED_FS__CONTROL_KIND__CONTROL_STATUS)
		return RFS_ERR_NOTSUP;

	distributed_fs__timesync_status__init(&answer.status);
	answer.status.node = daemon->config.self;
	fill_clock(&answer.status, daemon, raw_ns);
	fill_packets(&answer.status, daemon);
	fill_corrections(&answer.status, daemon, raw_ns);
	fill_cost(&answer.status, daemon, raw_ns);
	count = timesync_peers(daemon->timesync, views);
	for (uint32_t i = 0; i < count; i++) {
		fill_row(&answer.rows[i], &views[i], &daemon->config, raw_ns);
		answer.row_pointers[i] = &answer.rows[i];
	}
	answer.status.probed = daemon->paths.rows != NULL;
	answer.status.n_peers = count;
	answer.status.peers = answer.row_pointers;
	reply->timesync = &answer.status;
	return RFS_ERR_OK;
}
