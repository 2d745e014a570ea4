/* The log scrubber: reads the log back now and then, and puts right what the
 * disk has let go bad while this node still knows what stood there.
 *
 * Entries behind the snapshot are all in memory, so a bad record is rewritten
 * from there. One that a snapshot covers does not matter. What cannot be put
 * back (a truncation, a reset) is covered by the next snapshot, which is asked
 * for at once; until then a restart would have it repaired by the other nodes.
 *
 * It reads WAL_SCRUB_BYTES at a time, SCRUB_STEP_SEC apart, on the chores'
 * thread.
 */
#ifndef RAFTFS_RAFTD_SCRUB_H
#define RAFTFS_RAFTD_SCRUB_H

#include <ev.h>
#include <stdint.h>

#include "raftd/chores.h"
#include "raftd/core/raft.h"
#include "raftd/disk.h"

#define SCRUB_STEP_SEC 0.1

struct scrub;

/* Called on the loop. */
struct scrub_events {
	/* The entry in memory, or NULL; valid until the call returns. */
	const struct raft_entry *(*entry)(void *ctx, uint64_t index);
	uint64_t (*covered_index)(void *ctx); /* by the newest snapshot */
	void (*want_snapshot)(void *ctx);
};

struct scrub_counters {
	uint64_t passes; /* whole logs read back */
	uint64_t bad;	 /* places */
	uint64_t mended; /* of those, in place */
};

/* interval_ns: from the end of one pass to the next; 0: never. dir as given to
 * wal_open(). NULL: out of memory. */
struct scrub *scrub_new(struct ev_loop *ev, struct chores *chores,
			struct disk *disk, const char *dir,
			int64_t interval_ns, const struct scrub_events *events,
			void *ctx);

const struct scrub_counters *scrub_counters(const struct scrub *scrub);

/* Free the chores first. scrub may be NULL. */
void scrub_free(struct scrub *scrub);

#endif
