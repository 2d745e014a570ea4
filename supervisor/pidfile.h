/* One supervisor per run directory: a locked pid file. */
#ifndef RAFTFS_SUPERVISOR_PIDFILE_H
#define RAFTFS_SUPERVISOR_PIDFILE_H

#include "common/err.h"

/* Take the lock and write our pid. *fd holds the lock until it is closed (by
 * the kernel too: a killed supervisor leaves no stale lock). BUSY: another
 * one runs, logged with its pid; IO (logged). */
RFS_MUST_USE enum rfs_err pidfile_take(const char *path, int *fd);

/* Remove the file and let go. */
void pidfile_drop(const char *path, int fd);

#endif
