/* Everybody who is connected, and the door: accepting, a cap, saying goodbye.
 *
 * The cap never keeps a client out that has something to ask: who came in and
 * was silent the longest makes room, strangers in their handshake first.
 */
#ifndef RAFTFS_CLIENT_GRPC_GUESTS_H
#define RAFTFS_CLIENT_GRPC_GUESTS_H

#include <ev.h>
#include <openssl/ssl.h>

#include "client/grpc/h2.h"

#define GUESTS_MAX 256u

struct guests;

struct guests_counters {
	uint32_t present;
	uint64_t came;
	uint64_t refused; /* in the handshake */
	uint64_t evicted; /* to make room */
};

/* Without a door yet. NULL: out of memory. service is borrowed until
 * guests_free(). */
struct guests *guests_new(struct ev_loop *loop,
			  const struct h2_service *service);
void guests_free(struct guests *guests);

/* What the next ones are shown; a reference is taken. */
void guests_set_context(struct guests *guests, SSL_CTX *context);

/* Listen there, and nowhere else from now on. On IO (logged) the door is where
 * it was. A context must have been set. */
RFS_MUST_USE enum rfs_err guests_listen(struct guests *guests,
					const char *address, uint16_t port);

/* Nobody comes in any more; who is here leaves when his calls have ended. Then
 * gone(ctx): at once when nobody is here, never from inside this call. */
void guests_leave(struct guests *guests, void (*gone)(void *ctx), void *ctx);

struct guests_counters guests_counters(const struct guests *guests);

#endif
