/* Guards against who owns the path: which exchanges may steer, and by how much
 * in an hour.
 *
 * Delaying one direction moves an estimate by half of the delay, and shows as a
 * longer round trip. An exchange slower than three times the least of late and
 * 200 us still proves its interval (which holds its whole delay), but steers
 * nothing. So a delayer on the path moves an estimate by the least delay and
 * 100 us, or waits until the slow way has become the usual one.
 *
 * A delayer who was there from the start, or who waits, is told apart by what
 * the kernel sees on TCP to the same node: packets of the two take one way, so
 * time packets that take much longer are delayed by somebody who picks them, or
 * stand in a queue of their own. By how much is the doubt, which counts as one
 * sigma more of what is estimated by them. A round trip of TCP's only ever
 * adds doubt: faster than it the packets cannot be believed to be, whatever it
 * is, and a long one says nothing.
 *
 * Whatever gets through is slewed, and all slews of any hour together are at
 * most a budget; what is left over stays in the bound. Following the measured
 * drift is no slew: that is capped by max_rate.
 *
 * Statistics only. No bound rests on anything here.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_GUARD_H
#define RAFTFS_TIMESYNCD_CORE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"

/* A way that is slow for this long and for so many exchanges is another way. */
#define GUARD_WINDOW_NS	   (300 * NS_PER_SEC)
#define GUARD_WINDOW_COUNT 16u

#define GUARD_TIMES    3
#define GUARD_SLACK_NS (200 * NS_PER_US)

struct guard_path {
	int64_t before_ns; /* least round trip of the window before this one */
	int64_t now_ns;	   /* and of this one; INT64_MAX: none yet */
	int64_t since_ns;  /* our raw: start of this one */
	uint32_t count;
};

void guard_path_init(struct guard_path *path);

/* The least round trip of late; INT64_MAX: none yet. */
int64_t guard_path_floor_ns(const struct guard_path *path);

/* Whether an exchange with this round trip, delay_ns >= 0, may steer. */
bool guard_path_allows(const struct guard_path *path, int64_t delay_ns);

/* Take note of one round trip at raw_ns, and the same. */
bool guard_path_admits(struct guard_path *path, int64_t delay_ns,
		       int64_t raw_ns);

/* TCP's round trips of longer ago say nothing of the way now. */
#define GUARD_TCP_AGE_MAX_NS (60 * NS_PER_SEC)

/* How far an estimate by exchanges of this round trip may be off for somebody's
 * delaying them alone; 0: no reason to think so. tcp_rtt_ns is the least round
 * trip of TCP to the same node, 0 when not known. */
int64_t guard_doubt_ns(int64_t delay_ns, int64_t tcp_rtt_ns);

/* One slow packet is none; as many in a row end a doubt as began it. */
#define GUARD_DOUBT_COUNT 4u

/* All zero: none. */
struct guard_doubt {
	bool on;
	uint32_t otherwise; /* exchanges in a row that say the opposite */
};

/* After each exchange. True: it begins or ends with this one. */
bool guard_doubt_watch(struct guard_doubt *doubt, int64_t delay_ns,
		       int64_t tcp_rtt_ns);

/* Each slot is the twelfth of an hour, and one more is counted than an hour
 * has: at least the last hour. */
#define GUARD_SLOT_NS (300 * NS_PER_SEC)
#define GUARD_SLOTS   13u

/* All zero: nothing spent. */
struct guard_budget {
	int64_t spent_ns[GUARD_SLOTS];
	int64_t slot; /* raw / GUARD_SLOT_NS of the newest one */
};

/* Corrections of the last hour, at raw_ns, not before the last call's. */
int64_t guard_budget_spent_ns(struct guard_budget *budget, int64_t raw_ns);

void guard_budget_spend(struct guard_budget *budget, int64_t raw_ns,
			int64_t slewed_ns);

#endif
