/* One conversation: a channel, its session, and the thread that renews it.
 *
 * The session is opened by the first mutation. From then on a keeper thread
 * renews it at a third of its life, moves writes behind that nobody waits for,
 * and follows the leader when another node has become it. A session that
 * expired all the same is replaced; requests that never got through are sent
 * again under the new one, the others end UNKNOWN.
 */
#ifndef RAFTFS_CLIENT_LIB_SESSION_H
#define RAFTFS_CLIENT_LIB_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/lib/channel.h"
#include "client/lib/raftfs.h"

struct raftfs {
	struct channel channel;
	_Atomic int64_t timeout_ns;
	_Atomic uint32_t stale_ms; /* of reads; 0: linearizable */
	pthread_mutex_t opening; /* one OPEN_SESSION at a time */
	bool keeper_started;	 /* under opening */
	pthread_t keeper;
	int stop_fd;	 /* eventfd: keeper, stop */
	int64_t life_ns; /* of the session; under opening */
};

/* Set this thread's raftfs_reason(). */
void session_set_reason(const char *reason);

/* With several nodes known, talk to the one that leads. */
void session_prefer_leader(struct raftfs *fs);

/* Time limit for a call that starts now. */
int64_t session_deadline_ns(const struct raftfs *fs);

/* Run one request to its end: session, sending, resending. request, sink and
 * mutation are filled in; deadline is set here. */
RFS_MUST_USE enum rfs_err session_run(struct raftfs *fs, struct call *call);

/* The same in two halves. */
RFS_MUST_USE enum rfs_err session_begin(struct raftfs *fs, struct call *call);
RFS_MUST_USE enum rfs_err session_end(struct raftfs *fs, struct call *call);

/* Stop the keeper, give the session back (best effort, bounded). */
void session_close(struct raftfs *fs);

#endif
