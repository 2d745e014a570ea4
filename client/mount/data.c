/* Open files: their contents. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "client/mount/mount.h"
#include "common/check.h"

static struct file *file_of(const struct fuse_file_info *fi)
{
	return (struct file *)(uintptr_t)fi->fh;
}

/* What a descriptor names is gone: removed through another node. */
static enum rfs_err of_handle(enum rfs_err err)
{
	return err == RFS_ERR_NOENT ? RFS_ERR_STALE : err;
}

/* --- opening --- */

/* An empty file too: its times must move. */
static enum rfs_err empty(struct mount *mount, struct raftfs_who who,
			  uint64_t ino)
{
	const struct raftfs_attr nothing = {.size = 0};
	struct raftfs_attr attr;

	return raftfs_setattr(mount->fs, who, ino, &nothing, RAFTFS_SET_SIZE,
			      &attr);
}

/* The kernel found no such name. If somebody made it since, whether it may be
 * opened, and as what, has not been asked: at ESTALE the kernel looks again. */
static enum rfs_err made_since(enum rfs_err err, int flags)
{
	return err == RFS_ERR_EXIST && !(flags & O_EXCL) ? RFS_ERR_STALE : err;
}

void data_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	const struct raftfs_new as = {
		.who = mount_who(req),
		.mode = mode,
		.exclusive = true,
	};
	struct fuse_entry_param entry;
	struct raftfs_attr attr;
	enum rfs_err err = made_since(
		raftfs_create(mount->fs, parent, name, &as, &attr), fi->flags);
	struct file *file =
		err == RFS_ERR_OK ? files_open(&mount->files, attr.ino) : NULL;

	if (file == NULL) {
		mount_reply(req, "create", parent,
			    err == RFS_ERR_OK ? RFS_ERR_NOMEM : err);
		return;
	}
	fi->fh = (uintptr_t)file;
	mount_entry(mount, &attr, &entry);
	if (fuse_reply_create(req, &entry, fi) == -ENOENT)
		files_close(&mount->files, mount->fs, file);
}

void data_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	enum rfs_err err = RFS_ERR_OK;
	struct raftfs_attr attr;
	bool wrote;

	(void)files_drain(&mount->files, mount->fs, ino, &wrote);
	if (fi->flags & O_TRUNC)
		err = empty(mount, mount_who(req), ino);
	struct file *file =
		err == RFS_ERR_OK ? files_open(&mount->files, ino) : NULL;

	if (file == NULL) {
		mount_reply(req, "open", ino,
			    err == RFS_ERR_OK ? RFS_ERR_NOMEM : err);
		return;
	}
	if (files_is_removed(&mount->files, ino))
		err = files_pin(&mount->files, mount->fs, ino);
	else if (files_removed_lately(&mount->files))
		err = raftfs_getattr(mount->fs, ino, &attr);
	if (err != RFS_ERR_OK) {
		files_close(&mount->files, mount->fs, file);
		mount_reply(req, "open", ino, of_handle(err));
		return;
	}
	fi->fh = (uintptr_t)file;
	if (fuse_reply_open(req, fi) == -ENOENT)
		files_close(&mount->files, mount->fs, file);
}

void data_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);

	(void)ino;
	files_close(&mount->files, mount->fs, file_of(fi));
	fuse_reply_err(req, 0);
}

/* --- reading and writing --- */

/* One window for each thread that reads, for the life of the thread: pages
 * once touched stay. NULL: out of memory. */
static pthread_key_t room_key;

static void make_room_key(void)
{
	CHECK(pthread_key_create(&room_key, free) == 0);
}

static uint8_t *thread_room(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint8_t *room;

	pthread_once(&once, make_room_key);
	room = pthread_getspecific(room_key);
	if (room != NULL)
		return room;
	room = malloc(RAFTFS_WINDOW_BYTES);
	if (room != NULL && pthread_setspecific(room_key, room) != 0) {
		free(room);
		return NULL;
	}
	return room;
}

void data_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
	       struct fuse_file_info *fi)
{
	uint8_t *room = thread_room();
	struct mount *mount = mount_of(req);
	struct file *file = file_of(fi);
	enum rfs_err err;
	size_t got;

	if (room == NULL || bytes > RAFTFS_WINDOW_BYTES) {
		fuse_reply_err(req, room == NULL ? ENOMEM : EINVAL);
		return;
	}
	pthread_mutex_lock(&file->lock);
	err = behind_drain(&file->behind, mount->fs, ino, false);
	pthread_mutex_unlock(&file->lock);
	if (err == RFS_ERR_OK)
		err = raftfs_read(mount->fs, ino, (uint64_t)offset, room, bytes,
				  &got);
	if (err == RFS_ERR_OK)
		fuse_reply_buf(req, (const char *)room, got);
	else
		mount_reply(req, "read", ino, of_handle(err));
}

void data_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t bytes,
		off_t offset, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct file *file = file_of(fi);

	pthread_mutex_lock(&file->lock);
	enum rfs_err err = behind_write(
		&file->behind, mount->fs, ino, mount_who(req), (uint64_t)offset,
		(fi->flags & O_APPEND) != 0, data, bytes);

	pthread_mutex_unlock(&file->lock);
	if (err == RFS_ERR_OK)
		fuse_reply_write(req, bytes);
	else
		mount_reply(req, "write", ino, of_handle(err));
}

static void drain_and_report(fuse_req_t req, const char *what, uint64_t ino,
			     struct file *file)
{
	struct mount *mount = mount_of(req);

	pthread_mutex_lock(&file->lock);
	enum rfs_err err = behind_drain(&file->behind, mount->fs, ino, true);

	pthread_mutex_unlock(&file->lock);
	mount_reply(req, what, ino, of_handle(err));
}

void data_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	drain_and_report(req, "flush", ino, file_of(fi));
}

void data_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		struct fuse_file_info *fi)
{
	/* Committed is durable on a majority: there is nothing beyond. */
	(void)datasync;
	drain_and_report(req, "fsync", ino, file_of(fi));
}

void data_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		    off_t bytes, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct file *file = file_of(fi);

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
		     FALLOC_FL_ZERO_RANGE)) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	pthread_mutex_lock(&file->lock);
	enum rfs_err err = behind_drain(&file->behind, mount->fs, ino, false);

	if (err == RFS_ERR_OK)
		err = raftfs_fallocate(mount->fs, mount_who(req), ino,
				       (uint64_t)offset, (uint64_t)bytes,
				       (uint32_t)mode);
	pthread_mutex_unlock(&file->lock);
	mount_reply(req, "fallocate", ino, of_handle(err));
}
