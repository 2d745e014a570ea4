/* Opening and closing a conversation, and the attributes it speaks of. */
#include "client/lib/raftfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "client/lib/session.h"
#include "common/units.h"

static enum rfs_err open_at(const struct endpoints *endpoints,
			    struct raftfs **out)
{
	struct raftfs *fs = calloc(1, sizeof(*fs));

	if (fs == NULL)
		return RFS_ERR_NOMEM;
	enum rfs_err err = channel_init(&fs->channel, endpoints);

	if (err != RFS_ERR_OK)
		goto discard;
	fs->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (fs->stop_fd < 0) {
		err = rfs_err_from_errno(errno);
		goto discard_channel;
	}
	fs->timeout_ns = RAFTFS_TIMEOUT_NS;
	pthread_mutex_init(&fs->opening, NULL);
	session_prefer_leader(fs);
	*out = fs;
	return RFS_ERR_OK;

discard_channel:
	channel_fini(&fs->channel);
discard:
	free(fs);
	return err;
}

enum rfs_err raftfs_open(const char *where, struct raftfs **fs)
{
	char reason[CHANNEL_REASON_MAX];
	struct endpoints endpoints;
	enum rfs_err err =
		endpoints_find(where, &endpoints, reason, sizeof(reason));

	session_set_reason(reason);
	if (err != RFS_ERR_OK)
		return err;
	return open_at(&endpoints, fs);
}

void raftfs_close(struct raftfs *fs)
{
	if (fs == NULL)
		return;
	session_close(fs);
	channel_fini(&fs->channel);
	close(fs->stop_fd);
	pthread_mutex_destroy(&fs->opening);
	free(fs);
}

void raftfs_set_timeout(struct raftfs *fs, int64_t timeout_ns)
{
	fs->timeout_ns = timeout_ns < NS_PER_MS ? NS_PER_MS : timeout_ns;
}

void raftfs_set_staleness(struct raftfs *fs, int64_t stale_ns)
{
	const int64_t stale_ms = stale_ns / NS_PER_MS;

	fs->stale_ms = stale_ms < 0	       ? 0
		       : stale_ms > UINT32_MAX ? UINT32_MAX
					       : (uint32_t)stale_ms;
}

enum rfs_err raftfs_connect(struct raftfs *fs)
{
	char reason[CHANNEL_REASON_MAX + ENDPOINTS_PATH_MAX];
	enum rfs_err err = channel_connect(&fs->channel);

	if (err != RFS_ERR_OK) {
		snprintf(reason, sizeof(reason), "cannot connect to %s: %s",
			 raftfs_endpoint(fs),
			 strerror(fs->channel.connect_errno));
		session_set_reason(reason);
	}
	return err;
}

const char *raftfs_endpoint(const struct raftfs *fs)
{
	return fs->channel.endpoints.path[fs->channel.endpoint_index];
}

size_t raftfs_endpoint_count(const struct raftfs *fs)
{
	return fs->channel.endpoints.count;
}

const char *raftfs_endpoint_at(const struct raftfs *fs, size_t index)
{
	return fs->channel.endpoints.path[index];
}

static struct timespec timespec_of(int64_t ns)
{
	int64_t sec = ns / NS_PER_SEC;
	int64_t rest = ns % NS_PER_SEC;

	if (rest < 0) {
		rest += NS_PER_SEC;
		sec--;
	}
	return (struct timespec){.tv_sec = sec, .tv_nsec = rest};
}

void raftfs_attr_stat(const struct raftfs_attr *attr, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = attr->ino;
	st->st_mode = attr->mode;
	st->st_nlink = attr->nlink;
	st->st_uid = attr->uid;
	st->st_gid = attr->gid;
	st->st_rdev = attr->rdev;
	st->st_size = (off_t)attr->size;
	st->st_blocks = (blkcnt_t)attr->blocks;
	st->st_blksize = 128 * 1024;
	st->st_atim = timespec_of(attr->atime_ns);
	st->st_mtim = timespec_of(attr->mtime_ns);
	st->st_ctim = timespec_of(attr->ctime_ns);
}
