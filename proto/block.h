/* Blocks of memory, kept for the next who needs one as large: messages, buffers
 * and OpenSSL in one process share them. Once it has seen its largest traffic,
 * nothing is allocated any more.
 *
 * Under AddressSanitizer nothing is kept, so that use after free shows.
 */
#ifndef RAFTFS_PROTO_BLOCK_H
#define RAFTFS_PROTO_BLOCK_H

#include <stddef.h>

/* Of one size: one is kept, or as many as are so many bytes. None of those that
 * are larger than that four times over. */
#define BLOCK_KEEP_BYTES (4u * 1024 * 1024)

/* For at least so many bytes, aligned for anything; *capacity: how many they
 * are. NULL: memory is out. Threads: any. */
void *block_take(size_t bytes, size_t *capacity);

/* Of a block that was taken. */
size_t block_capacity(const void *bytes);

/* May be NULL. Threads: any. */
void block_give(void *bytes);

#endif
