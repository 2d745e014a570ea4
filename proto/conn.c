/* A connection's life:
 *
 *	dial: CONNECTING -> HANDSHAKE --.
 *	accept:             HANDSHAKE --+-> OPEN -> closed
 *	adopt (unix):        OPENING ---'
 *
 * Output is queued by conn_send() and written by a prepare watcher just before
 * the loop sleeps: everything one iteration produced leaves in few writes.
 * Input is parsed frame by frame from one buffer. Either way a connection gets
 * so much in a turn of the loop; what is left is taken up in the next, which
 * for input an idle watcher brings about: TLS may hold bytes that the socket no
 * longer shows, and an event fed from inside a callback is served at once, in
 * the same turn, before all others. `depth` counts callbacks in
 * progress, so that conn_close() inside one frees only when the last returns.
 */
#include "proto/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "proto/address.h"
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/tls.h"

#define READ_BYTES	  (64u * 1024)
#define BYTES_A_TURN	  (256u * 1024) /* each way, then others get theirs */
#define SETUP_TIMEOUT_SEC 5.0
#define FDS_MAX		  8

enum conn_state { CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPENING, CONN_OPEN };

/* A descriptor that leaves with the byte at stream position `at`. */
struct fd_mark {
	uint64_t at;
	int fd;
};

struct conn {
	struct ev_loop *loop;
	int fd;
	SSL *ssl; /* NULL: unix socket */
	enum conn_state state;
	bool broken; /* after a failed write: closed() is due */
	bool closing;
	bool paused;
	bool full;
	enum rfs_err why;
	int depth;

	struct ev_io io;
	struct ev_prepare flush;
	struct ev_idle more; /* active: input is left */
	struct ev_timer setup;
	struct ev_timer lazy; /* runs while only what may wait is queued */

	struct buffer in;
	struct buffer out;
	uint32_t body_bytes_max; /* of frames that come in */
	size_t queue_max_bytes;
	uint64_t sent_total; /* stream position of the front of `out` */

	struct fd_mark out_fds[FDS_MAX];
	unsigned int out_fd_count;
	int in_fds[FDS_MAX];
	unsigned int in_fd_count;
	int frame_fd; /* of the frame being delivered */

	uint8_t peer_key[KEY_PUBLIC_BYTES];
	bool peer_known; /* dialled: peer_key is what we must find */
	bool (*allowed)(void *ctx, const uint8_t *peer_key);

	const struct conn_events *events;
	void *ctx;
};

static void conn_free(struct conn *conn)
{
	ev_io_stop(conn->loop, &conn->io);
	ev_prepare_stop(conn->loop, &conn->flush);
	ev_idle_stop(conn->loop, &conn->more);
	ev_timer_stop(conn->loop, &conn->setup);
	ev_timer_stop(conn->loop, &conn->lazy);
	for (unsigned int i = 0; i < conn->out_fd_count; i++)
		close(conn->out_fds[i].fd);
	for (unsigned int i = 0; i < conn->in_fd_count; i++)
		close(conn->in_fds[i]);
	if (conn->frame_fd >= 0)
		close(conn->frame_fd);
	SSL_free(conn->ssl);
	ERR_clear_error();
	close(conn->fd);
	buffer_fini(&conn->in);
	buffer_fini(&conn->out);
	free(conn);
}

static void watch(struct conn *conn, int events)
{
	if (conn->paused)
		events &= ~EV_READ;
	if ((conn->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(conn->loop, &conn->io);
	ev_io_set(&conn->io, conn->fd, events);
	ev_io_start(conn->loop, &conn->io);
}

/* The connection is beyond use: tell the owner from the next safe place. */
static void fail(struct conn *conn, enum rfs_err why)
{
	if (conn->broken)
		return;
	conn->broken = true;
	conn->why = why;
}

/* Called with depth back at the caller's level: deliver `closed` or free. */
static bool settle(struct conn *conn)
{
	if (conn->depth > 0)
		return conn->closing || conn->broken;
	if (conn->closing) {
		conn_free(conn);
		return true;
	}
	if (conn->broken) {
		conn->depth++;
		conn->closing = true; /* conn_close() from closed() is a no-op */
		if (conn->events->closed)
			conn->events->closed(conn, conn->ctx, conn->why);
		conn_free(conn);
		return true;
	}
	return false;
}

static enum rfs_err ssl_failure(struct conn *conn, int result,
				const char *doing)
{
	int error = SSL_get_error(conn->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return RFS_ERR_BUSY;
	if (error == SSL_ERROR_SSL)
		tls_log_errors(doing);
	ERR_clear_error();
	return error == SSL_ERROR_SSL && conn->state != CONN_OPEN ?
		       RFS_ERR_DENIED :
		       RFS_ERR_CLOSED;
}

/* Write on a unix socket up to the next descriptor, or with it. */
static ssize_t unix_write(struct conn *conn, size_t bytes)
{
	struct iovec iov = { (void *)buffer_front(&conn->out), bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	bool with_fd = false;

	if (conn->out_fd_count > 0) {
		uint64_t ahead = conn->out_fds[0].at - conn->sent_total;

		with_fd = ahead == 0;
		if (!with_fd && iov.iov_len > ahead)
			iov.iov_len = ahead;
		else if (with_fd && conn->out_fd_count > 1 &&
			 conn->out_fds[1].at - conn->sent_total < bytes)
			iov.iov_len = conn->out_fds[1].at - conn->sent_total;
	}
	if (with_fd) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &conn->out_fds[0].fd, sizeof(int));
	}
	ssize_t sent = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);

	if (sent > 0 && with_fd) {
		close(conn->out_fds[0].fd);
		conn->out_fd_count--;
		memmove(conn->out_fds, conn->out_fds + 1,
			conn->out_fd_count * sizeof(*conn->out_fds));
	}
	return sent;
}

/* BUSY: the socket is full; else CLOSED and such. */
static enum rfs_err write_some(struct conn *conn, size_t bytes, size_t *sent)
{
	if (conn->ssl) {
		int result = SSL_write_ex(conn->ssl, buffer_front(&conn->out),
					  bytes, sent);

		return result == 1 ? RFS_ERR_OK :
				     ssl_failure(conn, result, "write");
	}
	ssize_t result = unix_write(conn, bytes);

	if (result < 0)
		return errno == EAGAIN || errno == EINTR ? RFS_ERR_BUSY :
							   RFS_ERR_CLOSED;
	*sent = (size_t)result;
	return RFS_ERR_OK;
}

static void flush_out(struct conn *conn, size_t bytes_max)
{
	enum rfs_err err = RFS_ERR_OK;

	while (err == RFS_ERR_OK && buffer_bytes(&conn->out) > 0) {
		size_t bytes = buffer_bytes(&conn->out);
		size_t sent = 0;

		if (bytes_max == 0)
			err = RFS_ERR_BUSY;
		else
			err = write_some(conn,
					 bytes < bytes_max ? bytes : bytes_max,
					 &sent);
		if (err != RFS_ERR_OK)
			break;
		bytes_max -= sent;
		buffer_consume(&conn->out, sent);
		conn->sent_total += sent;
	}
	if (err == RFS_ERR_BUSY) {
		watch(conn, EV_READ | EV_WRITE);
		return;
	}
	if (err != RFS_ERR_OK) {
		fail(conn, err);
		return;
	}
	watch(conn, EV_READ);
}

static void tell_drained(struct conn *conn)
{
	if (!conn->full || conn->broken ||
	    buffer_bytes(&conn->out) > conn->queue_max_bytes / 2)
		return;
	conn->full = false;
	if (conn->events->drained) {
		conn->depth++;
		conn->events->drained(conn, conn->ctx);
		conn->depth--;
	}
}

static void become_open(struct conn *conn)
{
	conn->state = CONN_OPEN;
	ev_timer_stop(conn->loop, &conn->setup);
	watch(conn, EV_READ);
	/* What was queued while setting up leaves now. */
	ev_prepare_start(conn->loop, &conn->flush);
	if (conn->events->opened) {
		conn->depth++;
		conn->events->opened(conn, conn->ctx);
		conn->depth--;
	}
}

static void on_flush(struct ev_loop *loop, struct ev_prepare *w, int revents)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)revents;
	ev_prepare_stop(conn->loop, &conn->flush);
	ev_timer_stop(conn->loop, &conn->lazy);
	if (conn->state == CONN_OPENING)
		become_open(conn);
	if (settle(conn))
		return;
	if (conn->state == CONN_OPEN && !conn->broken)
		flush_out(conn, BYTES_A_TURN);
	tell_drained(conn);
	settle(conn);
}

/* A prepare watcher that another one starts would wait for the next iteration, a
 * whole sleep later; so it is fed. */
static void flush_soon(struct conn *conn)
{
	if (conn->state != CONN_OPEN)
		return;
	ev_prepare_start(conn->loop, &conn->flush);
	ev_feed_event(conn->loop, &conn->flush, EV_PREPARE);
}

static void on_lazy(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	flush_soon(w->data);
}

static void accept_fds(struct conn *conn, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (conn->in_fd_count < FDS_MAX)
				conn->in_fds[conn->in_fd_count++] = fd;
			else
				close(fd);
		}
	}
}

/* OK: *got bytes were added to `in`; BUSY: nothing there now. */
static enum rfs_err read_some(struct conn *conn, size_t *got)
{
	uint8_t *room = buffer_reserve(&conn->in, READ_BYTES);
	size_t room_bytes;

	if (!room)
		return RFS_ERR_NOMEM;
	room_bytes = conn->in.capacity - conn->in.end;
	if (conn->ssl) {
		int result = SSL_read_ex(conn->ssl, room, room_bytes, got);

		if (result != 1)
			return ssl_failure(conn, result, "read");
		buffer_commit(&conn->in, *got);
		return RFS_ERR_OK;
	}

	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { room, room_bytes };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	ssize_t result = recvmsg(conn->fd, &msg, MSG_CMSG_CLOEXEC);

	if (result < 0)
		return errno == EAGAIN || errno == EINTR ? RFS_ERR_BUSY :
							   RFS_ERR_CLOSED;
	if (result == 0)
		return RFS_ERR_CLOSED;
	accept_fds(conn, &msg);
	*got = (size_t)result;
	buffer_commit(&conn->in, *got);
	return RFS_ERR_OK;
}

static enum rfs_err attach_fd(struct conn *conn, const struct frame_head *head)
{
	conn->frame_fd = -1;
	if (!(head->version & FRAME_WITH_FD))
		return RFS_ERR_OK;
	if (conn->in_fd_count == 0)
		return RFS_ERR_INVALID;
	conn->frame_fd = conn->in_fds[0];
	conn->in_fd_count--;
	memmove(conn->in_fds, conn->in_fds + 1,
		conn->in_fd_count * sizeof(*conn->in_fds));
	return RFS_ERR_OK;
}

static void deliver(struct conn *conn)
{
	while (!conn->closing && !conn->broken && !conn->paused) {
		struct frame_head head;
		struct frame frame;
		size_t bytes = buffer_bytes(&conn->in);
		enum rfs_err err;

		if (bytes < FRAME_HEAD_BYTES)
			return;
		err = frame_head_decode(buffer_front(&conn->in), &head);
		if (err == RFS_ERR_OK && head.body_bytes > conn->body_bytes_max)
			err = RFS_ERR_INVALID;
		if (err == RFS_ERR_OK &&
		    bytes < FRAME_HEAD_BYTES + head.body_bytes)
			return;
		if (err == RFS_ERR_OK)
			err = attach_fd(conn, &head);
		if (err != RFS_ERR_OK) {
			fail(conn, err);
			return;
		}
		frame.type = head.type;
		frame.body = buffer_front(&conn->in) + FRAME_HEAD_BYTES;
		frame.body_bytes = head.body_bytes;
		conn->depth++;
		conn->events->frame(conn, conn->ctx, &frame);
		conn->depth--;
		if (conn->frame_fd >= 0) {
			close(conn->frame_fd);
			conn->frame_fd = -1;
		}
		buffer_consume(&conn->in, FRAME_HEAD_BYTES + head.body_bytes);
	}
}

static void read_frames(struct conn *conn)
{
	size_t total = 0;

	ev_idle_stop(conn->loop, &conn->more);
	while (!conn->closing && !conn->broken && !conn->paused) {
		size_t got = 0;
		enum rfs_err err = read_some(conn, &got);

		if (err == RFS_ERR_BUSY)
			return;
		if (err != RFS_ERR_OK) {
			fail(conn, err);
			return;
		}
		deliver(conn);
		/* The next record, if it is here; the socket itself says by
		 * the loop when there is more. */
		if (conn->ssl && !SSL_has_pending(conn->ssl))
			return;
		total += got;
		if (total >= BYTES_A_TURN) {
			ev_idle_start(conn->loop, &conn->more);
			return;
		}
	}
}

static void on_more(struct ev_loop *loop, struct ev_idle *w, int revents)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)revents;
	deliver(conn); /* what came before a pause */
	read_frames(conn);
	settle(conn);
}

static enum rfs_err check_peer(struct conn *conn)
{
	uint8_t key[KEY_PUBLIC_BYTES];
	enum rfs_err err = tls_peer_key(conn->ssl, key);

	if (err != RFS_ERR_OK)
		return err;
	if (conn->peer_known)
		return memcmp(key, conn->peer_key, sizeof(key)) == 0 ?
			       RFS_ERR_OK :
			       RFS_ERR_DENIED;
	if (conn->allowed && !conn->allowed(conn->ctx, key))
		return RFS_ERR_DENIED;
	memcpy(conn->peer_key, key, sizeof(key));
	return RFS_ERR_OK;
}

static void shake_hands(struct conn *conn)
{
	int result = SSL_do_handshake(conn->ssl);
	enum rfs_err err;

	if (result != 1) {
		int want = SSL_get_error(conn->ssl, result);

		err = ssl_failure(conn, result, "handshake");
		if (err == RFS_ERR_BUSY)
			watch(conn, want == SSL_ERROR_WANT_WRITE ? EV_WRITE :
								   EV_READ);
		else
			fail(conn, err);
		return;
	}
	err = check_peer(conn);
	if (err != RFS_ERR_OK) {
		fail(conn, err);
		return;
	}
	become_open(conn);
}

static void finish_connect(struct conn *conn)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 ||
	    error != 0) {
		fail(conn, RFS_ERR_CLOSED);
		return;
	}
	conn->state = CONN_HANDSHAKE;
	shake_hands(conn);
}

static void on_io(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct conn *conn = w->data;

	(void)loop;
	if (conn->state == CONN_CONNECTING)
		finish_connect(conn);
	else if (conn->state == CONN_HANDSHAKE)
		shake_hands(conn);
	if (settle(conn) || conn->state != CONN_OPEN)
		return;
	if (revents & EV_WRITE) {
		flush_out(conn, BYTES_A_TURN);
		tell_drained(conn);
		if (settle(conn))
			return;
	}
	/* Reading also after a handshake: data may already be decrypted. */
	read_frames(conn);
	settle(conn);
}

static void on_setup_timeout(struct ev_loop *loop, struct ev_timer *w,
			     int revents)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)revents;
	fail(conn, RFS_ERR_TIMEDOUT);
	settle(conn);
}

static struct conn *conn_new(struct ev_loop *loop, int fd,
			     enum conn_state state, size_t queue_max_bytes,
			     const struct conn_events *events, void *ctx)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	CHECK(events->frame);
	if (!conn) {
		close(fd);
		return NULL;
	}
	conn->loop = loop;
	conn->fd = fd;
	conn->state = state;
	conn->body_bytes_max = FRAME_BODY_BYTES_MAX;
	conn->queue_max_bytes = queue_max_bytes;
	conn->events = events;
	conn->ctx = ctx;
	conn->frame_fd = -1;
	ev_io_init(&conn->io, on_io, fd,
		   state == CONN_CONNECTING ? EV_WRITE : EV_READ);
	ev_prepare_init(&conn->flush, on_flush);
	/* After everything else of the iteration, so that frames batch. */
	ev_set_priority(&conn->flush, EV_MINPRI);
	ev_timer_init(&conn->setup, on_setup_timeout, SETUP_TIMEOUT_SEC, 0.);
	ev_init(&conn->lazy, on_lazy);
	ev_idle_init(&conn->more, on_more);
	/* Others' events of lower priority would put it off for ever. */
	ev_set_priority(&conn->more, EV_MAXPRI);
	conn->io.data = conn->flush.data = conn->more.data =
		conn->setup.data = conn->lazy.data = conn;
	return conn;
}

struct conn *conn_adopt(struct ev_loop *loop, int fd, size_t queue_max_bytes,
			const struct conn_events *events, void *ctx)
{
	struct conn *conn;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	conn = conn_new(loop, fd, CONN_OPENING, queue_max_bytes, events, ctx);
	if (conn) {
		ev_io_start(loop, &conn->io);
		ev_prepare_start(loop, &conn->flush);
	}
	return conn;
}

static void set_tcp_options(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

struct conn *conn_dial_tls(struct ev_loop *loop, struct tls *tls,
			   const char *address, uint16_t port,
			   const uint8_t peer_key[KEY_PUBLIC_BYTES],
			   size_t queue_max_bytes,
			   const struct conn_events *events, void *ctx)
{
	struct sockaddr_storage where;
	socklen_t bytes;

	if (!address_parse(address, port, &where, &bytes))
		return NULL;
	int fd = socket(where.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return NULL;
	set_tcp_options(fd);
	/* A refusal here shows up as SO_ERROR, like any later one. */
	bool refused = connect(fd, (struct sockaddr *)&where, bytes) != 0 &&
		       errno != EINPROGRESS;
	struct conn *conn = conn_new(loop, fd, CONN_CONNECTING, queue_max_bytes,
				     events, ctx);

	if (!conn)
		return NULL;
	conn->ssl = tls_client_session(tls, fd);
	if (!conn->ssl) {
		conn_free(conn);
		return NULL;
	}
	memcpy(conn->peer_key, peer_key, KEY_PUBLIC_BYTES);
	conn->peer_known = true;
	if (refused) {
		fail(conn, RFS_ERR_CLOSED);
		ev_timer_set(&conn->setup, 0., 0.);
	} else {
		ev_io_start(loop, &conn->io);
	}
	ev_timer_start(loop, &conn->setup);
	return conn;
}

struct conn *conn_accept_tls(struct ev_loop *loop, struct tls *tls, int fd,
			     bool (*allowed)(void *ctx,
					     const uint8_t *peer_key),
			     size_t queue_max_bytes,
			     const struct conn_events *events, void *ctx)
{
	struct conn *conn = conn_new(loop, fd, CONN_HANDSHAKE, queue_max_bytes,
				     events, ctx);

	if (!conn)
		return NULL;
	set_tcp_options(fd);
	conn->allowed = allowed;
	conn->ssl = tls_server_session(tls, fd);
	if (!conn->ssl) {
		conn_free(conn);
		return NULL;
	}
	ev_io_start(loop, &conn->io);
	ev_timer_start(loop, &conn->setup);
	return conn;
}

const uint8_t *conn_peer_key(const struct conn *conn)
{
	return conn->ssl ? conn->peer_key : NULL;
}

bool conn_peer_uid(const struct conn *conn, uint32_t *uid, uint32_t *gid,
		   int32_t *pid)
{
	struct ucred cred;
	socklen_t bytes = sizeof(cred);

	if (conn->ssl || getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred,
				    &bytes) != 0)
		return false;
	*uid = cred.uid;
	*gid = cred.gid;
	*pid = cred.pid;
	return true;
}

static enum rfs_err mark_fd(struct conn *conn, int fd)
{
	CHECK(!conn->ssl);
	if (conn->out_fd_count == FDS_MAX)
		return RFS_ERR_FULL;
	int copy = dup(fd);

	if (copy < 0)
		return RFS_ERR_FULL;
	conn->out_fds[conn->out_fd_count++] = (struct fd_mark){
		.at = conn->sent_total + buffer_bytes(&conn->out),
		.fd = copy,
	};
	return RFS_ERR_OK;
}

static enum rfs_err queue_frame(struct conn *conn, enum frame_type type,
				const ProtobufCMessage *message, int fd)
{
	size_t body = message ? protobuf_c_message_get_packed_size(message) : 0;
	struct frame_head head = { .body_bytes = (uint32_t)body,
				   .type = (uint16_t)type,
				   .version = FRAME_VERSION };

	CHECK(body <= FRAME_BODY_BYTES_MAX);
	if (conn->broken || conn->closing)
		return RFS_ERR_CLOSED;
	if (buffer_bytes(&conn->out) + body > conn->queue_max_bytes &&
	    buffer_bytes(&conn->out) > 0) {
		conn->full = true;
		return RFS_ERR_FULL;
	}
	uint8_t *at = buffer_reserve(&conn->out, FRAME_HEAD_BYTES + body);

	if (!at)
		return RFS_ERR_FULL;
	if (fd >= 0) {
		enum rfs_err err = mark_fd(conn, fd);

		if (err != RFS_ERR_OK)
			return err;
		head.version |= FRAME_WITH_FD;
	}
	frame_head_encode(&head, at);
	if (message)
		protobuf_c_message_pack(message, at + FRAME_HEAD_BYTES);
	buffer_commit(&conn->out, FRAME_HEAD_BYTES + body);
	return RFS_ERR_OK;
}

enum rfs_err conn_send(struct conn *conn, enum frame_type type,
		       const ProtobufCMessage *message, int fd)
{
	enum rfs_err err = queue_frame(conn, type, message, fd);

	if (err == RFS_ERR_OK)
		flush_soon(conn);
	return err;
}

enum rfs_err conn_send_lazily(struct conn *conn, enum frame_type type,
			      const ProtobufCMessage *message)
{
	enum rfs_err err = queue_frame(conn, type, message, -1);

	if (err != RFS_ERR_OK || ev_is_active(&conn->flush) ||
	    ev_is_active(&conn->lazy))
		return err;
	ev_timer_set(&conn->lazy, CONN_LAZY_MS / 1000., 0.);
	ev_timer_start(conn->loop, &conn->lazy);
	return RFS_ERR_OK;
}

void conn_set_priority(struct conn *conn, int priority)
{
	bool active = ev_is_active(&conn->flush);

	ev_prepare_stop(conn->loop, &conn->flush);
	ev_set_priority(&conn->flush, priority);
	if (active)
		ev_prepare_start(conn->loop, &conn->flush);
}

void conn_limit_frames(struct conn *conn, uint32_t body_bytes_max)
{
	CHECK(body_bytes_max <= FRAME_BODY_BYTES_MAX);
	conn->body_bytes_max = body_bytes_max;
}

void conn_pause(struct conn *conn)
{
	CHECK(conn->state == CONN_OPEN);
	conn->paused = true;
	ev_idle_stop(conn->loop, &conn->more);
	watch(conn, conn->io.events & EV_WRITE);
}

void conn_resume(struct conn *conn)
{
	if (!conn->paused)
		return;
	conn->paused = false;
	watch(conn, (conn->io.events & EV_WRITE) | EV_READ);
	ev_idle_start(conn->loop, &conn->more);
}

size_t conn_queued_bytes(const struct conn *conn)
{
	return buffer_bytes(&conn->out);
}

int conn_take_fd(struct conn *conn)
{
	int fd = conn->frame_fd;

	conn->frame_fd = -1;
	return fd;
}

void conn_close(struct conn *conn)
{
	if (!conn || conn->closing)
		return;
	if (conn->state == CONN_OPEN && !conn->broken)
		flush_out(conn, SIZE_MAX);
	conn->closing = true;
	settle(conn);
}

void *conn_ctx(const struct conn *conn)
{
	return conn->ctx;
}

int conn_fd(const struct conn *conn)
{
	return conn->fd;
}

ProtobufCMessage *frame_unpack(const struct frame *frame,
			       const ProtobufCMessageDescriptor *descriptor)
{
	return arena_unpack(descriptor, frame->body, frame->body_bytes);
}

void frame_free(void *message)
{
	arena_free(message);
}
