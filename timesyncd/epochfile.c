/* Reading and replacing the epoch file. */
#include "timesyncd/epochfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/config.h"
#include "common/os/directory.h"
#include "common/os/log.h"

#define FORMAT	   "raftfs-epoch 1\n%" PRIu64 "\n"
#define TEXT_BYTES 64
#define PATH_BYTES (CONFIG_PATH_MAX + 64)

uint64_t epochfile_load(const char *path)
{
	char text[TEXT_BYTES] = "", again[TEXT_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t epoch = 0;
	ssize_t bytes;

	if (fd < 0) {
		if (errno != ENOENT)
			log_errno("epoch file %s", path);
		return 0;
	}
	bytes = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (bytes > 0)
		(void)sscanf(text, FORMAT, &epoch);
	/* Nothing but what is written below. */
	snprintf(again, sizeof(again), FORMAT, epoch);
	if (strcmp(text, again) == 0)
		return epoch;
	log_warn("epoch file %s: not one, left out", path);
	return 0;
}

enum rfs_err epochfile_save(const char *path, uint64_t epoch)
{
	char temporary[PATH_BYTES], text[TEXT_BYTES];
	int bytes = snprintf(text, sizeof(text), FORMAT, epoch);
	enum rfs_err err = RFS_ERR_OK;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)bytes) != bytes ||
	    fsync(fd) != 0 || rename(temporary, path) != 0 ||
	    directory_sync_of(path) != 0) {
		log_errno("epoch file %s", path);
		err = RFS_ERR_IO;
	}
	if (fd >= 0)
		close(fd);
	return err;
}
