/* Snapshots on their way: to peers that lag, from a leader, into storaged.
 *
 * Sending: 256 KiB chunks, read beside the loop, a few in flight; each is
 * acknowledged with the offset the receiver holds, so a broken stream goes on
 * where it was. A stream without progress for TRANSFER_STALL_NS is given up and
 * reported.
 *
 * Receiving: into incoming.snap, written, hashed and synced beside the loop, then
 * handed to storaged; only when that has made it its state is the raft told.
 *
 * Asking: a storaged that needs entries nobody's log holds any more (its data
 * was wiped) makes this node ask its peers for a snapshot: an acknowledgement
 * of snapshot 0, with the lowest index that is of use as its offset.
 */
#ifndef RAFTFS_RAFTD_TRANSFER_H
#define RAFTFS_RAFTD_TRANSFER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"
#include "local.pb-c.h"
#include "raftd/chores.h"
#include "raftd/clients.h"
#include "raftd/peers.h"
#include "raftd/snapfile.h"

#define TRANSFER_CHUNK_BYTES (256u * 1024)
#define TRANSFER_IN_FLIGHT   4
#define TRANSFER_STALL_NS    (10 * NS_PER_SEC)

struct transfer;

/* Called on the loop. */
struct transfer_events {
	/* storaged's checkpoint is noted durably: RAFT_EV_SNAPSHOT_TAKEN. */
	void (*taken)(void *ctx, const struct raft_snapshot_meta *meta);
	/* storaged runs on a received one, and it is noted durably. */
	void (*installed)(void *ctx, const struct raft_snapshot_meta *meta,
			  const struct raft_membership *membership,
			  const struct raft_window *window);
	/* Who were the members at that index, and what the log said of leases:
	 * raft_membership_at(), raft_window_at(). */
	bool (*log_at)(void *ctx, uint64_t index,
		       struct raft_membership *membership,
		       struct raft_window *window);
	void (*failed)(void *ctx, uint32_t node); /* sending broke off */
};

/* dir: where snapshot.meta and incoming.snap live. noted: what snapshot.meta
 * says, index 0 if there is none; copied. Everything else passed is borrowed
 * for its life. NULL: out of memory. */
struct transfer *transfer_new(struct ev_loop *ev, const struct roster *roster,
			      const char *dir, struct chores *chores,
			      struct peers *peers, struct clients *clients,
			      const struct snapfile_meta *noted,
			      const struct transfer_events *events, void *ctx);

/* The raft wants `node` to have this snapshot. Told again and again. */
void transfer_send(struct transfer *transfer, uint32_t node,
		   const struct raft_snapshot_meta *meta);
/* From peers_events. */
void transfer_ack(struct transfer *transfer, uint32_t node,
		  const DistributedFs__SnapshotAck *ack);
void transfer_chunk(struct transfer *transfer, uint32_t node,
		    const DistributedFs__SnapshotChunk *chunk);
void transfer_peer_lost(struct transfer *transfer, uint32_t node);

/* From clients_events; fd is owned from here. */
void transfer_taken(struct transfer *transfer,
		    const DistributedFs__SnapshotMeta *meta, int fd);
void transfer_attached(struct transfer *transfer);
void transfer_restore_done(struct transfer *transfer, uint64_t index,
			   enum rfs_err err);
/* storaged needs entry `index`, the log starts behind it. */
void transfer_behind(struct transfer *transfer, uint64_t index,
		     uint64_t log_first_index);

/* How much of a snapshot that is being sent to node has arrived there. False:
 * none is. */
bool transfer_progress(const struct transfer *transfer, uint32_t node,
		       uint64_t *sent_bytes, uint64_t *bytes);

/* storaged still waits for a snapshot it needs. */
bool transfer_is_awaited(const struct transfer *transfer);

/* What the raft has committed: an older snapshot is of no use unless storaged
 * is behind. */
void transfer_set_commit(struct transfer *transfer, uint64_t commit_index);

/* Free the chores first. transfer may be NULL. */
void transfer_free(struct transfer *transfer);

#endif
