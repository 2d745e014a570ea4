/* Cutting a damaged log. Whoever calls has made the floor durable, so it does
 * no harm to die in here: what is left shows the damage again, or is good. */
#include "raftd/wal_format.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"

#define STEP_BYTES (1024u * 1024)

/* Segments from `keep` on go, newest first, so that no gap appears. */
static enum rfs_err remove_behind(struct wal *wal, size_t keep)
{
	while (wal->segment_count > keep) {
		enum rfs_err err = wal_remove_segment(
			wal->dir, wal->segments[wal->segment_count - 1].seq);

		if (err != RFS_ERR_OK)
			return err;
		wal->segment_count--;
	}
	return fsync(wal->dir_fd) == 0 ? RFS_ERR_OK : RFS_ERR_IO;
}

static enum rfs_err zero_from(int fd, uint64_t at, uint64_t end)
{
	uint8_t *zeros = calloc(1, STEP_BYTES);
	enum rfs_err err = zeros == NULL ? RFS_ERR_NOMEM : RFS_ERR_OK;

	while (at < end && err == RFS_ERR_OK) {
		uint64_t left = end - at < STEP_BYTES ? end - at : STEP_BYTES;

		err = wal_pwrite(fd, zeros, left, at);
		at += left;
	}
	free(zeros);
	return err;
}

/* Both marks: what one said of the part that is gone must not come back. */
static enum rfs_err write_marks(struct wal *wal)
{
	for (int i = 0; i < 2; i++) {
		const struct wal_mark_image mark = {
			.count = ++wal->mark_count,
			.durable = wal->end.offset,
			.promised = wal->promised,
		};
		uint8_t image[WAL_MARK_BYTES];
		enum rfs_err err;

		wal_mark_encode(wal->log_id,
				wal->segments[wal->end.segment].seq, &mark,
				image);
		err = wal_pwrite(wal->fd, image, sizeof(image),
				 WAL_PAGE_BYTES * wal_mark_slot(mark.count));
		if (err != RFS_ERR_OK)
			return err;
	}
	return RFS_ERR_OK;
}

static enum rfs_err cut_segment(struct wal *wal)
{
	const struct wal_end *end = &wal->end;
	char name[WAL_NAME_BYTES];
	enum rfs_err err;
	struct stat st;

	wal_segment_name(wal->segments[end->segment].seq, name);
	wal->fd = openat(wal->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (wal->fd < 0 || fstat(wal->fd, &st) != 0)
		return RFS_ERR_IO;
	wal->active_bytes = (uint64_t)st.st_size;
	err = write_marks(wal);
	if (err == RFS_ERR_OK)
		err = zero_from(wal->fd, end->offset, wal->active_bytes);
	if (err != RFS_ERR_OK)
		return err;
	wal->segments[end->segment].end = 0;
	wal->at = wal->durable = wal->marked = end->offset;
	wal->durable_promised = wal->promised;
	wal->chain = end->chain;
	wal->batch = end->batch + 1;
	wal->sync_count++;
	return fdatasync(wal->fd) == 0 ? RFS_ERR_OK : RFS_ERR_IO;
}

/* No segment is good: a new one takes the place of all. It is there before the
 * others go, for the hard state knows the log by its id. */
static enum rfs_err start_over(struct wal *wal)
{
	const size_t old_count = wal->segment_count;
	const struct wal_header header = {
		.log_id = wal->log_id,
		.seq = wal->segments[old_count - 1].seq + 1,
		.last_index = wal->last_index,
		.promised = wal->promised,
	};
	enum rfs_err err = RFS_ERR_OK;

	if (wal->spare_fd < 0)
		err = wal_create_spare(wal->dir, wal->segment_bytes,
				       &wal->spare_fd);
	if (err == RFS_ERR_OK)
		err = wal_activate_spare(wal, &header);
	for (size_t i = 0; i < old_count && err == RFS_ERR_OK; i++)
		err = wal_remove_segment(wal->dir, wal->segments[i].seq);
	if (err != RFS_ERR_OK)
		return err;
	wal->segments[0] = wal->segments[old_count];
	wal->segment_count = 1;
	return fsync(wal->dir_fd) == 0 ? RFS_ERR_OK : RFS_ERR_IO;
}

enum rfs_err wal_mend(struct wal *wal)
{
	enum rfs_err err;

	CHECK(wal->damaged);
	if (wal->end.offset == 0) {
		err = start_over(wal);
	} else {
		err = remove_behind(wal, wal->end.segment + 1);
		if (err == RFS_ERR_OK)
			err = cut_segment(wal);
	}
	if (err == RFS_ERR_IO)
		log_errno("wal: cutting the damaged log in %s", wal->dir);
	wal->damaged = err != RFS_ERR_OK;
	return err;
}
