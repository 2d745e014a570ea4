/* What only the leader can answer is passed on to it, and its answer back.
 *
 *	raftfs(1) -> control socket -> this raftd -> leader's raftd
 *	          <-                <-            <-
 *
 * Once: a node that is asked as the leader and is not says so.
 */
#ifndef RAFTFS_RAFTD_QUESTIONS_H
#define RAFTFS_RAFTD_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"
#include "proto/control_server.h"
#include "raftd/peers.h"

#define QUESTIONS_MAX	   16u
#define QUESTIONS_LIMIT_NS (1500 * NS_PER_MS)

struct questions {
	struct question {
		uint64_t id; /* 0: free */
		uint32_t node;
		struct control_question *held;
		int64_t until_raw_ns;
	} waiting[QUESTIONS_MAX];
	uint64_t last_id;
};

/* Ask the leader. OK: the answer comes later; else *reason says why not. */
RFS_MUST_USE enum rfs_err
questions_pass_on(struct questions *questions, struct control_server *server,
		  struct peers *peers, uint32_t leader,
		  const DistributedFs__ControlRequest *request,
		  const char **reason);

/* From peers_events. */
void questions_done(struct questions *questions, uint32_t node,
		    const DistributedFs__PeerControlDone *done);
void questions_lost(struct questions *questions, uint32_t node);

/* Whose time is up is told so. */
void questions_expire(struct questions *questions, int64_t now_raw_ns);

#endif
