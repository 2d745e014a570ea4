/* Heads and block sums of chunk files. */
#include "storaged/chunkfile.h"

#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"

#define CHUNKFILE_MAGIC	  0x52464348u /* "RFCH" */
#define CHUNKFILE_VERSION 1u
#define FIXED_BYTES	  64u

_Static_assert(FIXED_BYTES + CHUNKFILE_BLOCKS_MAX * 4 <= CHUNKFILE_HEAD_BYTES,
	       "the table fits the head");

static uint32_t blocks_of(uint32_t bytes)
{
	return (bytes + CHUNKFILE_BLOCK_BYTES - 1) / CHUNKFILE_BLOCK_BYTES;
}

static uint32_t block_sum(uint64_t id, uint32_t block, const void *data,
			  size_t bytes)
{
	uint8_t name[12];
	struct writer w;

	writer_init(&w, name, sizeof(name));
	writer_u64le(&w, id);
	writer_u32le(&w, block);
	return crc32c(crc32c(0, name, sizeof(name)), data, bytes);
}

static size_t block_bytes(size_t left)
{
	return left < CHUNKFILE_BLOCK_BYTES ? left : CHUNKFILE_BLOCK_BYTES;
}

void chunkfile_describe(struct chunkfile *file, uint64_t id, const void *data,
			uint32_t bytes)
{
	const uint8_t *at = data;

	CHECK(bytes > 0);
	CHECK(bytes <= CHUNKFILE_DATA_MAX);
	file->id = id;
	file->bytes = bytes;
	hash_bytes(data, bytes, file->sha256);
	for (uint32_t i = 0; i < blocks_of(bytes); i++) {
		size_t done = (size_t)i * CHUNKFILE_BLOCK_BYTES;

		file->block_crc[i] =
			block_sum(id, i, at + done, block_bytes(bytes - done));
	}
}

/* The sum covers all but itself: it stands last among the fixed fields. */
static uint32_t head_sum(const uint8_t *head, uint32_t blocks)
{
	uint32_t sum = crc32c(0, head, FIXED_BYTES - 4);

	return crc32c(sum, head + FIXED_BYTES, (size_t)blocks * 4);
}

void chunkfile_encode(const struct chunkfile *file,
		      uint8_t head[CHUNKFILE_HEAD_BYTES])
{
	struct writer w;
	uint32_t blocks = blocks_of(file->bytes);

	memset(head, 0, CHUNKFILE_HEAD_BYTES);
	writer_init(&w, head + FIXED_BYTES, CHUNKFILE_HEAD_BYTES - FIXED_BYTES);
	for (uint32_t i = 0; i < blocks; i++)
		writer_u32le(&w, file->block_crc[i]);
	CHECK(!w.bad);

	writer_init(&w, head, FIXED_BYTES);
	writer_u32le(&w, CHUNKFILE_MAGIC);
	writer_u32le(&w, CHUNKFILE_VERSION);
	writer_u64le(&w, file->id);
	writer_u32le(&w, file->bytes);
	writer_u32le(&w, blocks);
	writer_put(&w, file->sha256, HASH_BYTES);
	writer_u32le(&w, 0);
	writer_u32le(&w, head_sum(head, blocks));
	CHECK(!w.bad);
	CHECK(writer_bytes(&w) == FIXED_BYTES);
}

enum rfs_err chunkfile_decode(const uint8_t head[CHUNKFILE_HEAD_BYTES],
			      uint64_t id, struct chunkfile *file)
{
	struct reader r;

	reader_init(&r, head, CHUNKFILE_HEAD_BYTES);
	uint32_t magic = reader_u32le(&r);
	uint32_t version = reader_u32le(&r);
	file->id = reader_u64le(&r);
	file->bytes = reader_u32le(&r);
	uint32_t blocks = reader_u32le(&r);
	memcpy(file->sha256, reader_take(&r, HASH_BYTES), HASH_BYTES);
	reader_u32le(&r);
	uint32_t sum = reader_u32le(&r);

	if (magic != CHUNKFILE_MAGIC || version != CHUNKFILE_VERSION ||
	    file->id != id || file->bytes == 0 ||
	    file->bytes > CHUNKFILE_DATA_MAX || blocks != blocks_of(file->bytes))
		return RFS_ERR_CORRUPT;
	if (sum != head_sum(head, blocks))
		return RFS_ERR_CORRUPT;
	for (uint32_t i = 0; i < blocks; i++)
		file->block_crc[i] = reader_u32le(&r);
	return RFS_ERR_OK;
}

enum rfs_err chunkfile_check(const struct chunkfile *file, uint32_t first,
			     const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t block = first;

	while (bytes > 0) {
		size_t part = block_bytes(bytes);

		if (block >= blocks_of(file->bytes) ||
		    file->block_crc[block] !=
			    block_sum(file->id, block, at, part))
			return RFS_ERR_CORRUPT;
		at += part;
		bytes -= part;
		block++;
	}
	return RFS_ERR_OK;
}
