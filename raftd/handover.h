/* When a leader should go although nothing is wrong with its raft, and to whom.
 *
 * Two facts of its host make a leader useless: a log that cannot grow, and a
 * storaged that is not there, through which every forwarded write would go. It
 * then hands over, and is not handed leadership back while that lasts. When
 * all nodes are as badly off, handing over again and again helps nobody: so
 * once in HANDOVER_AGAIN_NS at most.
 *
 * Pure: no I/O, no clock.
 */
#ifndef RAFTFS_RAFTD_HANDOVER_H
#define RAFTFS_RAFTD_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"
#include "raftd/core/raft.h"

#define HANDOVER_UNSERVED_NS (1 * NS_PER_SEC)
#define HANDOVER_AGAIN_NS    (5 * NS_PER_SEC)

struct handover {
	bool disk_full;
	bool served;		       /* storaged is attached and not restoring */
	int64_t unserved_since_raw_ns; /* meaningful while not served */
	int64_t again_raw_ns;	       /* not before */
};

/* Not served from now on. */
void handover_init(struct handover *handover, int64_t now_raw_ns);

/* Note how things are. */
void handover_note(struct handover *handover, bool disk_full, bool served,
		   int64_t now_raw_ns);

/* Is this node of use as a leader? */
bool handover_is_fit(const struct handover *handover, int64_t now_raw_ns);

/* The peer to hand leadership to for being unfit; RAFT_NOBODY: stay. connected
 * goes with view->peers, one for each. */
uint32_t handover_due(struct handover *handover, const struct raft_view *view,
		      uint32_t self, const bool *connected, int64_t now_raw_ns);

/* The connected voter, heard of lately, that has most of the log. RAFT_NOBODY:
 * there is none. */
uint32_t handover_successor(const struct raft_view *view, uint32_t self,
			    const bool *connected, int64_t now_raw_ns);

#endif
