/* The log on disk: reading it back, and telling damage from a torn tail.
 *
 *	segments in order -> header fits the one before?  -> records by their
 *	sums -> all but the last must end where the next header says; the last
 *	may end in zeros, or in a torn tail, which is cut.
 *
 * A bad record is damage if it was durable: it is in an old segment, before a
 * mark, or before a record of a later batch. Then the log is good up to there,
 * and wal_survey.c finds out what is lost: nothing that counts, when a snapshot
 * covers it; else the floor.
 */
#include "raftd/wal_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"

static size_t last_segment(const struct wal *wal)
{
	return wal->segment_count - 1;
}

/* Let the log go on from *end, in a segment whose header is good. */
static void go_on(struct wal_reading *reading, const struct wal_end *end,
		  uint64_t last_index)
{
	reading->end = *end;
	reading->last_index = last_index;
	reading->wal->segments[end->segment].last_index = last_index;
}

/* A segment's header says where the one before ended. */
static void end_before(struct wal *wal, size_t i)
{
	wal->segments[i - 1].end = wal->segments[i].header.prev_end;
	wal->segments[i - 1].end_chain = wal->segments[i].header.prev_chain;
}

/* Go on with the next segment. What is wrong, or NULL. */
static const char *enter_segment(struct wal_reading *reading, size_t i)
{
	const struct wal_image *image = &reading->images[i];
	const struct wal_header *header = &image->header;
	struct wal *wal = reading->wal;

	if (i > 0 && image->seq != reading->images[i - 1].seq + 1)
		return "the segment after it is missing";
	if (image->header_fault != NULL)
		return image->header_fault;
	wal->segments[i].header = *header;
	if (i > 0 && (header->prev_end != reading->end.offset ||
		      header->prev_chain != reading->end.chain))
		return "a record that was durable fails its sum";
	if (i == 0)
		reading->log->first_index = header->last_index + 1;
	else
		end_before(wal, i);
	wal->promised = wal_later(wal->promised, header->promised);
	go_on(reading,
	      &(struct wal_end){
		      .segment = i,
		      .offset = WAL_DATA_OFFSET,
		      .chain = image->chain,
		      .batch_ends = true,
	      },
	      header->last_index);
	return NULL;
}

static enum rfs_err add_entry(struct wal_reading *reading,
			      const struct raft_entry *entry)
{
	struct wal_log *log = reading->log;

	if (log->entry_count == reading->capacity) {
		uint64_t capacity = reading->capacity * 2 + 1024;
		struct raft_entry *grown = reallocarray(
			log->entries, capacity, sizeof(*grown));

		if (grown == NULL)
			return RFS_ERR_NOMEM;
		log->entries = grown;
		reading->capacity = capacity;
	}
	log->entries[log->entry_count++] = *entry;
	return RFS_ERR_OK;
}

static enum rfs_err apply_entry(struct wal_reading *reading,
				const struct wal_record *head,
				const uint8_t *body)
{
	const struct raft_floor at = { head->at.index, head->at.term };
	const struct raft_entry entry = {
		.index = head->at.index,
		.term = head->at.term,
		.stamp = head->at.stamp,
		.kind = (enum raft_entry_kind)head->kind,
		.data = body,
		.bytes = head->body_bytes,
	};

	if (entry.index != reading->last_index + 1)
		return RFS_ERR_CORRUPT;
	reading->last_index = entry.index;
	reading->wal->promised = wal_later(reading->wal->promised, at);
	return add_entry(reading, &entry);
}

static enum rfs_err apply_truncate(struct wal_reading *reading, uint64_t from)
{
	struct wal_log *log = reading->log;

	if (from < log->first_index || from > reading->last_index + 1)
		return RFS_ERR_CORRUPT;
	reading->last_index = from - 1;
	log->entry_count = from - log->first_index;
	return RFS_ERR_OK;
}

static void apply_reset(struct wal_reading *reading,
			const struct raft_snapshot_meta *at)
{
	struct wal *wal = reading->wal;

	reading->log->base = *at;
	reading->log->entry_count = 0;
	reading->log->first_index = at->index + 1;
	reading->last_index = at->index;
	wal->promised = wal_later(wal->promised,
				  (struct raft_floor){ at->index, at->term });
	for (size_t i = 0; i < wal->segment_count; i++)
		wal->segments[i].last_index = 0;
}

/* Let one good record have its effect. CORRUPT: it makes no sense; NOMEM. */
static enum rfs_err apply(struct wal_reading *reading,
			  const struct wal_record *head, const uint8_t *body)
{
	struct wal_segment *segment =
		&reading->wal->segments[reading->end.segment];
	enum rfs_err err = RFS_ERR_OK;

	switch (head->type) {
	case WAL_ENTRY:
		err = apply_entry(reading, head, body);
		break;
	case WAL_TRUNCATE:
		err = apply_truncate(reading, head->at.index);
		break;
	case WAL_RESET:
		apply_reset(reading, &head->at);
		break;
	}
	if (segment->last_index < reading->last_index)
		segment->last_index = reading->last_index;
	return err;
}

/* All good records of the segment we are in. NOMEM. */
static enum rfs_err read_records(struct wal_reading *reading)
{
	struct wal_end *end = &reading->end;
	const struct wal_image *image = &reading->images[end->segment];

	for (;;) {
		const uint8_t *at = image->data + end->offset;
		const struct wal_place place =
			wal_survey_place(reading, end->segment, end->offset);
		struct wal_record head;
		enum rfs_err err;
		size_t bytes;

		if (!wal_record_head(at, image->bytes - end->offset, &place,
				     &head))
			return RFS_ERR_OK;
		bytes = wal_record_bytes(head.body_bytes);
		if (wal_record_chain(end->chain, at, bytes) != head.chain)
			return RFS_ERR_OK;
		err = apply(reading, &head, at + WAL_RECORD_HEAD_BYTES);
		if (err == RFS_ERR_CORRUPT)
			return RFS_ERR_OK;
		if (err != RFS_ERR_OK)
			return err;
		end->offset += bytes;
		end->chain = head.chain;
		end->batch = head.batch;
		end->batch_ends = head.batch_ends;
	}
}

/* The last segment's records are read: is something missing that was durable?
 * Also takes over what the mark says. */
static const char *judge_end(struct wal_reading *reading)
{
	struct wal *wal = reading->wal;
	struct wal_mark_image mark;
	enum rfs_err err = wal_survey_mark(reading, &mark);

	wal->mark_count = mark.count;
	wal->marked = mark.count > 0 ? mark.durable : WAL_DATA_OFFSET;
	if (err == RFS_ERR_CORRUPT)
		return "neither mark is readable";
	if (reading->end.offset < wal->marked)
		return "a record that was durable fails its sum";
	if (wal_survey_was_durable(reading))
		return "a record before a later one fails its sum";
	return NULL;
}

/* Read on until the end or what is wrong; *fault NULL: nothing. NOMEM. */
static enum rfs_err read_on(struct wal_reading *reading, const char **fault)
{
	for (;;) {
		enum rfs_err err;

		if (reading->end.offset > 0) {
			err = read_records(reading);
			if (err != RFS_ERR_OK)
				return err;
			if (reading->end.segment == last_segment(reading->wal))
				break;
		}
		*fault = enter_segment(reading, reading->end.offset > 0 ?
							reading->end.segment + 1 :
							0);
		if (*fault != NULL)
			return RFS_ERR_OK;
	}
	*fault = judge_end(reading);
	return RFS_ERR_OK;
}

/* A snapshot covers all that may have been lost: the log begins behind it. */
static bool skip_covered(struct wal_reading *reading)
{
	struct wal_log *log = reading->log;
	struct wal *wal = reading->wal;
	const struct wal_image *image;
	struct wal_end at;
	uint64_t last_index;

	if (!wal_survey_resume(reading, &at, &last_index))
		return false;
	image = &reading->images[at.segment];
	if (image->header_fault == NULL) {
		wal->segments[at.segment].header = image->header;
		wal->promised = wal_later(wal->promised,
					  image->header.promised);
	}
	go_on(reading, &at, last_index);
	log->entry_count = 0;
	log->first_index = last_index + 1;
	return true;
}

static void report(const struct wal_reading *reading, const char *fault)
{
	const struct wal_end *end = &reading->end;

	log_error("wal: %s/%s is damaged at offset %" PRIu64 ": %s",
		  reading->wal->dir, reading->images[end->segment].name,
		  end->offset, fault);
}

/* Zero what follows the last good record, so that it is gone for good. */
static enum rfs_err cut_tail(struct wal_reading *reading)
{
	const struct wal_image *image = &reading->images[reading->end.segment];
	uint64_t end = reading->end.offset;
	uint64_t last = image->used;
	struct wal *wal = reading->wal;
	uint8_t *zeros;
	enum rfs_err err;

	if (last <= end)
		return RFS_ERR_OK;

	reading->log->cut_bytes = last - end;
	log_warn("wal: %s/%s: cutting %" PRIu64 " bytes of a torn write at "
		 "offset %" PRIu64 "; nobody was told they were durable",
		 wal->dir, image->name, last - end, end);
	zeros = calloc(1, last - end);
	if (zeros == NULL)
		return RFS_ERR_NOMEM;
	err = wal_pwrite(wal->fd, zeros, last - end, end);
	free(zeros);
	if (err != RFS_ERR_OK)
		log_errno("wal: cutting %s/%s", wal->dir, image->name);
	return err == RFS_ERR_OK ? RFS_ERR_OK : RFS_ERR_IO;
}

/* The last segment is the active one: make its end durable. A log that was
 * killed may have left records in the page cache that were never synced. */
static enum rfs_err go_active(struct wal_reading *reading)
{
	const struct wal_image *image = &reading->images[reading->end.segment];
	const struct wal_end *end = &reading->end;
	struct wal *wal = reading->wal;
	enum rfs_err err;

	wal->fd = openat(wal->dir_fd, image->name, O_RDWR | O_CLOEXEC);
	if (wal->fd < 0) {
		log_errno("wal: opening %s/%s", wal->dir, image->name);
		return RFS_ERR_IO;
	}
	err = cut_tail(reading);
	if (err != RFS_ERR_OK)
		return err;
	wal->active_bytes = image->bytes;
	wal->at = end->offset;
	wal->chain = end->chain;
	/* What is cut here ends a batch that goes on: see was_durable(). */
	wal->batch = end->batch_ends ? end->batch + 1 : end->batch;
	wal->durable = wal->marked;
	wal->durable_promised = wal->promised;
	return wal_sync(wal);
}

/* Something durable is gone: how much was promised? Nothing is touched. */
static enum rfs_err find_floor(struct wal_reading *reading)
{
	struct wal *wal = reading->wal;
	struct wal_log *log = reading->log;
	struct raft_floor floor;

	if (wal_survey_floor(reading, &floor) != RFS_ERR_OK) {
		log_error("wal: %s: what this node promised cannot be known; "
			  "it will not start: see DAMAGE in raftfs-raftd(8)",
			  wal->dir);
		return RFS_ERR_CORRUPT;
	}
	if (reading->end.offset == 0) {
		reading->last_index = reading->known->covered.index;
		log->first_index = reading->last_index + 1;
	}
	log->damaged = true;
	log->floor = wal->promised = floor;
	wal->damaged = true;
	wal->end = reading->end;
	return RFS_ERR_OK;
}

static enum rfs_err read_log(struct wal_reading *reading)
{
	const char *fault;
	enum rfs_err err;

	while ((err = read_on(reading, &fault)) == RFS_ERR_OK &&
	       fault != NULL) {
		report(reading, fault);
		if (!skip_covered(reading))
			break;
		log_notice("wal: no harm: a snapshot covers what was there");
	}
	if (err == RFS_ERR_OK)
		err = fault != NULL ? find_floor(reading) : go_active(reading);
	reading->wal->last_index = reading->last_index;
	reading->log->log_id = reading->wal->log_id;
	return err;
}

/* A segment that was given its name but not yet its header holds nothing:
 * drop it. */
static enum rfs_err forget_unused_last(struct wal *wal)
{
	uint8_t start[WAL_DATA_OFFSET + WAL_PAGE_BYTES];
	char name[WAL_NAME_BYTES];
	ssize_t n;
	int fd;

	if (wal->segment_count == 0)
		return RFS_ERR_OK;
	wal_segment_name(wal->segments[last_segment(wal)].seq, name);
	fd = openat(wal->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return RFS_ERR_IO;
	n = pread(fd, start, sizeof(start), 0);
	close(fd);
	if (n != (ssize_t)sizeof(start) || !wal_all_zero(start, sizeof(start)))
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

static enum rfs_err open_in_place(struct wal *wal,
				  const struct wal_known *known,
				  struct wal_log *log)
{
	struct wal_reading reading = {
		.wal = wal,
		.log = log,
		.known = known,
	};
	enum rfs_err err;

	wal->dir_fd = open(wal->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (wal->dir_fd < 0) {
		log_errno("wal: opening directory %s", wal->dir);
		return RFS_ERR_IO;
	}
	err = wal_list_segments(wal);
	if (err == RFS_ERR_OK)
		err = forget_unused_last(wal);
	if (err != RFS_ERR_OK)
		return err;
	adopt_spare(wal);
	if (wal->segment_count == 0)
		return start_new(wal, log);
	err = wal_load(&reading);
	if (err == RFS_ERR_OK)
		err = read_log(&reading);
	free(reading.images);
	return err;
}

enum rfs_err wal_open(const char *dir, uint64_t segment_bytes,
		      const struct wal_known *known, struct wal **opened,
		      struct wal_log *log)
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

	err = open_in_place(wal, known, log);
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
