/* A small world for the clock core: nodes, raw clocks, delays; no I/O.
 *
 * True time is the simulator's; each node's raw clock runs at its own rate,
 * within half of rho of true, and may wander. Between any two events every
 * published clock is held against the truth: the reference's raw clock plus
 * the epoch's offset.
 */
#ifndef RAFTFS_TESTS_TIMESYNCD_MESH_H
#define RAFTFS_TESTS_TIMESYNCD_MESH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/prng.h"
#include "timesyncd/core/carrier.h"
#include "timesyncd/core/timesync.h"

#define MESH_NODES_MAX	 9
#define MESH_CARRIED_MAX 256
#define MESH_PACKETS_MAX 512

struct mesh;

struct mesh_node {
	struct mesh *mesh;
	struct timesync *timesync;
	struct timesync_effects last;
	double raw_ns; /* at mesh.now */
	double rate;   /* raw seconds per true second */
	uint64_t boot;
	bool up;
	bool lies; /* serves a clock moved by lie_ns */
	int64_t deadline_true_ns;
	/* Published line, to see that it never steps back. */
	uint64_t seen_epoch;
	uint32_t seen_disruptions;
	int64_t seen_ns;
	uint64_t requests;
	struct carrier carrier; /* where nobody elects */
};

/* One epoch of a mesh that nobody elects for: cluster = raw + offset. */
struct mesh_carried {
	uint64_t epoch;
	uint32_t index;
	int64_t offset_ns;
	int64_t step_ns; /* beyond the newest epoch before it, as it began */
};

enum mesh_packet_kind { MESH_FREE, MESH_REQUEST, MESH_REPLY, MESH_TIMEOUT };

struct mesh_packet {
	enum mesh_packet_kind kind;
	int64_t due_ns;
	uint32_t from, to; /* indexes */
	uint64_t number;
	struct timesync_exchange exchange;
	/* A reply: when the one before it left. */
	uint64_t previous_number;
	int64_t previous_t3_ns;
	struct timesync_exchange told; /* its sender's own question; peer 0: none */
};

/* An exchange whose answer's departure is told with the next answer. */
struct mesh_told {
	uint64_t number;
	int64_t departed_ns; /* the server's raw */
	struct timesync_exchange exchange; /* as the asker had it */
};

struct mesh {
	struct prng prng;
	struct timesync_config config; /* of each node, but for ids and seed */
	struct mesh_node nodes[MESH_NODES_MAX];
	uint32_t count;
	int64_t now_ns;
	struct mesh_packet packets[MESH_PACKETS_MAX];
	uint64_t next_number;
	uint64_t pending[MESH_NODES_MAX][MESH_NODES_MAX]; /* request under way */
	bool cut[MESH_NODES_MAX][MESH_NODES_MAX];	  /* from, to */
	int64_t delay_ns, jitter_ns, asymmetry_ns;
	int64_t attack_ns; /* more on the way from index 0 to 1 */
	int64_t seal_ns; /* from T3 to an answer's departure: half to all of it */
	struct mesh_told answered[MESH_NODES_MAX][MESH_NODES_MAX]; /* by, to */
	struct mesh_told learnt[MESH_NODES_MAX][MESH_NODES_MAX]; /* by, from */
	/* Questions answered, to be told to who answered: by, to. */
	struct timesync_exchange asked[MESH_NODES_MAX][MESH_NODES_MAX];
	uint64_t refined, served;
	/* What the kernel tells of TCP; 0: nothing. Random: anything, each time. */
	int64_t tcp_rtt_ns;
	bool tcp_is_random;
	double loss;
	int64_t lie_ns;
	bool two_faced; /* liars tell nodes of odd index the opposite */
	/* What the cores tell, by node id; NULL: nobody listens. */
	void (*told)(void *ctx, uint32_t id, const char *text);
	void *told_ctx;
	double wander_ppb; /* rates change by up to this, each second */
	/* the timeline */
	uint64_t epoch;
	uint32_t leader; /* index */
	int64_t epoch_offset_ns;
	/* nobody elects: the mesh rule (core/carrier.h) */
	bool ruled;
	struct mesh_carried carried[MESH_CARRIED_MAX];
	uint32_t carried_count;
	int64_t look_ns; /* when carriers look next */
	/* findings */
	uint64_t checks, violations, steps_back;
	bool quiet; /* violations are meant to happen: do not print them */
	int64_t worst_error_ns;
};

/* count nodes, none of them up; RFC-like LAN: 100 us and 20 us of jitter. */
void mesh_init(struct mesh *mesh, uint32_t count, uint64_t seed);
void mesh_fini(struct mesh *mesh);

void mesh_start(struct mesh *mesh, uint32_t index);
void mesh_stop(struct mesh *mesh, uint32_t index);
void mesh_start_all(struct mesh *mesh);

/* The node is told another list of nodes: bit i is index i, its own included. */
void mesh_list(struct mesh *mesh, uint32_t index, uint32_t mask);

/* A new leader goes on from what true cluster time is, in the next epoch. */
void mesh_elect(struct mesh *mesh, uint32_t leader);
/* Nobody leads any more; the old timeline stays in force. */
void mesh_depose(struct mesh *mesh);

/* The node's raw clock moves at once. told: its host noticed. */
void mesh_jump(struct mesh *mesh, uint32_t index, int64_t by_ns, bool told);

/* From and to every other node. */
void mesh_isolate(struct mesh *mesh, uint32_t index, bool cut);

void mesh_run(struct mesh *mesh, int64_t for_ns);

const struct timesync_clock *mesh_clock(const struct mesh *mesh,
					uint32_t index);
/* SYNCED and not void now. */
bool mesh_is_synced(const struct mesh *mesh, uint32_t index);
/* Half the width of the interval now; INT64_MAX when there is none. */
int64_t mesh_bound_ns(const struct mesh *mesh, uint32_t index);
/* Estimate minus truth. */
int64_t mesh_error_ns(const struct mesh *mesh, uint32_t index);

#endif
