/* Chunks no file has any more, until they may go from this disk.
 *
 * A state restored from an older checkpoint may still name them while it
 * catches up: they go when a checkpoint at or past the entry that freed them
 * is durable. The list is in memory; after a start a sweep finds what a list
 * before it knew.
 */
#ifndef RAFTFS_STORAGED_RECLAIM_H
#define RAFTFS_STORAGED_RECLAIM_H

#include <stdint.h>

#include "storaged/storaged.h"

struct reclaim;

struct reclaim *reclaim_new(struct storaged *s);
void reclaim_free(struct reclaim *reclaim);

/* As state_events.freed and .expired. */
void reclaim_freed(struct reclaim *reclaim, uint64_t chunk, uint64_t index);
void reclaim_expired(struct reclaim *reclaim, uint64_t first, uint64_t count,
		     uint64_t index);

/* A checkpoint at index is durable. */
void reclaim_checkpoint(struct reclaim *reclaim, uint64_t index);

/* Look through both stores for chunks the state does not know. Only once this
 * node has caught up with a read point: before, it may know too little. */
void reclaim_sweep(struct reclaim *reclaim);

/* Chunks that wait to go. */
uint64_t reclaim_waiting(const struct reclaim *reclaim);

/* Large chunks on this disk, as the sweep and the puts since counted them. */
uint64_t reclaim_file_bytes(const struct reclaim *reclaim);
void reclaim_count_file(struct reclaim *reclaim, int64_t bytes);

#endif
