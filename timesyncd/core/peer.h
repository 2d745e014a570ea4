/* One peer as the core sees it: its exchanges, its polls, and what it claims
 * about the timeline.
 *
 * An exchange yields two things. The difference of the two raw clocks goes to
 * the filter and outlives every leader. The claim - where the peer says the
 * epoch's timeline is, moved onto our raw clock - holds for that epoch:
 *
 *	cluster - ours = (peer's raw - ours) + (cluster - peer's raw)
 *
 * Both terms are proven intervals, so their sum is one; and since it speaks of
 * one pair of raw clocks, the reference's and ours, it ages by rho.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_PEER_H
#define RAFTFS_TIMESYNCD_CORE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "timesyncd/core/bound.h"
#include "timesyncd/core/exchange.h"
#include "timesyncd/core/filter.h"
#include "timesyncd/core/guard.h"
#include "timesyncd/core/patterns.h"
#include "timesyncd/core/relapse.h"
#include "timesyncd/core/schedule.h"
#include "timesyncd/core/timesync.h"

struct peer_claim {
	bool valid;
	uint64_t epoch;
	bool exact; /* made by the carrier of the epoch: no error of its own */
	struct bound_witness witness;
};

struct peer {
	uint32_t id;
	uint64_t boot; /* 0: never heard */
	struct filter filter;
	struct guard_path path;
	struct schedule schedule;
	struct timesync_clock clock; /* as of the last answer */
	int64_t heard_raw_ns;	     /* peer's raw then (T3) */
	int64_t heard_ns;	     /* ours then (T4); 0: never */
	struct peer_claim claim;
	int64_t contradicted_ns; /* ours; 0: never */
	struct relapse relapse;	 /* of its clock, as seen from here */
	struct patterns patterns;
	bool chosen; /* one of those asked at present (roster.h) */
	bool truechimer;
	const char *why; /* static text: why it does not count */
	uint64_t rejected, contradictions;
	uint64_t refined; /* exchanges whose departure was told later */
	uint64_t served; /* exchanges of its own that it told us of */
	uint64_t withheld; /* taken, but too slow to steer by */
	int64_t delay_ns;   /* round trip of the last answer */
	int64_t tcp_rtt_ns; /* of TCP then; 0: not known */
	int64_t doubt_ns;   /* of the estimate (guard.h) */
	struct guard_doubt way; /* time packets alone are slow */
	uint64_t doubted;   /* exchanges */
};

void peer_init(struct peer *peer, uint32_t id, uint32_t history_size,
	       int32_t drift_ppb, int64_t raw_ns);

/* Our own raw clock broke: all that was measured against it is void. */
void peer_forget(struct peer *peer);

enum peer_verdict {
	PEER_REFUSED,	   /* counted and dropped */
	PEER_TAKEN,
	PEER_RESTARTED,	   /* taken; the history before it was dropped */
	PEER_CONTRADICTED, /* taken; it cannot be true together with the others,
			    * which were dropped: held and met */
};

/* Take one answer, of an exchange begun at trust_since_ns or later. */
enum peer_verdict peer_take(struct peer *peer,
			    const struct timesync_exchange *exchange,
			    const struct exchange_limits *limits,
			    int64_t trust_since_ns, int64_t raw_ns,
			    struct interval *held, struct interval *met);

/* The exchange taken last, with a later T3 of the same departure: it proves
 * more, and steers better. REFUSED (any other exchange), TAKEN, CONTRADICTED. */
enum peer_verdict peer_refine(struct peer *peer,
			      const struct timesync_exchange *exchange,
			      const struct exchange_limits *limits,
			      int64_t trust_since_ns, int64_t raw_ns,
			      struct interval *held, struct interval *met);

/* An exchange that the peer began, of the boot and since the disruption that are
 * known of it, not older than the newest taken: REFUSED, TAKEN, CONTRADICTED. */
enum peer_verdict peer_take_served(struct peer *peer,
				   const struct timesync_exchange *exchange,
				   const struct exchange_limits *limits,
				   int64_t trust_since_ns, int64_t raw_ns,
				   struct interval *held,
				   struct interval *met);

/* The claim speaks of this epoch and its maker still answers. */
bool peer_bears_witness(const struct peer *peer, uint64_t epoch,
			int64_t raw_ns);

/* Where the peer estimates the timeline, on our raw clock. */
int64_t peer_target_at(const struct peer *peer, int64_t raw_ns);
double peer_target_drift_ppb(const struct peer *peer);

/* One sigma of that estimate, as far as noise goes, and with the doubt about
 * the way. */
double peer_target_sigma_ns(const struct peer *peer, int64_t raw_ns);
double peer_target_doubt_ns(const struct peer *peer, int64_t raw_ns);

#endif
