/* The lent transaction, with its failures remembered. */
#include "storaged/core/kv.h"

static enum rfs_err kv_note(struct kv *kv, enum rfs_err err)
{
	if (err != RFS_ERR_OK && err != RFS_ERR_NOENT)
		kv->failed = err;
	return err;
}

enum rfs_err kv_get(struct kv *kv, struct bytes key, struct bytes *value)
{
	if (kv->failed)
		return kv->failed;
	return kv_note(kv, kv->ops->get(kv->txn, key, value));
}

void kv_put(struct kv *kv, struct bytes key, struct bytes value)
{
	enum rfs_err err;

	if (kv->failed)
		return;
	err = kv->ops->put(kv->txn, key, value);
	if (err)
		kv->failed = err;
}

void kv_del(struct kv *kv, struct bytes key)
{
	enum rfs_err err;

	if (kv->failed)
		return;
	err = kv->ops->del(kv->txn, key);
	if (err)
		kv->failed = err == RFS_ERR_NOENT ? RFS_ERR_CORRUPT : err;
}

enum rfs_err kv_seek(struct kv *kv, struct bytes key, struct bytes *found,
		     struct bytes *value)
{
	if (kv->failed)
		return kv->failed;
	return kv_note(kv, kv->ops->seek(kv->txn, key, found, value));
}

enum rfs_err kv_next(struct kv *kv, struct bytes *found, struct bytes *value)
{
	if (kv->failed)
		return kv->failed;
	return kv_note(kv, kv->ops->next(kv->txn, found, value));
}
