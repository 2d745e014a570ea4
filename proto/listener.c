/* Listening sockets: accept until there is nothing to accept. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/os/log.h"
#include "proto/address.h"
#include "proto/conn.h"

struct listener {
	struct ev_loop *loop;
	struct ev_io io;
	char path[108]; /* unix: removed at the end; else empty */
	void (*accepted)(void *ctx, int fd);
	void *ctx;
};

static void on_connection(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct listener *listener = w->data;

	(void)loop;
	(void)revents;
	for (;;) {
		int fd = accept4(w->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			listener->accepted(listener->ctx, fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static struct listener *listen_on(struct ev_loop *loop, int fd,
				  void (*accepted)(void *ctx, int fd),
				  void *ctx)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener || listen(fd, 128) != 0) {
		free(listener);
		close(fd);
		return NULL;
	}
	listener->loop = loop;
	listener->accepted = accepted;
	listener->ctx = ctx;
	ev_io_init(&listener->io, on_connection, fd, EV_READ);
	listener->io.data = listener;
	ev_io_start(loop, &listener->io);
	return listener;
}

struct listener *listener_tcp(struct ev_loop *loop, const char *address,
			      uint16_t port,
			      void (*accepted)(void *ctx, int fd), void *ctx)
{
	struct sockaddr_storage where;
	socklen_t bytes;
	int on = 1;

	if (!address_parse(address, port, &where, &bytes)) {
		log_error("listen: %s is not a numeric address", address);
		return NULL;
	}
	int fd = socket(where.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&where, bytes) != 0) {
		log_errno("listen on %s port %u", address, port);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	return listen_on(loop, fd, accepted, ctx);
}

/* A socket file that nobody answers is left over from a killed process. */
static void remove_stale(const char *path, const struct sockaddr_un *where)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)where, sizeof(*where)) != 0 &&
	    errno == ECONNREFUSED)
		unlink(path);
	close(fd);
}

static bool unix_address(const char *path, struct sockaddr_un *where)
{
	memset(where, 0, sizeof(*where));
	where->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(where->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(where->sun_path, path);
	return true;
}

struct listener *listener_unix(struct ev_loop *loop, const char *path,
			       unsigned int mode,
			       void (*accepted)(void *ctx, int fd), void *ctx)
{
	struct sockaddr_un where;
	struct listener *listener;
	int fd = -1;

	if (!unix_address(path, &where))
		goto refused;
	remove_stale(path, &where);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&where, sizeof(where)) != 0 ||
	    chmod(path, mode) != 0)
		goto refused;
	listener = listen_on(loop, fd, accepted, ctx);
	if (listener)
		strcpy(listener->path, path);
	return listener;

refused:
	log_errno("listen on %s", path);
	if (fd >= 0)
		close(fd);
	return NULL;
}

void listener_free(struct listener *listener)
{
	if (!listener)
		return;
	ev_io_stop(listener->loop, &listener->io);
	close(listener->io.fd);
	if (listener->path[0])
		unlink(listener->path);
	free(listener);
}

int unix_connect(const char *path)
{
	struct sockaddr_un where;

	if (!unix_address(path, &where))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}
