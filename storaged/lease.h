/* May this node answer a read by itself, right now (rules R1, R2)?
 *
 * Looks at the consensus page, then at the clock page, before any state is
 * read; the read linearizes at this look. docs/SAFETY.md, shm/conspage.h.
 */
#ifndef RAFTFS_STORAGED_LEASE_H
#define RAFTFS_STORAGED_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/clockpage.h"
#include "shm/conspage.h"

/* The rule itself, on what was read: true when a state that has applied
 * cons->commit_index may answer without a message what limbo cannot change. */
bool lease_holds(const struct cons_sample *cons,
		 const struct clock_sample *clock, int64_t raw_now_ns);

/* What a lease allows, as of the look. */
struct lease_point {
	uint64_t commit_index; /* the state must have applied it */
	uint64_t term;
	uint64_t limbo_index; /* not 0: and no command after commit_index up to
			       * this one may change the answer (R2) */
	int64_t left_ns;      /* of the lease, */
	int64_t whole_ns;     /* which lasts so long from its entry on */
};

/* Read both pages, in order, then the raw clock, and judge. Either page may be
 * NULL (none was handed out yet): false. *point is written on true. */
bool lease_check(const struct conspage *cons, const struct clockpage *clock,
		 struct lease_point *point);

#endif
