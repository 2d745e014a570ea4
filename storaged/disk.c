/* Loops around pread and pwrite, and the write-sync-rename-sync dance. */
#include "storaged/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/os/log.h"

enum rfs_err disk_open_dir(int dir_fd, const char *name, int *fd)
{
	bool made = mkdirat(dir_fd, name, 0700) == 0;

	if (!made && errno != EEXIST) {
		log_errno("make directory %s", name);
		return rfs_err_from_errno(errno);
	}
	int opened = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (opened < 0) {
		log_errno("open directory %s", name);
		return rfs_err_from_errno(errno);
	}
	/* A new name is durable only once its parent is. */
	if (made && dir_fd != AT_FDCWD && fsync(dir_fd) != 0) {
		log_errno("sync the parent of %s", name);
		close(opened);
		return RFS_ERR_IO;
	}
	*fd = opened;
	return RFS_ERR_OK;
}

enum rfs_err disk_write(int fd, const void *data, size_t bytes, uint64_t offset)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t n = pwrite(fd, at, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rfs_err_from_errno(errno);
		at += n;
		bytes -= (size_t)n;
		offset += (uint64_t)n;
	}
	return RFS_ERR_OK;
}

enum rfs_err disk_read(int fd, void *data, size_t bytes, uint64_t offset)
{
	char *at = data;

	while (bytes > 0) {
		ssize_t n = pread(fd, at, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return RFS_ERR_IO;
		if (n == 0)
			return RFS_ERR_CORRUPT;
		at += n;
		bytes -= (size_t)n;
		offset += (uint64_t)n;
	}
	return RFS_ERR_OK;
}

enum rfs_err disk_load(int dir_fd, const char *name, void *data, size_t size,
		       size_t *bytes)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return RFS_ERR_NOENT;
	if (fd < 0) {
		log_errno("open %s", name);
		return RFS_ERR_IO;
	}
	ssize_t n = read(fd, data, size);
	if (n < 0)
		log_errno("read %s", name);
	else
		*bytes = (size_t)n;
	close(fd);
	return n < 0 ? RFS_ERR_IO : RFS_ERR_OK;
}

enum rfs_err disk_replace(int dir_fd, const char *name, const void *data,
			  size_t bytes)
{
	char temporary[64];
	enum rfs_err err;

	snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	int fd = openat(dir_fd, temporary,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_errno("create %s", temporary);
		return rfs_err_from_errno(errno);
	}
	err = disk_write(fd, data, bytes, 0);
	if (err == RFS_ERR_OK &&
	    (fsync(fd) != 0 || renameat(dir_fd, temporary, dir_fd, name) != 0 ||
	     fsync(dir_fd) != 0))
		err = rfs_err_from_errno(errno);
	if (err != RFS_ERR_OK) {
		log_errno("replace %s", name);
		unlinkat(dir_fd, temporary, 0);
	}
	close(fd);
	return err;
}

static uint64_t blocks_of(int fd, bool total)
{
	struct statvfs st;

	if (fstatvfs(fd, &st) != 0)
		return 0;
	return (uint64_t)(total ? st.f_blocks : st.f_bavail) * st.f_frsize;
}

uint64_t disk_free_bytes(int fd)
{
	return blocks_of(fd, false);
}

uint64_t disk_total_bytes(int fd)
{
	return blocks_of(fd, true);
}
