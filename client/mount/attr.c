/* Attributes of inodes and of the whole. */
#include <sys/statvfs.h>

#include "client/mount/mount.h"
#include "common/units.h"

#define BLOCK_BYTES 4096u

/* The kernel's bits are the protocol's. */
_Static_assert(FUSE_SET_ATTR_MODE == (int)RAFTFS_SET_MODE, "mask");
_Static_assert(FUSE_SET_ATTR_SIZE == (int)RAFTFS_SET_SIZE, "mask");
_Static_assert(FUSE_SET_ATTR_MTIME == (int)RAFTFS_SET_MTIME, "mask");
_Static_assert(FUSE_SET_ATTR_MTIME_NOW == (int)RAFTFS_SET_MTIME_NOW, "mask");

#define SET_MASK                                                               \
	(RAFTFS_SET_MODE | RAFTFS_SET_UID | RAFTFS_SET_GID | RAFTFS_SET_SIZE | \
	 RAFTFS_SET_ATIME | RAFTFS_SET_MTIME | RAFTFS_SET_ATIME_NOW |          \
	 RAFTFS_SET_MTIME_NOW)

static void answer_attr(fuse_req_t req, const char *what, uint64_t ino,
			enum rfs_err err, const struct raftfs_attr *attr)
{
	struct stat st;

	if (err != RFS_ERR_OK) {
		mount_reply(req, what, ino, err);
		return;
	}
	raftfs_attr_stat(attr, &st);
	fuse_reply_attr(req, &st, mount_of(req)->attr_timeout_s);
}

void attr_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	struct raftfs_attr attr;
	bool wrote;

	(void)fi;
	(void)files_drain(&mount->files, mount->fs, ino, &wrote);
	enum rfs_err err = raftfs_getattr(mount->fs, ino, &attr);

	answer_attr(req, "getattr", ino, err, &attr);
}

/* The kernel asks for "now" as a time and a bit that makes it now; the
 * protocol takes one or the other. */
static uint32_t set_mask(int set)
{
	uint32_t mask = (uint32_t)set & SET_MASK;

	if (mask & RAFTFS_SET_ATIME_NOW)
		mask &= ~(uint32_t)RAFTFS_SET_ATIME;
	if (mask & RAFTFS_SET_MTIME_NOW)
		mask &= ~(uint32_t)RAFTFS_SET_MTIME;
	return mask;
}

void attr_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
		  struct fuse_file_info *fi)
{
	struct mount *mount = mount_of(req);
	const struct raftfs_attr want = {
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
		.atime_ns = units_from_timespec(st->st_atim),
		.mtime_ns = units_from_timespec(st->st_mtim),
	};
	struct raftfs_attr attr;
	enum rfs_err err;
	bool wrote;

	(void)fi;
	/* What was written before must not land after. */
	err = files_drain(&mount->files, mount->fs, ino, &wrote);
	if (err == RFS_ERR_OK)
		err = raftfs_setattr(mount->fs, mount_who(req), ino, &want,
				     set_mask(set), &attr);
	answer_attr(req, "setattr", ino, err, &attr);
}

void attr_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct raftfs_space space;
	enum rfs_err err = raftfs_statfs(mount_of(req)->fs, &space);

	if (err != RFS_ERR_OK) {
		mount_reply(req, "statfs", ino, err);
		return;
	}
	/* Inodes are made as needed: as many are free as space allows. */
	const struct statvfs st = {
		.f_bsize = BLOCK_BYTES,
		.f_frsize = BLOCK_BYTES,
		.f_blocks = space.total_bytes / BLOCK_BYTES,
		.f_bfree = space.free_bytes / BLOCK_BYTES,
		.f_bavail = space.free_bytes / BLOCK_BYTES,
		.f_files = space.files + space.free_bytes / BLOCK_BYTES,
		.f_ffree = space.free_bytes / BLOCK_BYTES,
		.f_favail = space.free_bytes / BLOCK_BYTES,
		.f_namemax = RAFTFS_NAME_MAX,
	};

	fuse_reply_statfs(req, &st);
}
