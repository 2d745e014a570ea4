/* The five operations on an MDB_txn, and the life of the environment. */
#include "storaged/lmdbkv.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "storaged/disk.h"

#define FULL_BYTES (4 * MIB)

struct lmdb_txn {
	struct lmdbkv *env;
	MDB_txn *txn;
	MDB_cursor *cursor; /* made at the first seek */
};

struct lmdbkv {
	MDB_env *env;
	MDB_dbi dbi;
	struct lmdb_txn read;
	struct lmdb_txn write;
	/* What put is given may be a view into the very page LMDB is about to
	 * move: it goes through here. */
	uint8_t *scratch;
	size_t scratch_bytes;
};

static enum rfs_err lmdb_err(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return RFS_ERR_OK;
	case MDB_NOTFOUND:
		return RFS_ERR_NOENT;
	case MDB_MAP_FULL:
	case ENOSPC:
		return RFS_ERR_NOSPC;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return RFS_ERR_CORRUPT;
	case ENOMEM:
		return RFS_ERR_NOMEM;
	default:
		return RFS_ERR_IO;
	}
}

static enum rfs_err failed(int code, const char *doing)
{
	log_error("lmdb: %s: %s", doing, mdb_strerror(code));
	return lmdb_err(code);
}

static MDB_val to_val(struct bytes b)
{
	return (MDB_val){ .mv_size = b.bytes, .mv_data = (void *)b.data };
}

static struct bytes to_bytes(MDB_val v)
{
	return (struct bytes){ .data = v.mv_data, .bytes = v.mv_size };
}

static enum rfs_err op_get(void *ctx, struct bytes key, struct bytes *value)
{
	struct lmdb_txn *t = ctx;
	MDB_val k = to_val(key);
	MDB_val v;
	int code = mdb_get(t->txn, t->env->dbi, &k, &v);

	if (code == MDB_SUCCESS)
		*value = to_bytes(v);
	else if (code != MDB_NOTFOUND)
		return failed(code, "get");
	return lmdb_err(code);
}

static enum rfs_err scratch_grow(struct lmdbkv *env, size_t bytes)
{
	if (env->scratch_bytes >= bytes)
		return RFS_ERR_OK;
	uint8_t *scratch = realloc(env->scratch, bytes * 2);
	if (!scratch)
		return RFS_ERR_NOMEM;
	env->scratch = scratch;
	env->scratch_bytes = bytes * 2;
	return RFS_ERR_OK;
}

static enum rfs_err op_put(void *ctx, struct bytes key, struct bytes value)
{
	struct lmdb_txn *t = ctx;
	struct lmdbkv *env = t->env;

	CHECK(key.bytes > 0);
	CHECK(key.bytes <= KV_KEY_MAX_BYTES);
	if (scratch_grow(env, key.bytes + value.bytes) != RFS_ERR_OK)
		return RFS_ERR_NOMEM;
	memcpy(env->scratch, key.data, key.bytes);
	if (value.bytes > 0)
		memcpy(env->scratch + key.bytes, value.data, value.bytes);
	MDB_val k = { key.bytes, env->scratch };
	MDB_val v = { value.bytes, env->scratch + key.bytes };
	int code = mdb_put(t->txn, env->dbi, &k, &v, 0);

	return code == MDB_SUCCESS ? RFS_ERR_OK : failed(code, "put");
}

static enum rfs_err op_del(void *ctx, struct bytes key)
{
	struct lmdb_txn *t = ctx;
	uint8_t copy[KV_KEY_MAX_BYTES];

	CHECK(key.bytes <= sizeof(copy));
	memcpy(copy, key.data, key.bytes);
	MDB_val k = { key.bytes, copy };
	int code = mdb_del(t->txn, t->env->dbi, &k, NULL);

	if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
		return failed(code, "delete");
	return lmdb_err(code);
}

static enum rfs_err cursor_move(struct lmdb_txn *t, MDB_val *k, MDB_val *v,
				MDB_cursor_op op)
{
	int code = mdb_cursor_get(t->cursor, k, v, op);

	if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
		return failed(code, "cursor");
	return lmdb_err(code);
}

static enum rfs_err op_seek(void *ctx, struct bytes key, struct bytes *found,
			    struct bytes *value)
{
	struct lmdb_txn *t = ctx;
	MDB_val k = to_val(key);
	MDB_val v;

	if (!t->cursor) {
		int code = mdb_cursor_open(t->txn, t->env->dbi, &t->cursor);

		if (code != MDB_SUCCESS)
			return failed(code, "open cursor");
	}
	enum rfs_err err = cursor_move(t, &k, &v, MDB_SET_RANGE);
	if (err == RFS_ERR_OK) {
		*found = to_bytes(k);
		*value = to_bytes(v);
	}
	return err;
}

static enum rfs_err op_next(void *ctx, struct bytes *found,
			    struct bytes *value)
{
	struct lmdb_txn *t = ctx;
	MDB_val k;
	MDB_val v;

	CHECK(t->cursor != NULL);
	enum rfs_err err = cursor_move(t, &k, &v, MDB_NEXT);
	if (err == RFS_ERR_OK) {
		*found = to_bytes(k);
		*value = to_bytes(v);
	}
	return err;
}

static const struct kv_ops read_ops = {
	.get = op_get,
	.seek = op_seek,
	.next = op_next,
};

static const struct kv_ops write_ops = {
	.get = op_get,
	.put = op_put,
	.del = op_del,
	.seek = op_seek,
	.next = op_next,
};

static int open_dbi(struct lmdbkv *env, bool readonly)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(env->env, NULL, readonly ? MDB_RDONLY : 0,
				 &txn);

	if (code != MDB_SUCCESS)
		return code;
	code = mdb_dbi_open(txn, NULL, 0, &env->dbi);
	if (code != MDB_SUCCESS) {
		mdb_txn_abort(txn);
		return code;
	}
	return mdb_txn_commit(txn);
}

static enum rfs_err open_env(const char *path, uint64_t map_bytes,
			     unsigned int flags, struct lmdbkv **out)
{
	struct lmdbkv *env = calloc(1, sizeof(*env));
	struct stat st;

	if (!env)
		return RFS_ERR_NOMEM;
	if (stat(path, &st) == 0 && (uint64_t)st.st_size + 64 * MIB > map_bytes)
		map_bytes = (uint64_t)st.st_size + 64 * MIB;
	map_bytes -= map_bytes % MIB;
	int code = mdb_env_create(&env->env);
	if (code == MDB_SUCCESS)
		code = mdb_env_set_mapsize(env->env, map_bytes);
	/* No thread-local slots: one thread holds several read transactions,
	 * and the copy runs on another. */
	if (code == MDB_SUCCESS)
		code = mdb_env_open(env->env, path,
				    flags | MDB_NOSUBDIR | MDB_NOTLS |
					    MDB_NORDAHEAD,
				    0600);
	if (code == MDB_SUCCESS)
		code = open_dbi(env, flags & MDB_RDONLY);
	if (code != MDB_SUCCESS) {
		log_error("lmdb: open %s: %s", path, mdb_strerror(code));
		lmdbkv_close(env);
		return code == MDB_NOTFOUND ? RFS_ERR_CORRUPT : lmdb_err(code);
	}
	env->read.env = env;
	env->write.env = env;
	*out = env;
	return RFS_ERR_OK;
}

enum rfs_err lmdbkv_open(const char *path, uint64_t map_bytes,
			 struct lmdbkv **env)
{
	return open_env(path, map_bytes, MDB_NOSYNC, env);
}

enum rfs_err lmdbkv_open_readonly(const char *path, struct lmdbkv **env)
{
	return open_env(path, MIB, MDB_RDONLY | MDB_NOLOCK, env);
}

void lmdbkv_close(struct lmdbkv *env)
{
	if (!env)
		return;
	CHECK(env->read.txn == NULL);
	CHECK(env->write.txn == NULL);
	mdb_env_close(env->env);
	free(env->scratch);
	free(env);
}

static enum rfs_err begin(struct lmdbkv *env, struct lmdb_txn *t,
			  unsigned int flags, const struct kv_ops *ops,
			  struct kv *kv)
{
	CHECK(t->txn == NULL);
	int code = mdb_txn_begin(env->env, NULL, flags, &t->txn);

	if (code != MDB_SUCCESS) {
		t->txn = NULL;
		return failed(code, "begin");
	}
	*kv = (struct kv){ .ops = ops, .txn = t, .failed = RFS_ERR_OK };
	return RFS_ERR_OK;
}

/* A write transaction's cursor is freed with it; a read one's is ours. */
static void drop_cursor(struct lmdb_txn *t)
{
	if (t->cursor)
		mdb_cursor_close(t->cursor);
	t->cursor = NULL;
}

enum rfs_err lmdbkv_begin_read(struct lmdbkv *env, struct kv *kv)
{
	return begin(env, &env->read, MDB_RDONLY, &read_ops, kv);
}

void lmdbkv_end_read(struct lmdbkv *env, struct kv *kv)
{
	CHECK(kv->txn == &env->read);
	drop_cursor(&env->read);
	mdb_txn_abort(env->read.txn);
	env->read.txn = NULL;
}

enum rfs_err lmdbkv_begin_write(struct lmdbkv *env, struct kv *kv)
{
	return begin(env, &env->write, 0, &write_ops, kv);
}

/* LMDB says EIO where the disk took only a part of a write. */
static enum rfs_err write_failed(struct lmdbkv *env, int code)
{
	mdb_filehandle_t fd;

	if (code == EIO && mdb_env_get_fd(env->env, &fd) == MDB_SUCCESS &&
	    disk_free_bytes(fd) < FULL_BYTES)
		code = ENOSPC;
	return failed(code, "commit");
}

enum rfs_err lmdbkv_commit(struct lmdbkv *env, struct kv *kv)
{
	CHECK(kv->txn == &env->write);
	drop_cursor(&env->write);
	int code = mdb_txn_commit(env->write.txn);

	env->write.txn = NULL;
	return code == MDB_SUCCESS ? RFS_ERR_OK : write_failed(env, code);
}

void lmdbkv_abort(struct lmdbkv *env, struct kv *kv)
{
	CHECK(kv->txn == &env->write);
	drop_cursor(&env->write);
	mdb_txn_abort(env->write.txn);
	env->write.txn = NULL;
}

enum rfs_err lmdbkv_make_room(struct lmdbkv *env, uint64_t spare_bytes)
{
	MDB_envinfo info;
	MDB_stat stat_info;

	mdb_env_info(env->env, &info);
	mdb_env_stat(env->env, &stat_info);
	uint64_t used = (uint64_t)(info.me_last_pgno + 1) * stat_info.ms_psize;
	if (used + spare_bytes <= info.me_mapsize)
		return RFS_ERR_OK;
	uint64_t wanted = info.me_mapsize + info.me_mapsize / 2 + spare_bytes;
	wanted -= wanted % MIB;
	int code = mdb_env_set_mapsize(env->env, wanted);
	if (code != MDB_SUCCESS)
		return failed(code, "grow the map");
	log_info("lmdb: map grown to %ju MiB", (uintmax_t)(wanted / MIB));
	return RFS_ERR_OK;
}

enum rfs_err lmdbkv_copy(struct lmdbkv *env, const char *path)
{
	int code = mdb_env_copy2(env->env, path, MDB_CP_COMPACT);

	if (code != MDB_SUCCESS)
		log_error("lmdb: copy to %s: %s", path, mdb_strerror(code));
	return lmdb_err(code);
}

enum rfs_err lmdbkv_sync(struct lmdbkv *env)
{
	int code = mdb_env_sync(env->env, 1);

	return code == MDB_SUCCESS ? RFS_ERR_OK : failed(code, "sync");
}
