/* The wiring: door, services, signals, the supervisor's channel. */
#include "client/grpc/face.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/grpc/credentials.h"
#include "client/grpc/guests.h"
#include "client/grpc/services.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"

/* Who has not left by then is left. */
#define LEAVE_S 4.0

struct face {
	struct ev_loop *loop;
	struct config config;
	int channel_fd;
	struct services services;
	struct guests *guests;
	char status[160]; /* as last told to the supervisor */
	ev_io channel;
	ev_timer second;
	ev_timer leave_by;
	ev_signal terminated;
	ev_signal interrupted;
	ev_signal hung_up;
};

static void log_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

/* ---- reloads ---- */

/* All or nothing, but for the door, which may stay where it was. */
static enum rfs_err apply(struct face *face, const struct config *fresh)
{
	bool moved =
		strcmp(fresh->grpc.address, face->config.grpc.address) != 0 ||
		fresh->grpc.port != face->config.grpc.port;
	SSL_CTX *context;
	enum rfs_err err = credentials_load(fresh, &context);

	if (err != RFS_ERR_OK)
		return err;
	guests_set_context(face->guests, context);
	SSL_CTX_free(context);
	if (moved && fresh->grpc.port != 0)
		err = guests_listen(face->guests, fresh->grpc.address,
				    fresh->grpc.port);
	if (err != RFS_ERR_OK)
		return err;
	face->config = *fresh;
	log_set_level(fresh->log_level);
	return RFS_ERR_OK;
}

static void reload(struct face *face, const struct config *fresh)
{
	const char *blocker = config_reload_blocker(&face->config, fresh);

	if (blocker != NULL)
		log_error("%s: cannot change without a restart", blocker);
	else if (apply(face, fresh) == RFS_ERR_OK)
		log_notice("reloaded: configuration and certificates");
	else
		log_error("reload refused: going on as before");
}

static void on_hung_up(struct ev_loop *loop, ev_signal *watcher, int events)
{
	static struct config fresh;
	const struct config_errors errors = {log_finding, NULL};
	struct face *face = watcher->data;

	(void)loop;
	(void)events;
	fresh = face->config;
	if (face->channel_fd < 0 &&
	    config_load(face->config.path, &errors, &fresh) != RFS_ERR_OK)
		log_error("reload refused: going on as before");
	else
		reload(face, &fresh);
}

/* ---- the end ---- */

static void on_left(void *ctx)
{
	struct face *face = ctx;

	ev_break(face->loop, EVBREAK_ALL);
}

static void on_leave_by(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	log_warn("some clients do not leave: closing on them");
	ev_break(loop, EVBREAK_ALL);
}

static void leave(struct face *face)
{
	if (ev_is_active(&face->leave_by))
		return;
	process_notify("STOPPING=1");
	ev_now_update(face->loop);
	ev_timer_start(face->loop, &face->leave_by);
	guests_leave(face->guests, on_left, face);
}

static void on_stop(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop;
	(void)events;
	log_notice("stopping: %s", strsignal(watcher->signum));
	leave(watcher->data);
}

/* ---- the supervisor ---- */

static enum rfs_err take_config(int fd, struct config *config)
{
	const struct config_errors errors = {log_finding, NULL};

	return config_load_fd(fd, "raftfs.conf", &errors, config);
}

enum rfs_err face_take_handout(int channel_fd, struct config *config,
			       bool *is_config, bool *is_start)
{
	struct handout handout;
	int fd;
	enum rfs_err err = handout_receive(channel_fd, &handout, &fd);

	*is_config = false;
	*is_start = false;
	if (err != RFS_ERR_OK)
		return err;
	*is_start = handout.kind == HANDOUT_START;
	if (handout.kind == HANDOUT_CONFIG) {
		err = take_config(fd, config);
		*is_config = err == RFS_ERR_OK;
	}
	if (fd >= 0)
		close(fd);
	return err == RFS_ERR_OK ? RFS_ERR_OK : RFS_ERR_INVALID;
}

static void on_channel(struct ev_loop *loop, ev_io *io, int events)
{
	static struct config fresh;
	struct face *face = io->data;
	bool is_config, is_start;
	enum rfs_err err;

	(void)events;
	do {
		err = face_take_handout(face->channel_fd, &fresh, &is_config,
					&is_start);
		if (is_config)
			reload(face, &fresh);
	} while (err == RFS_ERR_OK || err == RFS_ERR_INVALID);
	if (err == RFS_ERR_BUSY)
		return;
	log_notice("the supervisor is gone: stopping");
	ev_io_stop(loop, io);
	leave(face);
}

static void tell_status(struct face *face, const char *first)
{
	struct guests_counters counters = guests_counters(face->guests);
	char status[sizeof(face->status)];

	snprintf(status, sizeof(status),
		 "STATUS=%s port %u: %u clients, %" PRIu64 " calls answered, "
		 "%" PRIu64 " strangers refused",
		 face->config.grpc.address, face->config.grpc.port,
		 counters.present, face->services.answered, counters.refused);
	if (strcmp(status, face->status) == 0 && first[0] == '\0')
		return;
	memcpy(face->status, status, sizeof(status));
	process_notify(status);
	if (first[0] != '\0')
		process_notify(first);
}

static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	process_notify("WATCHDOG=1");
	tell_status(timer->data, "");
}

/* ---- life ---- */

static void watch_signal(struct face *face, ev_signal *watcher,
			 void (*callback)(struct ev_loop *, ev_signal *, int),
			 int number)
{
	ev_signal_init(watcher, callback, number);
	watcher->data = face;
	ev_signal_start(face->loop, watcher);
}

static void watch(struct face *face)
{
	watch_signal(face, &face->terminated, on_stop, SIGTERM);
	watch_signal(face, &face->interrupted, on_stop, SIGINT);
	watch_signal(face, &face->hung_up, on_hung_up, SIGHUP);
	ev_timer_init(&face->second, on_second, 1., 1.);
	face->second.data = face;
	ev_timer_start(face->loop, &face->second);
	ev_timer_init(&face->leave_by, on_leave_by, LEAVE_S, 0.);
	if (face->channel_fd < 0)
		return;
	ev_io_init(&face->channel, on_channel, face->channel_fd, EV_READ);
	face->channel.data = face;
	ev_io_start(face->loop, &face->channel);
}

static enum rfs_err open_all(struct face *face)
{
	SSL_CTX *context;
	enum rfs_err err =
		services_init(&face->services, face->loop, &face->config);

	if (err != RFS_ERR_OK)
		return err;
	face->guests = guests_new(face->loop, &face->services.service);
	if (face->guests == NULL)
		return RFS_ERR_NOMEM;
	err = credentials_load(&face->config, &context);
	if (err != RFS_ERR_OK)
		return err;
	guests_set_context(face->guests, context);
	SSL_CTX_free(context);
	return guests_listen(face->guests, face->config.grpc.address,
			     face->config.grpc.port);
}

int face_run(const struct config *config, int channel_fd)
{
	static struct face face;
	int status = EXIT_FAILURE;

	face.config = *config;
	face.channel_fd = channel_fd;
	face.loop = ev_loop_new(EVFLAG_AUTO);
	if (face.loop == NULL) {
		log_error("libev finds no way to wait");
		return EXIT_FAILURE;
	}
	if (open_all(&face) == RFS_ERR_OK) {
		watch(&face);
		log_notice("serving gRPC on %s port %u", config->grpc.address,
			   config->grpc.port);
		tell_status(&face, "READY=1");
		ev_run(face.loop, 0);
		status = EXIT_SUCCESS;
	}
	guests_free(face.guests);
	services_fini(&face.services);
	ev_loop_destroy(face.loop);
	return status;
}
