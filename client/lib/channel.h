/* The requests in flight: sent, answered, sent again when they must be.
 *
 * There is no thread of its own. Of the threads that wait for an answer one
 * pumps (connects, sends, receives, hands out answers, ends overdue calls)
 * while the others sleep; when its own answer is there it passes the role on.
 * So a single caller pays no thread switch, and many share one socket.
 *
 *	         submit            sent               answer
 *	(new) ----------> WAITING ------> SENT -----------------> DONE
 *	                     ^              |                      ^
 *	                     +--------------+                      |
 *	              link lost, or "try again"      time limit ---+
 *
 * Exactly once: a mutation keeps its (session, seq) over every resend, on any
 * node. maybe_done remembers that an attempt may have got through unanswered;
 * such a call can end only by an answer or as RFS_ERR_UNKNOWN.
 */
#ifndef RAFTFS_CLIENT_LIB_CHANNEL_H
#define RAFTFS_CLIENT_LIB_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/lib/endpoints.h"
#include "client/lib/link.h"
#include "client/lib/wire.h"
#include "common/err.h"

#define CHANNEL_CALLS_MAX  128u
#define CHANNEL_BYTES_MAX  (16u * 1024 * 1024)
#define CHANNEL_REASON_MAX 160

enum call_state {
	CALL_WAITING = 0, /* to be sent, not before retry_ns */
	CALL_SENDING,	  /* half of it is in the socket; at most one */
	CALL_SENT,
	CALL_DONE,
};

/* One request. Filled by the caller: request (what it points to stays until
 * DONE), sink, mutation, deadline_ns. The rest is the channel's. */
struct call {
	DistributedFs__FileRequest request;
	struct wire_sink *sink; /* NULL: data stays in reply */
	bool mutation;
	int64_t deadline_ns; /* raw */

	enum call_state state;
	bool maybe_done;
	bool awaited;	  /* a thread sleeps on `done` */
	enum rfs_err err; /* DONE: the result; before: the last answer */
	DistributedFs__FileReply *reply; /* with err OK; call_fini() frees */
	char reason[CHANNEL_REASON_MAX];
	int64_t retry_ns;
	int64_t backoff_ns;
	pthread_cond_t changed;
	struct call *next;
	struct call *previous;
};

struct channel {
	pthread_mutex_t lock; /* everything below */
	struct endpoints endpoints;
	size_t endpoint_index;
	struct link link;
	int wake_fd; /* eventfd: look again */
	bool pumping;

	struct call *first; /* in flight, oldest first */
	struct call *last;
	size_t call_count;
	size_t call_bytes;
	pthread_cond_t room;
	uint64_t next_id;

	struct call *sending;
	uint8_t head[WIRE_HEAD_BYTES_MAX];
	struct iovec parts[2];
	size_t sent_bytes;

	int64_t connect_ns; /* not before */
	int64_t connect_backoff_ns;
	int64_t refused_ns;  /* since when only refusals; 0: no */
	int64_t heard_ns;    /* last byte from this node */
	int64_t patience_ns; /* with a silent node, while there are others */
	int connect_errno;

	uint64_t session; /* 0: none */
	uint64_t next_seq;
};

RFS_MUST_USE enum rfs_err channel_init(struct channel *channel,
				       const struct endpoints *endpoints);
/* No call may be in flight. */
void channel_fini(struct channel *channel);

void call_init(struct call *call, DistributedFs__FileOp op);
void call_fini(struct call *call);

/* Try each endpoint once, now. CLOSED: none answers. */
RFS_MUST_USE enum rfs_err channel_connect(struct channel *channel);

/* Put a call in flight; waits while the channel is full. A mutation takes the
 * next seq. NO_SESSION: it is a mutation and there is no session (nothing was
 * sent, the call is not in flight); TIMEDOUT: no room until the deadline. */
RFS_MUST_USE enum rfs_err channel_submit(struct channel *channel,
					 struct call *call);

/* Wait until the whole request is in the socket, or it is done. For callers
 * that do something else before they wait for the answer. */
void channel_flush(struct channel *channel, struct call *call);

/* Wait for the answer: the call leaves the flight when that arrives, fetched or
 * not. Returns call->err. */
RFS_MUST_USE enum rfs_err channel_wait(struct channel *channel,
				       struct call *call);

/* Use another endpoint from now on, unless something is in flight. */
void channel_prefer(struct channel *channel, size_t endpoint_index);

/* Move what is in flight though nobody waits for it (writes behind). Returns
 * after at most timeout_ns, sooner when another thread pumps. */
void channel_turn(struct channel *channel, int64_t timeout_ns);

#endif
