/* Small steps that all commands share. */
#include "storaged/core/apply.h"

#include <stdlib.h>

#include "common/check.h"

enum rfs_err apply_load(struct apply *a, uint64_t ino, struct inode *inode)
{
	enum rfs_err err = inode_load(a->kv, ino, inode);

	return err == RFS_ERR_NOENT ? kv_corrupt(a->kv) : err;
}

void apply_save(struct apply *a, struct inode *inode)
{
	inode->ctime_ns = a->ts_ns;
	inode->version = a->index;
	inode_save(a->kv, inode);
	apply_changed(a, inode->ino);
}

void apply_changed(struct apply *a, uint64_t ino)
{
	struct store_effects *effects = a->effects;

	for (size_t i = 0; i < effects->changed_count; i++)
		if (effects->changed[i] == ino)
			return;
	CHECK(effects->changed_count < STORE_CHANGED_MAX);
	effects->changed[effects->changed_count++] = ino;
}

void apply_answer(struct apply *a, const struct inode *inode)
{
	a->result->has_attr = true;
	a->result->attr = *inode;
}

void apply_freed(struct apply *a, uint64_t chunk)
{
	struct freed *freed = a->freed;

	if (freed->count == freed->capacity) {
		size_t capacity = freed->capacity ? 2 * freed->capacity : 64;
		uint64_t *chunks =
			realloc(freed->chunks, capacity * sizeof(*chunks));

		if (!chunks) {
			a->kv->failed = RFS_ERR_NOMEM;
			return;
		}
		freed->chunks = chunks;
		freed->capacity = capacity;
	}
	freed->chunks[freed->count++] = chunk;
}
