/* The link to this node's storaged: proposals and reads come in, committed
 * entries go out.
 *
 * At most one link lives; the supervisor hands out a new one whenever either
 * side was restarted. Entries are streamed in order from what storaged said it
 * has applied, at most CLIENTS_WINDOW_BYTES ahead of its acknowledgements.
 * Proposals of one loop iteration are handed over together, so that they
 * become one append, one message to each peer and one sync.
 */
#ifndef RAFTFS_RAFTD_CLIENTS_H
#define RAFTFS_RAFTD_CLIENTS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "local.pb-c.h"
#include "raftd/core/raft.h"

#define CLIENTS_WINDOW_BYTES (8u * 1024 * 1024)

struct clients;

/* Called on the loop; arguments are borrowed. */
struct clients_events {
	/* storaged is there; nothing is streamed before this returned. */
	void (*attached)(void *ctx, uint64_t applied_index);
	/* Answer each with clients_proposed(). */
	void (*propose)(void *ctx, const struct raft_proposal *proposals,
			uint32_t count);
	/* Answer with clients_read_done(). */
	void (*read)(void *ctx, uint64_t id);
	/* storaged offers its newest checkpoint; fd is owned by the callee. */
	void (*snapshot_taken)(void *ctx,
			       const DistributedFs__SnapshotMeta *meta, int fd);
	void (*restore_done)(void *ctx, uint64_t index, enum rfs_err err);
	/* It still fetches data that commands name, or has it. */
	void (*filling)(void *ctx, bool filling);
	/* It needs entry `index`, which the log no longer holds. */
	void (*behind)(void *ctx, uint64_t index);
};

/* NULL: out of memory. */
struct clients *clients_new(struct ev_loop *ev,
			    const struct clients_events *events, void *ctx);

/* Take a connected stream socket (owned from here) in place of the old link. */
void clients_link(struct clients *clients, int fd);

/* Who is in the cluster; lost when storaged is not attached. */
void clients_members(struct clients *clients,
		     const DistributedFs__LocalMembers *members);

bool clients_attached(const struct clients *clients);
/* Attached, and not busy with a restore. */
bool clients_serving(const struct clients *clients);
/* What storaged said it has applied; 0 when it is not attached. */
uint64_t clients_applied(const struct clients *clients);
/* Have storaged say that it does not hang; one question at a time. */
void clients_ask(struct clients *clients, int64_t now_raw_ns);
/* Since when it owes the answer; 0: it owes none. */
int64_t clients_asked_raw_ns(const struct clients *clients);

void clients_proposed(struct clients *clients,
		      const struct raft_proposal_done *done);
void clients_read_done(struct clients *clients,
		       const struct raft_read_done *done);

/* Send committed entries as far as the window allows. Call when the commit
 * index moved; acknowledgements call it themselves. */
void clients_stream(struct clients *clients, const struct raft *raft,
		    uint64_t commit_index);

/* This node leads: which commands it inherited and cannot settle yet, as the
 * view says, so that storaged can tell which reads they cannot change (R2).
 * Nothing is sent when they are more than CLIENTS_LIMBO_BYTES_MAX. */
#define CLIENTS_LIMBO_BYTES_MAX (16u * 1024 * 1024)
void clients_limbo(struct clients *clients, const struct raft *raft,
		   const struct raft_view *view);

void clients_want_snapshot(struct clients *clients, uint64_t log_bytes);

/* Have storaged replace its state; streaming stands still until restore_done
 * and then goes on behind meta->index. fd is borrowed. CLOSED: not attached. */
RFS_MUST_USE enum rfs_err
clients_restore(struct clients *clients,
		const DistributedFs__SnapshotMeta *meta, int fd);

/* Hear nothing from storaged until it may go on. */
void clients_pause(struct clients *clients);
void clients_resume(struct clients *clients);

/* clients may be NULL. */
void clients_free(struct clients *clients);

#endif
