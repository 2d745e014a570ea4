/* Chunks this node should have and has not, from peers.
 *
 * A peer's copy is judged by the hash in the replicated state, never by the
 * peer's word. What proves sound is stored here before it is handed on.
 */
#ifndef RAFTFS_STORAGED_FETCH_H
#define RAFTFS_STORAGED_FETCH_H

#include <stdint.h>

#include "storaged/hash.h"
#include "storaged/storaged.h"

struct fetch;

struct fetch *fetch_new(struct storaged *s);
void fetch_free(struct fetch *fetch);

/* OK: data is the chunk, borrowed for the call (and kept here too, if the disk
 * allowed). NOENT: no connected peer has a sound copy. */
typedef void fetch_done(void *ctx, enum rfs_err err, const uint8_t *data,
			uint32_t bytes);

/* Several may want the same chunk at a time; it comes once. done may be NULL.
 * Never called from inside this call. */
void fetch_chunk(struct fetch *fetch, uint64_t chunk,
		 const uint8_t sha256[HASH_BYTES], uint32_t bytes,
		 fetch_done *done, void *ctx);

/* The copy here is damaged: replace it, if the state still knows it. */
void fetch_repair(struct fetch *fetch, uint64_t chunk);

/* Chunks on their way now. */
uint32_t fetch_active(const struct fetch *fetch);

#endif
