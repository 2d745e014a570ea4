/* Real raftfs-raftd processes on loopback, with their supervisor, timesyncd and
 * storaged played.
 *
 * The clock that is played is honest, as far as one host goes: all nodes share
 * one CLOCK_MONOTONIC_RAW, so the leader's timeline is known to every node
 * exactly; a thread publishes it on every node's clock page.
 */
#ifndef RAFTFS_TESTS_BENCH_RAFT_CLUSTER_H
#define RAFTFS_TESTS_BENCH_RAFT_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/os/config.h"
#include "control.pb-c.h"
#include "shm/conspage.h"

#define CLUSTER_NODES_MAX 5
#define CLUSTER_NONE	  UINT32_MAX

struct cluster_node {
	char name[16];
	char dir[256];
	char config_path[300];
	uint16_t client_port; /* the player's */
	pid_t raftd;	      /* 0: not running */
	pid_t player;
	int raftd_channel;
	int player_channel;
	void *cons; /* our mapping; NULL before the first start */
	int clock_fd;
	void *clock;
	uint64_t generation;
};

struct cluster {
	const char *raftd_path;
	struct cluster_node node[CLUSTER_NODES_MAX];
	uint32_t count;
	int nice; /* of raftds; set before cluster_start(), else 0 */
};

/* Make keys, configuration and directories under dir (emptied first), start
 * players and raftds. `extra` goes into the raft section. Aborts when it cannot. */
void cluster_start(struct cluster *cluster, const char *dir,
		   const char *raftd_path, uint32_t count, uint16_t base_port,
		   const char *extra);
void cluster_stop(struct cluster *cluster);

void cluster_start_raftd(struct cluster *cluster, uint32_t i);
void cluster_kill_raftd(struct cluster *cluster, uint32_t i); /* -9 */
/* SIGTERM; returns the exit status as waitpid() gives it. */
int cluster_term_raftd(struct cluster *cluster, uint32_t i);
/* Replace `from` by `to` in a node's configuration. */
void cluster_edit_config(struct cluster *cluster, uint32_t i, const char *from,
			 const char *to);
/* Ask the control socket; NULL: no answer. Free with
 * distributed_fs__control_reply__free_unpacked(). */
DistributedFs__ControlReply *
cluster_control(const struct cluster *cluster, uint32_t i,
		DistributedFs__ControlKind kind, uint32_t node);
DistributedFs__ControlReply *cluster_status(const struct cluster *cluster,
					    uint32_t i);
/* Lose a node's state machine: its player is killed and starts empty. */
void cluster_wipe_player(struct cluster *cluster, uint32_t i);
/* The two halves of that. */
void cluster_kill_player(struct cluster *cluster, uint32_t i);
void cluster_start_player(struct cluster *cluster, uint32_t i);
/* Both ends of a new link. */
void cluster_link(struct cluster *cluster, uint32_t i);

bool cluster_sample(const struct cluster *cluster, uint32_t i,
		    struct cons_sample *sample);
/* The live node that leads the highest term, others following it; waits up to
 * timeout_ms. CLUSTER_NONE: nobody. */
uint32_t cluster_leader(const struct cluster *cluster, int timeout_ms);
bool cluster_leader_is(const struct cluster *cluster, uint32_t i,
		       int timeout_ms);
/* Everyone alive has committed what the leader has. */
bool cluster_caught_up(const struct cluster *cluster, int timeout_ms);

#endif
