/* Extended attributes: one key each, their total bounded per inode. */
#ifndef RAFTFS_STORAGED_CORE_XATTR_H
#define RAFTFS_STORAGED_CORE_XATTR_H

#include "storaged/core/apply.h"

/* COMMAND_SETXATTR. NOENT: no such inode; EXIST, NODATA: as the flags demand;
 * NOSPC: over INODE_XATTRS_MAX_BYTES with this one. */
enum rfs_err xattr_set(struct apply *a);

/* COMMAND_REMOVEXATTR. NOENT; NODATA. */
enum rfs_err xattr_remove(struct apply *a);

/* The inode goes away. */
void xattr_erase_all(struct apply *a, const struct inode *inode);

#endif
