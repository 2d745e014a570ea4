/* Images of the header and the marks of a log segment. */
#include "raftd/wal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"

void wal_segment_name(uint64_t seq, char name[WAL_NAME_BYTES])
{
	snprintf(name, WAL_NAME_BYTES, "%016" PRIx64 ".wal", seq);
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
	writer_u32le(&w, header->prev_chain);
	*sum = crc32c(0, image, writer_bytes(&w));
	writer_u32le(&w, *sum);
	CHECK(!w.bad);
}

enum rfs_err wal_header_decode(const uint8_t image[WAL_HEADER_BYTES],
			       struct wal_header *header, uint32_t *sum)
{
	struct reader r;

	reader_init(&r, image, WAL_HEADER_BYTES);
	if (reader_u32le(&r) != WAL_HEADER_MAGIC)
		return RFS_ERR_CORRUPT;
	if (reader_u32le(&r) != WAL_VERSION)
		return RFS_ERR_VERSION;
	header->log_id = reader_u64le(&r);
	header->seq = reader_u64le(&r);
	header->prev_end = reader_u64le(&r);
	header->last_index = reader_u64le(&r);
	header->prev_chain = reader_u32le(&r);
	*sum = crc32c(0, image, (size_t)(r.at - image));
	return reader_u32le(&r) == *sum ? RFS_ERR_OK : RFS_ERR_CORRUPT;
}

void wal_mark_encode(uint64_t log_id, uint64_t seq, uint64_t count,
		     uint64_t durable, uint8_t image[WAL_MARK_BYTES])
{
	struct writer w;

	memset(image, 0, WAL_MARK_BYTES);
	writer_init(&w, image, WAL_MARK_BYTES);
	writer_u32le(&w, WAL_MARK_MAGIC);
	writer_u32le(&w, WAL_VERSION);
	writer_u64le(&w, log_id);
	writer_u64le(&w, seq);
	writer_u64le(&w, count);
	writer_u64le(&w, durable);
	writer_u32le(&w, crc32c(0, image, writer_bytes(&w)));
	CHECK(!w.bad);
}

enum rfs_err wal_mark_decode(const uint8_t image[WAL_MARK_BYTES],
			     uint64_t log_id, uint64_t seq, uint64_t *count,
			     uint64_t *durable)
{
	struct reader r;
	uint32_t sum;

	reader_init(&r, image, WAL_MARK_BYTES);
	if (reader_u32le(&r) != WAL_MARK_MAGIC ||
	    reader_u32le(&r) != WAL_VERSION || reader_u64le(&r) != log_id ||
	    reader_u64le(&r) != seq)
		return RFS_ERR_CORRUPT;
	*count = reader_u64le(&r);
	*durable = reader_u64le(&r);
	sum = crc32c(0, image, (size_t)(r.at - image));
	return reader_u32le(&r) == sum ? RFS_ERR_OK : RFS_ERR_CORRUPT;
}
