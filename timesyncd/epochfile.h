/* The highest epoch of the mesh that was in force on this node, kept across restarts,
 * so that it never begins a timeline under a number that was another's
 * (core/carrier.h). Durable before the number is used.
 *
 *	raftfs-epoch 1
 *	NUMBER
 */
#ifndef RAFTFS_TIMESYNCD_EPOCHFILE_H
#define RAFTFS_TIMESYNCD_EPOCHFILE_H

#include <stdint.h>

#include "common/err.h"

/* 0: there is no file, or it is not one (logged). */
uint64_t epochfile_load(const char *path);

/* Replace the file, atomically and durably. IO (logged). */
RFS_MUST_USE enum rfs_err epochfile_save(const char *path, uint64_t epoch);

#endif
