/* What can be known behind a damaged record: heads can be believed alone.
 *
 * The floor must not be lower than what this node ever told anybody to be
 * durable. Each header says what was promised when its segment began, the marks
 * of the last segment how far it had come there, and any head behind the damage
 * what came later still. What none of them shows was written after the last
 * mark and lies at the very end: a torn tail as far as anybody can tell.
 */
#include "raftd/wal_read.h"

#include <string.h>

#include "common/check.h"

bool wal_all_zero(const uint8_t *data, uint64_t bytes)
{
	return bytes == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

struct wal_place wal_survey_place(const struct wal_reading *reading,
				  size_t segment, uint64_t offset)
{
	return (struct wal_place){
		.log_id = reading->wal->log_id,
		.seq = reading->images[segment].seq,
		.offset = offset,
	};
}

static bool head_at(const struct wal_reading *reading, size_t segment,
		    uint64_t offset, struct wal_record *head)
{
	const struct wal_image *image = &reading->images[segment];
	const struct wal_place place =
		wal_survey_place(reading, segment, offset);

	return wal_record_head(image->data + offset, image->bytes - offset,
			       &place, head);
}

/* The next head from *offset on; *offset is where. */
static bool next_head(const struct wal_reading *reading, size_t segment,
		      uint64_t *offset, struct wal_record *head)
{
	uint64_t used = reading->images[segment].used;

	for (; *offset < used; *offset += 8)
		if (head_at(reading, segment, *offset, head))
			return true;
	return false;
}

static size_t last_segment(const struct wal_reading *reading)
{
	return reading->wal->segment_count - 1;
}

/* Where to look for heads in a segment behind the end. */
static uint64_t first_unread(const struct wal_reading *reading, size_t segment)
{
	if (segment == reading->end.segment &&
	    reading->end.offset > WAL_DATA_OFFSET)
		return reading->end.offset;
	return WAL_DATA_OFFSET;
}

bool wal_survey_was_durable(const struct wal_reading *reading)
{
	const struct wal_end *end = &reading->end;
	unsigned int broken = end->batch + (end->batch_ends ? 1 : 0);
	uint64_t offset = end->offset;
	struct wal_record head;

	CHECK(end->segment == last_segment(reading));
	while (next_head(reading, end->segment, &offset, &head)) {
		unsigned int ahead = (head.batch - broken) % WAL_BATCHES;

		if (ahead > 0 && ahead < WAL_BATCHES / 2)
			return true;
		offset += wal_record_bytes(head.body_bytes);
	}
	return false;
}

enum rfs_err wal_survey_mark(const struct wal_reading *reading,
			     struct wal_mark_image *mark)
{
	const struct wal_image *image = &reading->images[last_segment(reading)];
	unsigned int bad_count = 0;

	*mark = (struct wal_mark_image){ 0 };
	if (image->bytes < WAL_DATA_OFFSET)
		return RFS_ERR_CORRUPT;
	for (unsigned int slot = 1; slot <= 2; slot++) {
		const uint8_t *at = image->data + slot * WAL_PAGE_BYTES;
		struct wal_mark_image found;

		if (wal_all_zero(at, WAL_MARK_BYTES))
			continue;
		if (wal_mark_decode(at, reading->wal->log_id, image->seq, slot,
				    &found) != RFS_ERR_OK)
			bad_count++;
		else if (found.count > mark->count)
			*mark = found;
	}
	if (mark->count > 0 || bad_count == 0)
		return RFS_ERR_OK;
	return bad_count == 1 ? RFS_ERR_NOENT : RFS_ERR_CORRUPT;
}

enum rfs_err wal_survey_floor(const struct wal_reading *reading,
			      struct raft_floor *floor)
{
	const struct wal_image *last = &reading->images[last_segment(reading)];
	struct wal_mark_image mark;
	enum rfs_err err = wal_survey_mark(reading, &mark);

	/* An earlier floor holds until the log has passed it. */
	if (reading->known->floor.index > 0)
		err = RFS_ERR_OK;
	else if (err != RFS_ERR_OK ||
		 (mark.count == 0 && last->header_fault != NULL &&
		  last->used > WAL_PAGE_BYTES)) /* more than the header */
		return RFS_ERR_CORRUPT;

	*floor = wal_later(reading->known->floor, mark.promised);
	*floor = wal_later(*floor, reading->wal->promised);
	for (size_t i = reading->end.segment; i <= last_segment(reading); i++) {
		const struct wal_image *image = &reading->images[i];
		uint64_t offset = first_unread(reading, i);
		struct wal_record head;

		if (image->header_fault == NULL)
			*floor = wal_later(*floor, image->header.promised);
		while (next_head(reading, i, &offset, &head)) {
			if (head.type != WAL_TRUNCATE && head.at.index > 0)
				*floor = wal_later(*floor,
						   (struct raft_floor){
							   head.at.index,
							   head.at.term });
			offset += wal_record_bytes(head.body_bytes);
		}
	}
	return err;
}

/* The log's last index once a record took effect. */
static uint64_t index_after(const struct wal_record *head)
{
	return head->type == WAL_TRUNCATE ? head->at.index - 1 : head->at.index;
}

/* At a head that is good, whatever its body: the log up to there is covered,
 * and the record behind continues its sum. */
static bool resume_in(const struct wal_reading *reading, size_t segment,
		      struct wal_end *at, uint64_t *last_index)
{
	uint64_t offset = first_unread(reading, segment);
	struct wal_record head;

	if (!next_head(reading, segment, &offset, &head) ||
	    index_after(&head) > reading->known->covered.index)
		return false;
	*at = (struct wal_end){
		.segment = segment,
		.offset = offset + wal_record_bytes(head.body_bytes),
		.chain = head.chain,
		.batch = head.batch,
		.batch_ends = head.batch_ends,
	};
	*last_index = index_after(&head);
	return true;
}

bool wal_survey_resume(const struct wal_reading *reading, struct wal_end *at,
		       uint64_t *last_index)
{
	for (size_t i = reading->end.segment; i <= last_segment(reading); i++) {
		const struct wal_image *image = &reading->images[i];

		if (i > reading->end.segment && image->header_fault == NULL &&
		    image->header.last_index <= reading->known->covered.index) {
			*at = (struct wal_end){
				.segment = i,
				.offset = WAL_DATA_OFFSET,
				.chain = image->chain,
				.batch_ends = true,
			};
			*last_index = image->header.last_index;
			return true;
		}
		if (resume_in(reading, i, at, last_index))
			return true;
	}
	return false;
}
