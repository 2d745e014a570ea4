/* Write aside, sync, rename, sync the directory; verify whatever is read. */
#include "storaged/chunks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "storaged/disk.h"

struct chunks {
	int dir_fd;
	int tmp_fd;
	_Atomic uint64_t tmp_next;
};

#define PATH_BYTES 64

/* Consecutive ids, which one writer makes, land in one directory: a batch
 * mostly needs one directory sync. */
static void path_dir(uint64_t id, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%02x/%03x", (unsigned)(id >> 20 & 0xff),
		 (unsigned)(id >> 8 & 0xfff));
}

static void path_file(uint64_t id, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%02x/%03x/%016" PRIx64 ".chunk",
		 (unsigned)(id >> 20 & 0xff), (unsigned)(id >> 8 & 0xfff), id);
}

static void empty_dir(int dir_fd)
{
	DIR *dir = fdopendir(dup(dir_fd));
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dir_fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
}

enum rfs_err chunks_open(const char *dir, struct chunks **out)
{
	struct chunks *chunks = calloc(1, sizeof(*chunks));
	enum rfs_err err = RFS_ERR_NOMEM;

	if (!chunks)
		return err;
	chunks->tmp_fd = -1;
	err = disk_open_dir(AT_FDCWD, dir, &chunks->dir_fd);
	if (err != RFS_ERR_OK) {
		free(chunks);
		return err;
	}
	err = disk_open_dir(chunks->dir_fd, "tmp", &chunks->tmp_fd);
	if (err != RFS_ERR_OK) {
		chunks_close(chunks);
		return err;
	}
	empty_dir(chunks->tmp_fd);
	*out = chunks;
	return RFS_ERR_OK;
}

void chunks_close(struct chunks *chunks)
{
	if (!chunks)
		return;
	if (chunks->tmp_fd >= 0)
		close(chunks->tmp_fd);
	close(chunks->dir_fd);
	free(chunks);
}

int chunks_dir_fd(const struct chunks *chunks)
{
	return chunks->dir_fd;
}

/* Open for reading and decode the head. */
static enum rfs_err open_chunk(struct chunks *chunks, uint64_t id, int *out,
			       struct chunkfile *file)
{
	uint8_t head[CHUNKFILE_HEAD_BYTES];
	char path[PATH_BYTES];

	path_file(id, path);
	int fd = openat(chunks->dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return RFS_ERR_NOENT;
	if (fd < 0) {
		log_errno("chunks: open %s", path);
		return RFS_ERR_IO;
	}
	enum rfs_err err = disk_read(fd, head, sizeof(head), 0);
	if (err == RFS_ERR_OK)
		err = chunkfile_decode(head, id, file);
	if (err != RFS_ERR_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return RFS_ERR_OK;
}

/* The blocks that cover [offset, offset + bytes) through a bounce buffer: the
 * first and last may reach beyond what was asked for. */
static enum rfs_err read_blocks(int fd, const struct chunkfile *file,
				uint32_t offset, uint32_t bytes, void *data)
{
	uint32_t first = offset / CHUNKFILE_BLOCK_BYTES;
	uint32_t start = first * CHUNKFILE_BLOCK_BYTES;
	uint32_t end = offset + bytes + CHUNKFILE_BLOCK_BYTES - 1;

	end -= end % CHUNKFILE_BLOCK_BYTES;
	if (end > file->bytes)
		end = file->bytes;
	uint8_t *blocks = malloc(end - start);
	if (!blocks)
		return RFS_ERR_NOMEM;
	enum rfs_err err = disk_read(fd, blocks, end - start,
				     CHUNKFILE_HEAD_BYTES + start);
	if (err == RFS_ERR_OK)
		err = chunkfile_check(file, first, blocks, end - start);
	if (err == RFS_ERR_OK)
		memcpy(data, blocks + (offset - start), bytes);
	free(blocks);
	return err;
}

enum rfs_err chunks_read(struct chunks *chunks, uint64_t id,
			 const uint8_t *sha256, uint32_t offset, uint32_t bytes,
			 void *data)
{
	struct chunkfile file;
	int fd;
	enum rfs_err err = open_chunk(chunks, id, &fd, &file);

	if (err != RFS_ERR_OK)
		return err;
	if (sha256 && memcmp(file.sha256, sha256, HASH_BYTES) != 0)
		err = RFS_ERR_CORRUPT;
	else if (offset > file.bytes || bytes > file.bytes - offset)
		err = RFS_ERR_CORRUPT;
	else if (bytes > 0)
		err = read_blocks(fd, &file, offset, bytes, data);
	close(fd);
	return err;
}

enum rfs_err chunks_stat(struct chunks *chunks, uint64_t id, uint32_t *bytes,
			 uint8_t sha256[HASH_BYTES])
{
	struct chunkfile file;
	int fd;
	enum rfs_err err = open_chunk(chunks, id, &fd, &file);

	if (err != RFS_ERR_OK)
		return err;
	close(fd);
	*bytes = file.bytes;
	memcpy(sha256, file.sha256, HASH_BYTES);
	return RFS_ERR_OK;
}

bool chunks_has(struct chunks *chunks, uint64_t id)
{
	char path[PATH_BYTES];

	path_file(id, path);
	return faccessat(chunks->dir_fd, path, F_OK, 0) == 0;
}

void chunks_delete(struct chunks *chunks, uint64_t id)
{
	char path[PATH_BYTES];

	path_file(id, path);
	if (unlinkat(chunks->dir_fd, path, 0) != 0 && errno != ENOENT)
		log_errno("chunks: delete %s", path);
}

/* OK: this very content is here, whole, and durable once its directory is.
 * NOENT: write it (again). EXIST: this id is another content's. */
static enum rfs_err already_here(struct chunks *chunks,
				 const struct chunk_put *put)
{
	struct chunkfile file;
	int fd;
	enum rfs_err err = open_chunk(chunks, put->id, &fd, &file);

	if (err != RFS_ERR_OK)
		return RFS_ERR_NOENT;
	uint8_t *data = malloc(file.bytes);
	err = data ? disk_read(fd, data, file.bytes, CHUNKFILE_HEAD_BYTES)
		   : RFS_ERR_NOMEM;
	if (err == RFS_ERR_OK)
		err = chunkfile_check(&file, 0, data, file.bytes);
	if (err == RFS_ERR_OK &&
	    memcmp(file.sha256, put->sha256, HASH_BYTES) != 0)
		err = RFS_ERR_EXIST;
	if (err == RFS_ERR_OK && fdatasync(fd) != 0)
		err = RFS_ERR_IO;
	free(data);
	close(fd);
	return err == RFS_ERR_OK || err == RFS_ERR_EXIST ? err : RFS_ERR_NOENT;
}

struct aside {
	int fd; /* -1: nothing to rename */
	char name[40];
};

static enum rfs_err write_aside(struct chunks *chunks,
				const struct chunk_put *put,
				const struct chunkfile *file,
				struct aside *aside)
{
	uint8_t head[CHUNKFILE_HEAD_BYTES];

	snprintf(aside->name, sizeof(aside->name), "%016" PRIx64 ".%" PRIu64,
		 put->id, atomic_fetch_add(&chunks->tmp_next, 1));
	aside->fd = openat(chunks->tmp_fd, aside->name,
			   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (aside->fd < 0)
		return rfs_err_from_errno(errno);
	chunkfile_encode(file, head);
	enum rfs_err err = disk_write(aside->fd, head, sizeof(head), 0);
	if (err == RFS_ERR_OK)
		err = disk_write(aside->fd, put->data, put->bytes,
				 CHUNKFILE_HEAD_BYTES);
	/* Start the disk now, so that the syncs of a batch overlap. */
	if (err == RFS_ERR_OK)
		sync_file_range(aside->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return err;
}

static void put_write(struct chunks *chunks, struct chunk_put *put,
		      struct aside *aside)
{
	struct chunkfile *file = malloc(sizeof(*file));

	aside->fd = -1;
	if (!file) {
		put->err = RFS_ERR_NOMEM;
		return;
	}
	chunkfile_describe(file, put->id, put->data, put->bytes);
	memcpy(put->sha256, file->sha256, HASH_BYTES);
	put->err = already_here(chunks, put);
	if (put->err == RFS_ERR_NOENT)
		put->err = write_aside(chunks, put, file, aside);
	free(file);
}

static enum rfs_err make_dirs(struct chunks *chunks, const char *path)
{
	char outer[3] = { path[0], path[1], 0 };
	int outer_fd;
	int inner_fd;
	enum rfs_err err = disk_open_dir(chunks->dir_fd, outer, &outer_fd);

	if (err != RFS_ERR_OK)
		return err;
	err = disk_open_dir(outer_fd, path + 3, &inner_fd);
	if (err == RFS_ERR_OK)
		close(inner_fd);
	close(outer_fd);
	return err;
}

static enum rfs_err rename_in(struct chunks *chunks, const char *aside,
			      uint64_t id)
{
	char dir[PATH_BYTES];
	char path[PATH_BYTES];

	path_dir(id, dir);
	path_file(id, path);
	if (renameat(chunks->tmp_fd, aside, chunks->dir_fd, path) == 0)
		return RFS_ERR_OK;
	if (errno != ENOENT)
		return rfs_err_from_errno(errno);
	enum rfs_err err = make_dirs(chunks, dir);
	if (err != RFS_ERR_OK)
		return err;
	if (renameat(chunks->tmp_fd, aside, chunks->dir_fd, path) != 0)
		return rfs_err_from_errno(errno);
	return RFS_ERR_OK;
}

static void put_name(struct chunks *chunks, struct chunk_put *put,
		     struct aside *aside)
{
	if (aside->fd < 0)
		return;
	if (put->err == RFS_ERR_OK && fdatasync(aside->fd) != 0)
		put->err = rfs_err_from_errno(errno);
	if (put->err == RFS_ERR_OK)
		put->err = rename_in(chunks, aside->name, put->id);
	if (put->err != RFS_ERR_OK) {
		log_warn("chunks: store %016" PRIx64 ": %s", put->id,
			 rfs_err_text(put->err));
		unlinkat(chunks->tmp_fd, aside->name, 0);
	}
	close(aside->fd);
}

static enum rfs_err sync_dir(struct chunks *chunks, const char *path)
{
	int fd = openat(chunks->dir_fd, path,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0) {
		log_errno("chunks: sync %s", path);
		if (fd >= 0)
			close(fd);
		return RFS_ERR_IO;
	}
	close(fd);
	return RFS_ERR_OK;
}

/* Neighbours in a batch mostly share their directory: sync each run once. */
static void sync_dirs(struct chunks *chunks, struct chunk_put *const *puts,
		      uint32_t count)
{
	char synced[PATH_BYTES] = "";
	enum rfs_err result = RFS_ERR_OK;

	for (uint32_t i = 0; i < count; i++) {
		char path[PATH_BYTES];

		if (puts[i]->err != RFS_ERR_OK)
			continue;
		path_dir(puts[i]->id, path);
		if (strcmp(path, synced) != 0)
			result = sync_dir(chunks, path);
		memcpy(synced, path, sizeof(synced));
		puts[i]->err = result;
	}
}

void chunks_put(struct chunks *chunks, struct chunk_put *const *puts,
		uint32_t count)
{
	struct aside *asides = calloc(count ? count : 1, sizeof(*asides));

	for (uint32_t i = 0; i < count; i++) {
		puts[i]->err = RFS_ERR_NOMEM;
		if (asides)
			put_write(chunks, puts[i], &asides[i]);
	}
	for (uint32_t i = 0; asides && i < count; i++)
		put_name(chunks, puts[i], &asides[i]);
	sync_dirs(chunks, puts, count);
	free(asides);
}

struct walk {
	bool (*call)(void *ctx, uint64_t id, uint64_t file_bytes);
	void *ctx;
	bool stopped;
};

static void walk_file(int dir_fd, const char *name, struct walk *walk)
{
	uint64_t id;
	char end;
	struct stat st;

	if (sscanf(name, "%16" SCNx64 ".chun%c", &id, &end) != 2 ||
	    fstatat(dir_fd, name, &st, 0) != 0)
		return;
	walk->stopped = !walk->call(walk->ctx, id, (uint64_t)st.st_size);
}

static void walk_dir(int parent_fd, const char *name, int depth,
		     struct walk *walk)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (!walk->stopped && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "tmp") == 0)
			continue;
		if (depth > 0)
			walk_dir(fd, entry->d_name, depth - 1, walk);
		else
			walk_file(fd, entry->d_name, walk);
	}
	closedir(dir);
}

void chunks_each(struct chunks *chunks,
		 bool (*call)(void *ctx, uint64_t id, uint64_t file_bytes),
		 void *ctx)
{
	struct walk walk = { .call = call, .ctx = ctx };

	walk_dir(chunks->dir_fd, ".", 2, &walk);
}
