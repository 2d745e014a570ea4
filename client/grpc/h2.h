/* One HTTP/2 connection of gRPC calls, in memory: bytes in, bytes out, time
 * passed in. No socket, no TLS, no loop; guest.c has those.
 *
 * Unary calls only. Every call ends: by the answer of its method, by a refusal,
 * by its grpc-timeout or H2_CALL_NS_MAX, or with its stream. What a client may
 * make us keep is bounded: H2_CALLS_MAX calls of one envelope each, and
 * nothing of what it says beyond the fields that count.
 */
#ifndef RAFTFS_CLIENT_GRPC_H2_H
#define RAFTFS_CLIENT_GRPC_H2_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/grpc/code.h"
#include "common/err.h"
#include "common/list.h"

#define H2_CALLS_MAX	    100u /* at once; more are refused as REFUSED_STREAM */
#define H2_FIELDS_BYTES_MAX 8192u /* of header fields in one request */
#define H2_CALL_NS_MAX	    INT64_C(10000000000)

struct h2;
struct h2_call;

struct h2_method {
	const char *path; /* "/package.Service/Method" */
	/* Answer now, or h2_call_park(). request is borrowed. */
	void (*handle)(struct h2_call *call, void *ctx, const uint8_t *request,
		       size_t bytes);
};

/* Outlives every connection that was given it. */
struct h2_service {
	const struct h2_method *methods;
	size_t method_count;
	void *ctx;
};

struct h2_host {
	void *ctx;
	int64_t (*raw_ns)(void *ctx); /* now */
	int64_t (*rtt_ns)(void *ctx); /* to the client; 0: not measured */
	/* A parked call was answered: h2_send() has something. */
	void (*wants_send)(void *ctx);
};

/* NULL: out of memory. Both are borrowed until h2_free(). */
struct h2 *h2_new(const struct h2_service *service, const struct h2_host *host);
void h2_free(struct h2 *h2); /* may be NULL; calls that are parked are freed */

/* What the client sent. CLOSED: it broke the protocol; h2_send() may still have
 * the frame that tells it so, and then the connection is over. */
RFS_MUST_USE enum rfs_err h2_receive(struct h2 *h2, const uint8_t *data,
				     size_t bytes);

/* Fill buffer with what is to be sent; 0: nothing now. */
size_t h2_send(struct h2 *h2, uint8_t *buffer, size_t size);

/* When the next call is due to be refused; INT64_MAX: there is none. */
int64_t h2_deadline_ns(const struct h2 *h2);
void h2_tick(struct h2 *h2); /* refuse those that are due */

/* Say goodbye: first announce it, so that calls under way to us still arrive;
 * a round trip later take no more. Calls that were taken are answered. */
void h2_announce_goaway(struct h2 *h2);
void h2_goaway(struct h2 *h2);

uint32_t h2_calls(const struct h2 *h2); /* that have not ended */
bool h2_over(const struct h2 *h2);	/* nothing more will come or go */

/* ---- for methods ---- */

int64_t h2_call_received_ns(const struct h2_call *call); /* whole, on raw */
int64_t h2_call_rtt_ns(const struct h2_call *call);

/* Each call gets one of these two, once; after it the call is gone for its
 * method. reply is packed at once. */
void h2_call_reply(struct h2_call *call, const ProtobufCMessage *reply);
void h2_call_refuse(struct h2_call *call, enum code code, const char *format,
		    ...) __attribute__((format(printf, 3, 4)));

/* Wait in `list` until the owner of the list takes it out with
 * h2_call_resume(); it also leaves by itself when it ends before. */
void h2_call_park(struct h2_call *call, struct list *list,
		  void (*resume)(struct h2_call *call, void *ctx,
				 const void *answer));

/* Take the first call out of the list and let it answer. False: none there. */
bool h2_call_resume(struct list *list, const void *answer);

#endif
