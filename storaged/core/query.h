/* Reading the state: lookups, listings, the map of a file, the digest.
 *
 * Every call works inside a transaction the host began, usually a read one,
 * and answers from that one state.  Whether the state is fresh enough to
 * answer from is the host's question (lease or read index), asked before.
 *
 * Common errors: NOENT, NOTDIR and so on as POSIX has them; CORRUPT or the
 * engine's own error when the state cannot be read.  Results are written only
 * on RFS_ERR_OK.  A callback that returns false ends the walk, which is OK;
 * names and data it is given are valid inside it, and it may call
 * query_getattr, query_lookup, query_readlink, query_getxattr and query_session on the same
 * transaction, but start no other walk.
 */
#ifndef RAFTFS_STORAGED_CORE_QUERY_H
#define RAFTFS_STORAGED_CORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storaged/core/store.h"

/* Where the state stands, and its totals. An empty state: all zero. */
struct query_state {
	uint64_t applied_index;
	uint64_t term; /* of that entry */
	uint64_t epoch;
	int64_t ts_ns;
	uint64_t inode_count; /* orphans included */
	uint64_t chunk_count;
	uint64_t chunk_bytes; /* whole chunks, as stored on each node */
	uint64_t session_count;
	/* Deleted files not yet taken apart: each entry takes apart a little,
	 * one without a command much more, so an idle leader may propose
	 * COMMAND_NOOP while this is not 0. */
	uint64_t trash_count;
};
RFS_MUST_USE enum rfs_err query_state(struct kv *kv,
				      struct query_state *state);

/* An orphan (unlinked, still open somewhere) is found by its number. */
RFS_MUST_USE enum rfs_err query_getattr(struct kv *kv, uint64_t ino,
					struct inode *attr);

/* "." and ".." are answered too (".." of the root is the root).
 * NOENT, NOTDIR, NAMETOOLONG, INVALID. */
RFS_MUST_USE enum rfs_err query_lookup(struct kv *kv, uint64_t parent,
				       struct bytes name, struct inode *attr);

/* *target is valid as long as the transaction is not written to.
 * INVALID: not a symbolic link. */
RFS_MUST_USE enum rfs_err query_readlink(struct kv *kv, uint64_t ino,
					 struct bytes *target);

/* Cookies below this are the caller's, for "." and "..". */
#define QUERY_COOKIE_FIRST 16u

struct query_name {
	uint64_t ino;
	uint32_t mode; /* the type bits only */
	uint64_t cookie; /* give it to go on after this name */
	struct bytes name;
};

/* Names of a directory after cookie (0, or any below QUERY_COOKIE_FIRST: from
 * the start), in the order they were made; never "." and "..".  A name that
 * is there during the whole of a listing is given exactly once, whatever else
 * is created, renamed and unlinked meanwhile.  *end: the last name was given.
 * NOENT, NOTDIR. */
RFS_MUST_USE enum rfs_err
query_readdir(struct kv *kv, uint64_t ino, uint64_t cookie,
	      bool (*each)(void *ctx, const struct query_name *name), void *ctx,
	      bool *end);

/* A stretch of a file. chunk 0: a hole, reads as zeros. */
struct query_extent {
	uint64_t offset; /* in the file */
	uint64_t length; /* > 0 */
	uint64_t chunk;
	uint32_t chunk_bytes; /* of the whole chunk */
	uint32_t chunk_offset; /* where this stretch starts in it */
	uint8_t sha256[COMMAND_HASH_BYTES]; /* of the whole chunk */
};

/* What [offset, offset + length) of a regular file is made of, in order and
 * without gaps, cut at the end of the file (so nothing when offset is past
 * it).  NOENT; ISDIR; INVALID: not a regular file. */
RFS_MUST_USE enum rfs_err
query_map(struct kv *kv, uint64_t ino, uint64_t offset, uint64_t length,
	  bool (*each)(void *ctx, const struct query_extent *extent),
	  void *ctx);

/* *value is valid as long as the transaction is not written to. NOENT: no such
 * inode; NODATA: no such attribute. */
RFS_MUST_USE enum rfs_err query_getxattr(struct kv *kv, uint64_t ino,
					 struct bytes name,
					 struct bytes *value);
RFS_MUST_USE enum rfs_err
query_listxattr(struct kv *kv, uint64_t ino,
		bool (*each)(void *ctx, struct bytes name), void *ctx);

/* What the state says about a chunk id.  A chunk that a node holds and that is
 * UNKNOWN may be deleted there (as store_effects.freed). */
enum query_chunk_state {
	QUERY_CHUNK_UNKNOWN = 0, /* named by nothing, and never will be again */
	QUERY_CHUNK_GRANTED = 1, /* may still be named: keep what arrives */
	QUERY_CHUNK_USED = 2,
};
struct query_chunk {
	enum query_chunk_state state;
	uint32_t refs; /* the rest: of a USED one */
	uint32_t bytes;
	uint8_t sha256[COMMAND_HASH_BYTES];
};
RFS_MUST_USE enum rfs_err query_chunk(struct kv *kv, uint64_t chunk,
				      struct query_chunk *answer);

/* Every chunk in use with id >= from, ascending: for scrub and backfill. */
RFS_MUST_USE enum rfs_err
query_chunks(struct kv *kv, uint64_t from,
	     bool (*each)(void *ctx, uint64_t chunk,
			  const struct query_chunk *chunk_state),
	     void *ctx);

struct query_session {
	uint64_t session;
	uint32_t node;
	int64_t opened_ts_ns;
	int64_t renewed_ts_ns;
	int64_t lease_ns;
	struct bytes label;
};
RFS_MUST_USE enum rfs_err
query_sessions(struct kv *kv,
	       bool (*each)(void *ctx, const struct query_session *session),
	       void *ctx);
/* NO_SESSION. label: as for query_readlink. */
RFS_MUST_USE enum rfs_err query_session(struct kv *kv, uint64_t session,
					struct query_session *answer);

struct query_grant {
	uint64_t first;
	uint32_t count;
	uint32_t used; /* ids of it that an entry has named */
	uint32_t node;
	int64_t ts_ns;
};
RFS_MUST_USE enum rfs_err
query_grants(struct kv *kv,
	     bool (*each)(void *ctx, const struct query_grant *grant),
	     void *ctx);

/* Feed the whole replicated state to a hash the host brings, in key order:
 * per key its length and the value's (u32, little-endian), then both.  Equal
 * at equal applied index on all nodes, or one of them is wrong. */
RFS_MUST_USE enum rfs_err
query_digest(struct kv *kv,
	     void (*update)(void *ctx, const void *data, size_t bytes),
	     void *ctx);

#endif
