/* SHA-256 by OpenSSL, with CPU instructions where there are any. */
#ifndef RAFTFS_STORAGED_HASH_H
#define RAFTFS_STORAGED_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define HASH_BYTES 32

/* Any thread. Cannot fail: a broken OpenSSL is a CHECK. */
void hash_bytes(const void *data, size_t bytes, uint8_t hash[HASH_BYTES]);

/* The whole of an open file, from its start; the file position is not moved.
 * Blocks. *bytes: how much was hashed. IO (logged). Any thread. */
RFS_MUST_USE enum rfs_err hash_file(int fd, uint64_t *bytes,
				    uint8_t hash[HASH_BYTES]);

#endif
