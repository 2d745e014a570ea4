/* Grants: blocks of chunk ids lent to a node for data it stores beforehand.
 *
 * Each id of a grant can be named for the first time once (F2): the record
 * remembers which were.  When the last one was, or when an entry expires the
 * grant, the record goes, and no entry can name an id of it anew (F7).
 */
#ifndef RAFTFS_STORAGED_CORE_GRANTS_H
#define RAFTFS_STORAGED_CORE_GRANTS_H

#include "storaged/core/apply.h"
#include "storaged/core/query.h"

/* COMMAND_GRANT: never refused. */
enum rfs_err grants_make(struct apply *a);

/* COMMAND_EXPIRE_GRANT. NOENT: no such grant, perhaps expired before. */
enum rfs_err grants_expire(struct apply *a);

/* OK: this id may be named for the first time. NOENT: it may not (any more). */
RFS_MUST_USE enum rfs_err grants_check(struct kv *kv, uint64_t chunk);

/* It was. Only after grants_check() said OK. */
void grants_use(struct apply *a, uint64_t chunk);

/* The grant in a record; INVALID key or value is CORRUPT. */
RFS_MUST_USE enum rfs_err grants_decode(struct kv *kv, uint64_t last,
					struct bytes value,
					struct query_grant *grant);

#endif
