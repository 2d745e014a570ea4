/* The files of a log: found, read into memory, headers judged. */
#include "raftd/wal_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/log.h"

#define UNREADABLE 0xee /* in place of bytes that cannot be read: no record */

static const char another_log[] = "it belongs to another log";

static int by_seq(const void *a, const void *b)
{
	const struct wal_segment *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static bool name_seq(const char *name, uint64_t *seq)
{
	char again[WAL_NAME_BYTES];

	if (sscanf(name, "%" SCNx64, seq) != 1 || *seq == 0)
		return false;
	wal_segment_name(*seq, again);
	return strcmp(again, name) == 0;
}

enum rfs_err wal_list_segments(struct wal *wal)
{
	DIR *dir = opendir(wal->dir);
	struct dirent *found;

	if (dir == NULL) {
		log_errno("wal: reading directory %s", wal->dir);
		return RFS_ERR_IO;
	}
	while ((found = readdir(dir)) != NULL) {
		struct wal_segment *grown;
		uint64_t seq;

		if (!name_seq(found->d_name, &seq))
			continue;
		grown = reallocarray(wal->segments, wal->segment_count + 1,
				     sizeof(*grown));
		if (grown == NULL) {
			closedir(dir);
			return RFS_ERR_NOMEM;
		}
		wal->segments = grown;
		wal->segments[wal->segment_count++] =
			(struct wal_segment){ .seq = seq };
	}
	closedir(dir);
	if (wal->segment_count > 0)
		qsort(wal->segments, wal->segment_count,
		      sizeof(wal->segments[0]), by_seq);
	return RFS_ERR_OK;
}

/* A sector that cannot be read is damage like any other: it costs its page. */
static enum rfs_err read_all(int fd, const struct wal *wal,
			     struct wal_image *image)
{
	for (uint64_t at = 0; at < image->bytes;) {
		uint64_t left = image->bytes - at;
		ssize_t n = pread(fd, image->data + at, left, (off_t)at);

		if (n > 0) {
			at += (uint64_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		log_errno("wal: reading %s/%s at offset %" PRIu64, wal->dir,
			  image->name, at);
		if (n == 0 || errno != EIO)
			return RFS_ERR_IO;
		if (left > WAL_PAGE_BYTES - at % WAL_PAGE_BYTES)
			left = WAL_PAGE_BYTES - at % WAL_PAGE_BYTES;
		memset(image->data + at, UNREADABLE, left);
		at += left;
	}
	return RFS_ERR_OK;
}

/* Most of a segment may be zeros: by whole pages, then by bytes. */
static void find_used(struct wal_image *image)
{
	uint64_t used = image->bytes;

	while (used >= WAL_PAGE_BYTES &&
	       wal_all_zero(image->data + used - WAL_PAGE_BYTES,
			    WAL_PAGE_BYTES))
		used -= WAL_PAGE_BYTES;
	while (used > 0 && image->data[used - 1] == 0)
		used--;
	image->used = used;
}

/* Read a whole segment; its buffer is the log's from here. */
static enum rfs_err load_bytes(struct wal_reading *reading,
			       struct wal_image *image, int fd)
{
	struct wal_log *log = reading->log;
	uint8_t **grown;
	enum rfs_err err;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return RFS_ERR_IO;
	image->bytes = (uint64_t)st.st_size;
	image->data = malloc(image->bytes + 1);
	grown = reallocarray(log->buffers, log->buffer_count + 1,
			     sizeof(*grown));
	if (grown != NULL)
		log->buffers = grown;
	if (image->data == NULL || grown == NULL) {
		free(image->data);
		return RFS_ERR_NOMEM;
	}
	log->buffers[log->buffer_count++] = image->data;
	err = read_all(fd, reading->wal, image);
	if (err == RFS_ERR_OK)
		find_used(image);
	return err;
}

static enum rfs_err load_segment(struct wal_reading *reading, size_t i)
{
	struct wal *wal = reading->wal;
	struct wal_image *image = &reading->images[i];
	enum rfs_err err;
	int fd;

	image->seq = wal->segments[i].seq;
	wal_segment_name(image->seq, image->name);
	fd = openat(wal->dir_fd, image->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		log_errno("wal: opening %s/%s", wal->dir, image->name);
		return RFS_ERR_IO;
	}
	err = load_bytes(reading, image, fd);
	close(fd);
	wal->segments[i].bytes = image->bytes;
	return err;
}

static enum rfs_err judge_header(struct wal_reading *reading,
				 struct wal_image *image)
{
	struct wal *wal = reading->wal;
	enum rfs_err err = RFS_ERR_CORRUPT;

	if (image->bytes < WAL_DATA_OFFSET)
		image->header_fault = "the file is too short";
	else
		err = wal_header_decode(image->data, &image->header,
					&image->chain);
	if (err == RFS_ERR_VERSION) {
		log_error("wal: %s/%s was written by another version",
			  wal->dir, image->name);
		return err;
	}
	if (image->header_fault != NULL)
		return RFS_ERR_OK;
	if (err != RFS_ERR_OK || image->header.seq != image->seq)
		image->header_fault = "bad header";
	else if (wal->log_id == 0)
		wal->log_id = image->header.log_id;
	else if (image->header.log_id != wal->log_id)
		image->header_fault = another_log;
	return RFS_ERR_OK;
}

/* Damage must not be mistaken for somebody else's log, nor the other way. */
static enum rfs_err judge_id(const struct wal_reading *reading)
{
	const struct wal *wal = reading->wal;
	bool foreign = false;

	for (size_t i = 0; i < wal->segment_count; i++) {
		const struct wal_image *image = &reading->images[i];

		if (image->header_fault == NULL)
			return RFS_ERR_OK;
		foreign |= image->header_fault == another_log;
	}
	if (!foreign && wal->log_id != 0)
		return RFS_ERR_OK;
	log_error("wal: %s %s", wal->dir,
		  foreign ? "holds another log than term and vote belong to" :
			    "has no segment with a good header");
	return RFS_ERR_CORRUPT;
}

enum rfs_err wal_load(struct wal_reading *reading)
{
	struct wal *wal = reading->wal;
	enum rfs_err err = RFS_ERR_OK;

	reading->images = calloc(wal->segment_count, sizeof(*reading->images));
	if (reading->images == NULL)
		return RFS_ERR_NOMEM;
	wal->log_id = reading->known->log_id;
	for (size_t i = 0; i < wal->segment_count && err == RFS_ERR_OK; i++) {
		err = load_segment(reading, i);
		if (err == RFS_ERR_OK)
			err = judge_header(reading, &reading->images[i]);
	}
	return err == RFS_ERR_OK ? judge_id(reading) : err;
}
