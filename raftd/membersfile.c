/* Written beside itself, synced, renamed. */
#include "raftd/membersfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/log.h"

#define PATH_BYTES 512

static bool is_superseded(const struct config_members *members, uint32_t i)
{
	for (uint32_t k = 0; k < members->count; k++) {
		if (members->nodes[k].id > members->nodes[i].id &&
		    config_node_clash(&members->nodes[k],
				      &members->nodes[i]) != NULL)
			return true;
	}
	return false;
}

void membersfile_settle(struct config_members *members)
{
	static struct config_members all;
	uint32_t kept = 0;

	all = *members;
	for (uint32_t i = 0; i < all.count; i++) {
		if (!is_superseded(&all, i))
			members->nodes[kept++] = all.nodes[i];
	}
	members->count = kept;
}

/* The whole text, the caller's to free; NULL: out of memory. */
static char *make_text(uint64_t index, const struct config_members *members,
		       size_t *bytes)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, bytes);

	if (out == NULL)
		return NULL;
	fprintf(out,
		"# The members of the cluster as of log entry %" PRIu64 ".\n"
		"# Written by raftfs-raftd; stands for the node sections of\n"
		"# raftfs.conf. Changed by: raftfs members\n",
		index);
	config_print_members(members->nodes, members->count, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool says_already(const char *path, const char *text, size_t bytes)
{
	char *there = malloc(bytes + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool same = there != NULL && fd >= 0 &&
		    read(fd, there, bytes + 1) == (ssize_t)bytes &&
		    memcmp(there, text, bytes) == 0;

	if (fd >= 0)
		close(fd);
	free(there);
	return same;
}

static enum rfs_err replace(const char *path, const char *text, size_t bytes)
{
	char temporary[PATH_BYTES];
	enum rfs_err err = RFS_ERR_OK;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, bytes) != (ssize_t)bytes ||
	    fsync(fd) != 0 || rename(temporary, path) != 0 ||
	    directory_sync_of(path) != 0) {
		err = errno == ENOSPC ? RFS_ERR_NOSPC : RFS_ERR_IO;
		log_errno("members: writing %s", path);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

enum rfs_err membersfile_save(const char *path, uint64_t index,
			      const struct config_members *members)
{
	size_t bytes;
	char *text = make_text(index, members, &bytes);
	enum rfs_err err = RFS_ERR_OK;

	if (text == NULL)
		return RFS_ERR_NOMEM;
	if (!says_already(path, text, bytes))
		err = replace(path, text, bytes);
	free(text);
	return err;
}
