/* Extents and chunk records.
 *
 * Order inside one change: chunks of the new content are counted first, then
 * old extents are cut away, then new ones are placed.  So a chunk that is on
 * both sides is never thought free in between. */
#include "storaged/core/chunkmap.h"

#include <string.h>

#include "common/check.h"
#include "storaged/core/grants.h"
#include "storaged/core/keys.h"

#define EXTENT_IMAGE_BYTES 16u
#define CHUNK_IMAGE_BYTES  (8u + COMMAND_HASH_BYTES)

/* ---- chunk records --------------------------------------------------- */

enum rfs_err chunkmap_chunk_decode(struct kv *kv, struct bytes value,
				   struct query_chunk *record)
{
	struct reader r;

	if (value.bytes != CHUNK_IMAGE_BYTES)
		return kv_corrupt(kv);
	reader_init(&r, value.data, value.bytes);
	record->state = QUERY_CHUNK_USED;
	record->refs = reader_u32le(&r);
	record->bytes = reader_u32le(&r);
	memcpy(record->sha256, r.at, COMMAND_HASH_BYTES);
	return RFS_ERR_OK;
}

enum rfs_err chunkmap_chunk(struct kv *kv, uint64_t chunk,
			    struct query_chunk *record)
{
	struct key key;
	struct bytes value;
	enum rfs_err err;

	err = kv_get(kv, key_number(&key, KEY_CHUNK, chunk), &value);
	return err ? err : chunkmap_chunk_decode(kv, value, record);
}

static void chunk_save(struct kv *kv, uint64_t chunk,
		       const struct query_chunk *record)
{
	uint8_t image[CHUNK_IMAGE_BYTES];
	struct key key;
	struct writer w;

	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, record->refs);
	writer_u32le(&w, record->bytes);
	writer_put(&w, record->sha256, COMMAND_HASH_BYTES);
	kv_put(kv, key_number(&key, KEY_CHUNK, chunk),
	       (struct bytes){ image, sizeof(image) });
}

/* A chunk named for the first time. */
static void chunk_make(struct apply *a, uint64_t chunk, uint32_t bytes,
		       const uint8_t sha256[COMMAND_HASH_BYTES])
{
	struct query_chunk record = { .refs = 1, .bytes = bytes };

	memcpy(record.sha256, sha256, COMMAND_HASH_BYTES);
	chunk_save(a->kv, chunk, &record);
	a->meta.chunk_count++;
	a->meta.chunk_bytes += bytes;
}

/* One more extent names a chunk that is in use. */
static void chunk_ref(struct apply *a, uint64_t chunk)
{
	struct query_chunk record = { .refs = 0 };

	if (chunkmap_chunk(a->kv, chunk, &record) != RFS_ERR_OK) {
		kv_corrupt(a->kv);
		return;
	}
	record.refs++;
	chunk_save(a->kv, chunk, &record);
}

static void chunk_unref(struct apply *a, uint64_t chunk)
{
	struct query_chunk record;
	struct key key;

	if (chunkmap_chunk(a->kv, chunk, &record) != RFS_ERR_OK ||
	    record.refs == 0) {
		kv_corrupt(a->kv);
		return;
	}
	if (--record.refs > 0) {
		chunk_save(a->kv, chunk, &record);
		return;
	}
	kv_del(a->kv, key_number(&key, KEY_CHUNK, chunk));
	a->meta.chunk_count--;
	a->meta.chunk_bytes -= record.bytes;
	apply_freed(a, chunk);
}

/* ---- extents --------------------------------------------------------- */

static enum rfs_err extent_decode(struct kv *kv, uint64_t end,
				  struct bytes value,
				  struct chunkmap_extent *extent)
{
	struct reader r;
	uint32_t length;

	if (value.bytes != EXTENT_IMAGE_BYTES)
		return kv_corrupt(kv);
	reader_init(&r, value.data, value.bytes);
	length = reader_u32le(&r);
	if (length == 0 || length > end || length > COMMAND_CHUNK_MAX_BYTES)
		return kv_corrupt(kv);
	extent->chunk_offset = reader_u32le(&r);
	extent->chunk = reader_u64le(&r);
	extent->start = end - length;
	extent->end = end;
	return RFS_ERR_OK;
}

static enum rfs_err extent_found(struct kv *kv, uint64_t map,
				 struct bytes found, struct bytes value,
				 struct chunkmap_extent *extent)
{
	uint64_t end;

	if (!key_is_pair(found, KEY_EXTENT, map, &end))
		return RFS_ERR_NOENT;
	return extent_decode(kv, end, value, extent);
}

enum rfs_err chunkmap_seek(struct kv *kv, uint64_t map, uint64_t offset,
			   struct chunkmap_extent *extent)
{
	struct key key;
	struct bytes found, value;
	enum rfs_err err;

	err = kv_seek(kv, key_pair(&key, KEY_EXTENT, map, offset + 1), &found,
		      &value);
	return err ? err : extent_found(kv, map, found, value, extent);
}

enum rfs_err chunkmap_next(struct kv *kv, uint64_t map,
			   struct chunkmap_extent *extent)
{
	struct bytes found, value;
	enum rfs_err err = kv_next(kv, &found, &value);

	return err ? err : extent_found(kv, map, found, value, extent);
}

static void extent_put(struct kv *kv, uint64_t map,
		       const struct chunkmap_extent *extent)
{
	uint8_t image[EXTENT_IMAGE_BYTES];
	struct key key;
	struct writer w;

	CHECK(extent->start < extent->end);
	CHECK(extent->end - extent->start <= COMMAND_CHUNK_MAX_BYTES);
	writer_init(&w, image, sizeof(image));
	writer_u32le(&w, (uint32_t)(extent->end - extent->start));
	writer_u32le(&w, extent->chunk_offset);
	writer_u64le(&w, extent->chunk);
	kv_put(kv, key_pair(&key, KEY_EXTENT, map, extent->end),
	       (struct bytes){ image, sizeof(image) });
}

static void extent_del(struct kv *kv, uint64_t map,
		       const struct chunkmap_extent *extent)
{
	struct key key;

	kv_del(kv, key_pair(&key, KEY_EXTENT, map, extent->end));
}

/* Take [from, to) out of one extent that it touches.
 *
 *	extent     |-----------------|
 *	cut              [from  to)
 *	leaves     |-----|      |----|   either may be empty
 *
 * The left rest ends elsewhere, so it is a new key; the right one keeps it. */
static void extent_cut(struct apply *a, uint64_t map,
		       const struct chunkmap_extent *extent, uint64_t from,
		       uint64_t to)
{
	struct chunkmap_extent left = *extent, right = *extent;
	bool has_left = extent->start < from;
	bool has_right = extent->end > to;

	if (has_right) {
		right.start = to;
		right.chunk_offset += (uint32_t)(to - extent->start);
		extent_put(a->kv, map, &right);
	} else {
		extent_del(a->kv, map, extent);
	}
	if (has_left) {
		left.end = from;
		extent_put(a->kv, map, &left);
	}
	if (has_left && has_right)
		chunk_ref(a, extent->chunk);
	if (!has_left && !has_right)
		chunk_unref(a, extent->chunk);
}

/* Take [from, to) out of a map, touching at most `limit` extents. Returns the
 * bytes taken; *done: nothing of the range is left. */
static uint64_t map_cut(struct apply *a, uint64_t map, uint64_t from,
			uint64_t to, uint32_t limit, bool *done)
{
	struct chunkmap_extent extent = { .start = 0 };
	uint64_t taken = 0;

	for (; limit > 0; limit--) {
		if (chunkmap_seek(a->kv, map, from, &extent) != RFS_ERR_OK ||
		    extent.start >= to) {
			*done = true;
			return taken;
		}
		extent_cut(a, map, &extent, from, to);
		taken += (extent.end < to ? extent.end : to) -
			 (extent.start > from ? extent.start : from);
	}
	*done = false;
	return taken;
}

void chunkmap_punch(struct apply *a, struct inode *inode, uint64_t from,
		    uint64_t to)
{
	bool done;

	inode->allocated_bytes -=
		map_cut(a, inode->map, from, to, UINT32_MAX, &done);
}

/* ---- content --------------------------------------------------------- */

static enum rfs_err piece_check(struct apply *a,
				const struct command_piece *piece)
{
	struct query_chunk record;
	enum rfs_err err = chunkmap_chunk(a->kv, piece->chunk, &record);

	if (err == RFS_ERR_NOENT) {
		/* It may be durable on a majority of nodes that do not count
		 * any more. */
		if (piece->chunk < a->meta.stale_below)
			return RFS_ERR_BUSY;
		err = grants_check(a->kv, piece->chunk);
		return err == RFS_ERR_NOENT ? RFS_ERR_BUSY : err;
	}
	if (err)
		return err;
	if (record.bytes != piece->bytes ||
	    memcmp(record.sha256, piece->sha256, COMMAND_HASH_BYTES) != 0)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

enum rfs_err chunkmap_check(struct apply *a)
{
	for (uint32_t i = 0; i < a->command->piece_count; i++) {
		enum rfs_err err = piece_check(a, &a->command->pieces[i]);

		if (err)
			return err;
	}
	return RFS_ERR_OK;
}

static void piece_take(struct apply *a, const struct command_piece *piece)
{
	struct query_chunk record;

	if (chunkmap_chunk(a->kv, piece->chunk, &record) == RFS_ERR_OK) {
		chunk_ref(a, piece->chunk);
		return;
	}
	grants_use(a, piece->chunk);
	chunk_make(a, piece->chunk, piece->bytes, piece->sha256);
}

/* Data in the entry becomes the chunk index << 8 | 0, which the host stores. */
static uint64_t inline_chunk(const struct apply *a)
{
	return STORE_CHUNK_INLINE | a->index << 8;
}

static void inline_take(struct apply *a)
{
	const struct command *command = a->command;
	struct store_chunk *stored = &a->effects->stored;

	stored->chunk = inline_chunk(a);
	stored->data = command->data;
	memcpy(stored->sha256, command->sha256, COMMAND_HASH_BYTES);
	a->effects->has_stored = true;
	chunk_make(a, stored->chunk, (uint32_t)stored->data.bytes,
		   stored->sha256);
}

/* Count every chunk of the command's content once. */
static void content_take(struct apply *a)
{
	if (a->command->data.bytes)
		inline_take(a);
	for (uint32_t i = 0; i < a->command->piece_count; i++)
		piece_take(a, &a->command->pieces[i]);
}

static uint64_t extent_place(struct apply *a, uint64_t map, uint64_t offset,
			     uint64_t chunk, uint64_t bytes)
{
	const struct chunkmap_extent extent = { .start = offset,
						.end = offset + bytes,
						.chunk = chunk };

	extent_put(a->kv, map, &extent);
	return extent.end;
}

/* Lay the content end to end over a hole of its size. */
static void content_place(struct apply *a, struct inode *inode, uint64_t offset)
{
	const struct command *command = a->command;

	inode->allocated_bytes += command_content_bytes(command);
	if (command->data.bytes)
		extent_place(a, inode->map, offset, inline_chunk(a),
			     command->data.bytes);
	for (uint32_t i = 0; i < command->piece_count; i++)
		offset = extent_place(a, inode->map, offset,
				      command->pieces[i].chunk,
				      command->pieces[i].bytes);
}

void chunkmap_write(struct apply *a, struct inode *inode, uint64_t offset)
{
	uint64_t bytes = command_content_bytes(a->command);

	content_take(a);
	chunkmap_punch(a, inode, offset, offset + bytes);
	content_place(a, inode, offset);
}

void chunkmap_replace(struct apply *a, struct inode *inode)
{
	content_take(a);
	chunkmap_empty(a, inode);
	content_place(a, inode, 0);
}

/* ---- trash ----------------------------------------------------------- */

/* Take apart a whole map, as much as one entry may; the rest is trash. */
static bool map_discard(struct apply *a, uint64_t map)
{
	struct key key;
	bool done;

	map_cut(a, map, 0, UINT64_MAX - 1, CHUNKMAP_DISCARD_MAX, &done);
	if (done)
		return false;
	kv_put(a->kv, key_number(&key, KEY_TRASH, map), (struct bytes){ 0 });
	a->meta.trash_count++;
	return true;
}

void chunkmap_empty(struct apply *a, struct inode *inode)
{
	if (inode->allocated_bytes && map_discard(a, inode->map))
		inode->map = a->meta.next_ino++;
	inode->allocated_bytes = 0;
}

void chunkmap_discard(struct apply *a, const struct inode *inode)
{
	if (inode->allocated_bytes)
		map_discard(a, inode->map);
}

void chunkmap_reap(struct apply *a, uint32_t limit)
{
	struct key key;
	struct bytes found, value;
	uint64_t map;
	bool done;

	if (a->meta.trash_count == 0)
		return;
	if (kv_seek(a->kv, key_number(&key, KEY_TRASH, 0), &found, &value) !=
		    RFS_ERR_OK ||
	    !key_is_number(found, KEY_TRASH, &map)) {
		kv_corrupt(a->kv);
		return;
	}
	map_cut(a, map, 0, UINT64_MAX - 1, limit, &done);
	if (!done)
		return;
	kv_del(a->kv, key_number(&key, KEY_TRASH, map));
	a->meta.trash_count--;
}
