/* The format of one chunk file: who it is, what it must be, then the data.
 *
 *	offset 0     head, little-endian: magic, version, id, bytes, blocks,
 *	             SHA-256 of the data, CRC32C of the head and the table
 *	offset 64    table: CRC32C of each 4 KiB block, the id and the block's
 *	             number in the sum, so that a misplaced block is seen
 *	offset 4096  data
 *
 * A read verifies the head and exactly the blocks it touches. Pure functions;
 * any thread.
 */
#ifndef RAFTFS_STORAGED_CHUNKFILE_H
#define RAFTFS_STORAGED_CHUNKFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/hash.h"

#define CHUNKFILE_HEAD_BYTES  4096u
#define CHUNKFILE_BLOCK_BYTES 4096u
#define CHUNKFILE_BLOCKS_MAX  1008u /* that many sums fit the head */
#define CHUNKFILE_DATA_MAX    (CHUNKFILE_BLOCKS_MAX * CHUNKFILE_BLOCK_BYTES)

struct chunkfile {
	uint64_t id;
	uint32_t bytes;
	uint8_t sha256[HASH_BYTES];
	uint32_t block_crc[CHUNKFILE_BLOCKS_MAX];
};

/* Fill *file from data; bytes in 1..CHUNKFILE_DATA_MAX. */
void chunkfile_describe(struct chunkfile *file, uint64_t id, const void *data,
			uint32_t bytes);

void chunkfile_encode(const struct chunkfile *file,
		      uint8_t head[CHUNKFILE_HEAD_BYTES]);

/* CORRUPT: not a sound head, or that of another chunk. */
RFS_MUST_USE enum rfs_err
chunkfile_decode(const uint8_t head[CHUNKFILE_HEAD_BYTES], uint64_t id,
		 struct chunkfile *file);

/* data holds whole blocks from `first` on (the chunk's last may be short).
 * CORRUPT when one of them is not what was written. */
RFS_MUST_USE enum rfs_err chunkfile_check(const struct chunkfile *file,
					  uint32_t first, const void *data,
					  size_t bytes);

#endif
