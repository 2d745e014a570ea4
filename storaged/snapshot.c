/* Copy, hash, name; and the way back. */
#include "storaged/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "storaged/core/query.h"
#include "storaged/disk.h"

#define KEEP	   2
#define NAME_BYTES 160
#define LIST_MAX   64
#define COPY_NAME  "copying.tmp"
#define COME_NAME  "arriving.tmp"

struct snapshots {
	int dir_fd;
	char dir[512];
};

struct name {
	char text[NAME_BYTES];
	struct snapshot_meta meta; /* but for bytes */
};

static void name_make(const struct snapshot_meta *meta, char text[NAME_BYTES])
{
	int at = snprintf(text, NAME_BYTES,
			  "%016" PRIx64 ".%016" PRIx64 ".%016" PRIx64
			  ".%016" PRIx64 ".",
			  meta->index, meta->term, meta->epoch,
			  (uint64_t)meta->ts_ns);

	for (size_t i = 0; i < HASH_BYTES; i++)
		at += snprintf(text + at, NAME_BYTES - (size_t)at, "%02x",
			       meta->sha256[i]);
	snprintf(text + at, NAME_BYTES - (size_t)at, ".snap");
}

/* Parsed and made again it must be the same: anything else is not ours. */
static bool name_parse(const char *text, struct name *name)
{
	struct snapshot_meta *meta = &name->meta;
	uint64_t ts;
	int at = 0;

	memset(meta, 0, sizeof(*meta));
	if (sscanf(text,
		   "%16" SCNx64 ".%16" SCNx64 ".%16" SCNx64 ".%16" SCNx64
		   ".%n",
		   &meta->index, &meta->term, &meta->epoch, &ts, &at) != 4 ||
	    at == 0)
		return false;
	meta->ts_ns = (int64_t)ts;
	for (size_t i = 0; i < HASH_BYTES; i++) {
		unsigned int byte;

		if (sscanf(text + at, "%2x", &byte) != 1)
			return false;
		meta->sha256[i] = (uint8_t)byte;
		at += 2;
	}
	name_make(meta, name->text);
	return strcmp(name->text, text) == 0;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t left = ((const struct name *)a)->meta.index;
	uint64_t right = ((const struct name *)b)->meta.index;

	return left > right ? -1 : left < right;
}

static size_t list(struct snapshots *snapshots, struct name names[LIST_MAX])
{
	int fd = openat(snapshots->dir_fd, ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t count = 0;

	while (dir && count < LIST_MAX && (entry = readdir(dir)))
		count += name_parse(entry->d_name, &names[count]);
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof(*names), newest_first);
	return count;
}

enum rfs_err snapshots_open(const char *dir, struct snapshots **out)
{
	struct snapshots *snapshots = calloc(1, sizeof(*snapshots));

	if (!snapshots)
		return RFS_ERR_NOMEM;
	snprintf(snapshots->dir, sizeof(snapshots->dir), "%s", dir);
	enum rfs_err err = disk_open_dir(AT_FDCWD, dir, &snapshots->dir_fd);
	if (err != RFS_ERR_OK) {
		free(snapshots);
		return err;
	}
	unlinkat(snapshots->dir_fd, COPY_NAME, 0);
	unlinkat(snapshots->dir_fd, COME_NAME, 0);
	*out = snapshots;
	return RFS_ERR_OK;
}

void snapshots_close(struct snapshots *snapshots)
{
	if (!snapshots)
		return;
	close(snapshots->dir_fd);
	free(snapshots);
}

/* What the state in that file says of itself. */
static enum rfs_err read_meta(const char *path, struct snapshot_meta *meta)
{
	struct lmdbkv *env;
	struct kv kv;
	struct query_state state;
	enum rfs_err err = lmdbkv_open_readonly(path, &env);

	if (err != RFS_ERR_OK)
		return err;
	err = lmdbkv_begin_read(env, &kv);
	if (err == RFS_ERR_OK) {
		err = query_state(&kv, &state);
		lmdbkv_end_read(env, &kv);
	}
	lmdbkv_close(env);
	if (err != RFS_ERR_OK)
		return err;
	meta->index = state.applied_index;
	meta->term = state.term;
	meta->epoch = state.epoch;
	meta->ts_ns = state.ts_ns;
	return RFS_ERR_OK;
}

static enum rfs_err sync_and_hash(struct snapshots *snapshots,
				  const char *name, struct snapshot_meta *meta)
{
	int fd = openat(snapshots->dir_fd, name, O_RDONLY | O_CLOEXEC);
	enum rfs_err err = RFS_ERR_IO;

	if (fd < 0 || fsync(fd) != 0)
		log_errno("snapshot: sync %s", name);
	else
		err = hash_file(fd, &meta->bytes, meta->sha256);
	if (fd >= 0)
		close(fd);
	return err;
}

enum rfs_err snapshots_copy(struct snapshots *snapshots, struct lmdbkv *env,
			    struct snapshot_meta *meta)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", snapshots->dir, COPY_NAME);
	unlinkat(snapshots->dir_fd, COPY_NAME, 0);
	enum rfs_err err = lmdbkv_copy(env, path);
	if (err == RFS_ERR_OK)
		err = sync_and_hash(snapshots, COPY_NAME, meta);
	if (err == RFS_ERR_OK)
		err = read_meta(path, meta);
	if (err != RFS_ERR_OK)
		unlinkat(snapshots->dir_fd, COPY_NAME, 0);
	return err;
}

static enum rfs_err publish(struct snapshots *snapshots, const char *from,
			    const struct snapshot_meta *meta)
{
	struct name names[LIST_MAX];
	char name[NAME_BYTES];

	name_make(meta, name);
	if (renameat(snapshots->dir_fd, from, snapshots->dir_fd, name) != 0 ||
	    fsync(snapshots->dir_fd) != 0) {
		log_errno("snapshot: publish %s", name);
		return RFS_ERR_IO;
	}
	size_t count = list(snapshots, names);
	for (size_t i = KEEP; i < count; i++)
		unlinkat(snapshots->dir_fd, names[i].text, 0);
	return RFS_ERR_OK;
}

enum rfs_err snapshots_publish(struct snapshots *snapshots,
			       const struct snapshot_meta *meta)
{
	return publish(snapshots, COPY_NAME, meta);
}

/* All of from into a new file. Blocks cross inside the kernel where the file
 * systems allow it. */
static enum rfs_err copy_file(int from_fd, int to_fd)
{
	off_t at = 0;

	for (;;) {
		char piece[64 * 1024];
		off_t from_at = at;
		ssize_t n = copy_file_range(from_fd, &from_at, to_fd, NULL,
					    16 * 1024 * 1024, 0);

		if (n == 0)
			return RFS_ERR_OK;
		if (n < 0) {
			n = pread(from_fd, piece, sizeof(piece), at);
			if (n == 0)
				return RFS_ERR_OK;
			if (n < 0 || disk_write(to_fd, piece, (size_t)n,
						(uint64_t)at) != RFS_ERR_OK ||
			    lseek(to_fd, at + n, SEEK_SET) < 0)
				return rfs_err_from_errno(errno);
		}
		at += n;
	}
}

/* Copy fd to a new durable file; what it hashes to is in *meta. */
static enum rfs_err copy_durably(int fd, int dir_fd, const char *name,
				 struct snapshot_meta *meta)
{
	int to = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			0600);

	if (to < 0) {
		log_errno("snapshot: create %s", name);
		return rfs_err_from_errno(errno);
	}
	enum rfs_err err = copy_file(fd, to);
	if (err == RFS_ERR_OK && fsync(to) != 0)
		err = rfs_err_from_errno(errno);
	if (err == RFS_ERR_OK)
		err = hash_file(to, &meta->bytes, meta->sha256);
	else
		log_errno("snapshot: copy to %s", name);
	close(to);
	return err;
}

static bool same_content(const struct snapshot_meta *a,
			 const struct snapshot_meta *b)
{
	return a->bytes == b->bytes &&
	       memcmp(a->sha256, b->sha256, HASH_BYTES) == 0;
}

enum rfs_err snapshots_receive(struct snapshots *snapshots, int fd,
			       const struct snapshot_meta *meta)
{
	struct snapshot_meta got = { 0 };
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", snapshots->dir, COME_NAME);
	enum rfs_err err =
		copy_durably(fd, snapshots->dir_fd, COME_NAME, &got);
	if (err == RFS_ERR_OK && !same_content(&got, meta))
		err = RFS_ERR_CORRUPT;
	if (err == RFS_ERR_OK)
		err = read_meta(path, &got);
	if (err == RFS_ERR_OK &&
	    (got.index != meta->index || got.term != meta->term))
		err = RFS_ERR_CORRUPT;
	if (err == RFS_ERR_OK)
		err = publish(snapshots, COME_NAME, &got);
	if (err != RFS_ERR_OK) {
		log_error("snapshot: %" PRIu64 " that arrived: %s", meta->index,
			  rfs_err_text(err));
		unlinkat(snapshots->dir_fd, COME_NAME, 0);
	}
	return err;
}

enum rfs_err snapshots_newest(struct snapshots *snapshots,
			      struct snapshot_meta *meta)
{
	struct name names[LIST_MAX];
	struct stat st;

	*meta = (struct snapshot_meta){ 0 };
	if (list(snapshots, names) == 0)
		return RFS_ERR_NOENT;
	if (fstatat(snapshots->dir_fd, names[0].text, &st, 0) != 0) {
		log_errno("snapshot: %s", names[0].text);
		return RFS_ERR_IO;
	}
	*meta = names[0].meta;
	meta->bytes = (uint64_t)st.st_size;
	return RFS_ERR_OK;
}

enum rfs_err snapshots_open_file(struct snapshots *snapshots,
				 const struct snapshot_meta *meta, int *fd)
{
	char name[NAME_BYTES];

	name_make(meta, name);
	int opened = openat(snapshots->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (opened < 0) {
		log_errno("snapshot: open %s", name);
		return rfs_err_from_errno(errno);
	}
	*fd = opened;
	return RFS_ERR_OK;
}

/* The hash comes before LMDB sees the file: it trusts what it maps. */
static enum rfs_err restore_one(struct snapshots *snapshots,
				const struct name *name, const char *path,
				struct snapshot_meta *meta)
{
	struct snapshot_meta inside = { 0 };
	int fd = -1;
	enum rfs_err err = snapshots_open_file(snapshots, &name->meta, &fd);

	if (err != RFS_ERR_OK)
		return err;
	*meta = name->meta;
	err = copy_durably(fd, AT_FDCWD, path, meta);
	close(fd);
	if (err == RFS_ERR_OK &&
	    memcmp(meta->sha256, name->meta.sha256, HASH_BYTES) != 0)
		err = RFS_ERR_CORRUPT;
	if (err == RFS_ERR_OK)
		err = read_meta(path, &inside);
	if (err == RFS_ERR_OK && inside.index != meta->index)
		err = RFS_ERR_CORRUPT;
	if (err != RFS_ERR_OK) {
		log_warn("snapshot: %s: %s", name->text, rfs_err_text(err));
		unlink(path);
	}
	return err;
}

enum rfs_err snapshots_restore(struct snapshots *snapshots, const char *path,
			       struct snapshot_meta *meta)
{
	struct name names[LIST_MAX];
	size_t count = list(snapshots, names);

	for (size_t i = 0; i < count; i++) {
		enum rfs_err err =
			restore_one(snapshots, &names[i], path, meta);

		if (err == RFS_ERR_OK || err == RFS_ERR_NOSPC)
			return err;
	}
	*meta = (struct snapshot_meta){ 0 };
	return RFS_ERR_NOENT;
}
