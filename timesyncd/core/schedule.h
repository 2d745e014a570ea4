/* When to ask whom: fast while it buys something, sync_interval when not.
 *
 *	burst     SCHEDULE_BURST answers, SCHEDULE_GAP_NS apart: at start, in a
 *	          new epoch, after a contradiction or a disruption
 *	steady    each round as late as target_bound allows, doubling up to it
 *	          a round is one exchange, or a short burst of them: the fastest
 *	          of several tells more than one, at the same cost per minute
 *	missing   after a timeout: soon again, then less often; a burst once it
 *	          answers again
 *
 * At most one request to a peer is under way at any time.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_SCHEDULE_H
#define RAFTFS_TIMESYNCD_CORE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/prng.h"
#include "common/units.h"

#define SCHEDULE_BURST	      8
#define SCHEDULE_GAP_NS	      (10 * NS_PER_MS)
#define SCHEDULE_FASTEST_NS   (100 * NS_PER_MS)
#define SCHEDULE_RETRY_MAX_NS (4 * NS_PER_SEC)

struct schedule {
	int64_t next_ns;     /* raw: when the next request is due */
	int64_t interval_ns; /* last step of doubling towards the steady one */
	int64_t patience_ns; /* silence that says nothing: four of the intervals
			      * it was asked at, whatever hurry came since */
	int64_t sent_ns;
	bool outstanding;
	uint32_t burst_left;
	uint32_t round; /* exchanges of a steady round; 0 and 1 are one */
	uint32_t missed;	 /* in a row */
	uint8_t reach;		 /* RFC 5905: newest poll in bit 0 */
	uint64_t asked, answered, timeouts;
};

/* Due at once, in a burst. */
void schedule_init(struct schedule *schedule, int64_t raw_ns);

/* Something is worth knowing at once: a burst, starting now. */
void schedule_hurry(struct schedule *schedule, int64_t raw_ns);

bool schedule_is_due(const struct schedule *schedule, int64_t raw_ns);
void schedule_sent(struct schedule *schedule, int64_t raw_ns);

/* steady_ns: what target_bound needs, as schedule_steady_ns() says. `wanting`:
 * the answer did not bring what the burst is for, so it goes on. */
void schedule_answered(struct schedule *schedule, int64_t raw_ns,
		       int64_t steady_ns, bool wanting, struct prng *prng);

/* False: nothing was under way (a late or repeated event). */
bool schedule_timed_out(struct schedule *schedule, int64_t raw_ns,
			struct prng *prng);

/* One of the last three polls was answered. */
bool schedule_is_reachable(const struct schedule *schedule);

/* The longest interval that keeps a bound of fixed_ns (round trip, precision)
 * growing by growth_ppb within target_bound_ns; where the round trip alone is
 * wider, the interval that adds a quarter of it. In
 * [SCHEDULE_FASTEST_NS or less, sync_interval_ns]. */
int64_t schedule_steady_ns(int64_t fixed_ns, int64_t growth_ppb,
			   int64_t target_bound_ns, int64_t sync_interval_ns);

#endif
