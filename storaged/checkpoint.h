/* Checkpoints: now and then the whole state becomes a durable snapshot, and
 * the log before it may go.
 *
 *	worker  copy the environment, sync and hash the copy
 *	loop    begin a sync of the packs (they hold all the copy names)
 *	worker  sync them, publish the snapshot
 *	loop    tell raftd; let go of chunks freed before it
 */
#ifndef RAFTFS_STORAGED_CHECKPOINT_H
#define RAFTFS_STORAGED_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "storaged/snapshot.h"
#include "storaged/storaged.h"

struct checkpoint;

struct checkpoint *checkpoint_new(struct storaged *s);
void checkpoint_free(struct checkpoint *checkpoint);

/* Make one soon; one more after the one that is running. */
void checkpoint_want(struct checkpoint *checkpoint);
bool checkpoint_is_running(const struct checkpoint *checkpoint);

/* The snapshot that replaced the state counts as one. */
void checkpoint_received(struct checkpoint *checkpoint,
			 const struct snapshot_meta *meta);

/* The newest durable one; index 0: none. */
const struct snapshot_meta *
checkpoint_newest(const struct checkpoint *checkpoint);

/* Raw time of the last one's end; 0: none since we started. */
int64_t checkpoint_last_raw_ns(const struct checkpoint *checkpoint);

#endif
