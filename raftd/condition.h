/* What this node has to say for itself: RAFT_UNFIT_HOST, out of what its parts
 * show.
 *
 * Its log cannot grow; or its storaged, through which every forwarded write
 * would go, is not there, does not answer, or does not apply what is committed.
 * A process that hangs says nothing: so it is asked, and its silence counts.
 *
 * Pure: no I/O, no clock.
 */
#ifndef RAFTFS_RAFTD_CONDITION_H
#define RAFTFS_RAFTD_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"

#define CONDITION_UNSERVED_NS (1 * NS_PER_SEC)	 /* a restart is quicker */
#define CONDITION_SILENT_NS   (500 * NS_PER_MS) /* asked, and no word since */
#define CONDITION_STUCK_NS    (1 * NS_PER_SEC)	 /* nothing applied */

struct condition_facts {
	bool disk_full;
	bool served;		/* storaged is attached and not restoring */
	uint64_t commit_index;
	uint64_t applied_index; /* as storaged said */
	int64_t asked_raw_ns;	/* the question it owes an answer to; 0: none */
};

struct condition {
	struct condition_facts facts;
	int64_t unserved_since_raw_ns; /* meaningful while not served */
	int64_t applied_since_raw_ns;  /* it got on, or had nothing to do */
};

/* Not served from now on. */
void condition_init(struct condition *condition, int64_t now_raw_ns);

/* How things are now. Returns the bits. */
uint32_t condition_note(struct condition *condition,
			const struct condition_facts *facts,
			int64_t now_raw_ns);

#endif
