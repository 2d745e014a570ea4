/* A file's new name is durable only once its directory is. */
#ifndef RAFTFS_COMMON_OS_DIRECTORY_H
#define RAFTFS_COMMON_OS_DIRECTORY_H

#include "common/err.h"

/* Make the entries of the directory that `path` stands in durable: call it after
 * a create or rename(2) of path. Blocks as long as fsync(2) does. 0, or -1 with
 * errno: ENAMETOOLONG, or what open(2) or fsync(2) said. Thread-safe. */
RFS_MUST_USE int directory_sync_of(const char *path);

#endif
