/* A directory of its own for one run, and small files in it. */
#ifndef RAFTFS_CLIENT_BENCH_PLACE_H
#define RAFTFS_CLIENT_BENCH_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/raftfs.h"

#define PLACE_NAME_BYTES 16

struct place {
	char name[48]; /* in the root; nobody else's */
	uint64_t dir;
	uint32_t count; /* of files made */
};

/* False, with the reason on standard error. */
bool place_make(struct place *place, struct raftfs *fs);
bool place_add(struct place *place, struct raftfs *fs, const void *data,
	       size_t bytes, uint64_t *ino);
/* The name of file `index`, for a put over it. */
void place_name(uint32_t index, char name[PLACE_NAME_BYTES]);
/* Take it all away, as well as it goes, in a conversation of its own. Close
 * those that wrote first: a put whose outcome nobody learnt can still make its
 * file again, until its session has ended. */
void place_remove(const struct place *place, const char *endpoints);

/* Say on standard error what went wrong; false, to return. */
bool place_failed(const char *doing, enum rfs_err err);

#endif
