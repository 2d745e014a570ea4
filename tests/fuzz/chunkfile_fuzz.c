/* Fuzz target: any bytes as the head of a chunk file, with the right sum or
 * without. What decodes must encode to what was read, and must not vouch for
 * blocks it does not have. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "storaged/chunkfile.h"

#define FIXED_BYTES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* As chunkfile.c sums a head: all fixed fields but the sum, then the table. */
static void seal(uint8_t *head)
{
	struct reader r;
	struct writer w;
	uint32_t blocks;

	reader_init(&r, head + 20, 4);
	blocks = reader_u32le(&r);
	if (blocks > CHUNKFILE_BLOCKS_MAX)
		return;
	writer_init(&w, head + FIXED_BYTES - 4, 4);
	writer_u32le(&w, crc32c(crc32c(0, head, FIXED_BYTES - 4),
				head + FIXED_BYTES, (size_t)blocks * 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct chunkfile file;
	uint8_t head[CHUNKFILE_HEAD_BYTES] = {0};
	uint8_t again[CHUNKFILE_HEAD_BYTES];
	struct reader r;
	uint64_t id;

	memcpy(head, data, bytes < sizeof(head) ? bytes : sizeof(head));
	seal(head);
	reader_init(&r, head + 8, 8);
	id = reader_u64le(&r);
	if (chunkfile_decode(head, id + 1, &file) == RFS_ERR_OK)
		abort();
	if (chunkfile_decode(head, id, &file) != RFS_ERR_OK)
		return 0;
	chunkfile_encode(&file, again);
	/* The reserved word is free, and so the sum over it. */
	if (memcmp(again, head, FIXED_BYTES - 8) != 0)
		abort();
	if (chunkfile_check(&file, file.bytes / CHUNKFILE_BLOCK_BYTES + 1, head,
			    CHUNKFILE_BLOCK_BYTES) == RFS_ERR_OK)
		abort();
	(void)!chunkfile_check(&file, 0, data, bytes);
	return 0;
}
