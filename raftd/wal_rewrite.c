/* Putting back what has gone bad in a segment, in its place. */
#include "raftd/wal_scrub.h"

#include <fcntl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/os/log.h"

static int open_segment(const char *dir, const struct wal_extent *extent)
{
	char name[WAL_NAME_BYTES];
	char path[WAL_PATH_BYTES];

	wal_segment_name(extent->seq, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* What a sync did not take is unknown from then on. A write that failed at once
 * has changed nothing. */
static enum rfs_err write_back(const char *dir, const struct wal_extent *extent,
			       int fd, const uint8_t *data, size_t bytes,
			       uint64_t offset)
{
	if (wal_pwrite(fd, data, bytes, offset) != RFS_ERR_OK) {
		log_errno("wal: rewriting segment %016" PRIx64 " in %s",
			  extent->seq, dir);
		return RFS_ERR_CORRUPT;
	}
	if (fdatasync(fd) != 0) {
		log_errno("wal: syncing segment %016" PRIx64 " in %s",
			  extent->seq, dir);
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

enum rfs_err wal_rewrite_header(const char *dir,
				const struct wal_extent *extent)
{
	uint8_t page[WAL_PAGE_BYTES] = { 0 };
	enum rfs_err err;
	uint32_t chain;
	int fd;

	if (extent->header.log_id == 0)
		return RFS_ERR_CORRUPT;
	fd = open_segment(dir, extent);
	if (fd < 0)
		return RFS_ERR_CORRUPT;
	wal_header_encode(&extent->header, page, &chain);
	err = write_back(dir, extent, fd, page, sizeof(page), 0);
	close(fd);
	return err;
}

/* Does what stands at `offset` on the disk continue that chain? */
static bool continues(int fd, const struct wal_extent *extent, uint64_t offset,
		      uint32_t chain)
{
	const struct wal_place place = {
		.log_id = extent->log_id,
		.seq = extent->seq,
		.offset = offset,
	};
	uint8_t image[WAL_RECORD_HEAD_BYTES];
	struct wal_record head;
	bool fits = false;
	uint8_t *record;
	size_t bytes;

	if (offset == extent->end)
		return chain == extent->end_chain;
	if (pread(fd, image, sizeof(image), (off_t)offset) !=
		    (ssize_t)sizeof(image) ||
	    !wal_record_head(image, extent->end - offset, &place, &head))
		return false;
	bytes = wal_record_bytes(head.body_bytes);
	record = malloc(bytes);
	if (record != NULL &&
	    pread(fd, record, bytes, (off_t)offset) == (ssize_t)bytes)
		fits = wal_record_chain(chain, record, bytes) == head.chain;
	free(record);
	return fits;
}

static size_t length_at(const uint8_t *record)
{
	struct reader r;

	reader_init(&r, record + 4, 4);
	return wal_record_bytes(reader_u32le(&r));
}

/* Seal records in their places until what follows on the disk fits. How many
 * bytes that takes; 0: it never does. */
static size_t seal_until_it_fits(int fd, const struct wal_extent *extent,
				 const struct wal_cursor *cursor,
				 uint8_t *records, size_t bytes)
{
	uint32_t chain = cursor->chain;

	for (size_t at = 0; at < bytes;) {
		const struct wal_place place = {
			.log_id = extent->log_id,
			.seq = extent->seq,
			.offset = cursor->offset + at,
		};
		size_t length = length_at(records + at);

		if (place.offset + length > extent->end)
			return 0;
		chain = wal_record_seal(chain, &place, cursor->batch, true,
					records + at, length);
		at += length;
		if (continues(fd, extent, cursor->offset + at, chain))
			return at;
	}
	return 0;
}

enum rfs_err wal_rewrite(const char *dir, const struct wal_extent *extent,
			 const struct wal_cursor *cursor, uint8_t *records,
			 size_t bytes)
{
	enum rfs_err err = RFS_ERR_CORRUPT;
	int fd = open_segment(dir, extent);
	size_t fit;

	if (fd < 0)
		return RFS_ERR_CORRUPT;
	fit = seal_until_it_fits(fd, extent, cursor, records, bytes);
	if (fit > 0)
		err = write_back(dir, extent, fd, records, fit,
				 cursor->offset);
	close(fd);
	return err;
}
