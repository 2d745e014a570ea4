/* How old is an entry, for sure? The judgement every lease rule rests on.
 *
 * "The log is the lease" (LeaseGuard): whoever reads by lease shows that the
 * last committed entry is surely younger than its D; a new leader commits
 * nothing before every entry it inherited is surely older than its own D. Both
 * may be in doubt at once; both can never be sure of the opposite. D is an
 * entry's, by the log (setting.c), so both speak of the same one.
 *
 * The age of an entry is measured on its own timeline, the raw clock of the
 * leader that made it. Three ways to know something about it:
 *
 *   exactly    this node made it in this term: its own raw clock says all
 *   interval   an interval once known for that timeline, carried on by this
 *		node's raw clock and widened by rho per elapsed time (I5)
 *   duration   the entry was made before this node received it, so it is older
 *		than D once this node counted D(1 + 2 rho) since then (I6)
 *
 * older() asks for D(1 + 2 rho) of the entry's own time where D would do. With
 * that margin any raw clock has counted more than D since the entry was made:
 * (1 + 2r)(1 - r) > 1 for r < 1/2. So entries before it in the log, which were
 * made earlier on other clocks, are older(D) too: one entry answers for all
 * before it that have no longer D. Which ones are asked: setting.c.
 */
#ifndef RAFTFS_RAFTD_CORE_LEASE_H
#define RAFTFS_RAFTD_CORE_LEASE_H

#include "raftd/core/raft.h"

#define LEASE_EPOCHS_MAX 4

/* What this node knows of timelines: the last trustworthy reading of each, and
 * how those came about of which the log has the hand-over record (I3, I9). */
struct lease_clock {
	uint32_t max_rate_ppb; /* rho */
	const struct raft_window *window; /* borrowed; NULL: no records */
	struct lease_reading {
		uint64_t epoch; /* 0: free */
		int64_t raw_ns;
		struct interval time;
	} readings[LEASE_EPOCHS_MAX];
};

void lease_clock_init(struct lease_clock *clock, uint32_t max_rate_ppb);

/* A sure reading, not earlier than any before it. The oldest makes room. */
void lease_clock_note(struct lease_clock *clock, uint64_t epoch, int64_t raw_ns,
		      struct interval time);

/* This node's raw clock broke its promise (I7): nothing is known any more. */
void lease_clock_forget(struct lease_clock *clock);

/* Time of that epoch at a raw instant not before any reading: by its reading,
 * else by that of the epoch it was handed over to, and the record of how they
 * met; empty: unknown. */
struct interval lease_clock_at(const struct lease_clock *clock, uint64_t epoch,
			       int64_t raw_ns);

/* The newest epoch anything is known of; 0: none. */
uint64_t lease_clock_newest(const struct lease_clock *clock);

/* What is asked about: its stamp, and when this node had it on its raw clock. */
struct lease_entry {
	struct raft_stamp stamp;
	int64_t received_raw_ns;
};

/* The first raw instant at which the entry is surely older than duration_ns,
 * by interval or by duration; not before raw_ns. */
int64_t lease_older_from(const struct lease_clock *clock,
			 const struct lease_entry *entry, int64_t duration_ns,
			 int64_t raw_ns);

/* The last raw instant at which an entry this very node made in its present
 * term is younger than duration_ns. */
int64_t lease_own_until(int64_t created_raw_ns, int64_t duration_ns);

/* The same for another leader's entry, by interval. False: not younger now, or
 * its timeline is unknown. */
bool lease_inherited_until(const struct lease_clock *clock,
			   const struct lease_entry *entry,
			   int64_t duration_ns, int64_t raw_ns,
			   int64_t *until_raw_ns);

#endif
