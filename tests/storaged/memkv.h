/* An ordered key-value store in memory, with transactions, for tests of the
 * storaged core.
 *
 * It is stricter than any real one: every view it hands out is a copy of its
 * own, freed at the next write, so that a view kept too long is seen by the
 * address sanitizer; and it can be told to fail.
 */
#ifndef RAFTFS_TESTS_STORAGED_MEMKV_H
#define RAFTFS_TESTS_STORAGED_MEMKV_H

#include <stddef.h>
#include <stdint.h>

#include "storaged/core/kv.h"

struct memkv;

struct memkv *memkv_new(void);
void memkv_free(struct memkv *memkv);

/* One transaction at a time. memkv_abort() undoes every write since. */
void memkv_begin(struct memkv *memkv, struct kv *kv);
void memkv_commit(struct memkv *memkv);
void memkv_abort(struct memkv *memkv);

/* The operation after the next `count` ones, and all later ones, give
 * RFS_ERR_IO, until the transaction ends. */
void memkv_fail_after(struct memkv *memkv, size_t count);

/* Operations since the last begin, and puts and dels among them. */
size_t memkv_operations(const struct memkv *memkv);
size_t memkv_writes(const struct memkv *memkv);

size_t memkv_count(const struct memkv *memkv);

#endif
