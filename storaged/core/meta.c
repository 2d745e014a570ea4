/* Meta record: format version, then the fields in order. */
#include "storaged/core/meta.h"

#include <string.h>

#include "storaged/core/keys.h"

#define META_VERSION	 2u
#define META_IMAGE_BYTES (4 + 12 * 8)

enum rfs_err meta_load(struct kv *kv, struct meta *meta)
{
	struct key key;
	struct bytes value;
	struct reader r;
	enum rfs_err err;
	uint32_t version;

	memset(meta, 0, sizeof(*meta));
	err = kv_get(kv, key_alone(&key, KEY_META), &value);
	if (err == RFS_ERR_NOENT)
		return RFS_ERR_OK;
	if (err)
		return err;
	reader_init(&r, value.data, value.bytes);
	version = reader_u32le(&r);
	if (version > META_VERSION)
		return RFS_ERR_VERSION;
	/* Version 1 ended before the last field. */
	if (version == 0 ||
	    value.bytes != META_IMAGE_BYTES - (version == 1 ? 8 : 0))
		return kv_corrupt(kv);
	meta->applied_index = reader_u64le(&r);
	meta->term = reader_u64le(&r);
	meta->epoch = reader_u64le(&r);
	meta->ts_ns = (int64_t)reader_u64le(&r);
	meta->next_ino = reader_u64le(&r);
	meta->next_chunk = reader_u64le(&r);
	meta->inode_count = reader_u64le(&r);
	meta->chunk_count = reader_u64le(&r);
	meta->chunk_bytes = reader_u64le(&r);
	meta->session_count = reader_u64le(&r);
	meta->trash_count = reader_u64le(&r);
	if (version >= 2)
		meta->stale_below = reader_u64le(&r);
	return RFS_ERR_OK;
}

void meta_save(struct kv *kv, const struct meta *meta)
{
	uint8_t image[META_IMAGE_BYTES];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, META_VERSION);
	writer_u64le(&w, meta->applied_index);
	writer_u64le(&w, meta->term);
	writer_u64le(&w, meta->epoch);
	writer_u64le(&w, (uint64_t)meta->ts_ns);
	writer_u64le(&w, meta->next_ino);
	writer_u64le(&w, meta->next_chunk);
	writer_u64le(&w, meta->inode_count);
	writer_u64le(&w, meta->chunk_count);
	writer_u64le(&w, meta->chunk_bytes);
	writer_u64le(&w, meta->session_count);
	writer_u64le(&w, meta->trash_count);
	writer_u64le(&w, meta->stale_below);
	kv_put(kv, key_alone(&key, KEY_META),
	       (struct bytes){ image, sizeof(image) });
}
