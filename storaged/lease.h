/* May this node answer a read by itself, right now (rule R1)?
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
 * cons->commit_index may answer without a message. */
bool lease_holds(const struct cons_sample *cons,
		 const struct clock_sample *clock, int64_t raw_now_ns);

/* Read both pages, in order, then the raw clock, and judge. Either page may be
 * NULL (none was handed out yet): false. The results are written on true:
 * where the state must be, and how much of the lease is left. */
bool lease_check(const struct conspage *cons, const struct clockpage *clock,
		 uint64_t *commit_index, int64_t *left_ns);

#endif
