/* The chunk store: large immutable chunks, one file each.
 *
 * Chunks are named by an id that is never used twice and whose content never
 * changes (SAFETY.md F2), so a file is either whole under its name or not
 * there: it is written aside, synced, renamed, and its directory synced.
 *
 *	DIR/tmp/              being written; emptied at open
 *	DIR/HH/LLL/ID.chunk   256 consecutive ids share a directory
 *
 * Every call blocks and may be made from any thread, several at once; the
 * loop leaves them to its workers.
 */
#ifndef RAFTFS_STORAGED_CHUNKS_H
#define RAFTFS_STORAGED_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/chunkfile.h"

struct chunks;

/* dir is made if absent. IO, NOSPC, NOMEM (logged). */
RFS_MUST_USE enum rfs_err chunks_open(const char *dir, struct chunks **chunks);
void chunks_close(struct chunks *chunks);

struct chunk_put {
	uint64_t id;
	const void *data; /* borrowed until chunks_put() returns */
	uint32_t bytes;	  /* 1..CHUNKFILE_DATA_MAX */
	/* results */
	enum rfs_err err; /* OK: durable. EXIST: another content holds this
			   * id. IO, NOSPC. */
	uint8_t sha256[HASH_BYTES]; /* of what was stored */
};

/* Make a batch durable together. A chunk that is here already with equal
 * content is OK; one that is here but damaged is replaced. */
void chunks_put(struct chunks *chunks, struct chunk_put *const *puts,
		uint32_t count);

/* bytes from offset (both inside the chunk) into data, verified block by
 * block; sha256, when given, is what the chunk must be. NOENT: not here.
 * CORRUPT: here, but not what it must be (or offset, bytes outside it). IO. */
RFS_MUST_USE enum rfs_err chunks_read(struct chunks *chunks, uint64_t id,
				      const uint8_t *sha256, uint32_t offset,
				      uint32_t bytes, void *data);

/* Length and hash, from a sound head. NOENT, CORRUPT, IO. */
RFS_MUST_USE enum rfs_err chunks_stat(struct chunks *chunks, uint64_t id,
				      uint32_t *bytes,
				      uint8_t sha256[HASH_BYTES]);

/* There is a file of that name; says nothing about its content. */
bool chunks_has(struct chunks *chunks, uint64_t id);

/* Forget a chunk; nothing happens when it is not here. Not synced: an undone
 * delete leaves garbage, never harm. */
void chunks_delete(struct chunks *chunks, uint64_t id);

/* Call for every chunk here, in no order; false ends the walk. */
void chunks_each(struct chunks *chunks,
		 bool (*call)(void *ctx, uint64_t id, uint64_t file_bytes),
		 void *ctx);

/* The directory, for disk_free_bytes(). Stays the store's. */
int chunks_dir_fd(const struct chunks *chunks);

#endif
