/* A whole directory in memory, in name order. */
#ifndef RAFTFS_CLIENT_CLI_LISTING_H
#define RAFTFS_CLIENT_CLI_LISTING_H

#include <stddef.h>

#include "client/lib/raftfs.h"

struct listing_entry {
	char *name; /* owned by the listing */
	struct raftfs_attr attr;
};

struct listing {
	struct listing_entry *entries;
	size_t count;
};

/* Every entry with its attributes. Freed by listing_free(). */
RFS_MUST_USE enum rfs_err listing_read(struct raftfs *fs, uint64_t ino,
				       struct listing *listing);
void listing_free(struct listing *listing);

#endif
