/* An inode: what stat() shows of a file, and a little more. */
#ifndef RAFTFS_STORAGED_CORE_INODE_H
#define RAFTFS_STORAGED_CORE_INODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/err.h"
#include "storaged/core/kv.h"

#define INODE_ROOT	     UINT64_C(1)
#define INODE_NAME_MAX	     255u
#define INODE_SYMLINK_MAX    4095u
#define INODE_LINKS_MAX	     65000u /* hard links of a non-directory */
#define INODE_SIZE_MAX	     (UINT64_C(1) << 50)
#define INODE_XATTR_NAME_MAX 255u
#define INODE_XATTR_VALUE_MAX (64u * 1024u)
#define INODE_XATTRS_MAX_BYTES (128u * 1024u) /* names and values together */

/* File types, as in st_mode. The core is not a place for <sys/stat.h>. */
#define INODE_TYPE_MASK	   0170000u
#define INODE_TYPE_SOCKET  0140000u
#define INODE_TYPE_SYMLINK 0120000u
#define INODE_TYPE_REGULAR 0100000u
#define INODE_TYPE_BLOCK   0060000u
#define INODE_TYPE_DIR	   0040000u
#define INODE_TYPE_CHAR	   0020000u
#define INODE_TYPE_FIFO	   0010000u
#define INODE_SETUID	   0004000u
#define INODE_SETGID	   0002000u
#define INODE_GROUP_EXEC   0000010u
#define INODE_PERM_MASK	   0007777u

struct inode {
	uint64_t ino;
	uint32_t mode; /* type and permissions */
	uint32_t nlink; /* directories: 2 + subdirectories; 0: orphan */
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev;
	uint64_t size_bytes; /* directories: number of names in it */
	uint64_t allocated_bytes; /* of extents; st_blocks = this / 512, up */
	int64_t atime_ns;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint64_t version; /* log index of the last visible change */
	uint64_t parent; /* directories only; of the root: the root */
	uint64_t map; /* regular files: whose extents are its content */
	uint32_t pins; /* sessions that hold it open */
	uint32_t xattr_bytes; /* names and values together */
};

/* OK; NOENT: no such inode, live or orphan; else the engine failed. */
RFS_MUST_USE enum rfs_err inode_load(struct kv *kv, uint64_t ino,
				     struct inode *inode);
void inode_save(struct kv *kv, const struct inode *inode);
void inode_erase(struct kv *kv, uint64_t ino);

/* The image, INODE_IMAGE_BYTES of it; the number is kept elsewhere. */
#define INODE_IMAGE_BYTES 96u
void inode_write(struct writer *w, const struct inode *inode);
void inode_read(struct reader *r, uint64_t ino, struct inode *inode);

/* What a change of content or owner does to a regular file: drop set-uid, and
 * set-gid too, unless without group execute it means mandatory locking. */
void inode_drop_privileges(struct inode *inode);

static inline bool inode_is(const struct inode *inode, uint32_t type)
{
	return (inode->mode & INODE_TYPE_MASK) == type;
}

#endif
