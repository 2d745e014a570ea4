/* Files that come and go thousands of times a second: in /dev/shm. */
#include "tests/fuzz/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/os/log.h"

static char dir[] = "/dev/shm/raftfs-fuzz-XXXXXX";
static char path[sizeof(dir) + 256];

void scratch_clear(void)
{
	DIR *open_dir = opendir(scratch_dir());
	struct dirent *entry;

	while (open_dir != NULL && (entry = readdir(open_dir)) != NULL)
		unlinkat(dirfd(open_dir), entry->d_name, 0);
	if (open_dir != NULL)
		closedir(open_dir);
}

static void clean_up(void)
{
	scratch_clear();
	rmdir(dir);
}

const char *scratch_dir(void)
{
	static int made;

	if (!made) {
		if (mkdtemp(dir) == NULL || atexit(clean_up) != 0)
			abort();
		made = 1;
		/* Below every level: each refusal would be a line. */
		log_set_level((enum log_level) - 1);
	}
	return dir;
}

const char *scratch_file(const char *name, const void *data, size_t bytes)
{
	int fd;

	snprintf(path, sizeof(path), "%s/%s", scratch_dir(), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		abort();
	close(fd);
	return path;
}
