/* Images of headers, marks and record heads of a log segment. */
#include "raftd/wal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"

/* Offsets in the head of a record. */
#define HEAD_BATCH 10u
#define HEAD_PLACE 12u
#define HEAD_INDEX 16u
#define BATCH_ENDS 0x8000u

void wal_segment_name(uint64_t seq, char name[WAL_NAME_BYTES])
{
	snprintf(name, WAL_NAME_BYTES, "%016" PRIx64 ".wal", seq);
}

struct raft_floor wal_later(struct raft_floor a, struct raft_floor b)
{
	if (a.term != b.term)
		return a.term > b.term ? a : b;
	return a.index > b.index ? a : b;
}

void wal_header_encode(const struct wal_header *header,
		       uint8_t image[WAL_HEADER_BYTES], uint32_t *sum)
{
	struct writer w;

	memset(image, 0, WAL_HEADER_BYTES);
	writer_init(&w, image, WAL_HEADER_BYTES);
	writer_u32le(&w, WAL_HEADER_MAGIC);
	writer_u32le(&w, WAL_VERSION);
	writer_u64le(&w, header->log_id);
	writer_u64le(&w, header->seq);
	writer_u64le(&w, header->prev_end);
	writer_u64le(&w, header->last_index);
	writer_u64le(&w, header->promised.index);
	writer_u64le(&w, header->promised.term);
	writer_u32le(&w, header->prev_chain);
	*sum = crc32c(0, image, writer_bytes(&w));
	writer_u32le(&w, *sum);
	CHECK(!w.bad);
}

/* Its header was shorter. */
static bool is_version_1(const uint8_t *image)
{
	struct reader r;

	reader_init(&r, image + 44, 4);
	return reader_u32le(&r) == crc32c(0, image, 44);
}

enum rfs_err wal_header_decode(const uint8_t image[WAL_HEADER_BYTES],
			       struct wal_header *header, uint32_t *sum)
{
	struct reader r;
	uint32_t version;

	reader_init(&r, image, WAL_HEADER_BYTES);
	if (reader_u32le(&r) != WAL_HEADER_MAGIC)
		return RFS_ERR_CORRUPT;
	version = reader_u32le(&r);
	header->log_id = reader_u64le(&r);
	header->seq = reader_u64le(&r);
	header->prev_end = reader_u64le(&r);
	header->last_index = reader_u64le(&r);
	header->promised.index = reader_u64le(&r);
	header->promised.term = reader_u64le(&r);
	header->prev_chain = reader_u32le(&r);
	*sum = crc32c(0, image, (size_t)(r.at - image));
	if (reader_u32le(&r) == *sum)
		return version == WAL_VERSION ? RFS_ERR_OK : RFS_ERR_VERSION;
	return version == 1 && is_version_1(image) ? RFS_ERR_VERSION :
						     RFS_ERR_CORRUPT;
}

unsigned int wal_mark_slot(uint64_t count)
{
	return 1 + (count & 1);
}

void wal_mark_encode(uint64_t log_id, uint64_t seq,
		     const struct wal_mark_image *mark,
		     uint8_t image[WAL_MARK_BYTES])
{
	struct writer w;

	memset(image, 0, WAL_MARK_BYTES);
	writer_init(&w, image, WAL_MARK_BYTES);
	writer_u32le(&w, WAL_MARK_MAGIC);
	writer_u32le(&w, WAL_VERSION);
	writer_u64le(&w, log_id);
	writer_u64le(&w, seq);
	writer_u64le(&w, mark->count);
	writer_u64le(&w, mark->durable);
	writer_u64le(&w, mark->promised.index);
	writer_u64le(&w, mark->promised.term);
	writer_u32le(&w, crc32c(0, image, writer_bytes(&w)));
	CHECK(!w.bad);
}

enum rfs_err wal_mark_decode(const uint8_t image[WAL_MARK_BYTES],
			     uint64_t log_id, uint64_t seq, unsigned int slot,
			     struct wal_mark_image *mark)
{
	struct reader r;
	uint32_t sum;

	reader_init(&r, image, WAL_MARK_BYTES);
	if (reader_u32le(&r) != WAL_MARK_MAGIC ||
	    reader_u32le(&r) != WAL_VERSION || reader_u64le(&r) != log_id ||
	    reader_u64le(&r) != seq)
		return RFS_ERR_CORRUPT;
	mark->count = reader_u64le(&r);
	mark->durable = reader_u64le(&r);
	mark->promised.index = reader_u64le(&r);
	mark->promised.term = reader_u64le(&r);
	sum = crc32c(0, image, (size_t)(r.at - image));
	return reader_u32le(&r) == sum && wal_mark_slot(mark->count) == slot ?
		       RFS_ERR_OK :
		       RFS_ERR_CORRUPT;
}

uint32_t wal_record_chain(uint32_t chain, const uint8_t *record, size_t bytes)
{
	chain = crc32c(chain, record + 4, HEAD_BATCH - 4);
	return crc32c(chain, record + HEAD_INDEX, bytes - HEAD_INDEX);
}

static uint32_t place_sum(const struct wal_place *place, const uint8_t *head)
{
	uint8_t image[24];
	struct writer w;
	uint32_t sum;

	writer_init(&w, image, sizeof(image));
	writer_u64le(&w, place->log_id);
	writer_u64le(&w, place->seq);
	writer_u64le(&w, place->offset);
	sum = crc32c(0, image, sizeof(image));
	sum = crc32c(sum, head, HEAD_PLACE);
	return crc32c(sum, head + HEAD_INDEX,
		      WAL_RECORD_HEAD_BYTES - HEAD_INDEX);
}

uint32_t wal_record_seal(uint32_t chain, const struct wal_place *place,
			 unsigned int batch, bool batch_ends, uint8_t *record,
			 size_t bytes)
{
	struct writer w;

	chain = wal_record_chain(chain, record, bytes);
	writer_init(&w, record, 4);
	writer_u32le(&w, chain);
	writer_init(&w, record + HEAD_BATCH, HEAD_INDEX - HEAD_BATCH);
	writer_u16le(&w, (uint16_t)(batch % WAL_BATCHES |
				    (batch_ends ? BATCH_ENDS : 0)));
	writer_u32le(&w, place_sum(place, record));
	return chain;
}

bool wal_record_head(const uint8_t *at, uint64_t bytes,
		     const struct wal_place *place, struct wal_record *head)
{
	struct reader r;
	unsigned int type, batch;
	uint32_t sum;

	/* Most of what is looked at is zeros. */
	if (bytes < WAL_RECORD_HEAD_BYTES || at[8] < WAL_ENTRY ||
	    at[8] > WAL_RESET)
		return false;
	reader_init(&r, at, WAL_RECORD_HEAD_BYTES);
	head->chain = reader_u32le(&r);
	head->body_bytes = reader_u32le(&r);
	type = reader_u8(&r);
	head->kind = reader_u8(&r);
	batch = reader_u16le(&r);
	sum = reader_u32le(&r);
	head->at.index = reader_u64le(&r);
	head->at.term = reader_u64le(&r);
	head->at.stamp.epoch = reader_u64le(&r);
	head->at.stamp.ts_ns = (int64_t)reader_u64le(&r);
	head->type = (enum wal_record_type)type;
	head->batch = batch % WAL_BATCHES;
	head->batch_ends = (batch & BATCH_ENDS) != 0;
	return head->body_bytes <= WAL_BODY_BYTES_MAX &&
	       wal_record_bytes(head->body_bytes) <= bytes &&
	       place_sum(place, at) == sum;
}
