/* Small durable file operations shared by the stores of this folder.
 *
 * Everything blocks and may be called from any thread. Paths are relative to a
 * directory descriptor, which is borrowed.
 */
#ifndef RAFTFS_STORAGED_DISK_H
#define RAFTFS_STORAGED_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Open dir_fd/name as a directory, made (0700) and durable if absent. dir_fd
 * may be AT_FDCWD. IO, NOSPC (logged). */
RFS_MUST_USE enum rfs_err disk_open_dir(int dir_fd, const char *name,
					int *fd);

/* All of data at offset, and all of bytes from offset; short reads are
 * CORRUPT (the file ends early), others IO or NOSPC. Not logged. */
RFS_MUST_USE enum rfs_err disk_write(int fd, const void *data, size_t bytes,
				     uint64_t offset);
RFS_MUST_USE enum rfs_err disk_read(int fd, void *data, size_t bytes,
				    uint64_t offset);

/* A small file whole. Replace is atomic and durable. NOENT (not logged), IO,
 * NOSPC (logged); *bytes is what was read, at most size. */
RFS_MUST_USE enum rfs_err disk_load(int dir_fd, const char *name, void *data,
				    size_t size, size_t *bytes);
RFS_MUST_USE enum rfs_err disk_replace(int dir_fd, const char *name,
				       const void *data, size_t bytes);

/* Free space for this user on the file system of fd; 0 when it cannot be
 * told. */
uint64_t disk_free_bytes(int fd);
uint64_t disk_total_bytes(int fd);

#endif
