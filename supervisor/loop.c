/* The wiring: readiness of descriptors, timers and signals become events of
 * the core (core/supervise.h); its effects become processes and signals.
 *
 * One libev loop, one thread. Children are watched by pidfd, so no SIGCHLD is
 * needed, and ev_loop_new() rather than the default loop, which would reap
 * them behind our back.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "common/units.h"
#include "proto/sockets.h"
#include "supervisor/deaths.h"
#include "supervisor/handouts.h"
#include "supervisor/members.h"
#include "supervisor/pidfile.h"
#include "supervisor/probes.h"
#include "supervisor/spawn.h"
#include "supervisor/supervisor.h"

#define SETTLED_NS	 (10 * NS_PER_SEC)
#define BACKOFF_FIRST_NS (10 * NS_PER_MS)
#define BACKOFF_MAX_NS	 (10 * NS_PER_SEC)
/* Ports below are for the privileged. */
#define FIRST_OPEN_PORT	 1024
#define RAFTD_NICE	 (-10) /* heartbeats are little work, and urgent */
#define GRPC_NICE	 5     /* strangers are served after the node itself */

const char *const supervisor_names[ORDER_CHILDREN] = { "timesyncd", "raftd",
						       "storaged", "grpc" };

static const char *const programs[ORDER_CHILDREN] = {
	"raftfs-timesyncd",
	"raftfs-raftd",
	"raftfs-storaged",
	"raftfs-grpc",
};

static void step(struct child *child, enum supervise_event event);

static void set_policy(struct supervisor *supervisor)
{
	const struct config *config = &supervisor->config;

	supervisor->policy = (struct supervise_policy){
		.settled_ns = SETTLED_NS,
		.backoff_first_ns = BACKOFF_FIRST_NS,
		.backoff_max_ns = BACKOFF_MAX_NS,
		.restarts_max = config->supervisor.restarts_max,
		.restarts_window_ns = config->supervisor.restarts_window_ns,
		.watchdog_ns = config->supervisor.watchdog_ns,
		.stop_timeout_ns = config->supervisor.stop_timeout_ns,
		.stopping = supervisor->stopping,
	};
}

/* The children's states as the core's arrays want them. */
static void get_states(const struct supervisor *supervisor,
		       enum supervise_state states[ORDER_CHILDREN])
{
	for (int i = 0; i < ORDER_CHILDREN; i++)
		states[i] = supervisor->children[i].life.state;
}

bool supervisor_wants(const struct supervisor *supervisor,
		      enum order_child which)
{
	return which != ORDER_GRPC || supervisor->config.grpc.port != 0;
}

/* To the init system, whenever the picture changed. */
static void tell_health(struct supervisor *supervisor)
{
	enum supervise_state states[ORDER_CHILDREN];
	enum order_health health;
	char text[192];

	get_states(supervisor, states);
	health = order_health(states);
	snprintf(text, sizeof(text),
		 "STATUS=timesyncd %s, raftd %s, storaged %s%s%s",
		 supervise_state_name(states[ORDER_TIMESYNCD]),
		 supervise_state_name(states[ORDER_RAFTD]),
		 supervise_state_name(states[ORDER_STORAGED]),
		 supervisor_wants(supervisor, ORDER_GRPC) ? ", grpc " : "",
		 supervisor_wants(supervisor, ORDER_GRPC) ?
			 supervise_state_name(states[ORDER_GRPC]) :
			 "");
	process_notify(text);
	if (health == supervisor->health)
		return;
	supervisor->health = health;
	if (health == ORDER_ALL_READY) {
		log_notice("all children are ready");
		if (!supervisor->said_ready)
			process_notify("READY=1");
		supervisor->said_ready = true;
	} else if (health == ORDER_DEGRADED) {
		log_error("degraded: %s; SIGHUP tries again",
			  text + strlen("STATUS="));
	}
}

/* Set the one timer to the earliest deadline of the children. */
static void arm(struct supervisor *supervisor)
{
	int64_t earliest_ns = INT64_MAX;
	int64_t left_ns;

	for (int i = 0; i < ORDER_CHILDREN; i++) {
		int64_t due_ns =
			supervise_deadline_ns(&supervisor->children[i].life);

		if (due_ns < earliest_ns)
			earliest_ns = due_ns;
	}
	ev_timer_stop(supervisor->loop, &supervisor->deadline);
	if (earliest_ns == INT64_MAX)
		return;
	left_ns = earliest_ns - clock_raw_ns();
	if (left_ns < 0)
		left_ns = 0;
	ev_now_update(supervisor->loop);
	ev_timer_set(&supervisor->deadline, (double)left_ns / 1e9, 0.);
	ev_timer_start(supervisor->loop, &supervisor->deadline);
}

/* While the node stops: the next child in order, until none is left. */
static void stop_next(struct supervisor *supervisor)
{
	enum supervise_state states[ORDER_CHILDREN];
	enum order_child which;

	get_states(supervisor, states);
	which = order_stop_next(states);
	if (which == ORDER_CHILDREN)
		ev_break(supervisor->loop, EVBREAK_ALL);
	else if (states[which] != SUPERVISE_STOPPING)
		step(&supervisor->children[which], SUPERVISE_EV_STOP);
}

static void send_signal(struct child *child, int number)
{
	if (child->pidfd < 0)
		return;
	if (pidfd_send_signal(child->pidfd, number, NULL, 0) != 0 &&
	    errno != ESRCH)
		log_errno("%s: send signal %d", supervisor_names[child->which],
			  number);
}

static void describe_exit(const siginfo_t *info, char *text, size_t size)
{
	if (info->si_code == CLD_EXITED)
		snprintf(text, size, "exit %d%s", info->si_status,
			 info->si_status == 127 ? " (not started)" : "");
	else
		snprintf(text, size, "signal %d (%s%s)", info->si_status,
			 strsignal(info->si_status),
			 info->si_code == CLD_DUMPED ? ", dumped" : "");
}

static void forget_process(struct child *child)
{
	ev_io_stop(child->supervisor->loop, &child->exited);
	close(child->pidfd);
	close(child->channel_fd);
	child->pidfd = -1;
	child->channel_fd = -1;
	child->pid = 0;
	child->status[0] = '\0';
}

static void tell_peers(struct supervisor *supervisor)
{
	uint64_t incarnation;
	uint64_t term_led;

	pages_last_words(&supervisor->cons, &incarnation, &term_led);
	deaths_tell(&supervisor->config, &supervisor->key, incarnation,
		    term_led);
	if (term_led != 0)
		log_notice("raftd led term %" PRIu64 ": peers told", term_led);
}

static void on_exited(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct child *child = watcher->data;
	siginfo_t info = { 0 };

	(void)loop;
	(void)events;
	if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) !=
		    0 ||
	    info.si_pid == 0)
		return;
	/* Before anything else: no lease outlives its raftd. */
	if (child->which == ORDER_RAFTD)
		pages_revoke(&child->supervisor->cons);
	describe_exit(&info, child->last_exit, sizeof(child->last_exit));
	forget_process(child);
	if (child->which == ORDER_RAFTD)
		tell_peers(child->supervisor);
	step(child, SUPERVISE_EV_EXIT);
	if (child->life.state == SUPERVISE_DOWN)
		log_notice("%s stopped: %s", supervisor_names[child->which],
			   child->last_exit);
	else
		log_warn("%s died: %s; now %s", supervisor_names[child->which],
			 child->last_exit,
			 supervise_state_name(child->life.state));
	if (child->supervisor->stopping)
		stop_next(child->supervisor);
	else if (order_is_optional(child->which) &&
		 supervisor_wants(child->supervisor, child->which))
		step(child, SUPERVISE_EV_START); /* again, since its STOP */
}

/* What a child needs that is no longer root: nothing, but for timesyncd where it
 * sets this host's clock, and for who serves strangers on a port of the
 * privileged. */
static uint64_t capabilities_of(const struct child *child)
{
	const struct config *config = &child->supervisor->config;
	uint16_t port = child->which == ORDER_GRPC ?
				config->grpc.port :
				config->time_sync.serve_ntp;
	uint64_t wanted = 0;

	if (child->which != ORDER_TIMESYNCD && child->which != ORDER_GRPC)
		return 0;
	if (child->which == ORDER_TIMESYNCD &&
	    config->time_sync.discipline_system_clock)
		wanted |= UINT64_C(1) << CAP_SYS_TIME;
	if (port != 0 && port < FIRST_OPEN_PORT)
		wanted |= UINT64_C(1) << CAP_NET_BIND_SERVICE;
	return wanted;
}

static int nice_of(const struct child *child)
{
	if (child->which == ORDER_GRPC)
		return GRPC_NICE;
	return child->which == ORDER_RAFTD && geteuid() == 0 ? RAFTD_NICE : 0;
}

static enum rfs_err start_process(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	const char *program = programs[child->which];
	char path[600];
	int channel[2];
	enum rfs_err err;
	const char *const argv[] = { program, NULL };
	struct spawn spawn = {
		.path = path,
		.argv = argv,
		.user = geteuid() == 0 ? supervisor->config.supervisor.user :
					 "",
		.capabilities = capabilities_of(child),
		.nice = nice_of(child),
		.notify_path = supervisor->notify_path,
		.watchdog_ns = supervisor->policy.watchdog_ns,
		.cgroup_fd = supervisor->cgroups.fd[child->which],
	};

	if (spawn_find(program, path, sizeof(path)) != RFS_ERR_OK) {
		log_error("%s: not found, nor beside this program", path);
		snprintf(child->last_exit, sizeof(child->last_exit),
			 "not installed");
		return RFS_ERR_NOENT;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) !=
	    0) {
		log_errno("%s: handout channel", program);
		return RFS_ERR_IO;
	}
	spawn.channel_fd = channel[1];
	err = spawn_child(&spawn, &child->pid, &child->pidfd);
	close(channel[1]);
	if (err != RFS_ERR_OK) {
		snprintf(child->last_exit, sizeof(child->last_exit),
			 "could not be started");
		close(channel[0]);
		return err;
	}
	child->channel_fd = channel[0];
	ev_io_init(&child->exited, on_exited, child->pidfd, EV_READ);
	child->exited.data = child;
	ev_io_start(supervisor->loop, &child->exited);
	return RFS_ERR_OK;
}

static void spawn_effect(struct child *child)
{
	if (start_process(child) != RFS_ERR_OK) {
		step(child, SUPERVISE_EV_EXIT);
		return;
	}
	log_info("%s started, pid %d", supervisor_names[child->which],
		 (int)child->pid);
	if (handouts_start(child->supervisor, child->which) != RFS_ERR_OK)
		send_signal(child, SIGKILL); /* its exit is the event */
}

static void step(struct child *child, enum supervise_event event)
{
	struct supervisor *supervisor = child->supervisor;
	enum supervise_state before = child->life.state;
	unsigned int effects =
		supervise_step(&child->life, event, clock_raw_ns());

	if (effects & SUPERVISE_DO_SPAWN)
		spawn_effect(child);
	if (effects & SUPERVISE_DO_TERM)
		send_signal(child, SIGTERM);
	if (effects & SUPERVISE_DO_ABORT) {
		log_error("%s: no heartbeat; aborting it",
			  supervisor_names[child->which]);
		send_signal(child, SIGABRT);
	}
	if (effects & SUPERVISE_DO_KILL) {
		log_warn("%s: does not stop; killing it",
			 supervisor_names[child->which]);
		send_signal(child, SIGKILL);
		cgroups_kill(&supervisor->cgroups, child->which);
	}
	if (child->life.state != before)
		tell_health(supervisor);
	arm(supervisor);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct supervisor *supervisor = timer->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < ORDER_CHILDREN; i++)
		step(&supervisor->children[i], SUPERVISE_EV_TICK);
}

static struct child *child_of(struct supervisor *supervisor, pid_t pid)
{
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		if (supervisor->children[i].pid == pid && pid != 0)
			return &supervisor->children[i];
	}
	return NULL;
}

static void take_ready(struct child *child)
{
	if (child->life.state != SUPERVISE_STARTING)
		return;
	if (child->which == ORDER_TIMESYNCD)
		pages_check_sealed(&child->supervisor->clock);
	if (child->which == ORDER_RAFTD)
		pages_check_sealed(&child->supervisor->cons);
	log_info("%s is ready", supervisor_names[child->which]);
	step(child, SUPERVISE_EV_SAID_READY);
}

static void on_notified(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;
	struct notify notify;
	struct child *child;
	enum rfs_err err;

	(void)loop;
	(void)events;
	while ((err = notify_receive(supervisor->notify_fd, &notify)) !=
	       RFS_ERR_BUSY) {
		child = err == RFS_ERR_OK ? child_of(supervisor, notify.pid) :
					    NULL;
		if (child == NULL) {
			log_debug("notify: dropped one from pid %d",
				  (int)notify.pid);
			continue;
		}
		if (notify.has_status)
			memcpy(child->status, notify.status,
			       sizeof(child->status));
		if (notify.ready)
			take_ready(child);
		if (notify.watchdog)
			step(child, SUPERVISE_EV_HEARTBEAT);
		if (notify.members_index != 0 && child->which == ORDER_RAFTD)
			members_changed(supervisor, notify.members_index);
	}
}

static void on_stop(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;

	(void)loop;
	(void)events;
	if (supervisor->stopping)
		return;
	log_notice("stopping: %s", strsignal(watcher->signum));
	process_notify("STOPPING=1");
	supervisor->stopping = true;
	supervisor->policy.stopping = true;
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		struct child *child = &supervisor->children[i];

		/* What waits to be started again need not wait any more. */
		if (!supervise_runs(child->life.state))
			step(child, SUPERVISE_EV_STOP);
	}
	stop_next(supervisor);
}

static void log_config_error(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

enum rfs_err supervisor_install(struct supervisor *supervisor,
				const struct config *fresh)
{
	int fd = handouts_make_config(fresh);

	if (fd < 0)
		return RFS_ERR_IO;
	close(supervisor->config_fd);
	supervisor->config_fd = fd;
	supervisor->config = *fresh;
	supervisor->config_generation++;
	set_policy(supervisor);
	log_set_level(fresh->log_level);
	handouts_config(supervisor);
	return RFS_ERR_OK;
}

/* Read, check, compare; all or nothing. */
static enum rfs_err reload(struct supervisor *supervisor)
{
	static struct config fresh;
	const struct config_errors errors = { log_config_error, NULL };
	const char *blocker;
	enum rfs_err err =
		config_load(supervisor->config.path, &errors, &fresh);

	if (err != RFS_ERR_OK)
		return err;
	blocker = config_reload_blocker(&supervisor->config, &fresh);
	if (blocker != NULL) {
		log_error("%s: %s: cannot change without a restart", fresh.path,
			  blocker);
		return RFS_ERR_NOTSUP;
	}
	if (!members_may_reload(supervisor, &fresh))
		return RFS_ERR_NOTSUP;
	members_overlay(supervisor, &fresh);
	return supervisor_install(supervisor, &fresh);
}

/* What is wanted and does not run starts, also what was held; what is not
 * wanted any more stops. */
static void follow_config(struct supervisor *supervisor)
{
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		struct child *child = &supervisor->children[i];

		if (!supervisor_wants(supervisor, child->which)) {
			step(child, SUPERVISE_EV_STOP);
			continue;
		}
		step(child, SUPERVISE_EV_RESUME);
		if (order_is_optional(child->which))
			step(child, SUPERVISE_EV_START);
	}
}

static void on_reload(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;

	(void)loop;
	(void)events;
	if (supervisor->stopping)
		return;
	if (reload(supervisor) != RFS_ERR_OK) {
		log_error("reload refused: the configuration stays as it was");
		return;
	}
	log_notice("configuration reloaded");
	follow_config(supervisor);
}

/* As process 1 orphans of our children become ours: reap them, and leave the
 * children to their pidfds. */
static void on_child_died(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;
	siginfo_t info = { 0 };

	(void)loop;
	(void)events;
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0) {
		if (child_of(supervisor, info.si_pid) != NULL ||
		    info.si_pid == supervisor->probes_pid)
			return; /* comes again when its pidfd has been read */
		waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

static void on_alive(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	process_notify("WATCHDOG=1");
}

static void watch_signal(struct supervisor *supervisor, ev_signal *watcher,
			 void (*callback)(struct ev_loop *, ev_signal *, int),
			 int number)
{
	ev_signal_init(watcher, callback, number);
	watcher->data = supervisor;
	ev_signal_start(supervisor->loop, watcher);
}

/* The init system's own watchdog, when it asks for one of us. */
static void start_alive(struct supervisor *supervisor)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	double every_s = usec != NULL ? strtod(usec, NULL) / 1e6 / 2 : 0;

	ev_timer_init(&supervisor->alive, on_alive, every_s, every_s);
	if (every_s > 0 && (pid == NULL || atoi(pid) == getpid()))
		ev_timer_start(supervisor->loop, &supervisor->alive);
}

static void watch(struct supervisor *supervisor)
{
	watch_signal(supervisor, &supervisor->terminated, on_stop, SIGTERM);
	watch_signal(supervisor, &supervisor->interrupted, on_stop, SIGINT);
	watch_signal(supervisor, &supervisor->reload, on_reload, SIGHUP);
	if (getpid() == 1)
		watch_signal(supervisor, &supervisor->child_died, on_child_died,
			     SIGCHLD);
	ev_io_init(&supervisor->notified, on_notified, supervisor->notify_fd,
		   EV_READ);
	supervisor->notified.data = supervisor;
	ev_io_start(supervisor->loop, &supervisor->notified);
	ev_timer_init(&supervisor->deadline, on_deadline, 0., 0.);
	supervisor->deadline.data = supervisor;
	start_alive(supervisor);
}

/* What must be there before the first child. */
static enum rfs_err open_all(struct supervisor *supervisor)
{
	const struct config *config = &supervisor->config;
	char path[CONFIG_PATH_MAX + 32];

	supervisor->config_fd = handouts_make_config(config);
	if (supervisor->config_fd < 0)
		return RFS_ERR_IO;
	snprintf(supervisor->notify_path, sizeof(supervisor->notify_path),
		 "%s/%s", config->run_dir, NOTIFY_FILE);
	supervisor->notify_fd =
		notify_open(supervisor->notify_path, config->supervisor.user);
	if (supervisor->notify_fd < 0)
		return RFS_ERR_IO;
	supervisor->loop = ev_loop_new(EVFLAG_NOENV);
	if (supervisor->loop == NULL) {
		log_error("cannot make an event loop");
		return RFS_ERR_IO;
	}
	snprintf(path, sizeof(path), "%s/%s", config->run_dir,
		 SOCKETS_SUPERVISOR);
	supervisor->control = control_server_new(supervisor->loop, path,
						 supervisor_answer, supervisor);
	if (supervisor->control == NULL)
		return RFS_ERR_IO;
	if (config->supervisor.cgroups)
		cgroups_open(&supervisor->cgroups, config->self,
			     supervisor_names);
	return RFS_ERR_OK;
}

static void close_all(struct supervisor *supervisor)
{
	control_server_free(supervisor->control);
	if (supervisor->notify_fd >= 0) {
		close(supervisor->notify_fd);
		(void)unlink(supervisor->notify_path);
	}
	if (supervisor->config_fd >= 0)
		close(supervisor->config_fd);
	if (supervisor->paths_fd >= 0)
		close(supervisor->paths_fd);
	cgroups_close(&supervisor->cgroups, supervisor_names);
	pages_fini(&supervisor->clock);
	pages_fini(&supervisor->cons);
	if (supervisor->loop != NULL)
		ev_loop_destroy(supervisor->loop);
	keys_wipe(&supervisor->key);
}

static void init(struct supervisor *supervisor, const struct config *config,
		 const struct node_key *key)
{
	uint64_t seed;

	memset(supervisor, 0, sizeof(*supervisor));
	supervisor->config = *config;
	supervisor->key = *key;
	supervisor->config_fd = -1;
	supervisor->config_generation = 1;
	supervisor->notify_fd = -1;
	supervisor->paths_fd = -1;
	supervisor->health = ORDER_STOPPED;
	supervisor->started_ns = clock_raw_ns();
	supervisor->cgroups.lock_fd = -1;
	pages_init_clock(&supervisor->clock);
	pages_init_cons(&supervisor->cons);
	set_policy(supervisor);
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		struct child *child = &supervisor->children[i];

		child->supervisor = supervisor;
		child->which = (enum order_child)i;
		child->pidfd = -1;
		child->channel_fd = -1;
		supervisor->cgroups.fd[i] = -1;
		randombytes_buf(&seed, sizeof(seed));
		supervise_init(&child->life, &supervisor->policy, seed);
	}
}

int supervisor_run(const struct config *config, const struct node_key *key,
		   void (*started)(void *ctx), void *ctx)
{
	static struct supervisor supervisor;

	init(&supervisor, config, key);
	members_overlay(&supervisor, &supervisor.config);
	if (open_all(&supervisor) != RFS_ERR_OK) {
		close_all(&supervisor);
		return EXIT_FAILURE;
	}
	watch(&supervisor);
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		if (supervisor_wants(&supervisor, (enum order_child)i))
			step(&supervisor.children[i], SUPERVISE_EV_START);
	}
	probes_start(&supervisor);
	if (started != NULL)
		started(ctx);
	ev_run(supervisor.loop, 0);
	probes_stop(&supervisor);
	log_notice("stopped");
	close_all(&supervisor);
	return EXIT_SUCCESS;
}
