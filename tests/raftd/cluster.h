/* A cluster of raft cores on pretended network, disks and clocks, for tests.
 *
 * Deterministic: one virtual time, one queue, fixed delays (1 ms a message,
 * 0.1 ms a disk write). Every decision a core tells is kept as a line
 * "NODE: text". Clocks: each node's page shows the timeline of the newest
 * leader it follows, within 0.1 ms.
 *
 * After every step, checked by CHECK():
 *	one leader a term; committed entries never change, stamps strictly rise;
 *	nobody may read by lease, not even a reader that outlives its raftd and
 *	has only its last view, while a command is committed that it would not
 *	see and that its limbo does not reach; no read is answered below the
 *	commands committed when it was asked; what the core holds as the
 *	membership at a snapshot, and as what the log said of leases, is what
 *	was committed there.
 */
#ifndef RAFTFS_TESTS_RAFTD_CLUSTER_H
#define RAFTFS_TESTS_RAFTD_CLUSTER_H

#include <stdio.h>

#include "raftd/core/raft.h"

#define CLUSTER_STEP_NS INT64_C(10000000) /* what cluster_settle() runs */

struct cluster;

struct cluster_options {
	uint32_t node_count;
	int64_t election_timeout_ns; /* 0: 100 ms; heartbeats take 20 */
	int64_t lease_ns; /* as all their configurations say at first */
	uint64_t log_entries_max;
	uint32_t inflight_entries_max;
	uint32_t max_rate_ppb; /* rho; raw clocks really differ by almost it */
};

/* Aborts when memory is out, as all of these do. Node 1 is the first whose
 * election timeout passes, then 2, and so on. */
struct cluster *cluster_new(const struct cluster_options *options);
void cluster_free(struct cluster *cluster);

int64_t cluster_now_ns(const struct cluster *cluster);
void cluster_run(struct cluster *cluster, int64_t ns);
void cluster_settle(struct cluster *cluster);

void cluster_propose(struct cluster *cluster, uint32_t node, const char *text);
void cluster_read(struct cluster *cluster, uint32_t node);
/* A line about what storaged sees on its consensus page. */
void cluster_page(struct cluster *cluster, uint32_t node);
void cluster_peer_lost(struct cluster *cluster, uint32_t node, uint32_t peer);
/* The supervisor of `peer` revokes its page and tells `node` that it died. */
void cluster_death(struct cluster *cluster, uint32_t node, uint32_t peer);
/* Somebody with the key of `peer` says that it died leading a term. */
void cluster_notice(struct cluster *cluster, uint32_t node, uint32_t peer,
		    uint64_t term_led);
/* A measurement of all its peers. */
void cluster_rtt(struct cluster *cluster, uint32_t node,
		 enum raft_rtt_from from, int64_t rtt_ns);
/* What all clock pages say of their exchanges from now on. */
void cluster_exchange(struct cluster *cluster, int64_t rtt_ns);
/* From now on an entry is durable there after so long. */
void cluster_disk(struct cluster *cluster, uint32_t node, int64_t sync_ns);
/* Its clock page is wrong by so much, and does not know. */
void cluster_wrong_clock(struct cluster *cluster, uint32_t node,
			 int64_t wrong_ns);
/* Its host says RAFT_UNFIT_* of itself. */
void cluster_host(struct cluster *cluster, uint32_t node, uint32_t unfit);
void cluster_transfer(struct cluster *cluster, uint32_t node, uint32_t to);
void cluster_filling(struct cluster *cluster, uint32_t node, bool filling);
void cluster_snapshot(struct cluster *cluster, uint32_t node);
/* Its configuration now says so, also when it starts again. */
void cluster_lease(struct cluster *cluster, uint32_t node, int64_t lease_ns);
/* Ask a node to change the membership: its answer is its last proposal's. */
void cluster_configure(struct cluster *cluster, uint32_t node,
		       enum raft_change change, uint32_t member,
		       uint32_t replaces);
/* One more machine, the next by number, which is in no membership yet. */
void cluster_join(struct cluster *cluster);
void cluster_crash(struct cluster *cluster, uint32_t node);
/* The disk of a crashed node lost its entries after that one. */
void cluster_rot(struct cluster *cluster, uint32_t node, uint64_t after);
void cluster_restart(struct cluster *cluster, uint32_t node);
void cluster_link(struct cluster *cluster, uint32_t from, uint32_t to, bool up);
void cluster_isolate(struct cluster *cluster, uint32_t node, bool cut);
void cluster_clock(struct cluster *cluster, uint32_t node, bool usable);
void cluster_disrupt(struct cluster *cluster, uint32_t node);
/* Drop this share of all messages from now on, by a seeded choice. */
void cluster_lossy(struct cluster *cluster, uint32_t percent, uint64_t seed);

bool cluster_has(const struct cluster *cluster, uint32_t node);
/* NULL while crashed. */
const struct raft *cluster_raft(const struct cluster *cluster, uint32_t node);
struct raft_view cluster_view(const struct cluster *cluster, uint32_t node);
/* Highest index anybody committed. */
uint64_t cluster_committed(const struct cluster *cluster);

/* 0: none leads; the one in the highest term when several think so. */
uint32_t cluster_leader(const struct cluster *cluster);

/* The last answer to a read or proposal of a node; id 0: none yet. */
struct raft_read_done cluster_last_read(const struct cluster *cluster,
					uint32_t node);
struct raft_proposal_done cluster_last_proposal(const struct cluster *cluster,
						uint32_t node);
/* Messages sent so far, by all. */
uint64_t cluster_messages(const struct cluster *cluster);
uint64_t cluster_entries_sent(const struct cluster *cluster);

/* All lines told since the last call; owned by the caller (free()). */
char *cluster_take_lines(struct cluster *cluster);

#endif
