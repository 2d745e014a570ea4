/* Reading: each answer is one or a few lookups in the transaction. */
#include "storaged/core/query.h"

#include <string.h>

#include "storaged/core/chunkmap.h"
#include "storaged/core/dirent.h"
#include "storaged/core/grants.h"
#include "storaged/core/keys.h"
#include "storaged/core/meta.h"
#include "storaged/core/sessions.h"

/* The end of a walk is no error. */
static enum rfs_err walked(enum rfs_err err)
{
	return err == RFS_ERR_NOENT ? RFS_ERR_OK : err;
}

enum rfs_err query_state(struct kv *kv, struct query_state *state)
{
	struct meta meta;
	enum rfs_err err = meta_load(kv, &meta);

	if (err)
		return err;
	*state = (struct query_state){
		.applied_index = meta.applied_index,
		.term = meta.term,
		.epoch = meta.epoch,
		.ts_ns = meta.ts_ns,
		.inode_count = meta.inode_count,
		.chunk_count = meta.chunk_count,
		.chunk_bytes = meta.chunk_bytes,
		.session_count = meta.session_count,
		.trash_count = meta.trash_count,
	};
	return RFS_ERR_OK;
}

/* ---- names and attributes -------------------------------------------- */

enum rfs_err query_getattr(struct kv *kv, uint64_t ino, struct inode *attr)
{
	return inode_load(kv, ino, attr);
}

static bool name_is(struct bytes name, const char *text)
{
	return name.bytes == strlen(text) &&
	       memcmp(name.data, text, name.bytes) == 0;
}

static enum rfs_err load_dir(struct kv *kv, uint64_t ino, struct inode *dir)
{
	enum rfs_err err = inode_load(kv, ino, dir);

	if (err)
		return err;
	return inode_is(dir, INODE_TYPE_DIR) ? RFS_ERR_OK : RFS_ERR_NOTDIR;
}

enum rfs_err query_lookup(struct kv *kv, uint64_t parent, struct bytes name,
			  struct inode *attr)
{
	struct inode dir;
	struct dirent_place place;
	enum rfs_err err = load_dir(kv, parent, &dir);

	if (err)
		return err;
	if (name_is(name, ".")) {
		*attr = dir;
		return RFS_ERR_OK;
	}
	if (name_is(name, ".."))
		return inode_load(kv, dir.parent, attr);
	err = command_check_name(name);
	if (err)
		return err;
	err = dirent_find(kv, parent, name, &place);
	if (err)
		return err;
	err = inode_load(kv, place.ino, attr);
	return err == RFS_ERR_NOENT ? kv_corrupt(kv) : err;
}

enum rfs_err query_readlink(struct kv *kv, uint64_t ino, struct bytes *target)
{
	struct inode inode;
	struct key key;
	enum rfs_err err = inode_load(kv, ino, &inode);

	if (err)
		return err;
	if (!inode_is(&inode, INODE_TYPE_SYMLINK))
		return RFS_ERR_INVALID;
	err = kv_get(kv, key_number(&key, KEY_SYMLINK, ino), target);
	return err == RFS_ERR_NOENT ? kv_corrupt(kv) : err;
}

enum rfs_err query_readdir(struct kv *kv, uint64_t ino, uint64_t cookie,
			   bool (*each)(void *ctx,
					const struct query_name *name),
			   void *ctx, bool *end)
{
	struct inode dir;
	struct dirent_place place;
	struct query_name name;
	struct key key;
	struct bytes found, value;
	enum rfs_err err = load_dir(kv, ino, &dir);

	if (err)
		return err;
	if (cookie == UINT64_MAX) {
		*end = true;
		return RFS_ERR_OK;
	}
	err = kv_seek(kv, key_pair(&key, KEY_COOKIE, ino, cookie + 1), &found,
		      &value);
	while (!err && key_is_pair(found, KEY_COOKIE, ino, &name.cookie)) {
		err = dirent_decode(kv, value, &place, &name.name);
		if (err)
			return err;
		name.ino = place.ino;
		name.mode = place.type;
		if (!each(ctx, &name)) {
			*end = false;
			return RFS_ERR_OK;
		}
		err = kv_next(kv, &found, &value);
	}
	if (walked(err))
		return err;
	*end = true;
	return RFS_ERR_OK;
}

/* ---- content --------------------------------------------------------- */

static bool give_hole(uint64_t from, uint64_t to,
		      bool (*each)(void *ctx,
				   const struct query_extent *extent),
		      void *ctx)
{
	const struct query_extent hole = { .offset = from,
					   .length = to - from };

	return from == to || each(ctx, &hole);
}

/* The part of a stored extent inside [from, to), with its chunk's record. */
static enum rfs_err clip(struct kv *kv, const struct chunkmap_extent *stored,
			 uint64_t from, uint64_t to,
			 struct query_extent *extent)
{
	struct query_chunk record;
	enum rfs_err err = chunkmap_chunk(kv, stored->chunk, &record);

	if (err)
		return err == RFS_ERR_NOENT ? kv_corrupt(kv) : err;
	if (from < stored->start)
		from = stored->start;
	if (to > stored->end)
		to = stored->end;
	extent->offset = from;
	extent->length = to - from;
	extent->chunk = stored->chunk;
	extent->chunk_bytes = record.bytes;
	extent->chunk_offset =
		stored->chunk_offset + (uint32_t)(from - stored->start);
	memcpy(extent->sha256, record.sha256, COMMAND_HASH_BYTES);
	if (extent->chunk_offset + extent->length > record.bytes)
		return kv_corrupt(kv);
	return RFS_ERR_OK;
}

static enum rfs_err map_range(struct kv *kv, uint64_t map, uint64_t from,
			      uint64_t to,
			      bool (*each)(void *ctx,
					   const struct query_extent *extent),
			      void *ctx)
{
	struct chunkmap_extent stored;
	struct query_extent extent;
	enum rfs_err err = chunkmap_seek(kv, map, from, &stored);

	for (; !err && stored.start < to;
	     err = chunkmap_next(kv, map, &stored)) {
		err = clip(kv, &stored, from, to, &extent);
		if (err)
			return err;
		if (!give_hole(from, extent.offset, each, ctx) ||
		    !each(ctx, &extent))
			return RFS_ERR_OK;
		from = extent.offset + extent.length;
	}
	if (walked(err))
		return err;
	give_hole(from, to, each, ctx);
	return RFS_ERR_OK;
}

enum rfs_err query_map(struct kv *kv, uint64_t ino, uint64_t offset,
		       uint64_t length,
		       bool (*each)(void *ctx,
				    const struct query_extent *extent),
		       void *ctx)
{
	struct inode inode;
	enum rfs_err err = inode_load(kv, ino, &inode);

	if (err)
		return err;
	if (inode_is(&inode, INODE_TYPE_DIR))
		return RFS_ERR_ISDIR;
	if (!inode_is(&inode, INODE_TYPE_REGULAR))
		return RFS_ERR_INVALID;
	if (offset >= inode.size_bytes || length == 0)
		return RFS_ERR_OK;
	if (length > inode.size_bytes - offset)
		length = inode.size_bytes - offset;
	return map_range(kv, inode.map, offset, offset + length, each, ctx);
}

/* ---- extended attributes --------------------------------------------- */

enum rfs_err query_getxattr(struct kv *kv, uint64_t ino, struct bytes name,
			    struct bytes *value)
{
	struct inode inode;
	struct key key;
	enum rfs_err err = inode_load(kv, ino, &inode);

	if (err)
		return err;
	if (inode.xattr_bytes == 0 || name.bytes > INODE_XATTR_NAME_MAX)
		return RFS_ERR_NODATA;
	err = kv_get(kv, key_named(&key, KEY_XATTR, ino, name), value);
	return err == RFS_ERR_NOENT ? RFS_ERR_NODATA : err;
}

enum rfs_err query_listxattr(struct kv *kv, uint64_t ino,
			     bool (*each)(void *ctx, struct bytes name),
			     void *ctx)
{
	const struct bytes none = { 0 };
	struct inode inode;
	struct key key;
	struct bytes found, value, name;
	enum rfs_err err = inode_load(kv, ino, &inode);

	if (err)
		return err;
	err = kv_seek(kv, key_named(&key, KEY_XATTR, ino, none), &found,
		      &value);
	while (!err && key_is_named(found, KEY_XATTR, ino, &name)) {
		if (!each(ctx, name))
			return RFS_ERR_OK;
		err = kv_next(kv, &found, &value);
	}
	return walked(err);
}

/* ---- chunks, sessions, grants ---------------------------------------- */

enum rfs_err query_chunk(struct kv *kv, uint64_t chunk,
			 struct query_chunk *answer)
{
	enum rfs_err err;

	memset(answer, 0, sizeof(*answer));
	err = chunkmap_chunk(kv, chunk, answer);
	if (err != RFS_ERR_NOENT)
		return err;
	err = grants_check(kv, chunk);
	if (err == RFS_ERR_OK)
		answer->state = QUERY_CHUNK_GRANTED;
	return walked(err);
}

enum rfs_err query_chunks(struct kv *kv, uint64_t from,
			  bool (*each)(void *ctx, uint64_t chunk,
				       const struct query_chunk *chunk_state),
			  void *ctx)
{
	struct query_chunk record;
	struct key key;
	struct bytes found, value;
	uint64_t chunk;
	enum rfs_err err;

	err = kv_seek(kv, key_number(&key, KEY_CHUNK, from), &found, &value);
	while (!err && key_is_number(found, KEY_CHUNK, &chunk)) {
		err = chunkmap_chunk_decode(kv, value, &record);
		if (err)
			return err;
		if (!each(ctx, chunk, &record))
			return RFS_ERR_OK;
		err = kv_next(kv, &found, &value);
	}
	return walked(err);
}

static void session_answer(const struct session *session, struct bytes label,
			   struct query_session *answer)
{
	*answer = (struct query_session){
		.session = session->session,
		.node = session->node,
		.opened_ts_ns = session->opened_ts_ns,
		.renewed_ts_ns = session->renewed_ts_ns,
		.lease_ns = session->lease_ns,
		.label = label,
	};
}

/* The label is the end of the record. */
static struct bytes label_of(struct bytes value, const struct session *session)
{
	size_t head = value.bytes - session->label_bytes;

	return (struct bytes){ value.data + head, session->label_bytes };
}

enum rfs_err query_sessions(struct kv *kv,
			    bool (*each)(void *ctx,
					 const struct query_session *session),
			    void *ctx)
{
	struct query_session answer;
	struct session session;
	struct key key;
	struct bytes found, value;
	uint64_t number;
	enum rfs_err err;

	err = kv_seek(kv, key_number(&key, KEY_SESSION, 0), &found, &value);
	while (!err && key_is_number(found, KEY_SESSION, &number)) {
		err = sessions_decode(kv, number, value, &session);
		if (err)
			return err;
		session_answer(&session, label_of(value, &session), &answer);
		if (!each(ctx, &answer))
			return RFS_ERR_OK;
		err = kv_next(kv, &found, &value);
	}
	return walked(err);
}

enum rfs_err query_session(struct kv *kv, uint64_t session,
			   struct query_session *answer)
{
	struct session loaded;
	struct key key;
	struct bytes value;
	enum rfs_err err;

	err = kv_get(kv, key_number(&key, KEY_SESSION, session), &value);
	if (err)
		return err == RFS_ERR_NOENT ? RFS_ERR_NO_SESSION : err;
	err = sessions_decode(kv, session, value, &loaded);
	if (err)
		return err;
	session_answer(&loaded, label_of(value, &loaded), answer);
	return RFS_ERR_OK;
}

enum rfs_err query_grants(struct kv *kv,
			  bool (*each)(void *ctx,
				       const struct query_grant *grant),
			  void *ctx)
{
	struct query_grant grant;
	struct key key;
	struct bytes found, value;
	uint64_t last;
	enum rfs_err err;

	err = kv_seek(kv, key_number(&key, KEY_GRANT, 0), &found, &value);
	while (!err && key_is_number(found, KEY_GRANT, &last)) {
		err = grants_decode(kv, last, value, &grant);
		if (err)
			return err;
		if (!each(ctx, &grant))
			return RFS_ERR_OK;
		err = kv_next(kv, &found, &value);
	}
	return walked(err);
}

/* ---- digest ---------------------------------------------------------- */

enum rfs_err query_digest(struct kv *kv,
			  void (*update)(void *ctx, const void *data,
					 size_t bytes),
			  void *ctx)
{
	static const uint8_t lowest[1];
	struct bytes found, value;
	enum rfs_err err;

	err = kv_seek(kv, (struct bytes){ lowest, 1 }, &found, &value);
	while (!err && found.data[0] < KV_HOST_PREFIX) {
		uint8_t head[8];
		struct writer w;

		writer_init(&w, head, sizeof(head));
		writer_u32le(&w, (uint32_t)found.bytes);
		writer_u32le(&w, (uint32_t)value.bytes);
		update(ctx, head, sizeof(head));
		update(ctx, found.data, found.bytes);
		if (value.bytes)
			update(ctx, value.data, value.bytes);
		err = kv_next(kv, &found, &value);
	}
	return walked(err);
}
