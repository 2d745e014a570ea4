/* Who carries the timeline where there is no consensus to say it: the mesh
 * rule of standalone nodes.
 *
 *	The timeline is carried by the lowest-numbered node that a majority
 *	hears.
 *
 * Each answer says whom its sender hears (carrier_hears()), so every node can
 * count. Nodes whose clock runs on the timeline come before nodes that have
 * lost it, and those before nodes whose raw clock has just broken.
 *
 *	nobody carries	   the candidate does, SETTLE after it sees that, or
 *			   START while a lower one was never heard: its first
 *			   answers may have been lost
 *	carrier is lost	   the next candidate, SETTLE after the others see it
 *	lower one is back  takes over once it has been synced for RETURN
 *
 * Whoever takes over continues the old timeline from its own upper bound, so
 * that no later stamp is below an earlier one; only where there was none is it
 * seeded from the wall clock. Its epoch number is above all that it has heard
 * of, and names it: epoch = round * 16 + rank + 1, so that two nodes never
 * mean different timelines by one number. A node that was restarted is told the
 * highest number it went by (carrier_recall()). Where that was lost a round is at
 * least not below the wall clock's quarters of a second, which must then not
 * have gone back.
 *
 * A node follows a higher epoch when its carrier is the candidate by its own
 * count, or when a majority already follows it: a single liar cannot draw
 * others away. A carrier that no majority hears stops leading (HOLDOVER).
 * This is not consensus: with one-way cuts two nodes may carry for a while,
 * each its own epoch; every page says whose. Leases need raftd.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_CARRIER_H
#define RAFTFS_TIMESYNCD_CORE_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"
#include "timesyncd/core/timesync.h"

#define CARRIER_NODES_MAX (TIMESYNC_PEERS_MAX + 1)
#define CARRIER_SETTLE_NS (500 * NS_PER_MS)
#define CARRIER_START_NS  (2500 * NS_PER_MS)
#define CARRIER_RETURN_NS (10 * NS_PER_SEC)

/* What another node said in its last answer. */
struct carrier_report {
	bool told; /* false: never; the rest is unused */
	bool heard; /* it still answers */
	enum timesync_quality quality;
	uint64_t epoch;
	uint32_t hears;
};

struct carrier {
	uint32_t ids[CARRIER_NODES_MAX]; /* all nodes, ascending */
	uint32_t count;
	uint32_t rank; /* of this node */
	struct carrier_report reports[CARRIER_NODES_MAX]; /* by rank */

	uint64_t epoch; /* in force here; 0: none */
	uint64_t highest; /* ever heard of */
	bool leads;
	int64_t anchor_raw_ns, anchor_ts_ns; /* of an epoch carried here */

	bool remembers; /* `last` is on the timeline */
	struct timesync_clock last;
	uint32_t disruptions;

	bool hopeful; /* this node has been the candidate since */
	bool returning; /* from a carrier that works */
	int64_t since_ns;
	int64_t hurried_ns;
	struct story story;
};

/* ids: all nodes of the configuration, this one included, in any order. */
void carrier_init(struct carrier *carrier, uint32_t self, const uint32_t *ids,
		  uint32_t count, int64_t raw_ns, struct story story);

/* Before the first step: the highest epoch in force in an earlier life. */
void carrier_recall(struct carrier *carrier, uint64_t highest);

/* An answer of node `id`: its clock, and whom it hears. */
void carrier_heard(struct carrier *carrier, uint32_t id,
		   const struct timesync_clock *clock, uint32_t hears);

/* Whom this node hears, itself included: bit i is the node with the i-th
 * lowest id. To be told in every answer. */
uint32_t carrier_hears(const struct carrier *carrier);

/* To be called after every step of the core and a few times a second. True:
 * *event (raw_ns included) is for the core, and then this is to be called
 * again. views: timesync_peers(). wall_ns seeds a first timeline. */
bool carrier_step(struct carrier *carrier, int64_t raw_ns, int64_t wall_ns,
		  const struct timesync_clock *clock,
		  const struct timesync_peer_view *views, uint32_t view_count,
		  struct timesync_event *event);

/* The node that carries an epoch; 0: no such number. */
uint32_t carrier_of(const struct carrier *carrier, uint64_t epoch);

#endif
