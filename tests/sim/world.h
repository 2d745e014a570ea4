/* One simulated world: one seed, one clock of true time, one event queue.
 *
 * Everything that happens is an event in the queue; equal instants are served
 * in the order they were posted. All chance comes from world->prng, so a seed
 * replays exactly; world->digest sums up the run to prove it.
 *
 * A violated invariant ends the process (one process per seed): see
 * world_violate(). Nothing here is freed at the end for the same reason.
 *
 *	clients -> storage (storaged) <-> raft host (raftd) <-> network
 *	                \-- pages --/          |
 *	            clock host (timesyncd)    disks
 *
 * Files: world (queue, story), clocks, network, disks, facts (entries and
 * what was committed), coverage (which rules were exercised), node (processes,
 * crash, restart), raft_host, clock_host, storage + kv (state machine and
 * reads), changes (members come and go), clients, history (linearizability),
 * checks (invariants), record (trace for tests/replay), narrate (messages in
 * the story), faults, cuts, rot, schedules (what goes wrong), run (one seed),
 * batch (a set of them), main.
 */
#ifndef RAFTFS_TESTS_SIM_WORLD_H
#define RAFTFS_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/prng.h"
#include "common/units.h"
#include "raftd/core/raft.h"
#include "tests/sim/coverage.h"

#define SIM_NODES_MAX 14 /* machines, removed and lost ones included */

enum sim_scenario {
	SCENARIO_MIXED = 0,  /* every kind of fault, a random choice per seed */
	SCENARIO_CALM,	     /* none */
	SCENARIO_IDLE,	     /* none, and clients that ask now and then */
	SCENARIO_CRASHES,    /* crashes, reboots, slow disks */
	SCENARIO_PARTITIONS, /* network only */
	SCENARIO_CLOCKS,     /* pauses, disruptions, clock packets lost */
	SCENARIO_DISKS,	     /* rot, wrong places, full, failing, and crashes */
	SCENARIO_CHANGES,    /* nodes come and go, amid crashes and cuts */
	SCENARIO_HOSTILE,    /* streams that lose, double and reorder */
	SCENARIO_BEYOND_RHO, /* one clock breaks the rate rule: log must hold */
	SCENARIO_FIGURE_8,   /* a schedule, see schedules.h */
	SCENARIO_FORGET,     /* another */
	SCENARIO_COUNT
};

/* What a seed's process leaves behind for main, in shared memory. */
struct sim_result {
	bool finished;
	bool violated;
	uint64_t digest;
	uint64_t coverage[COVER_COUNT];
};

struct sim_options {
	uint64_t seed;
	uint32_t node_count; /* that it begins with: 3, 5 or 7 */
	int64_t duration_ns; /* of the fault phase, true time */
	enum sim_scenario scenario;
	const char *skip; /* names of checks left out, or NULL */
	const char *record; /* file for the trace (record.h), or NULL */
	bool live;	  /* print the story as it happens */
	bool tracing;	  /* keep the story for the report */
	uint32_t tail;	  /* story lines a report shows */
};

/* Processes of a node; pausing and crashing works on each. */
enum proc {
	PROC_RAFTD = 0,
	PROC_STORAGED,
	PROC_TIMESYNCD,
	PROC_COUNT,
	PROC_NONE = PROC_COUNT, /* event that belongs to no process */
};

enum event_kind {
	EVENT_RAFT_TICK = 0,
	EVENT_RAFT_MESSAGE,	   /* payload: flight */
	EVENT_RAFT_DISK,	   /* a flush of the log finished */
	EVENT_RAFT_PEER_LOST,	   /* a: peer id */
	EVENT_RAFT_DEATH,	/* a: peer id, b: term it led */
	EVENT_RAFT_PROPOSE,	   /* payload: proposal from storaged */
	EVENT_RAFT_FLUSH,	   /* hand the gathered proposals to the core */
	EVENT_RAFT_READ,	   /* a: token */
	EVENT_RAFT_TRANSFER,	   /* a: peer id */
	EVENT_RAFT_CONFIGURE,	   /* a: change, b: node id, c: replaced id */
	EVENT_RAFT_LEASE,	   /* its file was read again */
	EVENT_RAFT_RTT,		   /* a: peer id, b: ns, c: from */
	EVENT_RAFT_SNAPSHOT_TAKEN, /* a: index */
	EVENT_RAFT_SNAPSHOT_INSTALLED, /* a: index */
	EVENT_RAFT_SNAPSHOT_FAILED,    /* a: peer id */
	EVENT_STORE_COMMITTED,	       /* a: index */
	EVENT_STORE_PROPOSED, /* a: token, b: index, c: term; 0: refused */
	EVENT_STORE_LIMBO,    /* payload: limbo_set */
	EVENT_STORE_READ,     /* a: token, b: index, c: error */
	EVENT_STORE_REQUEST,  /* payload: request of a client */
	EVENT_STORE_SNAPSHOT, /* payload: streamed snapshot body */
	EVENT_CLOCK_TICK,
	EVENT_CLOCK_EPOCH,   /* look at the consensus page */
	EVENT_CLOCK_REQUEST, /* payload: packet */
	EVENT_CLOCK_REPLY,   /* payload: packet */
	EVENT_CLOCK_TIMEOUT, /* a: peer id, b: request number */
	EVENT_CLOCK_WANDER,
	EVENT_CLIENT_NEXT,    /* node: client */
	EVENT_CLIENT_REPLY,   /* node: client, a: token, b: digest, c: answer */
	EVENT_CLIENT_TIMEOUT, /* node: client, a: token */
	EVENT_PROC_RESUME,    /* a: proc */
	EVENT_PROC_RESTART,   /* a: proc mask */
	EVENT_FAULT,
	EVENT_CHANGE,
	EVENT_SETTING,
	EVENT_HEAL,	   /* a: partition number */
	EVENT_SUSPEND_END, /* a: raw reading it began at */
	EVENT_SCHEDULE,
	EVENT_COUNT
};

struct event {
	int64_t at_ns;
	uint64_t order;
	enum event_kind kind;
	uint32_t node; /* index, from 0; or client */
	uint32_t incarnation;
	uint64_t a, b, c;
	void *payload; /* one malloc'ed block, the event's */
};

struct node;
struct network;
struct facts;
struct checks;
struct history;
struct clients;
struct faults;
struct schedule;
struct changes;

/* Drawn once per seed: what this cluster looks like. */
struct world_profile {
	uint32_t rho_ppb;
	int64_t lease_ns; /* as the files say, and the longest they ever did */
	int64_t lease_longest_ns;
	int64_t election_min_ns, election_max_ns, heartbeat_ns;
	int64_t delay_ns;  /* typical one-way network delay */
	int64_t jitter_ns; /* mean of the exponential part */
	int64_t disk_ns;   /* typical flush */
	double packet_loss, packet_twice;
	double stream_reset; /* chance per message */
	double snipe;	     /* chance of a crash at a touchy moment */
	uint64_t snapshot_every;
	uint64_t log_entries_max;
	uint32_t inflight_entries;
	int64_t think_ns;
};

struct world {
	struct sim_options options;
	struct sim_result *result;
	struct world_profile profile;
	int64_t now_ns; /* true time; nobody inside a node may see it */
	struct prng prng;
	uint64_t digest;
	bool faults_on;
	bool clock_rule_broken; /* beyond rho: staleness is expected */

	struct event *heap;
	uint64_t heap_count, heap_capacity, posted;

	struct node *nodes; /* room for SIM_NODES_MAX */
	uint32_t node_count;
	struct network *network;
	struct facts *facts;
	struct checks *checks;
	struct history *history;
	struct clients *clients;
	struct faults *faults;
	struct schedule *schedule;
	struct changes *changes;

	FILE *record; /* NULL: no trace is kept */
	char (*lines)[256]; /* ring of story lines */
	uint64_t line_count;
};

/* A world with an empty queue at true time 0; never NULL. */
struct world *world_new(const struct sim_options *options,
			struct sim_result *result);

/* Queue an event at now + after_ns (>= 0); payload passes to the queue. */
void world_post(struct world *world, int64_t after_ns, struct event event);

/* Serve events until true time until_ns. */
void world_run_until(struct world *world, int64_t until_ns);

/* Free what an event that will not be served carries. */
void world_drop(struct event *event);

/* Chance, all from the seed. One draw per statement: the order in which C
 * evaluates arguments differs between compilers, and a seed must not. */
bool world_chance(struct world *world, double probability);
int64_t world_between(struct world *world, int64_t low, int64_t high);
int64_t world_exponential(struct world *world, int64_t mean);

static inline void world_cover(struct world *world, enum coverage what)
{
	world->result->coverage[what]++;
}

/* Mix one more fact of this run into its digest. */
void world_digest(struct world *world, uint64_t value);

/* One line of the story; node is an id, 0 for the world itself. */
void world_trace_line(struct world *world, uint32_t node, const char *format,
		      ...) __attribute__((format(printf, 3, 4)));
#define world_trace(world, node, ...)                                          \
	do {                                                                   \
		if ((world)->options.tracing)                                  \
			world_trace_line(world, node, __VA_ARGS__);            \
	} while (0)

/* An invariant does not hold: report and end this process. Returns only when
 * the check was left out by --skip. */
void world_violate(struct world *world, uint32_t node, const char *invariant,
		   const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The last lines of the story, to standard output. */
void world_print_tail(const struct world *world);

#define WORLD_EXIT_VIOLATED 3

#endif
