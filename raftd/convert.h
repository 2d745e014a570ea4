/* Raft's messages and entries as protobuf, and back.
 *
 * What comes in was sent by an authenticated peer, yet is checked like any
 * input: a message that makes no sense is INVALID and never reaches the core.
 */
#ifndef RAFTFS_RAFTD_CONVERT_H
#define RAFTFS_RAFTD_CONVERT_H

#include "common/err.h"
#include "common/os/config.h"
#include "peer.pb-c.h"
#include "raftd/core/raft.h"

/* Room for one outgoing message; what it points to is borrowed from the
 * raft_message. */
struct convert_out {
	DistributedFs__RaftMessage message;
	DistributedFs__SnapshotMeta snapshot;
	DistributedFs__LogEntry entry[RAFT_ENTRIES_MAX];
	DistributedFs__LogEntry *entries[RAFT_ENTRIES_MAX];
};

/* m->append.count is at most RAFT_ENTRIES_MAX. */
void convert_message(const struct raft_message *m, struct convert_out *out);
void convert_entry(const struct raft_entry *entry, DistributedFs__LogEntry *out);
void convert_meta(const struct raft_snapshot_meta *meta,
		  DistributedFs__SnapshotMeta *out);

/* Bytes an entry takes inside a message, at most. */
size_t convert_entry_bytes(const struct raft_entry *entry);

/* *m borrows from `in` and from `entries`. from and to are the caller's
 * knowledge, not the sender's claim. INVALID. */
RFS_MUST_USE enum rfs_err
convert_parse(const DistributedFs__RaftMessage *in, uint32_t from, uint32_t to,
	      struct raft_entry entries[RAFT_ENTRIES_MAX],
	      struct raft_message *m);
/* A node's description; *out borrows from node. */
void convert_node(const struct config_node *node, DistributedFs__Member *out);
/* INVALID: too long for a node's; whether it makes sense is the caller's. */
RFS_MUST_USE enum rfs_err convert_parse_node(const DistributedFs__Member *in,
					     uint32_t id,
					     struct config_node *node);
void convert_parse_meta(const DistributedFs__SnapshotMeta *in,
			struct raft_snapshot_meta *meta);

#endif
