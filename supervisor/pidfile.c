/* The pid file is for people; the lock on it is what excludes. */
#include "supervisor/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/log.h"

/* Whether path still names the open file. */
static bool is_named(const char *path, int fd)
{
	struct stat named;
	struct stat opened;

	return stat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
	       named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

enum rfs_err pidfile_take(const char *path, int *fd)
{
	char text[16] = "";
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int length;

	if (file < 0) {
		log_errno("pid file %s", path);
		return RFS_ERR_IO;
	}
	/* The holder may remove the file between our open and our lock: then
	 * the lock is on nothing anyone else would look at. */
	if (flock(file, LOCK_EX | LOCK_NB) != 0 || !is_named(path, file)) {
		if (read(file, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		log_error("another supervisor (pid %d) holds %s", atoi(text),
			  path);
		close(file);
		return RFS_ERR_BUSY;
	}
	length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(file, 0) != 0 ||
	    pwrite(file, text, (size_t)length, 0) != length) {
		log_errno("pid file %s", path);
		close(file);
		return RFS_ERR_IO;
	}
	*fd = file;
	return RFS_ERR_OK;
}

void pidfile_drop(const char *path, int fd)
{
	/* In this order: whoever gets the lock finds its own file. */
	(void)unlink(path);
	close(fd);
}
