/* One node: three processes, two pages, a disk and a clock.
 *
 * Wired as the daemons are: raftd and timesyncd each drive their core, write
 * their page and talk to peers; storaged holds the state machine, reads both
 * pages and talks to raftd. A process can crash, pause and restart by itself;
 * a machine can reboot. Events for a paused process wait and are served, old
 * as they are, when it goes on; events for a dead one are lost.
 */
#ifndef RAFTFS_TESTS_SIM_NODE_H
#define RAFTFS_TESTS_SIM_NODE_H

#include "raftd/core/raft.h"
#include "tests/sim/clocks.h"
#include "tests/sim/disks.h"
#include "tests/sim/kv.h"
#include "tests/sim/world.h"
#include "timesyncd/core/timesync.h"

#define NODE_PROPOSALS_MAX 64
#define NODE_SNAPSHOTS	   2
/* Client slots: six clients, and the probes of the last phase. */
#define NODE_CLIENTS (7 + SIM_NODES_MAX)

struct process {
	bool alive;
	int64_t paused_until_ns;
	uint32_t incarnation;
	struct event *deferred;
	uint32_t deferred_count, deferred_capacity;
};

/* What raftd publishes to storaged and timesyncd. */
struct consensus_page {
	enum raft_role role;
	uint64_t term;
	uint32_t leader;
	uint64_t commit_index;
	uint64_t limbo_index;
	bool lease_valid;
	int64_t lease_until_raw_ns;
	uint32_t lease_disruptions;
	uint64_t epoch;
	int64_t epoch_raw_ns;
	int64_t epoch_ts_ns;
};

struct raft_host {
	struct raft *raft;
	struct raft_view view;
	struct raft_effects effects;
	bool carrying; /* decided, not carried out yet */
	const struct fact *decided_last; /* where its log ended before */
	/* All nodes' oscillators at that instant: rates change meanwhile. */
	int64_t decided_oscillator_ns[SIM_NODES_MAX];
	int64_t decided_at_ns, decided_raw_ns;
	int64_t decided_raw_ahead_ns; /* of its own clock */
	bool stall; /* fault: pause between the next decision and sending */
	bool hard_in_flight;
	uint64_t hard_term_before;
	uint32_t hard_vote_before;
	uint64_t hard_support_before;
	struct raft_floor hard_floor_before;
	struct factlog log; /* what the core holds in memory */
	uint64_t commit_index;
	int64_t deadline_raw_ns;
	uint64_t tick_number; /* only the newest posted tick counts */
	int64_t tick_at_ns;   /* true; INT64_MAX: none posted */
	uint32_t idle_ticks;  /* in a row without time passing */
	int64_t idle_at_ns;
	struct gathered {
		uint64_t token;
		struct kv_command command;
	} gathered[NODE_PROPOSALS_MAX];
	uint32_t gathered_count;
	struct {
		uint64_t token;
		uint64_t committed; /* last command, when it was asked */
	} reads[64];
	uint32_t read_next;
	uint64_t c1_waits_seen, given_up_seen, c1_waited_term;
	uint64_t won_term; /* the last it led */
	uint64_t met_term; /* first in which it knew a leader; 0: none yet */
	bool streaming[SIM_NODES_MAX]; /* a snapshot to that node */
};

struct clock_host {
	struct timesync *timesync;
	uint64_t boot; /* changes when the raw clock may have restarted */
	uint32_t disruptions_base; /* page counter outlives the process */
	int64_t deadline_raw_ns;
	uint64_t tick_number;
	int64_t tick_at_ns;
	struct {
		uint64_t number; /* 0: none outstanding */
		int64_t t1_ns;
	} asked[SIM_NODES_MAX];
	uint64_t asked_count;
	uint64_t epoch_seen; /* digest of what timesync was last told */
	uint64_t told_epoch;
};

enum request_state {
	REQUEST_NONE = 0,
	REQUEST_PROPOSED, /* waits for raftd's answer */
	REQUEST_APPENDED, /* waits for (index, term) to be applied */
	REQUEST_ASKED,	  /* read: waits for raftd's answer */
	REQUEST_READING,  /* read: waits for index to be applied */
};

struct request {
	uint32_t client; /* slot */
	uint64_t token;	 /* of this attempt; unique */
	bool read;
	struct kv_command command; /* read: only key counts */
	enum request_state state;
	uint64_t index, term;
};

struct storage {
	struct kv kv;
	struct request requests[NODE_CLIENTS]; /* by client slot */
	struct limbo_set {
		uint64_t term;
		uint64_t limbo_index; /* 0: none came since the start */
		uint64_t keys; /* bits: which those commands write */
	} limbo;
	struct stored_snapshot {
		struct raft_snapshot_meta meta; /* index 0: none */
		struct kv kv;
	} snapshots[NODE_SNAPSHOTS]; /* durable; newest first */
};

struct node {
	struct world *world;
	uint32_t index;
	uint32_t id; /* index + 1 */
	struct process procs[PROC_COUNT];
	struct sim_clock clock;
	bool lost; /* the machine, for good */
	int64_t suspended_until_ns; /* machine stopped; nothing can start */
	int64_t lease_file_ns; /* raft.lease, as its file says now */
	bool clockless; /* its timesyncd never starts */
	struct disk disk;
	struct consensus_page page;
	struct timesync_clock clock_page;
	struct raft_host host;
	struct clock_host timing;
	struct storage storage;
};

/* The nodes it begins with; then start them. */
void node_add_all(struct world *world);
void node_start_all(struct world *world);

/* One more machine, not started yet: its clock runs, its disk is empty. */
struct node *node_add(struct world *world);

int64_t node_raw(const struct world *world, const struct node *node);

/* Start processes that are down (mask of 1 << proc). */
void node_start(struct world *world, struct node *node, uint32_t procs);

/* Kill processes; they restart by EVENT_PROC_RESTART after after_ns. */
void node_crash(struct world *world, struct node *node, uint32_t procs,
		int64_t after_ns);

/* Power lost: all processes die, pages vanish, the raw clock starts anew. */
void node_reboot(struct world *world, struct node *node, int64_t after_ns);

/* Stop a process for a while; then it goes on with what waited. */
void node_pause(struct world *world, struct node *node, enum proc proc,
		int64_t duration_ns);
void node_resume(struct world *world, struct event *event);
void node_restart(struct world *world, struct event *event);

/* Let every process run again now. */
void node_heal_all(struct world *world);

/* Defer an event for a paused process. */
void node_defer(struct process *process, const struct event *event);

/* Post an event to a process of a node, void when that process restarts. */
void node_post(struct world *world, uint32_t index, enum proc proc,
	       int64_t after_ns, struct event event);

/* Hint to `index` that the link to `peer_index` broke; may arrive late. */
void node_peer_lost(struct world *world, uint32_t index, uint32_t peer_index);

/* The clock page as raftd and storaged read it, with void_after obeyed. */
bool node_clock_usable(const struct timesync_clock *page, int64_t raw_ns);

/* IPC between processes of one node takes this long. */
#define NODE_IPC_NS (20 * NS_PER_US)

#endif
