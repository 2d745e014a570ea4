/* The log on disk: reading it back, and telling damage from a torn tail.
 *
 *	segments in order -> header fits the one before?  -> records by their
 *	sums -> all but the last must end where the next header says; the last
 *	may end in zeros, or in a torn tail behind its mark, which is cut.
 */
#include "raftd/wal_format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/os/log.h"

/* What is known while going through the segments. */
struct replay {
	struct wal *wal;
	struct wal_log *log;
	uint64_t capacity; /* of log->entries */
	bool any_header;
};

/* One segment in memory. */
struct image {
	char name[WAL_NAME_BYTES];
	uint8_t *data;
	uint64_t bytes;
	uint64_t end; /* of the last good record */
};

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

/* Fill wal->segments by the names found. */
static enum rfs_err list_segments(struct wal *wal)
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

static bool all_zero(const uint8_t *data, uint64_t bytes)
{
	return bytes == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

static enum rfs_err damaged(const struct wal *wal, const struct image *image,
			    uint64_t at, const char *what)
{
	log_error("wal: %s/%s is damaged at offset %" PRIu64 ": %s; this node "
		  "cannot vouch for what it promised and will not start: see "
		  "DAMAGE in raftfs-raftd(8)",
		  wal->dir, image->name, at, what);
	return RFS_ERR_CORRUPT;
}

/* Read a whole segment; its buffer is the log's from here. */
static enum rfs_err load(struct replay *replay, struct wal_segment *segment,
			 int fd, struct image *image)
{
	struct wal_log *log = replay->log;
	uint8_t **grown;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return RFS_ERR_IO;
	image->bytes = segment->bytes = (uint64_t)st.st_size;
	if (image->bytes < WAL_DATA_OFFSET)
		return damaged(replay->wal, image, image->bytes,
			       "the file is too short");
	image->data = malloc(image->bytes);
	grown = reallocarray(log->buffers, log->buffer_count + 1,
			     sizeof(*grown));
	if (grown != NULL)
		log->buffers = grown;
	if (image->data == NULL || grown == NULL) {
		free(image->data);
		return RFS_ERR_NOMEM;
	}
	log->buffers[log->buffer_count++] = image->data;

	for (uint64_t at = 0; at < image->bytes;) {
		ssize_t n = pread(fd, image->data + at, image->bytes - at,
				  (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_errno("wal: reading %s/%s at offset %" PRIu64,
				  replay->wal->dir, image->name, at);
			return RFS_ERR_IO;
		}
		at += (uint64_t)n;
	}
	return RFS_ERR_OK;
}

/* Check the header, and that it continues the segment before. */
static enum rfs_err read_header(struct replay *replay, size_t i,
				const struct image *image)
{
	struct wal *wal = replay->wal;
	struct wal_header header;
	uint32_t sum;
	enum rfs_err err = wal_header_decode(image->data, &header, &sum);

	if (err == RFS_ERR_VERSION) {
		log_error("wal: %s/%s was written by another version",
			  wal->dir, image->name);
		return err;
	}
	if (err != RFS_ERR_OK || header.seq != wal->segments[i].seq)
		return damaged(wal, image, 0, "bad header");
	if (replay->any_header && header.log_id != wal->log_id)
		return damaged(wal, image, 0, "it belongs to another log");
	if (replay->any_header &&
	    (header.prev_end != wal->at || header.prev_chain != wal->chain)) {
		struct image before = { 0 };

		wal_segment_name(wal->segments[i - 1].seq, before.name);
		return damaged(wal, &before, wal->at,
			       "a record that was durable fails its sum");
	}
	if (!replay->any_header) {
		wal->log_id = replay->log->log_id = header.log_id;
		wal->last_index = header.last_index;
		replay->log->first_index = header.last_index + 1;
	}
	replay->any_header = true;
	wal->chain = sum;
	wal->segments[i].last_index = header.last_index;
	return RFS_ERR_OK;
}

static enum rfs_err add_entry(struct replay *replay,
			      const struct raft_entry *entry)
{
	struct wal_log *log = replay->log;

	if (log->entry_count == replay->capacity) {
		uint64_t capacity = replay->capacity * 2 + 1024;
		struct raft_entry *grown = reallocarray(
			log->entries, capacity, sizeof(*grown));

		if (grown == NULL)
			return RFS_ERR_NOMEM;
		log->entries = grown;
		replay->capacity = capacity;
	}
	log->entries[log->entry_count++] = *entry;
	return RFS_ERR_OK;
}

/* Let one good record have its effect. */
static enum rfs_err apply(struct replay *replay, struct wal_segment *segment,
			  const struct image *image, uint64_t at)
{
	struct wal_log *log = replay->log;
	struct wal *wal = replay->wal;
	struct raft_entry entry = { 0 };
	enum rfs_err err = RFS_ERR_OK;
	struct reader r;
	unsigned int type;

	reader_init(&r, image->data + at + 4, image->bytes - at - 4);
	entry.bytes = reader_u32le(&r);
	type = reader_u8(&r);
	entry.kind = reader_u8(&r);
	reader_take(&r, 6);
	entry.index = reader_u64le(&r);
	entry.term = reader_u64le(&r);
	entry.stamp.epoch = reader_u64le(&r);
	entry.stamp.ts_ns = (int64_t)reader_u64le(&r);
	entry.data = reader_take(&r, entry.bytes);

	switch (type) {
	case WAL_ENTRY:
		if (entry.index != wal->last_index + 1)
			return damaged(wal, image, at, "index out of order");
		wal->last_index = entry.index;
		err = add_entry(replay, &entry);
		break;
	case WAL_TRUNCATE:
		if (entry.index < log->first_index ||
		    entry.index > wal->last_index + 1)
			return damaged(wal, image, at, "truncation of nothing");
		wal->last_index = entry.index - 1;
		log->entry_count = entry.index - log->first_index;
		break;
	case WAL_RESET:
		log->base = (struct raft_snapshot_meta){
			.index = entry.index,
			.term = entry.term,
			.stamp = entry.stamp,
		};
		log->entry_count = 0;
		log->first_index = entry.index + 1;
		wal->last_index = entry.index;
		for (size_t i = 0; i < wal->segment_count; i++)
			wal->segments[i].last_index = 0;
		break;
	default:
		return damaged(wal, image, at, "unknown kind of record");
	}
	if (segment->last_index < wal->last_index)
		segment->last_index = wal->last_index;
	return err;
}

/* The length of the record at `at` if its sum is right, else 0. */
static size_t good_record(const struct image *image, uint64_t at,
			  uint32_t *chain)
{
	struct reader r;
	uint32_t sum, body_bytes;
	size_t length;

	if (image->bytes - at < WAL_RECORD_HEAD_BYTES)
		return 0;
	reader_init(&r, image->data + at, WAL_RECORD_HEAD_BYTES);
	sum = reader_u32le(&r);
	body_bytes = reader_u32le(&r);
	if (reader_u8(&r) == 0 || body_bytes > WAL_BODY_BYTES_MAX)
		return 0;
	length = wal_record_bytes(body_bytes);
	if (length > image->bytes - at ||
	    crc32c(*chain, image->data + at + 4, length - 4) != sum)
		return 0;
	*chain = sum;
	return length;
}

static enum rfs_err read_records(struct replay *replay, size_t i,
				 struct image *image)
{
	struct wal *wal = replay->wal;
	size_t length;

	wal->at = WAL_DATA_OFFSET;
	while ((length = good_record(image, wal->at, &wal->chain)) > 0) {
		enum rfs_err err = apply(replay, &wal->segments[i], image,
					 wal->at);

		if (err != RFS_ERR_OK)
			return err;
		wal->at += length;
	}
	image->end = wal->at;
	return RFS_ERR_OK;
}

/* How far the last segment was durable for certain. */
static enum rfs_err read_marks(struct wal *wal, const struct image *image)
{
	uint64_t seq = wal->segments[wal->segment_count - 1].seq;
	unsigned int bad_count = 0;

	wal->marked = WAL_DATA_OFFSET;
	wal->mark_count = 0;
	for (unsigned int slot = 1; slot <= 2; slot++) {
		const uint8_t *at = image->data + slot * WAL_PAGE_BYTES;
		uint64_t count, durable;

		if (all_zero(at, WAL_MARK_BYTES))
			continue;
		if (wal_mark_decode(at, wal->log_id, seq, &count, &durable) !=
		    RFS_ERR_OK) {
			bad_count++;
			continue;
		}
		if (count > wal->mark_count) {
			wal->mark_count = count;
			wal->marked = durable;
		}
	}
	if (bad_count == 2)
		return damaged(wal, image, WAL_PAGE_BYTES,
			       "neither mark is readable");
	return RFS_ERR_OK;
}

/* Zero what follows the last good record, so that it is gone for good. */
static enum rfs_err cut_tail(struct wal *wal, const struct image *image,
			     struct wal_log *log)
{
	uint64_t last = image->bytes;
	uint8_t *zeros;
	enum rfs_err err;

	while (last > image->end && image->data[last - 1] == 0)
		last--;
	if (last == image->end)
		return RFS_ERR_OK;

	log->cut_bytes = last - image->end;
	log_warn("wal: %s/%s: cutting %" PRIu64 " bytes of a torn write at "
		 "offset %" PRIu64 "; nobody was told they were durable",
		 wal->dir, image->name, log->cut_bytes, image->end);
	zeros = calloc(1, log->cut_bytes);
	if (zeros == NULL)
		return RFS_ERR_NOMEM;
	err = wal_pwrite(wal->fd, zeros, log->cut_bytes, image->end);
	free(zeros);
	if (err != RFS_ERR_OK)
		log_errno("wal: cutting %s/%s", wal->dir, image->name);
	return err == RFS_ERR_OK ? RFS_ERR_OK : RFS_ERR_IO;
}

/* The last segment: find its true end and make it durable. A log that was
 * killed may have left records in the page cache that were never synced. */
static enum rfs_err finish_active(struct replay *replay,
				  const struct image *image)
{
	struct wal *wal = replay->wal;
	enum rfs_err err = read_marks(wal, image);

	if (err != RFS_ERR_OK)
		return err;
	if (image->end < wal->marked)
		return damaged(wal, image, image->end,
			       "a record that was durable fails its sum");
	err = cut_tail(wal, image, replay->log);
	if (err != RFS_ERR_OK)
		return err;
	wal->active_bytes = image->bytes;
	wal->durable = wal->marked;
	return wal_sync(wal);
}

static enum rfs_err replay_segment(struct replay *replay, size_t i)
{
	struct wal *wal = replay->wal;
	bool is_last = i + 1 == wal->segment_count;
	struct image image = { 0 };
	enum rfs_err err;
	int fd;

	wal_segment_name(wal->segments[i].seq, image.name);
	if (i > 0 && wal->segments[i].seq != wal->segments[i - 1].seq + 1)
		return damaged(wal, &image, 0,
			       "the segment before it is missing");
	fd = openat(wal->dir_fd, image.name, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		log_errno("wal: opening %s/%s", wal->dir, image.name);
		return RFS_ERR_IO;
	}
	if (is_last)
		wal->fd = fd;

	err = load(replay, &wal->segments[i], fd, &image);
	if (err == RFS_ERR_OK)
		err = read_header(replay, i, &image);
	if (err == RFS_ERR_OK)
		err = read_records(replay, i, &image);
	if (err == RFS_ERR_OK && is_last)
		err = finish_active(replay, &image);
	if (!is_last)
		close(fd);
	return err;
}

/* A segment that was given its name but not yet its header holds nothing:
 * drop it. */
static enum rfs_err forget_unused_last(struct wal *wal)
{
	char name[WAL_NAME_BYTES];
	uint8_t page[WAL_PAGE_BYTES];
	ssize_t n;
	int fd;

	if (wal->segment_count == 0)
		return RFS_ERR_OK;
	wal_segment_name(wal->segments[wal->segment_count - 1].seq, name);
	fd = openat(wal->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return RFS_ERR_IO;
	n = pread(fd, page, sizeof(page), 0);
	close(fd);
	if (n != (ssize_t)sizeof(page) || !all_zero(page, sizeof(page)))
		return RFS_ERR_OK;
	if (unlinkat(wal->dir_fd, name, 0) != 0) {
		log_errno("wal: removing unused %s/%s", wal->dir, name);
		return RFS_ERR_IO;
	}
	wal->segment_count--;
	return RFS_ERR_OK;
}

/* A spare of the right size is written out in full: it got its name last. */
static void adopt_spare(struct wal *wal)
{
	struct stat st;
	int fd;

	unlinkat(wal->dir_fd, "spare.tmp", 0);
	fd = openat(wal->dir_fd, "spare", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_size == wal->segment_bytes) {
		wal->spare_fd = fd;
		return;
	}
	close(fd);
	unlinkat(wal->dir_fd, "spare", 0);
}

static enum rfs_err start_new(struct wal *wal, struct wal_log *log)
{
	struct wal_header header = { .seq = 1 };

	if (wal->spare_fd < 0) {
		enum rfs_err err = wal_create_spare(
			wal->dir, wal->segment_bytes, &wal->spare_fd);

		if (err != RFS_ERR_OK)
			return err;
	}
	do
		randombytes_buf(&header.log_id, sizeof(header.log_id));
	while (header.log_id == 0);
	wal->log_id = log->log_id = header.log_id;
	log->first_index = 1;
	return wal_activate_spare(wal, &header);
}

static enum rfs_err open_in_place(struct wal *wal, struct wal_log *log)
{
	struct replay replay = { .wal = wal, .log = log };
	enum rfs_err err;

	wal->dir_fd = open(wal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (wal->dir_fd < 0) {
		log_errno("wal: opening directory %s", wal->dir);
		return RFS_ERR_IO;
	}
	err = list_segments(wal);
	if (err == RFS_ERR_OK)
		err = forget_unused_last(wal);
	if (err != RFS_ERR_OK)
		return err;
	adopt_spare(wal);
	if (wal->segment_count == 0)
		return start_new(wal, log);
	for (size_t i = 0; i < wal->segment_count && err == RFS_ERR_OK; i++)
		err = replay_segment(&replay, i);
	return err;
}

enum rfs_err wal_open(const char *dir, uint64_t segment_bytes,
		      struct wal **opened, struct wal_log *log)
{
	struct wal *wal;
	enum rfs_err err;

	CHECK(segment_bytes >= WAL_SEGMENT_BYTES_MIN);
	CHECK(segment_bytes % WAL_PAGE_BYTES == 0);
	memset(log, 0, sizeof(*log));
	wal = calloc(1, sizeof(*wal));
	if (wal == NULL)
		return RFS_ERR_NOMEM;
	wal->fd = wal->spare_fd = wal->dir_fd = -1;
	wal->segment_bytes = segment_bytes;
	snprintf(wal->dir, sizeof(wal->dir), "%s", dir);

	err = open_in_place(wal, log);
	if (err == RFS_ERR_OK) {
		*opened = wal;
		return RFS_ERR_OK;
	}
	/* Nothing was written, so there is nothing to mark. */
	if (wal->fd >= 0)
		close(wal->fd);
	wal->fd = -1;
	wal_close(wal);
	wal_log_free(log);
	return err;
}

void wal_log_free(struct wal_log *log)
{
	for (size_t i = 0; i < log->buffer_count; i++)
		free(log->buffers[i]);
	free(log->buffers);
	free(log->entries);
	memset(log, 0, sizeof(*log));
}
