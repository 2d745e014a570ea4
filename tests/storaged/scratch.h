/* A directory of its own for a test, gone afterwards. */
#ifndef RAFTFS_TESTS_STORAGED_SCRATCH_H
#define RAFTFS_TESTS_STORAGED_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Put the path of a new directory into path. */
static inline void scratch_make(char path[64])
{
	snprintf(path, 64, "/tmp/raftfs-test-XXXXXX");
	if (!mkdtemp(path))
		abort();
}

static inline int scratch_remove_one(const char *path, const struct stat *st,
				     int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void scratch_remove(const char *path)
{
	nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Turn over one byte of the file. */
static inline void scratch_flip(const char *path, off_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char byte;

	if (fd < 0 || pread(fd, &byte, 1, offset) != 1)
		abort();
	byte ^= 0xff;
	if (pwrite(fd, &byte, 1, offset) != 1)
		abort();
	close(fd);
}

#endif
