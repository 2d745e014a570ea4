/* The network: ordered streams between raftds, datagrams between timesyncds.
 *
 * A stream delivers in order until it is reset; a reset loses what is in
 * flight, or lets it arrive late beside the new stream. A cut link either
 * drops (and resets) or stalls: what was sent arrives when it heals, old as
 * it is. Datagrams are delayed, lost, doubled and overtake each other.
 */
#ifndef RAFTFS_TESTS_SIM_NETWORK_H
#define RAFTFS_TESTS_SIM_NETWORK_H

#include "raftd/core/raft.h"
#include "tests/sim/facts.h"
#include "tests/sim/kv.h"
#include "tests/sim/world.h"
#include "timesyncd/core/timesync.h"

#define NETWORK_PARTITIONS 8

/* One raft message under way; entries by what they are. */
struct flight {
	struct raft_message message;
	uint32_t from, to; /* node indexes */
	uint32_t generation;
	uint32_t incarnation; /* of the receiving raftd, when it was sent */
	bool doubled;
	const struct fact *facts[];
};

/* A snapshot body at the end of its stream. */
struct snapshot_body {
	struct raft_snapshot_meta meta;
	struct kv kv;
	uint32_t from, to;
	uint32_t generation;
	uint32_t incarnation; /* of the sending raftd */
};

/* A clock request or its reply. */
struct packet {
	uint32_t from, to; /* node indexes; of this datagram */
	uint64_t number;   /* the asker's */
	int64_t t1_ns, t2_ns, t3_ns;
	struct timesync_clock server_clock;
	uint64_t server_boot;
};

struct network {
	int64_t delay_ns[SIM_NODES_MAX][SIM_NODES_MAX];
	int blocked[SIM_NODES_MAX][SIM_NODES_MAX];
	struct stream {
		uint32_t generation;
		int64_t last_delivery_ns;
		int64_t broken_until_ns;
		struct event *held; /* stalled messages, in order */
		uint32_t held_count, held_capacity;
	} streams[SIM_NODES_MAX][SIM_NODES_MAX];
	struct partition {
		bool active;
		bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
	} partitions[NETWORK_PARTITIONS];
	bool stalling;		/* what a cut link does to streams */
	int64_t rough_until_ns; /* delays and losses are worse until then */
	int64_t wild_until_ns;	/* streams behave like datagrams until then */
};

void network_init(struct world *world);

/* A message of a core's effects leaves; copied. */
void network_send_raft(struct world *world, uint32_t from, uint32_t to,
		       const struct raft_message *message,
		       const struct fact *const *facts);

/* At its arrival: does it really arrive? When not, it is dropped or held, and
 * the payload is no longer the caller's. */
bool network_arrives(struct world *world, struct event *event);

/* Stream a snapshot; arrives as EVENT_STORE_SNAPSHOT. */
void network_send_snapshot(struct world *world, uint32_t from, uint32_t to,
			   const struct raft_snapshot_meta *meta,
			   const struct kv *kv);

/* A datagram leaves; payload passes to the network. */
void network_send_packet(struct world *world, enum event_kind kind,
			 struct packet *packet);

/* The stream from -> to breaks: what is in flight is lost, or straggles. */
void network_reset(struct world *world, uint32_t from, uint32_t to);

/* Cut links for a while; false when too many partitions are active. */
bool network_cut(struct world *world,
		 const bool cut[SIM_NODES_MAX][SIM_NODES_MAX],
		 int64_t duration_ns);
void network_heal(struct world *world, uint32_t partition);
void network_heal_all(struct world *world);

#endif
