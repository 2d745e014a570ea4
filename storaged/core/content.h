/* Changing what an inode is and holds: attributes, size, data, holes. */
#ifndef RAFTFS_STORAGED_CORE_CONTENT_H
#define RAFTFS_STORAGED_CORE_CONTENT_H

#include "storaged/core/apply.h"

/* Common errors: NOENT: no such inode; where a regular file is needed, ISDIR
 * and INVALID for what is not. */

/* COMMAND_SETATTR. An empty mask changes nothing. */
enum rfs_err content_setattr(struct apply *a);

/* COMMAND_WRITE. FBIG: an append past INODE_SIZE_MAX; BUSY: base_version is
 * past; and as chunkmap_check(). Zero bytes change nothing. */
enum rfs_err content_write(struct apply *a);

/* COMMAND_FALLOCATE. Reserves nothing: extends, or makes holes. */
enum rfs_err content_fallocate(struct apply *a);

#endif
