/* An ordered key-value transaction, lent to the core by its host.
 *
 * The daemon lends an LMDB transaction, tests lend tests/storaged/memkv.h.
 * Keys are 1 to KV_KEY_MAX_BYTES bytes and sort as memcmp does, shorter
 * first; values are 0 to KV_VALUE_MAX_BYTES bytes.
 *
 * Views that get, seek and next hand out are valid until the next put or del
 * on the same transaction, and no longer than the transaction.  The bytes
 * given to put are copied before it returns, and may themselves be such views.
 *
 * One transaction belongs to one thread at a time.
 */
#ifndef RAFTFS_STORAGED_CORE_KV_H
#define RAFTFS_STORAGED_CORE_KV_H

#include "common/bytes.h"
#include "common/err.h"

#define KV_KEY_MAX_BYTES   511
#define KV_VALUE_MAX_BYTES (1u << 20)

/* Keys whose first byte is at least this belong to the host: the core neither
 * reads nor writes them, and they stay out of the digest. */
#define KV_HOST_PREFIX 0xf0

/* What a host implements.  Any error but NOENT means the engine failed: the
 * core stops using the transaction and the host must abort it. */
struct kv_ops {
	/* OK, NOENT. Does not move the cursor. */
	enum rfs_err (*get)(void *txn, struct bytes key, struct bytes *value);
	/* Insert or replace. NULL in a read transaction. */
	enum rfs_err (*put)(void *txn, struct bytes key, struct bytes value);
	/* OK, NOENT. NULL in a read transaction. */
	enum rfs_err (*del)(void *txn, struct bytes key);
	/* Place the transaction's one cursor on the first key >= key.
	 * OK; NOENT: there is none. */
	enum rfs_err (*seek)(void *txn, struct bytes key, struct bytes *found,
			     struct bytes *value);
	/* The key after the one seek or next gave last. Called only when
	 * nothing was written since. OK, NOENT. */
	enum rfs_err (*next)(void *txn, struct bytes *found,
			     struct bytes *value);
};

struct kv {
	const struct kv_ops *ops;
	void *txn;
	/* Set by the calls below when the engine fails; sticky. The host sets
	 * it to RFS_ERR_OK when it begins a transaction. */
	enum rfs_err failed;
};

/* The same operations, remembering failure: after one, every call returns it
 * without touching the engine.  Errors as in struct kv_ops. */
RFS_MUST_USE enum rfs_err kv_get(struct kv *kv, struct bytes key,
				 struct bytes *value);
void kv_put(struct kv *kv, struct bytes key, struct bytes value);
/* A key that is not there is a CORRUPT engine: the core deletes only what it
 * has just read. */
void kv_del(struct kv *kv, struct bytes key);
RFS_MUST_USE enum rfs_err kv_seek(struct kv *kv, struct bytes key,
				  struct bytes *found, struct bytes *value);
RFS_MUST_USE enum rfs_err kv_next(struct kv *kv, struct bytes *found,
				  struct bytes *value);

/* Declare what was read to be impossible. Never returns RFS_ERR_OK; in the
 * header so that analyzers know. */
static inline enum rfs_err kv_corrupt(struct kv *kv)
{
	if (!kv->failed)
		kv->failed = RFS_ERR_CORRUPT;
	return kv->failed;
}

#endif
