/* A connection: framed messages over a unix socket or over TLS 1.3, on libev.
 * The process must ignore SIGPIPE (process_harden() does).
 *
 * Non-blocking throughout; every call and callback is on the thread that runs
 * the loop. Over TLS both ends prove their node key (5-security: no CA, the
 * pinned Ed25519 key of the expected node is the whole verification). Over a
 * unix socket a frame may carry one descriptor.
 */
#ifndef RAFTFS_PROTO_CONN_H
#define RAFTFS_PROTO_CONN_H

#include <ev.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/keys.h"
#include "proto/frame.h"

struct conn;

/* One received frame; all borrowed until the callback returns. */
struct frame {
	uint16_t type;
	const uint8_t *body;
	uint32_t body_bytes;
};

struct conn_events {
	/* Ready to carry frames (TLS handshake done, key verified). Called
	 * from the loop, never from inside conn_dial() or conn_adopt(). May be
	 * NULL. */
	void (*opened)(struct conn *conn, void *ctx);
	void (*frame)(struct conn *conn, void *ctx, const struct frame *frame);
	/* The queue fell below half of its limit after conn_send() had said
	 * FULL. May be NULL. */
	void (*drained)(struct conn *conn, void *ctx);
	/* The last callback; conn is freed when it returns. CLOSED: by peer or
	 * reset; DENIED: wrong key; VERSION, INVALID: bad frame; TIMEDOUT:
	 * connect or handshake took too long; IO. Not called after
	 * conn_close(). */
	void (*closed)(struct conn *conn, void *ctx, enum rfs_err why);
};

/* TLS for this node: certificate around its key, made in memory. One per
 * process; NULL when OpenSSL refuses (logged). */
struct tls *tls_new(const struct node_key *key);
void tls_free(struct tls *tls);

/* Take over a connected unix stream socket (owned from here on, closed even on
 * NULL). queue_max_bytes bounds what waits to be sent. NULL: out of memory. */
struct conn *conn_adopt(struct ev_loop *loop, int fd, size_t queue_max_bytes,
			const struct conn_events *events, void *ctx);

/* Connect to numeric address:port and expect exactly peer_key there. Returns
 * at once; opened or closed follows. NULL: bad address or out of memory. */
struct conn *conn_dial_tls(struct ev_loop *loop, struct tls *tls,
			   const char *address, uint16_t port,
			   const uint8_t peer_key[KEY_PUBLIC_BYTES],
			   size_t queue_max_bytes,
			   const struct conn_events *events, void *ctx);

/* Serve an accepted TCP socket (owned from here on). Who it is comes out of
 * the handshake: `allowed` decides by key before `opened` (its false gives
 * DENIED; NULL: any key is); conn_peer_key() tells afterwards. */
struct conn *conn_accept_tls(struct ev_loop *loop, struct tls *tls, int fd,
			     bool (*allowed)(void *ctx,
					     const uint8_t *peer_key),
			     size_t queue_max_bytes,
			     const struct conn_events *events, void *ctx);

/* Valid once opened, TLS only. */
const uint8_t *conn_peer_key(const struct conn *conn);
/* The credentials of a unix peer (SO_PEERCRED); false for TLS. */
bool conn_peer_uid(const struct conn *conn, uint32_t *uid, uint32_t *gid,
		   int32_t *pid);

/* Queue one message. OK: it will be sent unless the connection breaks. FULL:
 * nothing was queued, wait for drained. CLOSED: already broken. fd (unix only,
 * -1: none) is duplicated. message may be NULL for an empty body. Never calls
 * back. Frames are written in batches at the end of the loop iteration. */
RFS_MUST_USE enum rfs_err conn_send(struct conn *conn, enum frame_type type,
				    const ProtobufCMessage *message, int fd);

/* The same for what nobody waits for: it leaves with the next message that is
 * sent, at the latest CONN_LAZY_MS later. The order of all of them is kept. */
#define CONN_LAZY_MS 2
RFS_MUST_USE enum rfs_err
conn_send_lazily(struct conn *conn, enum frame_type type,
		 const ProtobufCMessage *message);

/* Whose messages leave first at the end of a turn: EV_MINPRI (as it begins) to
 * EV_MAXPRI. For a new connection. */
void conn_set_priority(struct conn *conn, int priority);

/* Larger frames than this that come in are INVALID from here on. At most, and
 * at first, FRAME_BODY_BYTES_MAX. */
void conn_limit_frames(struct conn *conn, uint32_t body_bytes_max);

/* Deliver no frames and read nothing until it is resumed; sending goes on. One
 * that is being delivered is finished. Once open. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

size_t conn_queued_bytes(const struct conn *conn);

/* The descriptor that came with the frame being delivered; owned by the
 * caller then; -1 when none came. Untaken ones are closed. */
int conn_take_fd(struct conn *conn);

/* Stop for good and free; no callback. What is queued is tried once more,
 * without waiting. Safe inside a callback of the same conn. */
void conn_close(struct conn *conn);

void *conn_ctx(const struct conn *conn);

/* The socket, for SO_* options and TCP_INFO; stays the conn's. */
int conn_fd(const struct conn *conn);

/* Parse a frame's body; NULL when it is not such a message (an input error,
 * to be counted by the caller). Free with frame_free(), never with the
 * message's own _free_unpacked(): it lies in an arena (proto/arena.h). */
ProtobufCMessage *frame_unpack(const struct frame *frame,
			       const ProtobufCMessageDescriptor *descriptor);
void frame_free(void *message); /* may be NULL */

/* Listening sockets with an accept callback; fd in the callback is non-blocking
 * and owned by it. Unix: path is replaced if stale, created with mode. NULL:
 * logged with the address or path. */
struct listener;
struct listener *listener_tcp(struct ev_loop *loop, const char *address,
			      uint16_t port,
			      void (*accepted)(void *ctx, int fd), void *ctx);
struct listener *listener_unix(struct ev_loop *loop, const char *path,
			       unsigned int mode,
			       void (*accepted)(void *ctx, int fd), void *ctx);
void listener_free(struct listener *listener);

/* Connect a unix stream socket, blocking, and leave it blocking (conn_adopt()
 * makes its own non-blocking). -1 with errno. */
int unix_connect(const char *path);

#endif
