/* The cluster clock, sans I/O: exchanges go in, a published clock comes out.
 *
 * The same object code runs in raftfs-timesyncd (driven by timesyncd/loop.c)
 * and in the simulator (driven by tests/sim). It reads no clock, draws no
 * randomness but from its seed, and allocates only in timesync_new().
 *
 * Two outputs that never mix: the estimate (offset, drift) is as good as
 * statistics allow; the bound contains the epoch's timeline by proof, given
 * only that any two raw clocks differ in rate by at most max_rate_ppb (rho).
 *
 * The timeline is carried by the Raft leader: epoch = its term, cluster time =
 * anchor_ts + (its raw - anchor_raw), its own error 0. Other nodes measure it.
 * Terms follow RFC 5905; the page model is that of shm/clockpage.h.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_TIMESYNC_H
#define RAFTFS_TIMESYNCD_CORE_TIMESYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/interval.h"
#include "common/story.h"

/* Other nodes, and references outside the cluster. */
#define TIMESYNC_PEERS_MAX 14

struct timesync;

/* Same values as enum clock_quality of shm/clockpage.h (asserted there). */
enum timesync_quality {
	TIMESYNC_UNSYNCED = 0,	/* no usable bound */
	TIMESYNC_HOLDOVER = 1,	/* majority lost: bound holds, and grows */
	TIMESYNC_SYNCED = 2,
	TIMESYNC_DISRUPTED = 3, /* this node's own clock broke its promise */
};

/* A clock as of one instant: what is published, and what a server tells in a
 * reply. For raw t >= asof_ns:
 *	cluster(t) = t + offset_ns + drift_ppb * (t - asof_ns) / 1e9
 *	|cluster(t) - true(t)| <= bound_ns + growth_ppb * (t - asof_ns) / 1e9 */
struct timesync_clock {
	enum timesync_quality quality;
	uint64_t epoch;
	int64_t asof_ns;
	int64_t offset_ns;
	int64_t bound_ns;
	int32_t drift_ppb;
	uint32_t growth_ppb;
	int64_t void_after_ns; /* raw instant from which it is UNSYNCED */
	uint32_t disruptions;
	uint32_t stratum; /* 1: carries the timeline; 1 more for each node
			   * between; 0: does not say */
	/* Where bound_ns comes from; the parts add up to it. */
	int64_t part_delay_ns;	    /* half the round trip */
	int64_t part_dispersion_ns; /* server's own bound, read precision */
	int64_t part_drift_ns;	    /* rho x age */
	int64_t part_unslewed_ns;   /* estimate not yet slewed to */
};

/* T1..T4 of one exchange. t1, t4 on our raw clock; t2, t3 on the server's raw
 * clock; server_clock is its published clock, as of t3 or before.
 *
 * For the bound to hold t1 may be early and t4 late, t2 late and t3 early, but
 * none of them the other way by more than config.precision_ns. */
struct timesync_exchange {
	uint32_t peer;
	int64_t t1_ns, t2_ns, t3_ns, t4_ns;
	struct timesync_clock server_clock;
	uint64_t server_boot; /* changes when its raw clock may have restarted */
	uint32_t server_hears; /* core/carrier.h; not looked at by the core */
	/* The least round trip of TCP to the peer that the kernel saw of late,
	 * and how long ago it last looked; 0: not known (core/guard.h). */
	int64_t tcp_rtt_ns;
	int64_t tcp_age_ns;
};

enum timesync_event_type {
	TIMESYNC_EV_TICK,	/* deadline passed */
	TIMESYNC_EV_REPLY,	/* an authenticated answer to our request */
	TIMESYNC_EV_REFINED,	/* the last REPLY's exchange, T3 later than
				 * it was told: before the next REPLY */
	TIMESYNC_EV_SERVED,	/* an exchange of the peer's with us: T2, T3
				 * on our raw clock, T1, T4 on its; before the
				 * REPLY it came with */
	TIMESYNC_EV_TIMEOUT,	/* no answer within config.timeout_ns */
	TIMESYNC_EV_EPOCH,	/* the consensus page names a leader and epoch */
	TIMESYNC_EV_DISRUPTION, /* suspend, VM pause, raw clock broke its promise */
	TIMESYNC_EV_HURRY,	/* ask everybody now: what is known is old */
};

struct timesync_event {
	enum timesync_event_type type;
	int64_t raw_ns; /* now */
	union {
		struct timesync_exchange reply;
		uint32_t peer; /* TIMEOUT */
		struct {
			uint32_t leader; /* 0: none known */
			uint64_t epoch;
			bool self; /* we are the reference; anchors count */
			int64_t anchor_raw_ns;
			int64_t anchor_ts_ns;
		} epoch;
	};
};

struct timesync_effects {
	uint32_t ask[TIMESYNC_PEERS_MAX]; /* send a request to each, now */
	uint32_t ask_count;
	bool publish; /* clock changed: write the page */
	struct timesync_clock clock;
	int64_t deadline_ns; /* always: next TICK, raw */
};

/* The seven parameters asked for, then ours. All from raftfs.conf. */
struct timesync_config {
	uint32_t self;
	uint32_t peers[TIMESYNC_PEERS_MAX]; /* all other nodes */
	uint32_t peer_count;
	int64_t sync_interval_ns;  /* 60 s: the slow end */
	uint32_t min_peers;	   /* 3 sources, self included, for SYNCED where
				    * the cluster has that many */
	uint32_t max_peers;	   /* 5 asked per round at most, by distance
				    * and spread (core/roster.h) */
	int64_t timeout_ns;	   /* 1 s */
	double drift_threshold;	   /* 0.1: milliseconds per second (100 ppm)
				    * beyond which a drift is reported */
	double adjustment_rate;	   /* 0.1 of the residual per second */
	uint32_t history_size;	   /* 10 samples a peer */
	uint32_t burst;		   /* exchanges in each round; 0 is one */
	uint32_t max_rate_ppb;	   /* rho */
	uint32_t max_slew_ppb;
	int64_t max_correction_ns; /* of all slews in an hour */
	int64_t target_bound_ns;   /* poll as fast as this takes */
	int64_t void_after_ns;	   /* holdover longer than this: UNSYNCED */
	int64_t max_rtt_ns;	   /* slower answers are refused */
	int64_t precision_ns;	   /* of one raw reading, measured at start */
	/* Remembered drift towards peers[i]; 0 when unknown. A guess for the
	 * estimate only: no bound ever rests on it. */
	int32_t peer_drift_ppb[TIMESYNC_PEERS_MAX];
	/* Shortest time between two requests to peers[i]: not 0 for a reference
	 * outside the cluster, which is asked whatever max_peers says. */
	int64_t peer_gap_ns[TIMESYNC_PEERS_MAX];
	uint64_t seed;
	struct story story;
};

/* NULL: out of memory. Owned by the caller. Starts UNSYNCED. The first
 * effects, with whom to ask, come from the first step: a TICK at once. */
struct timesync *timesync_new(const struct timesync_config *config,
			      int64_t raw_ns);
void timesync_free(struct timesync *timesync);

/* Other settings from the next step on, which should come at once; self must
 * be the same. Peers that are still listed keep what is known of them and their
 * requests under way, new ones (distinct ids) are asked, the others are
 * forgotten. The clock goes on as it is. */
void timesync_configure(struct timesync *timesync,
			const struct timesync_config *config);

/* Cannot fail: input that makes no sense is counted and dropped. */
void timesync_step(struct timesync *timesync,
		   const struct timesync_event *event,
		   struct timesync_effects *effects);

/* The clock in force: what was last published. */
const struct timesync_clock *timesync_clock(const struct timesync *timesync);

/* Cluster time at raw_ns, as a sure interval; empty when not usable. */
struct interval timesync_clock_at(const struct timesync_clock *clock,
				  int64_t raw_ns);

/* One row per peer, for `raftfs clock` and metrics. */
struct timesync_peer_view {
	uint32_t id;
	bool reachable; /* one of the last three polls was answered */
	uint8_t reach; /* RFC 5905: last eight polls, newest in bit 0 */
	bool truechimer;
	bool chosen; /* asked at present: one of max_peers */
	int64_t offset_ns; /* peer's raw minus ours, minimum-delay sample */
	int64_t delay_ns;
	int64_t jitter_ns;
	int32_t drift_ppb;
	int64_t last_heard_ns; /* raw; 0: never */
	uint64_t asked, answered, timeouts, rejected;
	uint64_t refined;  /* departure told by the next answer */
	uint64_t served;   /* its own exchanges with us that it told us of */
	uint64_t withheld; /* too slow to steer by (core/guard.h) */
	int64_t floor_ns; /* least delay of late; 0: none yet */
	int64_t tcp_rtt_ns; /* of TCP; 0: not known, or too long ago */
	int64_t doubt_ns; /* what the estimate may be off by if somebody delays
			   * time packets alone; 0: TCP is as slow */
	uint64_t doubted; /* exchanges far slower than TCP */
	bool doubtful_path; /* several of them in a row */
	uint64_t contradictions; /* answers that no raw clock within rho of
				  * ours could have given after the others */
	uint32_t points;   /* exchanges the estimate rests on */
	int64_t span_ns;   /* from the oldest of them to the newest */
	uint32_t skew_ppb; /* one sigma of drift_ppb */
	bool claims;
	struct interval claim; /* for cluster time, less what is published */
	const char *why; /* static text: why it does not count; "" if it does */
};
uint32_t timesync_peers(const struct timesync *timesync,
			struct timesync_peer_view views[TIMESYNC_PEERS_MAX]);

/* What the published clock was slewed by in the last hour, at most
 * config.max_correction_ns, and how often more was called for. */
struct timesync_corrections {
	int64_t spent_ns;
	uint64_t held_back;
};
struct timesync_corrections
timesync_corrections(const struct timesync *timesync, int64_t raw_ns);

/* Between rounds now; raw ns. */
int64_t timesync_poll_ns(const struct timesync *timesync);

/* Why the quality is what it is; static text, never NULL. */
const char *timesync_why(const struct timesync *timesync);

#endif
