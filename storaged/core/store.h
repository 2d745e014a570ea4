/* The state machine: apply one committed entry; same state, same entry, same
 * outcome, on every node and every replay (SAFETY.md F4).
 *
 * Everything is in the key-value transaction: the tree, the extents, sessions
 * with their recorded answers, grants, and how far the log was applied (F5).
 * Outside it a struct store keeps only scratch memory, so a transaction that
 * was aborted leaves nothing to undo, and one store may serve any state.
 *
 * Data lives in chunks, named by an id that is never used twice and whose
 * content never changes (F2):
 *
 *	bit 63 set	data that rode in the entry: index << 8 | n
 *	bit 63 clear	data stored beforehand, id from a grant
 *
 * Key layout and command encoding: docs/FILES.md.
 */
#ifndef RAFTFS_STORAGED_CORE_STORE_H
#define RAFTFS_STORAGED_CORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"
#include "storaged/core/command.h"
#include "storaged/core/inode.h"
#include "storaged/core/kv.h"

#define STORE_CHUNK_INLINE (UINT64_C(1) << 63)
#define STORE_CHANGED_MAX  4u

/* A sequence number may run at most this far ahead of acked_below. */
#define STORE_SESSION_WINDOW 4096u

/* A committed entry. command is empty for entries that are no command of ours
 * (a term's first entry, a lease extension): only "applied" moves. */
struct store_entry {
	uint64_t index;
	uint64_t term;
	uint64_t epoch;
	int64_t ts_ns;
	bool members; /* it changes who is in the cluster; no command */
	struct bytes command; /* image by command_encode() */
};

/* The answer. Of a retry: the first answer, with duplicate set. */
struct store_result {
	enum rfs_err err;
	enum command_op op; /* NOOP when the image was malformed */
	uint64_t session; /* whose answer it is; 0: nobody's */
	uint64_t seq;
	uint64_t raft_index; /* of the entry that took effect, and when */
	int64_t ts_ns;
	bool duplicate;
	bool existed; /* CREATE, PUT: the name was there */
	bool has_attr;
	struct inode attr; /* the subject, after the change */
	uint64_t value; /* session, first chunk id, or offset: per op */
};

/* Data to keep under this id, verified against sha256 by the host first. */
struct store_chunk {
	uint64_t chunk;
	struct bytes data; /* a view into the entry */
	uint8_t sha256[COMMAND_HASH_BYTES];
};

/* Duties of the host, in this order: store, commit the transaction, then the
 * rest.  All of it may be repeated by a replay.  Arrays belong to the store,
 * valid until its next apply. */
struct store_effects {
	bool replayed; /* index was applied before: nothing done, no result */

	bool has_stored;
	struct store_chunk stored;

	/* No longer named by any file. A state restored from an older
	 * checkpoint may still name them until it has caught up: delete them
	 * no earlier than a checkpoint at or past this entry is durable. */
	const uint64_t *freed;
	size_t freed_count;

	/* Ids of an expired grant: whatever the node holds of them and
	 * query_chunk() does not know may be deleted, as freed. */
	uint64_t expired_chunk;
	uint64_t expired_count;

	/* Inodes whose attributes, content or names changed: for caches. */
	uint64_t changed[STORE_CHANGED_MAX];
	size_t changed_count;
};

struct store;

/* NOMEM. Owned by the caller. */
RFS_MUST_USE enum rfs_err store_new(struct store **store);
void store_free(struct store *store); /* NULL may be given */

/* Apply the entry inside a write transaction that nobody else uses.
 *
 * An empty state becomes a file system on its first apply: a root directory,
 * 0755, of uid and gid 0.  Entries must follow one another; one at or before
 * the applied index is skipped (effects->replayed).
 *
 * Returns RFS_ERR_OK: what the command came to is in *result, errors included;
 *     commit the transaction and carry out *effects.
 * Anything else: the transaction must be aborted, *result and *effects mean
 *     nothing, and the same entry may be tried again:
 *     INVALID  a gap in the log, or a time stamp that does not rise (F6);
 *     CORRUPT  the state holds what this code never wrote;
 *     VERSION  the state, or this command, is of a newer format;
 *     NOMEM, or the engine's own error.
 *
 * What result->err may be (beside the errors of command_check()):
 *     NO_SESSION  unknown or ended session: nothing was done, ever;
 *     STALE       seq was answered, acknowledged and forgotten;
 *     FULL        seq is too far ahead of acked_below, nothing was done;
 *     BUSY        a chunk is not of a live grant, or of one made before the
 *                 last change of the members, or base_version is past: nothing
 *                 was done, not recorded; make the command anew and
 *                 propose it under the same seq;
 *     the rest    as POSIX has it, recorded as the answer to this seq.
 */
RFS_MUST_USE enum rfs_err store_apply(struct store *store, struct kv *kv,
				      const struct store_entry *entry,
				      struct store_result *result,
				      struct store_effects *effects);

#endif
