/* The one record about the state as a whole: how far the log was applied,
 * where numbers were handed out to, and totals. */
#ifndef RAFTFS_STORAGED_CORE_META_H
#define RAFTFS_STORAGED_CORE_META_H

#include <stdint.h>

#include "common/err.h"
#include "storaged/core/kv.h"

struct meta {
	uint64_t applied_index; /* 0: an empty state */
	uint64_t term;
	uint64_t epoch;
	int64_t ts_ns;
	uint64_t next_ino; /* inode and map numbers; never reused */
	uint64_t next_chunk; /* for grants; never reused */
	uint64_t inode_count;
	uint64_t chunk_count;
	uint64_t chunk_bytes;
	uint64_t session_count;
	uint64_t trash_count;
	/* Of the ids handed out, those that were before the last change of the
	 * members: none of them can be named for the first time (F1). */
	uint64_t stale_below;
};

/* An empty state gives zeros. VERSION: a newer format; CORRUPT; the engine's
 * own. */
RFS_MUST_USE enum rfs_err meta_load(struct kv *kv, struct meta *meta);
void meta_save(struct kv *kv, const struct meta *meta);

#endif
