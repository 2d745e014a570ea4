/* Which chunk holds which stretch of a file, and how many stretches hold a
 * chunk.
 *
 * A map is the set of extents of one content: non-overlapping stretches, each
 * naming a part of one chunk; between them are holes.  An extent is keyed by
 * where it ends, so the first key past an offset is the only one that can
 * cover it, and a change of any stretch costs only the extents it touches.
 *
 * A chunk is counted once per extent that names it.  When the last one goes,
 * so does its record, and the host learns that the chunk is free.
 */
#ifndef RAFTFS_STORAGED_CORE_CHUNKMAP_H
#define RAFTFS_STORAGED_CORE_CHUNKMAP_H

#include "storaged/core/apply.h"
#include "storaged/core/query.h"

/* Extents of deleted content that one entry takes apart: at once, of what the
 * entry itself deletes; then of the trash, by an entry with other work to do
 * and by one without.  Each costs some 30 us when its chunk record is cold. */
#define CHUNKMAP_DISCARD_MAX 64u
#define CHUNKMAP_REAP_BUSY   32u
#define CHUNKMAP_REAP_IDLE   512u

/* May the content of the command be named?  BUSY: one of its chunks is neither
 * of a live grant nor in use; INVALID: in use, but with another hash or length.
 * Changes nothing. */
RFS_MUST_USE enum rfs_err chunkmap_check(struct apply *a);

/* Put the content of the command (which passed the check) at offset of the
 * inode's map, over whatever was there.  Updates allocated_bytes, not the
 * size, and does not save the inode. */
void chunkmap_write(struct apply *a, struct inode *inode, uint64_t offset);

/* Make the content of the command (which passed the check) the whole content.
 * Same update, same restraint. */
void chunkmap_replace(struct apply *a, struct inode *inode);

/* Make [from, to) a hole. Same update, same restraint. */
void chunkmap_punch(struct apply *a, struct inode *inode, uint64_t from,
		    uint64_t to);

/* Make the whole content a hole.  A long map is given to the trash and the
 * inode a new, empty one. */
void chunkmap_empty(struct apply *a, struct inode *inode);

/* Take the map of an inode that goes away apart, now or as trash. */
void chunkmap_discard(struct apply *a, const struct inode *inode);

/* Once per entry: take apart at most that many extents of the trash. */
void chunkmap_reap(struct apply *a, uint32_t limit);

/* One extent as stored. */
struct chunkmap_extent {
	uint64_t start;
	uint64_t end;
	uint64_t chunk;
	uint32_t chunk_offset;
};

/* The first extent of a map that ends after offset; NOENT: none. Moves the
 * cursor there, and chunkmap_next() goes on from it. */
RFS_MUST_USE enum rfs_err chunkmap_seek(struct kv *kv, uint64_t map,
					uint64_t offset,
					struct chunkmap_extent *extent);
RFS_MUST_USE enum rfs_err chunkmap_next(struct kv *kv, uint64_t map,
					struct chunkmap_extent *extent);

/* The record of a chunk in use. NOENT: it is not. */
RFS_MUST_USE enum rfs_err chunkmap_chunk(struct kv *kv, uint64_t chunk,
					 struct query_chunk *record);
RFS_MUST_USE enum rfs_err chunkmap_chunk_decode(struct kv *kv,
						struct bytes value,
						struct query_chunk *record);

#endif
