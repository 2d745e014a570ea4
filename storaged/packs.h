/* The pack store: small chunks, appended to files of 64 MiB.
 *
 * The bytes of a small write rode in the Raft log, which is their durability;
 * here they are appended without a sync. A checkpoint syncs the packs before
 * the log may forget the entries. The index lives in memory and is rebuilt at
 * open from the record heads.
 *
 *	DIR/NNNNNNNN.pack	records, 8-byte aligned, in order:
 *		magic, bytes, id, CRC32C of id and data, CRC32C of the head
 *		data, padded with zeros
 *
 * A deleted record stays until its pack is compacted, and is there again after
 * a reopening until it is deleted again (packs_walk() finds such). An id may be put again after a
 * delete, as happens when the log is replayed over an older state.
 *
 * Threads: the loop's only, but for packs_sync_run() and packs_read().
 */
#ifndef RAFTFS_STORAGED_PACKS_H
#define RAFTFS_STORAGED_PACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PACKS_RECORD_MAX (1024u * 1024)

struct packs;

struct packs_usage {
	uint64_t packs;
	uint64_t records; /* live */
	uint64_t live_bytes;
	uint64_t file_bytes;
};

/* dir is made if absent; pack_bytes is when a pack is full. A torn end is left
 * behind and never appended to. IO, NOSPC, NOMEM (logged). Blocks. */
RFS_MUST_USE enum rfs_err packs_open(const char *dir, uint64_t pack_bytes,
				     struct packs **packs);
void packs_close(struct packs *packs);

/* Append. When id is here with the same sound content nothing is written;
 * damaged or different content is superseded. IO, NOSPC, NOMEM: not stored.
 * bytes in 1..PACKS_RECORD_MAX. */
RFS_MUST_USE enum rfs_err packs_put(struct packs *packs, uint64_t id,
				    const void *data, uint32_t bytes);

bool packs_has(const struct packs *packs, uint64_t id);

/* The whole record, verified; *bytes of it at most size. Does not wait for the
 * disk: BUSY, it would have to. NOENT; CORRUPT (damaged, or longer than size);
 * IO. */
RFS_MUST_USE enum rfs_err packs_get(struct packs *packs, uint64_t id,
				    void *data, uint32_t size,
				    uint32_t *bytes);

/* The same in two steps: find on the loop, read on any one thread (blocks),
 * which ends it. In between the record may be deleted; what is read is it all
 * the same. find: NOENT, IO. read: CORRUPT, IO, NOMEM; data has room for
 * record.bytes. */
struct packs_record {
	uint64_t id;
	uint64_t offset;
	uint32_t bytes;
	int fd; /* its own */
};
RFS_MUST_USE enum rfs_err packs_find(struct packs *packs, uint64_t id,
				     struct packs_record *record);
RFS_MUST_USE enum rfs_err packs_read(struct packs_record *record, void *data);

/* Nothing happens when it is not here. */
void packs_delete(struct packs *packs, uint64_t id);

/* Call for the records in some slots of the index, from the slot `from` on;
 * returns the slot to go on at, 0 after the last. Puts and deletes between two
 * calls may make a walk miss records or meet them twice. */
size_t packs_walk(const struct packs *packs, size_t from, size_t slots,
		  void (*call)(void *ctx, uint64_t id), void *ctx);

/* Durability in three steps: begin and end on the loop, run on any one thread
 * (blocks). Covers what was put before begin. NULL: out of memory. End frees
 * it, and removes compacted packs when err is OK. One at a time. */
struct packs_sync;
struct packs_sync *packs_sync_begin(struct packs *packs);
RFS_MUST_USE enum rfs_err packs_sync_run(struct packs_sync *sync);
void packs_sync_end(struct packs *packs, struct packs_sync *sync,
		    enum rfs_err err);

/* Copy about bytes_max of live records out of a pack that is less than half
 * alive, and have the kernel read what the next call will want; looking at
 * records that are dead counts a little. False when there is no such pack. The
 * pack itself goes after the next sync. */
bool packs_compact(struct packs *packs, uint64_t bytes_max);

void packs_usage(const struct packs *packs, struct packs_usage *usage);

#endif
