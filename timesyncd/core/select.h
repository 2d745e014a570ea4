/* Who is believed: this node's own extrapolation, the leader, the other peers.
 *
 * The leader's testimony is authoritative (the timeline is its raw clock), the
 * others' are witnesses to it. Each is one voice, this node included:
 *
 *	leader with the majority, we too	the leader's interval, cut by ours
 *	majority (or just the leader) against us	our own clock broke
 *	majority against the leader		nobody knows: no bound
 *	leader not heard, majority with us	our interval, cut by the majority
 *	leader not heard, no majority		our own extrapolation
 */
#ifndef RAFTFS_TIMESYNCD_CORE_SELECT_H
#define RAFTFS_TIMESYNCD_CORE_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/interval.h"
#include "timesyncd/core/bound.h"
#include "timesyncd/core/timesync.h"

struct select_voice {
	struct interval claim; /* cluster minus our raw, now */
	bool heard;	       /* false: has nothing to say; claim unused */
};

enum select_verdict {
	SELECT_NOTHING,	   /* nobody says anything, and we know nothing */
	SELECT_AGREED,	   /* `truth` holds */
	SELECT_ALONE,	   /* our own extrapolation is all there is */
	SELECT_SELF_BROKE, /* we are in the minority */
	SELECT_LEADER_BROKE,
};

struct select_result {
	enum select_verdict verdict;
	struct interval truth;	   /* AGREED and ALONE */
	struct interval held, met; /* SELF_BROKE: ours, and theirs beside it */
	uint32_t agreeing_mask;	   /* peers (by index) that agree with truth */
	uint32_t agreeing_count;   /* of them */
};

/* leader_index: into peers, -1 when its testimony is not there. */
struct select_result select_judge(const struct select_voice *self,
				  const struct select_voice *peers,
				  uint32_t peer_count, int leader_index);

#endif
