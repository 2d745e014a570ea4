/* A preloaded shim for a disk that loses a write: when the file FAILSYNC_FILE
 * appears, the next fdatasync() of a log segment fails with EIO once, and what
 * was last written to it is gone, as after a writeback error. That descriptor
 * then takes syncs as if nothing had been; each is noted in
 * FAILSYNC_FILE.retried. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	int fd;
	off_t at;
	size_t bytes;
} last = { .fd = -1 };
static int failed_fd = -1;

static ssize_t real_pwrite(int fd, const void *data, size_t bytes, off_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);

	if (!real)
		real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(
			RTLD_NEXT, "pwrite");
	return real(fd, data, bytes, at);
}

static bool is_segment(int fd)
{
	char link[64], path[512] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 4)
		return false;
	return strcmp(path + strlen(path) - 4, ".wal") == 0;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
	/* Records, not marks. */
	if (at >= 12288 && is_segment(fd)) {
		last.fd = fd;
		last.at = at;
		last.bytes = bytes;
	}
	return real_pwrite(fd, data, bytes, at);
}

static void lose_last(int fd)
{
	void *zeros = calloc(1, last.bytes);

	if (zeros && real_pwrite(fd, zeros, last.bytes, last.at) < 0)
		perror("failsync");
	free(zeros);
}

static void note_retry(const char *trigger)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s.retried", trigger);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

int fdatasync(int fd)
{
	static int (*real)(int);
	const char *trigger = getenv("FAILSYNC_FILE");

	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	if (trigger && fd == failed_fd)
		note_retry(trigger);
	if (!trigger || fd != last.fd || !is_segment(fd) ||
	    unlink(trigger) != 0)
		return real(fd);
	lose_last(fd);
	failed_fd = fd;
	errno = EIO;
	return -1;
}
