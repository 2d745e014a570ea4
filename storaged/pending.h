/* Questions on their way: numbers handed out, answers matched. */
#ifndef RAFTFS_STORAGED_PENDING_H
#define RAFTFS_STORAGED_PENDING_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. Numbers rise and are never used twice. */
struct pending {
	uint64_t next;
	struct pending_slot {
		uint64_t id; /* 0: free */
		void *item;
	} *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

/* item is kept, not looked at, and not NULL. Returns its number, from 1. */
uint64_t pending_add(struct pending *pending, void *item);

/* Take it out; NULL when that number is not (or no longer) here. */
void *pending_take(struct pending *pending, uint64_t id);

/* Take out any one; NULL when none is left. */
void *pending_take_any(struct pending *pending);

/* Only when empty. */
void pending_fini(struct pending *pending);

#endif
