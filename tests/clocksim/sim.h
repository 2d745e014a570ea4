/* Clusters of clock cores on simulated oscillators and networks; no Raft.
 *
 * One seed, one queue, true time in ns. Each node runs the real timesync core;
 * leaders are named by the scenario, or by the mesh rule (core/carrier.h). Oscillators are those of tests/sim; a
 * timeline goes on by its carrier's oscillator, whatever becomes of the node,
 * and that is the truth every published interval is held against.
 */
#ifndef RAFTFS_TESTS_CLOCKSIM_SIM_H
#define RAFTFS_TESTS_CLOCKSIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/prng.h"
#include "common/units.h"
#include "tests/clocksim/scenario.h"
#include "tests/sim/clocks.h"
#include "timesyncd/core/carrier.h"
#include "timesyncd/core/timesync.h"

#define SIM_EPOCHS_MAX 4096
#define SIM_MAX_PEERS  5
#define SIM_SAMPLE_NS  (100 * NS_PER_MS)

/* One request of a node and what came of it. */
struct pending {
	uint64_t number; /* 0: none under way */
	int64_t t1_ns;
};

struct node {
	struct sim *sim;
	uint32_t index;
	uint32_t region;
	struct sim_clock clock;
	double rate_ppb; /* the walk; clock.rate_ppb is its nearest integer */
	struct timesync *timesync; /* NULL: stopped */
	uint64_t boot;
	uint64_t tick_number;
	uint32_t peers[TIMESYNC_PEERS_MAX];
	uint32_t peer_count;
	struct pending pending[TIMESYNC_PEERS_MAX];
	/* The fastest exchange with each peer since it was last told of one;
	 * peer 0: none. */
	struct timesync_exchange asked[TIMESYNC_PEERS_MAX];
	uint32_t disruptions_base; /* never repeats across restarts */
	struct carrier carrier; /* where nobody elects */
	bool lies;
	bool two_faced; /* to nodes of odd index the opposite */
	bool cut;
	uint64_t packets; /* sent: requests and replies */
	uint64_t requests;
	uint64_t told_epoch; /* newest epoch it was told of */
};

enum sim_event_kind {
	SIM_TICK,
	SIM_REQUEST,
	SIM_REPLY,
	SIM_TIMEOUT,
	SIM_TOLD,
	SIM_LOOK, /* at the mesh */
};

struct sim_event {
	int64_t at_ns;
	uint64_t order;
	enum sim_event_kind kind;
	uint32_t node; /* index: where it happens */
	uint32_t from; /* index: the other end */
	uint64_t number;
	uint64_t boot; /* TICK, TIMEOUT, LOOK: of one life of the core */
	struct timesync_exchange exchange;
	struct timesync_exchange told; /* answerer's own with the asker; peer
					* 0: none */
};

/* Cluster time of an epoch: the carrier's oscillator and a constant. */
struct epoch_truth {
	uint64_t number;
	uint32_t carrier;
	int64_t offset_ns; /* cluster minus oscillator */
};

struct burst {
	bool on;
	int64_t until_ns;
};

struct sim {
	const struct scenario *scenario;
	struct prng prng;
	int64_t now_ns;
	struct sim_event **heap;
	uint32_t heap_count, heap_capacity;
	uint64_t posted;
	uint64_t numbers;
	struct node *nodes;
	uint32_t count;
	uint64_t epoch; /* the newest; 0: none yet */
	struct epoch_truth epochs[SIM_EPOCHS_MAX]; /* oldest first */
	uint32_t epoch_count;
	bool attacked; /* the way from node 1 to 2 takes longer */
	struct burst bursts[4][4]; /* of the first nodes' links */
	int64_t fault_ns; /* the end of the last disturbance, perhaps to come;
			   * 0: there was none */
	bool tracing;
};

struct sim *sim_new(const struct scenario *scenario, uint64_t seed,
		    bool tracing);
void sim_free(struct sim *sim);

/* Serve what happens until true time until_ns, wander included. */
void sim_run(struct sim *sim, int64_t until_ns);

void sim_start(struct sim *sim, uint32_t index);
void sim_stop(struct sim *sim, uint32_t index);

/* The next epoch, carried by this node, continuing the timeline. */
void sim_elect(struct sim *sim, uint32_t index);

/* The raw clock moves; its host notices 20 ms later. */
void sim_jump(struct sim *sim, uint32_t index, int64_t by_ns);

/* A sudden change of rate. */
void sim_rate_step(struct sim *sim, uint32_t index, double by_ppb);

/* The newest epoch's carrier, index; count: there is none yet. */
uint32_t sim_carrier(const struct sim *sim);

/* What a node publishes now, against the truth of the epoch it names. */
struct sim_reading {
	bool usable;  /* there is an interval */
	bool holds;   /* the truth is inside */
	bool current; /* of the newest epoch */
	enum timesync_quality quality;
	int64_t error_ns; /* estimate minus truth */
	int64_t bound_ns; /* half the interval */
};

struct sim_reading sim_read(const struct sim *sim, uint32_t index);

#endif
