/* Write-behind inside one open file: small sequential writes become few large
 * ones, several on their way at once.
 *
 *	write ---> buffer (<= 1 MiB, one window) ---> up to WIDTH on their way
 *	                     drain: everything committed, or the error
 *
 * An error stays until the next drain that reports it (flush, fsync): no
 * write is lost without the program hearing of it there at the latest.
 * Writes that overlap one on its way, and appends, wait for it first.
 */
#ifndef RAFTFS_CLIENT_MOUNT_BEHIND_H
#define RAFTFS_CLIENT_MOUNT_BEHIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/raftfs.h"

#define BEHIND_WIDTH 8u

struct behind_sent {
	struct raftfs_pending *pending; /* NULL: slot is free */
	uint8_t *data;			/* owned */
	uint64_t offset;
	size_t bytes;
};

/* Not thread-safe: files.h locks it. */
struct behind {
	uint8_t *data; /* one window, NULL until needed */
	uint64_t offset;
	size_t bytes;
	bool append;
	struct raftfs_who who;
	struct behind_sent sent[BEHIND_WIDTH]; /* a ring: next is oldest */
	size_t next;
	enum rfs_err err; /* not yet reported */
};

void behind_init(struct behind *behind);
/* Nothing may be left in it. */
void behind_fini(struct behind *behind);

/* Take a write. An earlier failure is answered here too, but stays. */
RFS_MUST_USE enum rfs_err behind_write(struct behind *behind, struct raftfs *fs,
				       uint64_t ino, struct raftfs_who who,
				       uint64_t offset, bool append,
				       const void *data, size_t bytes);

bool behind_is_empty(const struct behind *behind);

/* Wait until everything is committed. Returns the first failure since the
 * last report; report: it has been told and is forgotten. */
enum rfs_err behind_drain(struct behind *behind, struct raftfs *fs,
			  uint64_t ino, bool report);

#endif
