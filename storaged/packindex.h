/* Where each record of the pack store is: a hash table from id to place. */
#ifndef RAFTFS_STORAGED_PACKINDEX_H
#define RAFTFS_STORAGED_PACKINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct pack_place {
	uint64_t id;
	uint32_t pack;
	uint32_t offset; /* of the record's head */
	uint32_t bytes;	 /* of its data; 0: an empty slot */
};

/* Open addressing with linear probing, at most 3/4 full. */
struct packindex {
	struct pack_place *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

void packindex_fini(struct packindex *index);

/* Insert or replace. NOMEM. */
RFS_MUST_USE enum rfs_err packindex_set(struct packindex *index,
					const struct pack_place *place);

/* NULL when absent; valid until the next change. */
const struct pack_place *packindex_find(const struct packindex *index,
					uint64_t id);

bool packindex_remove(struct packindex *index, uint64_t id);

#endif
