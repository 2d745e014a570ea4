/* Scrubbing: a window of the segment at a time, read past the cache. */
#include "raftd/wal_scrub.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/os/log.h"

/* Bytes of a segment from `from` on. */
struct window {
	uint8_t *data;
	uint64_t from;
	uint64_t bytes;
};

static int open_segment(const char *dir, uint64_t seq, int flags)
{
	char name[WAL_NAME_BYTES];
	char path[WAL_PATH_BYTES];

	wal_segment_name(seq, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC);
}

static enum rfs_err found(const char *dir, const struct wal_extent *extent,
			  uint64_t offset, const char *what)
{
	log_error("wal: %s/%016" PRIx64 ".wal has gone bad at offset %" PRIu64
		  ": %s", dir, extent->seq, offset, what);
	return RFS_ERR_CORRUPT;
}

/* Whole pages are dropped from the cache and read from the disk. It may give less
 * than is asked for; CORRUPT: not even what is at `offset`. */
static enum rfs_err read_window(int fd, uint64_t offset, uint64_t end,
				uint64_t bytes, struct window *window)
{
	uint64_t page = offset % WAL_PAGE_BYTES;
	uint8_t *data;
	uint64_t got = 0;

	window->from = offset - page;
	window->bytes = end - window->from;
	if (window->bytes > bytes + page)
		window->bytes = bytes + page;
	data = realloc(window->data, window->bytes);
	if (data == NULL)
		return RFS_ERR_NOMEM;
	window->data = data;
	posix_fadvise(fd, (off_t)window->from,
		      (off_t)(window->bytes + WAL_PAGE_BYTES),
		      POSIX_FADV_DONTNEED);
	while (got < window->bytes) {
		ssize_t n = pread(fd, data + got, window->bytes - got,
				  (off_t)(window->from + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (uint64_t)n;
	}
	window->bytes = got;
	return got > page ? RFS_ERR_OK : RFS_ERR_CORRUPT;
}

static bool marks_are_good(const struct wal_extent *extent,
			   const uint8_t *start)
{
	static const uint8_t none[WAL_MARK_BYTES];
	struct wal_mark_image mark;

	for (unsigned int slot = 1; slot <= 2; slot++) {
		const uint8_t *at = start + slot * WAL_PAGE_BYTES;

		if (memcmp(at, none, sizeof(none)) != 0 &&
		    wal_mark_decode(at, extent->log_id, extent->seq, slot,
				    &mark) != RFS_ERR_OK)
			return false;
	}
	return true;
}

/* One may have been read while the writer wrote it. */
static bool marks_are_good_now(int fd, const struct wal_extent *extent)
{
	struct window window = { 0 };
	bool good = read_window(fd, 0, WAL_DATA_OFFSET, WAL_DATA_OFFSET,
				&window) == RFS_ERR_OK &&
		    window.bytes == WAL_DATA_OFFSET &&
		    marks_are_good(extent, window.data);

	free(window.data);
	return good;
}

/* Pages 0 to 2. The marks of a segment that is full are no longer asked. */
static enum rfs_err scrub_header(const char *dir, int fd,
				 const struct wal_extent *extent,
				 struct wal_cursor *cursor)
{
	uint8_t image[WAL_HEADER_BYTES];
	struct window window = { 0 };
	const char *fault = NULL;
	enum rfs_err err;
	uint32_t chain;

	err = read_window(fd, 0, WAL_DATA_OFFSET, WAL_DATA_OFFSET, &window);
	wal_header_encode(&extent->header, image, &chain);
	if (err == RFS_ERR_CORRUPT ||
	    (err == RFS_ERR_OK && window.bytes < WAL_DATA_OFFSET))
		fault = "it cannot be read";
	else if (err == RFS_ERR_OK && extent->header.log_id != 0 &&
		 memcmp(window.data, image, sizeof(image)) != 0)
		fault = "bad header";
	else if (err == RFS_ERR_OK && extent->live &&
		 !marks_are_good(extent, window.data) &&
		 !marks_are_good_now(fd, extent))
		fault = "bad mark";
	free(window.data);
	if (fault != NULL)
		return found(dir, extent, 0, fault);
	*cursor = (struct wal_cursor){
		.offset = WAL_DATA_OFFSET,
		.chain = chain,
		.last_index = extent->header.last_index,
		.lost = extent->header.log_id == 0,
	};
	return err;
}

static void pass(struct wal_cursor *cursor, const struct wal_record *head)
{
	cursor->offset += wal_record_bytes(head->body_bytes);
	cursor->chain = head->chain;
	cursor->batch = head->batch;
	cursor->last_index = head->type == WAL_TRUNCATE ? head->at.index - 1 :
							  head->at.index;
}

/* The record at the cursor: OK, CORRUPT, or RANGE when the window ends in it. */
static enum rfs_err judge(const struct wal_extent *extent,
			  const struct wal_cursor *cursor,
			  const struct window *window, struct wal_record *head)
{
	const struct wal_place place = {
		.log_id = extent->log_id,
		.seq = extent->seq,
		.offset = cursor->offset,
	};
	const uint8_t *at = window->data + (cursor->offset - window->from);
	uint64_t left = window->from + window->bytes - cursor->offset;
	size_t bytes;

	if (left < WAL_RECORD_HEAD_BYTES)
		return RFS_ERR_RANGE;
	if (!wal_record_head(at, extent->end - cursor->offset, &place, head))
		return RFS_ERR_CORRUPT;
	bytes = wal_record_bytes(head->body_bytes);
	if (bytes > left)
		return RFS_ERR_RANGE;
	if (cursor->lost ||
	    wal_record_chain(cursor->chain, at, bytes) == head->chain)
		return RFS_ERR_OK;
	return RFS_ERR_CORRUPT;
}

/* What the window holds of good records, or what the first bad one is. While
 * lost, whatever is no head is stepped over. */
static enum rfs_err scrub_window(const struct wal_extent *extent,
				 struct wal_cursor *cursor,
				 const struct window *window)
{
	while (cursor->offset < extent->end) {
		struct wal_record head;
		enum rfs_err err = judge(extent, cursor, window, &head);

		if (err == RFS_ERR_OK) {
			cursor->lost = false;
			pass(cursor, &head);
		} else if (err == RFS_ERR_CORRUPT && cursor->lost) {
			cursor->offset += 8;
		} else {
			return err;
		}
	}
	return RFS_ERR_OK;
}

static enum rfs_err scrub_records(const char *dir, int fd,
				  const struct wal_extent *extent,
				  struct wal_cursor *cursor)
{
	const uint64_t began = cursor->offset;
	struct window window = { 0 };
	enum rfs_err err;

	err = read_window(fd, cursor->offset, extent->end, WAL_SCRUB_BYTES,
			  &window);
	if (err == RFS_ERR_OK)
		err = scrub_window(extent, cursor, &window);
	/* One record may be longer than a window. */
	if (err == RFS_ERR_RANGE && cursor->offset == began) {
		err = read_window(fd, cursor->offset, extent->end,
				  wal_record_bytes(WAL_BODY_BYTES_MAX),
				  &window);
		if (err == RFS_ERR_OK)
			err = scrub_window(extent, cursor, &window);
	}
	free(window.data);
	if (err == RFS_ERR_CORRUPT ||
	    (err == RFS_ERR_RANGE && cursor->offset == began))
		return found(dir, extent, cursor->offset, "bad record");
	return err == RFS_ERR_RANGE ? RFS_ERR_OK : err;
}

enum rfs_err wal_scrub(const char *dir, const struct wal_extent *extent,
		       struct wal_cursor *cursor)
{
	int fd = open_segment(dir, extent->seq, O_RDONLY);
	enum rfs_err err;

	if (fd < 0 && errno == ENOENT)
		return RFS_ERR_NOENT;
	if (fd < 0) {
		log_errno("wal: opening segment %016" PRIx64 " in %s",
			  extent->seq, dir);
		return RFS_ERR_IO;
	}
	if (cursor->offset == 0)
		err = scrub_header(dir, fd, extent, cursor);
	else
		err = scrub_records(dir, fd, extent, cursor);
	close(fd);
	return err;
}
