/* The ordered key-value transaction of storaged/core, on LMDB.
 *
 * One environment is one file. It is opened without syncs (MDB_NOSYNC): the
 * Raft log is its durability, and after a power cut the file is thrown away.
 * A killed process loses nothing that was committed: the page cache stays.
 *
 * One write transaction and any number of read ones may be open at a time, all
 * on the loop's thread. lmdbkv_copy() alone may run on another thread.
 */
#ifndef RAFTFS_STORAGED_LMDBKV_H
#define RAFTFS_STORAGED_LMDBKV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/core/kv.h"

struct lmdbkv;

/* Open or create the file. map_bytes is address space, not disk; more is taken
 * when the file is larger already. IO, NOSPC, CORRUPT (logged with path). */
RFS_MUST_USE enum rfs_err lmdbkv_open(const char *path, uint64_t map_bytes,
				      struct lmdbkv **env);

/* The same for a file that is only to be read, e.g. a snapshot. Leaves no lock
 * file behind: nobody may be writing it. */
RFS_MUST_USE enum rfs_err lmdbkv_open_readonly(const char *path,
					       struct lmdbkv **env);

/* No transaction and no copy may be under way. NULL is fine. */
void lmdbkv_close(struct lmdbkv *env);

/* Begin a transaction in *kv, at most one of each kind at a time; end a read
 * with lmdbkv_end_read(), a write with commit or abort. IO, NOMEM (logged). */
RFS_MUST_USE enum rfs_err lmdbkv_begin_read(struct lmdbkv *env, struct kv *kv);
void lmdbkv_end_read(struct lmdbkv *env, struct kv *kv);
RFS_MUST_USE enum rfs_err lmdbkv_begin_write(struct lmdbkv *env,
					     struct kv *kv);
/* IO, NOSPC: nothing was changed (logged). */
RFS_MUST_USE enum rfs_err lmdbkv_commit(struct lmdbkv *env, struct kv *kv);
void lmdbkv_abort(struct lmdbkv *env, struct kv *kv);

/* Grow the map if less than spare_bytes of it is sure to be free. Only while
 * no transaction and no copy is under way. IO (logged). */
RFS_MUST_USE enum rfs_err lmdbkv_make_room(struct lmdbkv *env,
					   uint64_t spare_bytes);

/* A compacted copy of one committed state into a new file, not synced. Any
 * thread; blocks; commits go on meanwhile. IO, NOSPC (logged). */
RFS_MUST_USE enum rfs_err lmdbkv_copy(struct lmdbkv *env, const char *path);

/* Everything committed is on disk when this returns OK. Blocks. IO (logged). */
RFS_MUST_USE enum rfs_err lmdbkv_sync(struct lmdbkv *env);

#endif
