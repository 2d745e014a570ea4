/* The tree: making, linking and removing names; the file operations that
 * need no name are in attr.h and content.h, renaming in rename.h.
 *
 * Errors as POSIX has them, each with nothing done. Common to all: NOENT, no
 * such parent (or it was removed); NOTDIR, the parent is no directory.
 */
#ifndef RAFTFS_STORAGED_CORE_NAMESPACE_H
#define RAFTFS_STORAGED_CORE_NAMESPACE_H

#include "storaged/core/apply.h"
#include "storaged/core/dirent.h"

/* An empty state becomes a root directory. */
void namespace_make_root(struct apply *a);

/* COMMAND_CREATE, MKDIR, MKNOD, SYMLINK. EXIST; CREATE: ISDIR. */
enum rfs_err namespace_make(struct apply *a);

/* COMMAND_PUT. EXIST: the name is there (EXCL), or is no regular file; ISDIR;
 * else as chunkmap_check(). */
enum rfs_err namespace_put(struct apply *a);

/* COMMAND_LINK. NOENT: no such target, or an orphan; PERM: a directory; EXIST;
 * MLINK. */
enum rfs_err namespace_link(struct apply *a);

/* COMMAND_UNLINK: ISDIR. COMMAND_RMDIR: NOTDIR, NOTEMPTY. Both: NOENT. */
enum rfs_err namespace_unlink(struct apply *a);
enum rfs_err namespace_rmdir(struct apply *a);

/* A directory that names can be put into: NOENT, NOTDIR. */
RFS_MUST_USE enum rfs_err namespace_load_dir(struct kv *kv, uint64_t ino,
					     struct inode *dir);

/* Stamp mtime too: names in it changed. Saves it. */
void namespace_touch_dir(struct apply *a, struct inode *dir);

/* The inode lost one name: count down, drop it if that was the last. */
void namespace_lose_name(struct apply *a, struct inode *inode);

#endif
