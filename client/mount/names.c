/* Operations on names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/mount/mount.h"

static void answer_entry(fuse_req_t req, const char *what, uint64_t ino,
			 enum rfs_err err, const struct raftfs_attr *attr)
{
	if (err == RFS_ERR_OK)
		mount_reply_entry(req, attr);
	else
		mount_reply(req, what, ino, err);
}

static struct raftfs_new as_asked(fuse_req_t req, mode_t mode, dev_t rdev)
{
	return (struct raftfs_new){.who = mount_who(req),
				   .mode = mode,
				   .rdev = rdev,
				   .exclusive = true};
}

void names_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *mount = mount_of(req);
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_lookup(mount->fs, parent, name, &attr);

	if (err == RFS_ERR_OK)
		err = mount_fresh(mount, &attr);
	answer_entry(req, "lookup", parent, err, &attr);
}

void names_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, dev_t rdev)
{
	const struct raftfs_new as = as_asked(req, mode, rdev);
	struct raftfs_attr attr;
	enum rfs_err err =
		raftfs_mknod(mount_of(req)->fs, parent, name, &as, &attr);

	answer_entry(req, "mknod", parent, err, &attr);
}

void names_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode)
{
	const struct raftfs_new as = as_asked(req, mode, 0);
	struct raftfs_attr attr;
	enum rfs_err err =
		raftfs_mkdir(mount_of(req)->fs, parent, name, &as, &attr);

	answer_entry(req, "mkdir", parent, err, &attr);
}

void names_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		   const char *name)
{
	const struct raftfs_new as = as_asked(req, 0777, 0);
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_symlink(mount_of(req)->fs, parent, name,
					  target, &as, &attr);

	answer_entry(req, "symlink", parent, err, &attr);
}

void names_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		const char *name)
{
	struct mount *mount = mount_of(req);
	struct raftfs_attr attr;
	bool wrote;

	(void)files_drain(&mount->files, mount->fs, ino, &wrote);
	enum rfs_err err = raftfs_link(mount->fs, mount_who(req), ino, parent,
				       name, &attr);

	answer_entry(req, "link", ino, err, &attr);
}

/* A file that is open here must outlive its last name; which one that is, two
 * removals at once could both miss. */
static enum rfs_err keep_if_open(struct mount *mount, uint64_t parent,
				 const char *name,
				 struct files_removal *removal)
{
	struct raftfs_attr attr;

	/* Who opens it from here on, sees the removal. */
	if (mount->files.count == 0)
		return RFS_ERR_OK;
	enum rfs_err err = raftfs_lookup(mount->fs, parent, name, &attr);

	if (err != RFS_ERR_OK && err != RFS_ERR_NOENT)
		return err;
	bool is_file = err == RFS_ERR_OK && !S_ISDIR(attr.mode);

	files_removal_of(&mount->files, removal,
			 is_file ? attr.ino : FILES_NONE);
	if (!is_file)
		return RFS_ERR_OK; /* the operation itself will say so */
	return files_pin(&mount->files, mount->fs, attr.ino);
}

void names_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount *mount = mount_of(req);
	struct files_removal removal;

	files_removal_begin(&mount->files, &removal);
	enum rfs_err err = keep_if_open(mount, parent, name, &removal);

	if (err == RFS_ERR_OK)
		err = raftfs_unlink(mount->fs, mount_who(req), parent, name);
	files_removal_end(&mount->files, &removal);
	mount_reply(req, "unlink", parent, err);
}

void names_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	enum rfs_err err =
		raftfs_rmdir(mount_of(req)->fs, mount_who(req), parent, name);

	mount_reply(req, "rmdir", parent, err);
}

void names_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		  fuse_ino_t new_parent, const char *new_name,
		  unsigned int flags)
{
	struct mount *mount = mount_of(req);
	struct files_removal removal;
	enum rfs_err err = RFS_ERR_OK;

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	files_removal_begin(&mount->files, &removal);
	if (flags == 0)
		err = keep_if_open(mount, new_parent, new_name, &removal);
	else
		files_removal_of(&mount->files, &removal, FILES_NONE);
	if (err == RFS_ERR_OK)
		err = raftfs_rename(mount->fs, mount_who(req), parent, name,
				    new_parent, new_name, flags);
	files_removal_end(&mount->files, &removal);
	mount_reply(req, "rename", parent, err);
}

void names_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char *target;
	enum rfs_err err = raftfs_readlink(mount_of(req)->fs, ino, &target);

	if (err != RFS_ERR_OK) {
		mount_reply(req, "readlink", ino, err);
		return;
	}
	fuse_reply_readlink(req, target);
	free(target);
}
