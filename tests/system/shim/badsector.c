/* A preloaded shim that gives a process a disk with one bad sector: while the
 * file BADSECTOR_FILE exists, reading the 512 bytes of a log segment at the
 * offset it says fails with EIO. Writing over them makes the disk put another
 * sector in their place: the file is removed. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR_BYTES 512

typedef ssize_t (*pread_t)(int, void *, size_t, off_t);
typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);

static bool is_segment(int fd)
{
	char link[64], path[512] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 4)
		return false;
	return strcmp(path + strlen(path) - 4, ".wal") == 0;
}

/* -1: none. */
static off_t bad_at(int fd)
{
	const char *path = getenv("BADSECTOR_FILE");
	char text[24] = "";
	int file = path && is_segment(fd) ? open(path, O_RDONLY | O_CLOEXEC) :
					    -1;

	if (file < 0)
		return -1;
	if (read(file, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(file);
	return atol(text);
}

/* As the kernel does: what is before it is read, then comes the error. */
ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
	static pread_t real;
	off_t bad = bad_at(fd);

	if (!real)
		real = (pread_t)dlsym(RTLD_NEXT, "pread");
	if (bad >= 0 && at < bad + SECTOR_BYTES && at + (off_t)bytes > bad) {
		if (at >= bad) {
			errno = EIO;
			return -1;
		}
		bytes = (size_t)(bad - at);
	}
	return real(fd, to, bytes, at);
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t at)
{
	static pwrite_t real;
	off_t bad = bad_at(fd);

	if (!real)
		real = (pwrite_t)dlsym(RTLD_NEXT, "pwrite");
	if (bad >= 0 && at < bad + SECTOR_BYTES && at + (off_t)bytes > bad)
		unlink(getenv("BADSECTOR_FILE"));
	return real(fd, from, bytes, at);
}
