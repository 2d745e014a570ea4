/* One client's connection: a socket, TLS, and the HTTP/2 of h2.h, on libev.
 *
 * Non-blocking throughout. A client that does not finish its handshake, does
 * not read what it asked for, or asks nothing for long is shown out; while it
 * does not read, nothing more is read from it.
 */
#ifndef RAFTFS_CLIENT_GRPC_GUEST_H
#define RAFTFS_CLIENT_GRPC_GUEST_H

#include <ev.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "client/grpc/h2.h"
#include "common/list.h"

#define GUEST_HANDSHAKE_NS (5 * INT64_C(1000000000))
#define GUEST_STALL_NS	   (10 * INT64_C(1000000000)) /* to read what is sent */
#define GUEST_IDLE_NS	   (300 * INT64_C(1000000000))

struct guest;

/* Who keeps the connections. */
struct guest_host {
	void *ctx;
	/* The last word of it: freed when this returns. why: NULL when it was
	 * in order, else for the log; static. */
	void (*gone)(void *ctx, struct guest *guest, const char *why);
};

/* fd is owned from here on, closed even on NULL: out of memory. */
struct guest *guest_new(struct ev_loop *loop, SSL_CTX *context, int fd,
			const struct h2_service *service,
			const struct guest_host *host);

/* Without another word, and without gone(). */
void guest_free(struct guest *guest);

/* Let calls that were taken end, take no more, close. */
void guest_leave(struct guest *guest);

bool guest_is_known(const struct guest *guest);	    /* its handshake is done */
int64_t guest_active_ns(const struct guest *guest); /* raw; last heard of */

/* For who keeps it, in a list of theirs. */
struct list_node *guest_node(struct guest *guest);
struct guest *guest_of(struct list_node *node);

#endif
