/* The log on disk: writing it. Reading it back is wal_open.c. */
#include "raftd/wal_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/os/log.h"
#include "common/os/probe.h"

size_t wal_record_bytes(uint32_t body_bytes)
{
	return WAL_RECORD_HEAD_BYTES + (((size_t)body_bytes + 7) & ~(size_t)7);
}

static void encode(uint8_t *to, enum wal_record_type type, unsigned int kind,
		   const struct raft_snapshot_meta *at, const void *body,
		   uint32_t body_bytes)
{
	struct writer w;

	CHECK(body_bytes <= WAL_BODY_BYTES_MAX);
	memset(to, 0, wal_record_bytes(body_bytes));
	writer_init(&w, to, wal_record_bytes(body_bytes));
	writer_u32le(&w, 0);
	writer_u32le(&w, body_bytes);
	writer_u8(&w, (uint8_t)type);
	writer_u8(&w, (uint8_t)kind);
	writer_u16le(&w, 0); /* batch and sum: by seal() */
	writer_u32le(&w, 0);
	writer_u64le(&w, at->index);
	writer_u64le(&w, at->term);
	writer_u64le(&w, at->stamp.epoch);
	writer_u64le(&w, (uint64_t)at->stamp.ts_ns);
	if (body_bytes > 0)
		writer_put(&w, body, body_bytes);
	CHECK(!w.bad);
}

void wal_encode_entry(const struct raft_entry *entry, uint8_t *to)
{
	const struct raft_snapshot_meta at = {
		.index = entry->index,
		.term = entry->term,
		.stamp = entry->stamp,
	};

	encode(to, WAL_ENTRY, entry->kind, &at, entry->data, entry->bytes);
}

void wal_encode_truncate(uint64_t from_index, uint8_t *to)
{
	const struct raft_snapshot_meta at = { .index = from_index };

	encode(to, WAL_TRUNCATE, 0, &at, NULL, 0);
}

void wal_encode_reset(const struct raft_snapshot_meta *meta, uint8_t *to)
{
	encode(to, WAL_RESET, 0, meta, NULL, 0);
}

/* The length of the record whose head is at `head`. */
static size_t record_bytes_at(const uint8_t *head)
{
	struct reader r;

	reader_init(&r, head + 4, 4);
	return wal_record_bytes(reader_u32le(&r));
}

/* How many bytes of whole records fit into `room`. */
static size_t records_fitting(const uint8_t *records, size_t bytes,
			      uint64_t room)
{
	size_t fit = 0;

	while (fit < bytes) {
		size_t next = record_bytes_at(records + fit);

		CHECK(next <= bytes - fit);
		if (fit + next > room)
			break;
		fit += next;
	}
	return fit;
}

/* What a record does to the log. */
static void follow(struct wal *wal, const uint8_t *head)
{
	struct wal_segment *active = &wal->segments[wal->segment_count - 1];
	struct raft_floor last;
	struct reader r;

	reader_init(&r, head + 16, 16);
	last.index = reader_u64le(&r);
	last.term = reader_u64le(&r);
	switch ((enum wal_record_type)head[8]) {
	case WAL_ENTRY:
		CHECK(last.index == wal->last_index + 1);
		wal->last_index = last.index;
		wal->promised = wal_later(wal->promised, last);
		break;
	case WAL_TRUNCATE:
		CHECK(last.index <= wal->last_index + 1);
		wal->last_index = last.index - 1;
		break;
	case WAL_RESET:
		wal->last_index = last.index;
		wal->promised = wal_later(wal->promised, last);
		for (size_t i = 0; i < wal->segment_count; i++)
			wal->segments[i].last_index = 0;
		break;
	}
	if (active->last_index < wal->last_index)
		active->last_index = wal->last_index;
}

/* Fill in the sums of a batch of whole records, and follow what they do. */
static void seal(struct wal *wal, uint8_t *records, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		size_t length = record_bytes_at(records + at);
		const struct wal_place place = {
			.log_id = wal->log_id,
			.seq = wal->segments[wal->segment_count - 1].seq,
			.offset = wal->at + at,
		};

		wal->chain = wal_record_seal(wal->chain, &place, wal->batch,
					     at + length == bytes,
					     records + at, length);
		follow(wal, records + at);
		at += length;
	}
	wal->batch++;
}

enum rfs_err wal_pwrite(int fd, const void *data, size_t bytes, uint64_t at)
{
	const uint8_t *from = data;

	while (bytes > 0) {
		ssize_t n = pwrite(fd, from, bytes, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == ENOSPC ? RFS_ERR_NOSPC :
							  RFS_ERR_IO;
		from += n;
		bytes -= (size_t)n;
		at += (uint64_t)n;
	}
	return RFS_ERR_OK;
}

/* Say that everything before wal->durable is durable. Not synced here: the mark
 * speaks of the past and may itself be lost. */
static enum rfs_err write_mark(struct wal *wal)
{
	const struct wal_mark_image mark = {
		.count = ++wal->mark_count,
		.durable = wal->durable,
		.promised = wal->durable_promised,
	};
	uint8_t image[WAL_MARK_BYTES];

	wal_mark_encode(wal->log_id,
			wal->segments[wal->segment_count - 1].seq, &mark,
			image);
	wal->marked = wal->durable;
	return wal_pwrite(wal->fd, image, sizeof(image),
			  WAL_PAGE_BYTES * wal_mark_slot(mark.count));
}

static enum rfs_err failed(const struct wal *wal, const char *doing)
{
	log_errno("wal: %s segment %016jx in %s failed; what is on the disk is "
		  "unknown",
		  doing, (uintmax_t)wal->segments[wal->segment_count - 1].seq,
		  wal->dir);
	return RFS_ERR_IO;
}

enum rfs_err wal_sync(struct wal *wal)
{
	/* Within one page the mark would say little and cost a second page
	 * in every sync. */
	if (wal->durable / WAL_PAGE_BYTES != wal->marked / WAL_PAGE_BYTES &&
	    write_mark(wal) != RFS_ERR_OK)
		return failed(wal, "marking");
	wal->sync_count++;
	PROBE2(sync_start, wal->last_index, wal->at - wal->durable);
	if (fdatasync(wal->fd) != 0)
		return failed(wal, "syncing");
	PROBE1(sync_done, wal->last_index);
	wal->durable = wal->at;
	wal->durable_promised = wal->promised;
	return RFS_ERR_OK;
}

/* Make the spare the active segment. The old one must be durable. */
static enum rfs_err rotate(struct wal *wal)
{
	uint64_t seq = wal->segments[wal->segment_count - 1].seq + 1;
	struct wal_header header = {
		.log_id = wal->log_id,
		.seq = seq,
		.prev_end = wal->at,
		.prev_chain = wal->chain,
		.last_index = wal->last_index,
		.promised = wal->promised,
	};

	CHECK(wal->durable == wal->at);
	if (wal->spare_fd < 0)
		return RFS_ERR_FULL;
	return wal_activate_spare(wal, &header);
}

enum rfs_err wal_activate_spare(struct wal *wal,
				const struct wal_header *header)
{
	uint8_t image[WAL_HEADER_BYTES];
	char name[WAL_NAME_BYTES];
	int fd = wal->spare_fd;
	struct wal_segment *grown;

	grown = reallocarray(wal->segments, wal->segment_count + 1,
			     sizeof(*grown));
	if (grown == NULL)
		return RFS_ERR_NOMEM;
	wal->segments = grown;

	wal_segment_name(header->seq, name);
	if (renameat(wal->dir_fd, "spare", wal->dir_fd, name) != 0 ||
	    fsync(wal->dir_fd) != 0) {
		log_errno("wal: naming %s/%s", wal->dir, name);
		return RFS_ERR_IO;
	}
	if (wal->segment_count > 0) {
		struct wal_segment *old =
			&wal->segments[wal->segment_count - 1];

		old->end = wal->at;
		old->end_chain = wal->chain;
	}
	wal_header_encode(header, image, &wal->chain);
	if (wal_pwrite(fd, image, sizeof(image), 0) != RFS_ERR_OK ||
	    fdatasync(fd) != 0) {
		log_errno("wal: header of %s/%s", wal->dir, name);
		return RFS_ERR_IO;
	}

	if (wal->fd >= 0)
		close(wal->fd);
	wal->fd = fd;
	wal->spare_fd = -1;
	wal->active_bytes = wal->segment_bytes;
	wal->at = wal->durable = wal->marked = WAL_DATA_OFFSET;
	wal->durable_promised = wal->promised;
	wal->mark_count = 0;
	wal->batch = 1;
	wal->segments[wal->segment_count++] = (struct wal_segment){
		.seq = header->seq,
		.bytes = wal->segment_bytes,
		.last_index = header->last_index,
		.header = *header,
	};
	return RFS_ERR_OK;
}

size_t wal_segments(const struct wal *wal)
{
	return wal->segment_count;
}

struct wal_extent wal_extent_of(const struct wal *wal, size_t i)
{
	const struct wal_segment *segment = &wal->segments[i];
	bool live = i + 1 == wal->segment_count;

	return (struct wal_extent){
		.seq = segment->seq,
		.header = segment->header,
		.log_id = wal->log_id,
		.end = live ? wal->durable : segment->end,
		.end_chain = live ? wal->chain : segment->end_chain,
		.live = live,
	};
}

enum rfs_err wal_remark(struct wal *wal)
{
	enum rfs_err err = write_mark(wal);

	if (err == RFS_ERR_OK)
		err = write_mark(wal);
	wal->sync_count++;
	if (err != RFS_ERR_OK || fdatasync(wal->fd) != 0)
		return failed(wal, "marking");
	return RFS_ERR_OK;
}

enum rfs_err wal_write(struct wal *wal, uint8_t *records, size_t bytes,
		       size_t *done_bytes)
{
	CHECK(!wal->damaged);
	*done_bytes = 0;
	for (;;) {
		uint8_t *rest = records + *done_bytes;
		size_t fit = records_fitting(rest, bytes - *done_bytes,
					     wal->active_bytes - wal->at);
		enum rfs_err err;

		if (fit > 0) {
			seal(wal, rest, fit);
			if (wal_pwrite(wal->fd, rest, fit, wal->at) !=
			    RFS_ERR_OK)
				return failed(wal, "writing");
			wal->at += fit;
			err = wal_sync(wal);
			if (err != RFS_ERR_OK)
				return err;
			*done_bytes += fit;
		}
		if (*done_bytes == bytes)
			return RFS_ERR_OK;
		err = rotate(wal);
		if (err != RFS_ERR_OK)
			return err;
	}
}

enum rfs_err wal_mark(struct wal *wal, bool *synced)
{
	*synced = wal->marked != wal->durable;
	if (!*synced)
		return RFS_ERR_OK;
	wal->sync_count++;
	if (write_mark(wal) != RFS_ERR_OK || fdatasync(wal->fd) != 0)
		return failed(wal, "marking");
	return RFS_ERR_OK;
}

void wal_give_spare(struct wal *wal, int fd)
{
	CHECK(wal->spare_fd < 0);
	CHECK(fd >= 0);
	wal->spare_fd = fd;
}

bool wal_has_spare(const struct wal *wal)
{
	return wal->spare_fd >= 0;
}

uint64_t wal_room_bytes(const struct wal *wal)
{
	uint64_t room = wal->active_bytes - wal->at;

	if (wal->spare_fd >= 0)
		room += wal->segment_bytes - WAL_DATA_OFFSET;
	return room;
}

bool wal_drop_segment(struct wal *wal, uint64_t compact_to, uint64_t *seq)
{
	if (wal->segment_count < 2 || wal->segments[0].last_index > compact_to)
		return false;
	*seq = wal->segments[0].seq;
	wal->segment_count--;
	memmove(wal->segments, wal->segments + 1,
		wal->segment_count * sizeof(wal->segments[0]));
	return true;
}

enum rfs_err wal_remove_segment(const char *dir, uint64_t seq)
{
	char name[WAL_NAME_BYTES];
	char path[WAL_PATH_BYTES];

	wal_segment_name(seq, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) != 0) {
		log_errno("wal: removing %s", path);
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

uint64_t wal_syncs(const struct wal *wal)
{
	return wal->sync_count;
}

uint64_t wal_segment_bytes(const struct wal *wal)
{
	return wal->segment_bytes;
}

uint64_t wal_bytes(const struct wal *wal)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < wal->segment_count; i++)
		bytes += wal->segments[i].bytes;
	return bytes;
}

static enum rfs_err write_zeros(int fd, uint64_t bytes)
{
	const size_t step_bytes = 1024 * 1024;
	uint8_t *zeros = calloc(1, step_bytes);
	enum rfs_err err = zeros == NULL ? RFS_ERR_NOMEM : RFS_ERR_OK;

	/* A sync per step: one long one would hold up the log's own. */
	for (uint64_t at = 0; at < bytes && err == RFS_ERR_OK;
	     at += step_bytes) {
		uint64_t left = bytes - at;

		err = wal_pwrite(fd, zeros,
				 left < step_bytes ? left : step_bytes, at);
		if (err == RFS_ERR_OK && fdatasync(fd) != 0)
			err = rfs_err_from_errno(errno);
	}
	free(zeros);
	return err;
}

enum rfs_err wal_create_spare(const char *dir, uint64_t segment_bytes,
			      int *spare_fd)
{
	char temporary[WAL_PATH_BYTES];
	char final[WAL_PATH_BYTES];
	enum rfs_err err;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s/spare.tmp", dir);
	snprintf(final, sizeof(final), "%s/spare", dir);
	fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			return RFS_ERR_NOSPC;
		log_errno("wal: creating %s", temporary);
		return RFS_ERR_IO;
	}
	err = write_zeros(fd, segment_bytes);
	if (err == RFS_ERR_OK && (fsync(fd) != 0 || rename(temporary, final)))
		err = rfs_err_from_errno(errno);
	if (err == RFS_ERR_OK) {
		*spare_fd = fd;
		return RFS_ERR_OK;
	}
	if (err != RFS_ERR_NOSPC)
		log_errno("wal: writing %s", temporary);
	close(fd);
	unlink(temporary);
	return err;
}

void wal_close(struct wal *wal)
{
	bool synced;

	if (wal == NULL)
		return;
	if (wal->fd >= 0 && !wal->damaged &&
	    wal_mark(wal, &synced) != RFS_ERR_OK)
		log_warn("wal: closed without its last mark");
	if (wal->fd >= 0)
		close(wal->fd);
	if (wal->spare_fd >= 0)
		close(wal->spare_fd);
	if (wal->dir_fd >= 0)
		close(wal->dir_fd);
	free(wal->segments);
	free(wal);
}
