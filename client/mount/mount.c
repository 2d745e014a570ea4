/* What all operations share, and the table of them. */
#include "client/mount/mount.h"

#include <errno.h>

#include "common/os/log.h"

#define BACKGROUND_MAX 64u /* requests of read-ahead on their way */

struct raftfs_who mount_who(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct raftfs_who){ctx->uid, ctx->gid};
}

static bool is_remarkable(enum rfs_err err)
{
	switch (err) {
	case RFS_ERR_IO:
	case RFS_ERR_CORRUPT:
	case RFS_ERR_UNKNOWN:
	case RFS_ERR_TIMEDOUT:
	case RFS_ERR_CLOSED:
	case RFS_ERR_NO_QUORUM:
	case RFS_ERR_NO_SESSION:
	case RFS_ERR_NOMEM:
		return true;
	default:
		return false;
	}
}

void mount_reply(fuse_req_t req, const char *what, uint64_t ino,
		 enum rfs_err err)
{
	if (is_remarkable(err))
		log_warn("%s, inode %llu: %s: %s", what,
			 (unsigned long long)ino, rfs_err_text(err),
			 raftfs_reason());
	fuse_reply_err(req, rfs_err_errno(err));
}

enum rfs_err mount_fresh(struct mount *mount, struct raftfs_attr *attr)
{
	bool wrote;

	/* A failed write is for the writer's flush to tell, not for a look. */
	(void)files_drain(&mount->files, mount->fs, attr->ino, &wrote);
	if (!wrote)
		return RFS_ERR_OK;
	return raftfs_getattr(mount->fs, attr->ino, attr);
}

void mount_entry(const struct mount *mount, const struct raftfs_attr *attr,
		 struct fuse_entry_param *entry)
{
	*entry = (struct fuse_entry_param){
		.ino = attr->ino,
		.attr_timeout = mount->attr_timeout_s,
		.entry_timeout = mount->attr_timeout_s,
	};
	raftfs_attr_stat(attr, &entry->attr);
}

void mount_reply_entry(fuse_req_t req, const struct raftfs_attr *attr)
{
	struct fuse_entry_param entry;

	mount_entry(mount_of(req), attr, &entry);
	fuse_reply_entry(req, &entry);
}

static void mount_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct mount *mount = userdata;

	conn->max_write = RAFTFS_WINDOW_BYTES;
	conn->max_read = RAFTFS_WINDOW_BYTES;
	conn->max_readahead = RAFTFS_WINDOW_BYTES;
	conn->max_background = BACKGROUND_MAX;
	/* A write acknowledged by the kernel alone is no write. */
	conn->want &= ~(unsigned int)FUSE_CAP_WRITEBACK_CACHE;
	/* Attributes that may not be kept are not worth sending. */
	if (mount->attr_timeout_s <= 0)
		conn->want &= ~(unsigned int)FUSE_CAP_READDIRPLUS;
}

static void mount_destroy(void *userdata)
{
	struct mount *mount = userdata;

	files_drain_all(&mount->files, mount->fs);
}

const struct fuse_lowlevel_ops mount_ops = {
	.init = mount_init,
	.destroy = mount_destroy,
	.lookup = names_lookup,
	.getattr = attr_getattr,
	.setattr = attr_setattr,
	.readlink = names_readlink,
	.mknod = names_mknod,
	.mkdir = names_mkdir,
	.unlink = names_unlink,
	.rmdir = names_rmdir,
	.symlink = names_symlink,
	.rename = names_rename,
	.link = names_link,
	.open = data_open,
	.read = data_read,
	.write = data_write,
	.flush = data_flush,
	.release = data_release,
	.fsync = data_fsync,
	.opendir = dir_open,
	.readdir = dir_read,
	.readdirplus = dir_readplus,
	.releasedir = dir_release,
	.fsyncdir = dir_fsync,
	.statfs = attr_statfs,
	.setxattr = xattr_set,
	.getxattr = xattr_get,
	.listxattr = xattr_list,
	.removexattr = xattr_remove,
	.create = data_create,
	.fallocate = data_fallocate,
};
