/* What has to be looked after once a second: disk space, the first catching
 * up, sessions and grants that ran out, packs worth compacting, checkpoints
 * that let disk space go, and the supervisor's watchdog. */
#ifndef RAFTFS_STORAGED_UPKEEP_H
#define RAFTFS_STORAGED_UPKEEP_H

#include "storaged/storaged.h"

struct upkeep;

struct upkeep *upkeep_new(struct storaged *s);
void upkeep_free(struct upkeep *upkeep);

/* The state was replaced: catch up, sweep and backfill once more. */
void upkeep_restart(struct upkeep *upkeep);

#endif
