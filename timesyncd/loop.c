/* The wiring: readiness into events, the core's effects into the world. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "common/units.h"
#include "proto/handout.h"
#include "proto/sockets.h"
#include "timesyncd/calls.h"
#include "timesyncd/core/reference.h"
#include "timesyncd/daemon.h"
#include "timesyncd/driftfile.h"
#include "timesyncd/epochfile.h"
#include "timesyncd/identity.h"

#define LOOK_S		   0.020
/* Alone there is no consensus page to watch; breaks show on each answer. */
#define LOOK_ALONE_S	   0.250
#define DRIFT_SAVE_EVERY_NS (300 * NS_PER_SEC)
/* The probes are loaded beside us at start, and may take a while. */
#define PATHS_PATIENCE_NS (30 * NS_PER_SEC)

/* -- the core ------------------------------------------------------------ */

/* The core's story has told the log already. */
static void tell_supervisor(struct daemon *daemon,
			    const struct timesync_clock *clock)
{
	static const char *const names[] = { "unsynced", "holdover", "synced",
					     "disrupted" };
	const char *why = timesync_why(daemon->timesync);
	char line[192];

	if (clock->quality == daemon->quality)
		return;
	daemon->quality = clock->quality;
	snprintf(line, sizeof(line), "STATUS=%s, epoch %" PRIu64 "%s%s",
		 names[clock->quality], clock->epoch, *why ? ": " : "", why);
	process_notify(line);
}

/* Set by the handler of SIGTERM and SIGINT: nothing else wakes the loop. */
static volatile sig_atomic_t stop_asked;

static void look_at_mesh(struct daemon *daemon);

static void steer_host_clock(struct daemon *daemon,
			     const struct timesync_clock *clock)
{
	if (!daemon->steer.on)
		return;
	steer_follow(&daemon->steer, clock);
	daemon->boundlog.of_wall = true;
	daemon->boundlog.wall_rate_ppb =
		sysclock_pace_ppb(&daemon->steer.sysclock);
}

/* Between two publications. */
static void steer_now(struct daemon *daemon)
{
	const struct timesync_clock *clock = timesync_clock(daemon->timesync);

	if (!daemon->steer.on)
		return;
	steer_host_clock(daemon, clock);
	boundlog_add(&daemon->boundlog, clock);
}

static void ask(struct daemon *daemon, uint32_t id)
{
	if (reference_is_id(id))
		references_ask(daemon->references, id,
			       daemon->settings.timeout_ns);
	else
		peers_ask(daemon->peers, id, daemon->settings.timeout_ns);
}

static void step(struct daemon *daemon, struct timesync_event *event)
{
	struct timesync_effects effects;

	event->raw_ns = clock_raw_ns();
	timesync_step(daemon->timesync, event, &effects);
	if (effects.publish) {
		publish_clock(&daemon->publish, &effects.clock);
		steer_host_clock(daemon, &effects.clock);
		boundlog_add(&daemon->boundlog, &effects.clock);
		tell_supervisor(daemon, &effects.clock);
	}
	for (uint32_t i = 0; i < effects.ask_count; i++)
		ask(daemon, effects.ask[i]);

	int64_t wait_ns = effects.deadline_ns - clock_raw_ns();

	ev_now_update(daemon->loop);
	daemon->tick.repeat = wait_ns > 0 ? (double)wait_ns / 1e9 : 1e-6;
	ev_timer_again(daemon->loop, &daemon->tick);
	if (daemon->meshed)
		look_at_mesh(daemon);
}

/* Before it is used: what cannot be saved is assured by the wall clock. */
static void remember_epoch(struct daemon *daemon)
{
	uint64_t epoch = daemon->carrier.epoch;

	if (epoch <= daemon->epoch_saved)
		return;
	daemon->epoch_saved = epoch;
	if (epochfile_save(daemon->epoch_path, epoch) != RFS_ERR_OK)
		log_warn("going on without an epoch file");
}

/* Every event of the carrier's makes a step, after which it is asked again;
 * each brings it nearer to having nothing to say. */
static void look_at_mesh(struct daemon *daemon)
{
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	uint32_t count = timesync_peers(daemon->timesync, views);
	struct timesync_event event;

	if (!carrier_step(&daemon->carrier, clock_raw_ns(), clock_wall_ns(),
			  timesync_clock(daemon->timesync), views, count,
			  &event))
		return;
	remember_epoch(daemon);
	step(daemon, &event);
}

static void look_at_consensus(struct daemon *daemon)
{
	const struct timesync_clock *clock = timesync_clock(daemon->timesync);
	struct timesync_event event;

	/* Leaders carry a timeline only where there is no other. */
	if (daemon->config.time_sync.reference != CONFIG_REFERENCE_CLUSTER)
		return;
	if (watch_poll(&daemon->watch,
		       publish_disruptions(&daemon->publish, clock), &event))
		step(daemon, &event);
}

static void note_wall_step(struct daemon *daemon, const struct stamps *now)
{
	log_notice("somebody set the wall clock by about %+.3f ms; cluster "
		   "time is not affected",
		   (double)((now->wall_ns - daemon->last.wall_ns) -
			    (now->raw_ns - daemon->last.raw_ns)) /
			   1e6);
	steer_was_set(&daemon->steer);
	steer_now(daemon);
}

/* A break must be known before anything else is believed. */
static void look_at_clocks(struct daemon *daemon)
{
	struct timesync_event event = { .type = TIMESYNC_EV_DISRUPTION };
	struct stamps now;
	enum stamps_finding finding;

	stamps_read(&now);
	finding = stamps_compare(&daemon->last, &now);
	if (finding == STAMPS_WALL_STEPPED)
		note_wall_step(daemon, &now);
	daemon->last = now;
	if (finding == STAMPS_RAW_DISRUPTED)
		step(daemon, &event);
}

static const struct timesync_clock *host_clock(void *ctx)
{
	struct daemon *daemon = ctx;

	return timesync_clock(daemon->timesync);
}

static uint32_t host_hears(void *ctx)
{
	struct daemon *daemon = ctx;

	return daemon->meshed ? carrier_hears(&daemon->carrier) : 0;
}

static void host_replied(void *ctx, const struct timesync_exchange *exchange)
{
	struct daemon *daemon = ctx;
	struct timesync_event event = { .type = TIMESYNC_EV_REPLY,
					.reply = *exchange };

	paths_least(&daemon->paths, exchange->peer, &event.reply.tcp_rtt_ns,
		    &event.reply.tcp_age_ns);
	look_at_clocks(daemon);
	look_at_consensus(daemon);
	if (daemon->meshed)
		carrier_heard(&daemon->carrier, exchange->peer,
			      &exchange->server_clock, exchange->server_hears);
	step(daemon, &event);
}

static void host_refined(void *ctx, const struct timesync_exchange *exchange)
{
	struct daemon *daemon = ctx;
	struct timesync_event event = { .type = TIMESYNC_EV_REFINED,
					.reply = *exchange };

	look_at_clocks(daemon);
	step(daemon, &event);
}

static void host_served(void *ctx, const struct timesync_exchange *exchange)
{
	struct daemon *daemon = ctx;
	struct timesync_event event = { .type = TIMESYNC_EV_SERVED,
					.reply = *exchange };

	look_at_clocks(daemon);
	step(daemon, &event);
}

static void host_timed_out(void *ctx, uint32_t peer)
{
	struct daemon *daemon = ctx;
	struct timesync_event event = { .type = TIMESYNC_EV_TIMEOUT,
					.peer = peer };

	step(daemon, &event);
}

static void host_identify(void *ctx, struct ntp_identity *identity)
{
	identity_fill(ctx, identity);
}

/* -- the drift file ------------------------------------------------------ */

static void load_drifts(struct daemon *daemon)
{
	struct driftfile_row rows[TIMESYNC_PEERS_MAX];
	struct timesync_config *settings = &daemon->settings;
	uint32_t count = driftfile_load(daemon->drift_path,
					(int32_t)settings->max_rate_ppb, rows,
					TIMESYNC_PEERS_MAX);

	for (uint32_t i = 0; i < settings->peer_count; i++)
		for (uint32_t k = 0; k < count; k++)
			if (rows[k].node == settings->peers[i])
				settings->peer_drift_ppb[i] = rows[k].drift_ppb;
}

static void save_drifts(struct daemon *daemon)
{
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct driftfile_row rows[TIMESYNC_PEERS_MAX];
	uint32_t count = timesync_peers(daemon->timesync, views);
	uint32_t kept = 0;

	daemon->drift_saved_ns = clock_raw_ns();
	for (uint32_t i = 0; i < count; i++)
		if (views[i].answered > 0)
			rows[kept++] = (struct driftfile_row){
				views[i].id, views[i].drift_ppb
			};
	if (kept > 0 &&
	    driftfile_save(daemon->drift_path, rows, kept) != RFS_ERR_OK)
		log_warn("going on without a drift file");
}

/* -- callbacks of libev -------------------------------------------------- */

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = timer->data;
	struct timesync_event event = { .type = TIMESYNC_EV_TICK };

	(void)loop;
	(void)events;
	step(daemon, &event);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	struct daemon *daemon = timer->data;

	look_at_clocks(daemon);
	look_at_consensus(daemon);
	if (daemon->meshed)
		look_at_mesh(daemon);
	if (daemon->steer.sysclock.hurry)
		steer_now(daemon);
}

/* Said once: what would have come, has come by then. */
static void look_for_paths(struct daemon *daemon)
{
	if (daemon->paths_told || daemon->channel_fd < 0 ||
	    clock_raw_ns() - daemon->started_ns < PATHS_PATIENCE_NS)
		return;
	daemon->paths_told = true;
	if (daemon->paths.rows == NULL)
		log_notice("no probe of TCP's round trips: a way that delays "
			   "time packets alone is not told from a slow one");
}

static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct daemon *daemon = timer->data;

	(void)loop;
	(void)events;
	process_notify("WATCHDOG=1");
	history_add(&daemon->history, clock_raw_ns(), clock_wall_ns(),
		    daemon->timesync);
	look_for_paths(daemon);
	if (daemon->channel_fd < 0)
		complaints_look(&daemon->complaints, clock_raw_ns(),
				daemon->timesync, peers_counters(daemon->peers),
				&daemon->settings.story);
	if (clock_raw_ns() - daemon->drift_saved_ns > DRIFT_SAVE_EVERY_NS)
		save_drifts(daemon);
}

static void on_wake(struct ev_loop *loop, ev_check *check, int events)
{
	(void)check;
	(void)events;
	if (stop_asked)
		ev_break(loop, EVBREAK_ALL);
}

/* A flag, and the end of whatever wait it interrupts: a signal that comes just
 * before the wait is seen at the next look, a fraction of a second later. */
static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static void on_channel(struct ev_loop *loop, ev_io *io, int events)
{
	struct timesync_event tick = { .type = TIMESYNC_EV_TICK };
	struct daemon *daemon = io->data;
	bool started;
	enum rfs_err err;

	(void)events;
	do
		err = daemon_take_handout(daemon, &started);
	while (err == RFS_ERR_OK);
	if (err == RFS_ERR_BUSY) {
		/* Other settings count from now on, not from the next tick. */
		step(daemon, &tick);
		return;
	}
	if (err == RFS_ERR_CLOSED)
		log_notice("the supervisor is gone: stopping");
	else
		log_error("handout: %s", rfs_err_text(err));
	ev_break(loop, EVBREAK_ALL);
}

/* -- life ---------------------------------------------------------------- */

static void story_line(void *ctx, const char *text)
{
	(void)ctx;
	log_notice("%s", text);
}

static void start_watchers(struct daemon *daemon)
{
	struct ev_loop *loop = daemon->loop;

	ev_init(&daemon->tick, on_tick);
	daemon->tick.data = daemon;
	ev_timer_init(&daemon->look, on_look, 0,
		      daemon->channel_fd >= 0 ? LOOK_S : LOOK_ALONE_S);
	daemon->look.data = daemon;
	ev_timer_start(loop, &daemon->look);
	ev_timer_init(&daemon->second, on_second, 1, 1);
	daemon->second.data = daemon;
	ev_timer_start(loop, &daemon->second);
	ev_check_init(&daemon->wake, on_wake);
	ev_check_start(loop, &daemon->wake);
	catch_signals();
	if (daemon->channel_fd >= 0) {
		ev_io_init(&daemon->channel, on_channel, daemon->channel_fd,
			   EV_READ);
		daemon->channel.data = daemon;
		ev_io_start(loop, &daemon->channel);
	}
}

static void open_drift_file(struct daemon *daemon)
{
	char dir[CONFIG_PATH_MAX + 16];

	snprintf(dir, sizeof(dir), "%s/timesyncd", daemon->config.data_dir);
	if (process_make_dir(dir) != RFS_ERR_OK)
		log_warn("drifts will not be remembered");
	snprintf(daemon->drift_path, sizeof(daemon->drift_path),
		 "%s/timesyncd/drift", daemon->config.data_dir);
	load_drifts(daemon);
	daemon->drift_saved_ns = clock_raw_ns();
}

static void open_mesh(struct daemon *daemon)
{
	uint32_t ids[CONFIG_NODES_MAX];

	daemon->meshed = daemon->channel_fd < 0 &&
			 daemon->config.time_sync.reference ==
				 CONFIG_REFERENCE_CLUSTER;
	if (!daemon->meshed)
		return;
	for (uint32_t i = 0; i < daemon->config.node_count; i++)
		ids[i] = daemon->config.nodes[i].id;
	carrier_init(&daemon->carrier, config_self(&daemon->config)->id, ids,
		     daemon->config.node_count, clock_raw_ns(),
		     daemon->settings.story);
	snprintf(daemon->epoch_path, sizeof(daemon->epoch_path),
		 "%s/timesyncd/epoch", daemon->config.data_dir);
	daemon->epoch_saved = epochfile_load(daemon->epoch_path);
	carrier_recall(&daemon->carrier, daemon->epoch_saved);
}

static enum rfs_err open_outside(struct daemon *daemon)
{
	const struct references_host references = {
		.ctx = daemon,
		.replied = host_replied,
		.timed_out = host_timed_out,
	};
	const struct ntpserve_host ntpserve = {
		.ctx = daemon,
		.clock = host_clock,
		.identify = host_identify,
	};
	uint16_t port = daemon->config.time_sync.serve_ntp;

	daemon->references =
		references_new(daemon->loop, &daemon->config, &references);
	if (daemon->references == NULL)
		return RFS_ERR_IO;
	if (port == 0)
		return RFS_ERR_OK;
	daemon->ntpserve =
		ntpserve_new(daemon->loop, config_self(&daemon->config)->address,
			     port, &ntpserve);
	return daemon->ntpserve != NULL ? RFS_ERR_OK : RFS_ERR_IO;
}

static enum rfs_err open_all(struct daemon *daemon)
{
	const struct peers_host host = {
		.ctx = daemon,
		.clock = host_clock,
		.hears = host_hears,
		.replied = host_replied,
		.refined = host_refined,
		.served = host_served,
		.timed_out = host_timed_out,
	};
	char path[CONFIG_PATH_MAX + 32];

	daemon_settings(&daemon->settings, &daemon->config);
	daemon->settings.precision_ns = stamps_precision_ns();
	daemon->settings.story = (struct story){ .line = story_line };
	randombytes_buf(&daemon->settings.seed, sizeof(daemon->settings.seed));
	open_drift_file(daemon);
	stamps_read(&daemon->last);
	daemon->timesync = timesync_new(&daemon->settings, clock_raw_ns());
	if (daemon->timesync == NULL)
		return RFS_ERR_NOMEM;
	open_mesh(daemon);
	if (daemon->config.time_sync.discipline_system_clock)
		steer_init(&daemon->steer, daemon->settings.max_slew_ppb,
			   daemon->settings.story, NULL);
	daemon->peers = peers_new(daemon->loop, &daemon->config, daemon->key,
				  &host);
	if (daemon->peers == NULL)
		return RFS_ERR_IO;
	if (open_outside(daemon) != RFS_ERR_OK)
		return RFS_ERR_IO;
	if (daemon->channel_fd < 0)
		return standalone_publish(daemon);
	snprintf(path, sizeof(path), "%s/%s", daemon->config.run_dir,
		 SOCKETS_TIMESYNCD);
	daemon->control = control_server_new(daemon->loop, path,
					     control_answer_status, daemon);
	return daemon->control != NULL ? RFS_ERR_OK : RFS_ERR_IO;
}

static void close_all(struct daemon *daemon)
{
	if (daemon->timesync != NULL) {
		steer_leave(&daemon->steer, timesync_clock(daemon->timesync));
		save_drifts(daemon);
	}
	control_server_free(daemon->control);
	ntpserve_free(daemon->ntpserve);
	references_free(daemon->references);
	peers_free(daemon->peers);
	timesync_free(daemon->timesync);
	watch_fini(&daemon->watch);
	paths_fini(&daemon->paths);
	publish_fini(&daemon->publish);
	boundlog_close(&daemon->boundlog);
}

int loop_run(struct daemon *daemon, const struct node_key *key)
{
	/* UTC is one epoch for ever, and nobody's: see core/reference.h. */
	struct timesync_event utc = { .type = TIMESYNC_EV_EPOCH,
				      .epoch = { .epoch = REFERENCE_EPOCH } };
	struct timesync_event first = { .type = TIMESYNC_EV_TICK };
	int code = 1;

	daemon->key = key;
	daemon->started_ns = clock_raw_ns();
	/* Not the default loop: that one listens for signals by a pipe. */
	daemon->loop = ev_loop_new(EVFLAG_AUTO);
	if (daemon->loop == NULL) {
		log_error("libev finds no way to wait");
		return 1;
	}
	if (open_all(daemon) == RFS_ERR_OK) {
		start_watchers(daemon);
		log_notice("serving cluster time on %s port %u, %s stamps",
			   config_self(&daemon->config)->address,
			   config_self(&daemon->config)->time_port,
			   peers_kernel_stamps(daemon->peers) ? "kernel" :
								"user");
		step(daemon, &first);
		if (daemon->config.time_sync.reference !=
		    CONFIG_REFERENCE_CLUSTER)
			step(daemon, &utc);
		/* A page that says UNSYNCED is an answer too. */
		publish_clock(&daemon->publish,
			      timesync_clock(daemon->timesync));
		/* Alone it may run anywhere, even in a simulator. */
		if (daemon->channel_fd >= 0)
			calls_confine(
				daemon->config.time_sync
					.discipline_system_clock);
		process_notify("READY=1\nSTATUS=unsynced, just started");
		daemon->ready = true;
		ev_run(daemon->loop, 0);
		process_notify("STOPPING=1");
		code = 0;
	}
	close_all(daemon);
	ev_loop_destroy(daemon->loop);
	return code;
}
