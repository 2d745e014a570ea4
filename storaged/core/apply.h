/* What every command's code is handed: the entry being applied, the state it
 * is applied to, and where its answer and duties go.
 *
 * The rule that keeps a refused command harmless: each command first reads and
 * decides, and only when nothing can refuse it any more does it write.  An
 * engine that fails half-way is remembered by the kv and ends in an abort.
 */
#ifndef RAFTFS_STORAGED_CORE_APPLY_H
#define RAFTFS_STORAGED_CORE_APPLY_H

#include "storaged/core/meta.h"
#include "storaged/core/store.h"

/* Chunk ids freed by one entry; memory is kept from entry to entry. */
struct freed {
	uint64_t *chunks;
	size_t count;
	size_t capacity;
};

struct apply {
	struct kv *kv;
	struct meta meta; /* loaded before, saved after the command */
	const struct command *command;
	uint64_t index;
	int64_t ts_ns;
	struct store_result *result;
	struct store_effects *effects;
	struct freed *freed;
};

/* Load an inode that another record promises: its absence is CORRUPT. */
RFS_MUST_USE enum rfs_err apply_load(struct apply *a, uint64_t ino,
				     struct inode *inode);

/* Stamp ctime and version, save, and tell caches. */
void apply_save(struct apply *a, struct inode *inode);

/* Tell caches that this inode changed; twice is once. */
void apply_changed(struct apply *a, uint64_t ino);

/* Answer with the attributes of the subject. */
void apply_answer(struct apply *a, const struct inode *inode);

/* This chunk is named by nothing any more. */
void apply_freed(struct apply *a, uint64_t chunk);

#endif
