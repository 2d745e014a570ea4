/* raftfs-mount: the file tree as a FUSE file system.
 *
 * Inode numbers are those of the cluster. Nothing is cached but what the
 * kernel caches while a file is open, and that is checked at every read: the
 * kernel asks for the attributes and drops its pages when mtime or size moved.
 * Writes may wait in an open file (behind.h) until anything looks at it.
 */
#ifndef RAFTFS_CLIENT_MOUNT_MOUNT_H
#define RAFTFS_CLIENT_MOUNT_MOUNT_H

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>

#include "client/lib/raftfs.h"
#include "client/mount/files.h"

struct mount {
	struct raftfs *fs;
	struct files files;
	double attr_timeout_s; /* 0: ask every time */
};

/* Every operation; the mount is fuse_req_userdata(). */
extern const struct fuse_lowlevel_ops mount_ops;

static inline struct mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* For whom the request is. */
struct raftfs_who mount_who(fuse_req_t req);

/* Answer with err's errno (0 too); what is not an everyday error is logged. */
void mount_reply(fuse_req_t req, const char *what, uint64_t ino,
		 enum rfs_err err);

/* Attributes as they are once what waits in an open file is written: drains
 * and asks again when there is something. *attr is replaced on RFS_ERR_OK. */
RFS_MUST_USE enum rfs_err mount_fresh(struct mount *mount,
				      struct raftfs_attr *attr);

void mount_reply_entry(fuse_req_t req, const struct raftfs_attr *attr);
void mount_entry(const struct mount *mount, const struct raftfs_attr *attr,
		 struct fuse_entry_param *entry);

/* Operations by file: names.c, attr.c, data.c, dir.c, xattr.c. */
void names_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void names_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, dev_t rdev);
void names_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode);
void names_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		   const char *name);
void names_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		const char *name);
void names_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void names_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void names_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		  fuse_ino_t new_parent, const char *new_name,
		  unsigned int flags);
void names_readlink(fuse_req_t req, fuse_ino_t ino);

void attr_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void attr_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
		  struct fuse_file_info *fi);
void attr_statfs(fuse_req_t req, fuse_ino_t ino);

void data_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, struct fuse_file_info *fi);
void data_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void data_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
	       struct fuse_file_info *fi);
void data_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t bytes,
		off_t offset, struct fuse_file_info *fi);
void data_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void data_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		struct fuse_file_info *fi);
void data_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void data_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
		    off_t bytes, struct fuse_file_info *fi);

void dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void dir_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
	      struct fuse_file_info *fi);
void dir_readplus(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
		  struct fuse_file_info *fi);
void dir_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	       struct fuse_file_info *fi);

void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
	       const char *value, size_t bytes, int flags);
void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t bytes);
void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t bytes);
void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
