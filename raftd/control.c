/* The control socket: everything `raftfs status` shows of this raftd. */
#include "raftd/loop_state.h"

#include <string.h>

#include "common/os/clock.h"

struct status {
	DistributedFs__RaftStatus raft;
	DistributedFs__RaftPeer peer[RAFT_PEERS_MAX];
	DistributedFs__RaftPeer *peers[RAFT_PEERS_MAX];
};

static char *name_of(const struct loop *loop, uint32_t node)
{
	const struct config_node *found = config_node(loop->config, node);

	return found != NULL ? (char *)found->name : (char *)"";
}

static const char *const role_names[] = { "follower", "pre-candidate",
					  "candidate", "leader" };

static void fill_peer(const struct loop *loop,
		      const struct raft_peer_view *view,
		      DistributedFs__RaftPeer *peer)
{
	const char *refused;
	bool connected;

	distributed_fs__raft_peer__init(peer);
	peers_get_status(loop->peers, view->id, &connected, &refused);
	peer->node = view->id;
	peer->name = name_of(loop, view->id);
	peer->connected = connected;
	peer->match_index = view->match_index;
	peer->next_index = view->next_index;
	peer->rtt_ns = view->rtt_ns;
	peer->heard_ns = view->last_heard_raw_ns > 0 ?
				 clock_raw_ns() - view->last_heard_raw_ns :
				 -1;
	peer->snapshotting = view->snapshotting;
	peer->refused = (char *)refused;
}

static void fill_disk(const struct loop *loop, DistributedFs__RaftStatus *raft)
{
	struct disk_status disk;

	disk_get_status(loop->disk, &disk);
	raft->fsyncs = disk.sync_count + hardstate_syncs(loop->hardstate_file);
	raft->wal_bytes = disk.wal_bytes;
	raft->disk_full = disk.full;
	raft->fsync_p50_ns = disk.sync_p50_ns;
	raft->fsync_p99_ns = disk.sync_p99_ns;
}

static void fill(const struct loop *loop, struct status *status)
{
	DistributedFs__RaftStatus *raft = &status->raft;
	struct raft_view view;

	distributed_fs__raft_status__init(raft);
	raft_view(loop->raft, &view);
	raft->node = (char *)config_self(loop->config)->name;
	raft->role = (char *)role_names[view.role];
	raft->term = view.term;
	raft->leader = view.leader;
	raft->leader_name = name_of(loop, view.leader);
	raft->commit_index = view.commit_index;
	raft->last_index = view.last_index;
	raft->first_index = view.first_index;
	raft->lease_valid = view.lease_valid;
	if (view.lease_valid && view.lease_until_raw_ns > clock_raw_ns())
		raft->lease_left_ns = view.lease_until_raw_ns - clock_raw_ns();
	raft->epoch = view.epoch;
	raft->election_timeout_ns = view.election_timeout_ns;
	raft->heartbeat_ns = view.heartbeat_ns;
	raft->elections_started = view.counters.elections_started;
	raft->elections_won = view.counters.elections_won;
	raft->reads_by_lease = view.counters.reads_by_lease;
	raft->reads_by_quorum = view.counters.reads_by_quorum;
	raft->messages_dropped = view.counters.messages_dropped +
				 peers_bad_messages(loop->peers);
	raft->stamps_disagreed = view.counters.stamps_disagreed;
	raft->commits_waited_lease = view.counters.commits_waited_lease;
	raft->loop_stall_max_ns = loop->stall.max_ns;
	raft->loop_stalls_long = loop->stall.long_count;
	fill_disk(loop, raft);
	for (uint32_t i = 0; i < view.peer_count; i++) {
		if (view.peers[i].id == config_self(loop->config)->id)
			continue;
		status->peers[raft->n_peers] = &status->peer[i];
		fill_peer(loop, &view.peers[i], &status->peer[i]);
		raft->n_peers++;
	}
	raft->peers = status->peers;
}

static enum rfs_err transfer_to(struct loop *loop, uint32_t node,
				DistributedFs__ControlReply *reply)
{
	const struct raft_event event = {
		.type = RAFT_EV_TRANSFER,
		.peer = node,
	};

	if (config_node(loop->config, node) == NULL) {
		reply->reason = (char *)"there is no such node";
		return RFS_ERR_INVALID;
	}
	if (loop->view.role != RAFT_LEADER)
		return RFS_ERR_NOT_LEADER;
	loop_post(loop, &event);
	return RFS_ERR_OK;
}

enum rfs_err loop_answer(void *ctx,
			 const DistributedFs__ControlRequest *request,
			 DistributedFs__ControlReply *reply)
{
	static struct status status;
	struct loop *loop = ctx;
	enum rfs_err err;

	switch (request->kind) {
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_STATUS:
		err = RFS_ERR_OK;
		break;
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER:
		err = transfer_to(loop, request->node, reply);
		break;
	default:
		return RFS_ERR_NOTSUP;
	}
	fill(loop, &status);
	reply->raft = &status.raft;
	return err;
}
