/* This node's supply of chunk ids: blocks the log granted, used once each. */
#ifndef RAFTFS_STORAGED_GRANTS_H
#define RAFTFS_STORAGED_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "storaged/storaged.h"

struct grants;

struct grants *grants_new(struct storaged *s);
void grants_free(struct grants *grants);

/* The next id. BUSY: none here now, more were asked for; come back soon. */
RFS_MUST_USE enum rfs_err grants_take(struct grants *grants, uint64_t *chunk);

/* Ask for a supply before the first write needs it. */
void grants_prepare(struct grants *grants);

/* Forget the supply (the state says it is not ours any more). */
void grants_forget(struct grants *grants);

/* May ids of the grant that starts there still be used here? */
bool grants_in_use(const struct grants *grants, uint64_t first);

#endif
