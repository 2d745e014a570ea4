/* One whole file into the cluster, from wherever its bytes come. */
#ifndef RAFTFS_CLIENT_CLI_STORE_H
#define RAFTFS_CLIENT_CLI_STORE_H

#include <stdatomic.h>
#include <stdint.h>

#include "client/lib/raftfs.h"

struct store_source {
	/* Fill data; *got < bytes only at the end. An error ends the copy and
	 * is returned by store_file(). */
	enum rfs_err (*read)(void *ctx, uint64_t offset, void *data,
			     size_t bytes, size_t *got);
	void *ctx;
	uint64_t size_hint;	      /* expected bytes; 0: no idea */
	_Atomic uint64_t *done_bytes; /* counts up as bytes arrive */
};

/* Up to one window: one step, all or nothing. Larger: created (or emptied),
 * then written piece by piece; an error may leave a part. Mode and times end
 * as `as` says. */
RFS_MUST_USE enum rfs_err store_file(struct raftfs *fs, uint64_t parent,
				     const char *name,
				     const struct raftfs_new *as,
				     const struct store_source *source);

/* Make mode, times and (when root stores for another) owner what `as` says if
 * the node has not already. */
RFS_MUST_USE enum rfs_err store_fix(struct raftfs *fs,
				    const struct raftfs_attr *attr,
				    const struct raftfs_new *as);

#endif
