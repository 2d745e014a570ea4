/* What the step works on: all that is known of the clock at one time. Internal to
 * timesyncd/core; hosts see struct timesync of timesync.h only. */
#ifndef RAFTFS_TIMESYNCD_CORE_STATE_H
#define RAFTFS_TIMESYNCD_CORE_STATE_H

#include "common/prng.h"
#include "timesyncd/core/bound.h"
#include "timesyncd/core/discipline.h"
#include "timesyncd/core/exchange.h"
#include "timesyncd/core/peer.h"
#include "timesyncd/core/relapse.h"
#include "timesyncd/core/timesync.h"

struct epoch {
	uint64_t number; /* 0: no timeline yet */
	uint32_t leader; /* 0: none known */
	bool leads;	 /* this node is the reference */
	bool carried;	 /* by our raw clock: we lead, or led, this epoch */
	bool broken;	 /* its carrier said so itself */
	int64_t offset_ns; /* carried: cluster minus raw, exactly */
};

struct timesync {
	struct timesync_config config;
	struct exchange_limits limits;
	struct prng prng;
	struct peer peers[TIMESYNC_PEERS_MAX];
	uint32_t peer_count;
	struct epoch epoch;
	struct discipline discipline;
	bool budget_spent;

	bool has_truth; /* of this epoch, by our own extrapolation */
	struct bound_witness truth;

	bool disrupted;
	uint32_t disruptions;
	struct relapse relapse;
	int64_t trust_since_ns; /* exchanges begun earlier are void */

	int64_t majority_ns; /* when a majority last agreed, in this epoch */
	int64_t refresh_ns;
	int denied; /* index of a host's clock that is not believed; -1: none */
	int64_t choose_ns; /* raw: when whom to ask is chosen anew */
	uint32_t chosen_leader;
	int64_t steady_ns;

	struct timesync_clock clock;
	const char *why;
};

/* What counts as a majority of the nodes this one may ask, itself included, and
 * how many nodes' agreement SYNCED takes. */
uint32_t state_majority(const struct timesync *t);
uint32_t state_sources_needed(const struct timesync *t);

/* NULL: not listed. */
struct peer *state_peer(struct timesync *t, uint32_t id);

/* What a broken clock shows, ours or the peer's, is told, and bursts are asked
 * for it, a few times only. */
bool state_is_news(const struct timesync *t, int64_t raw_ns,
		   const struct peer *peer);

/* Everybody is asked at once, in a burst. */
void state_hurry(struct timesync *t, int64_t raw_ns);

/* This node's raw clock is not what it was: nothing measured against it holds,
 * and the published line may have to jump. why: static text. */
void state_break(struct timesync *t, int64_t raw_ns, const char *why);

#endif
