/* The control socket: everything `raftfs status` shows of this raftd. */
#include "raftd/loop_state.h"

#include <string.h>

#include "common/os/clock.h"
#include "common/os/confine.h"
#include "raftd/configure.h"
#include "raftd/explain.h"

struct status {
	DistributedFs__RaftStatus raft;
	DistributedFs__RaftPeer peer[RAFT_PEERS_MAX];
	DistributedFs__RaftPeer *peers[RAFT_PEERS_MAX];
	struct explain why;
};

static char *name_of(const struct loop *loop, uint32_t node)
{
	return (char *)roster_name(&loop->changes.roster, node);
}

static const char *const role_names[] = { "follower", "pre-candidate",
					  "candidate", "leader" };

static const char *const rtt_from[] = {
	[RAFT_RTT_ANSWERS] = "answers",
	[RAFT_RTT_TCP] = "tcp",
	[RAFT_RTT_EXCHANGE] = "exchange",
	[RAFT_RTT_UNKNOWN] = "unknown",
};

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
	peer->tcp_rtt_ns = view->tcp_rtt_ns;
	peer->rtt_from = (char *)rtt_from[view->rtt_from];
	peer->heard_ns = view->last_heard_raw_ns > 0 ?
				 clock_raw_ns() - view->last_heard_raw_ns :
				 -1;
	peer->snapshotting = view->snapshotting;
	peer->disk_ns = view->disk_ns;
	peer->unfit = (char *)raft_unfit_text(view->condition);
	peer->refused = (char *)refused;
	peer->learner = !view->voter;
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

static void fill_why(const struct loop *loop, const struct raft_view *view,
		     struct status *status)
{
	DistributedFs__RaftStatus *raft = &status->raft;
	struct explain *why = &status->why;

	explain(view, loop->config, name_of(loop, view->handed_over.to),
		clock_raw_ns(), why);
	raft->election_timeout_why = why->timeout;
	raft->rtt_quorum_ns = view->rtt_quorum_ns;
	raft->leader_silence_ns = view->leader_silence_ns;
	raft->leader_silence_max_ns = view->leader_silence_max_ns;
	raft->heartbeat_why = why->heartbeat;
	raft->slots_why = why->slots;
	raft->lease_why = why->lease;
	raft->lease_setting = why->setting;
	raft->disk_ns = view->disk_ns;
	raft->unfit = (char *)raft_unfit_text(view->condition);
	raft->handed_over = view->counters.handed_over;
	raft->handed_over_why = why->handed_over;
}

static void fill(const struct loop *loop, struct status *status)
{
	DistributedFs__RaftStatus *raft = &status->raft;
	struct raft_view view;

	distributed_fs__raft_status__init(raft);
	raft_view(loop->raft, &view);
	raft->node = (char *)config_self(loop->config)->name;
	raft->role = (char *)role_names[view.role];
	raft->standing = (char *)changes_standing(&view);
	raft->standing_why = (char *)changes_why(&loop->changes, &view);
	raft->members_index = view.membership_index;
	raft->confined = (char *)confine_text();
	raft->term = view.term;
	raft->leader = view.leader;
	raft->leader_name = name_of(loop, view.leader);
	raft->commit_index = view.commit_index;
	raft->last_index = view.last_index;
	raft->first_index = view.first_index;
	raft->limbo_index = view.limbo_index;
	raft->lease_valid = view.lease_valid;
	raft->lease_ns = view.lease.duration_ns;
	raft->lease_index = view.lease.index;
	raft->lease_wanted_ns = view.lease_wanted_ns;
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
	raft->messages_sent = peers_messages_sent(loop->peers);
	fill_why(loop, &view, status);
	raft->stamps_disagreed = view.counters.stamps_disagreed;
	raft->commits_waited_lease = view.counters.commits_waited_lease;
	raft->loop_stall_max_ns = loop->stall.max_ns;
	raft->loop_stalls_long = loop->stall.long_count;
	raft->loop_hurried = guard_count(loop->guard);
	raft->repairs = view.counters.repairs;
	raft->scrubs = scrub_counters(loop->scrub)->passes;
	raft->scrub_bad = scrub_counters(loop->scrub)->bad;
	raft->scrub_mended = scrub_counters(loop->scrub)->mended;
	if (view.floor.index > 0) {
		raft->lost_from = view.durable_index < view.floor.index ?
					  view.durable_index + 1 :
					  view.floor.index;
		raft->lost_to = view.floor.index;
	}
	fill_disk(loop, raft);
	for (uint32_t i = 0; i < view.peer_count; i++) {
		if (!view.peers[i].member ||
		    view.peers[i].id == config_self(loop->config)->id)
			continue;
		status->peers[raft->n_peers] = &status->peer[i];
		fill_peer(loop, &view.peers[i], &status->peer[i]);
		raft->n_peers++;
	}
	raft->peers = status->peers;
}

static uint32_t condition_of(const struct loop *loop, uint32_t node)
{
	struct raft_view view;

	raft_view(loop->raft, &view);
	for (uint32_t i = 0; i < view.peer_count; i++)
		if (view.peers[i].id == node)
			return view.peers[i].condition;
	return 0;
}

/* Why leadership cannot go there, or would not stay. */
static const char *transfer_refusal(const struct loop *loop, uint32_t node,
				    enum raft_transfer answer)
{
	switch (answer) {
	case RAFT_TRANSFER_NO_VOTER:
		return raft_membership_find(raft_membership(loop->raft),
					    node) == NULL ?
			       "there is no such node" :
			       "it is no voter";
	case RAFT_TRANSFER_SELF:
		return "it leads already";
	case RAFT_TRANSFER_SILENT:
		return "it does not answer";
	case RAFT_TRANSFER_BEHIND:
		return "it is far behind and needs a snapshot first";
	case RAFT_TRANSFER_UNFIT:
		return raft_unfit_text(condition_of(loop, node));
	case RAFT_TRANSFER_SLOW:
		return "its disk is much slower than this leader's, to which "
		       "leadership would come back";
	case RAFT_TRANSFER_OK:
	case RAFT_TRANSFER_NOT_LEADER:
		break;
	}
	return "";
}

static enum rfs_err transfer_to(struct loop *loop, uint32_t node,
				DistributedFs__ControlReply *reply)
{
	enum raft_transfer answer = raft_transfer_answer(loop->raft, node);
	const struct raft_event event = {
		.type = RAFT_EV_TRANSFER,
		.peer = node,
	};

	if (answer == RAFT_TRANSFER_NOT_LEADER)
		return RFS_ERR_NOT_LEADER;
	if (answer != RAFT_TRANSFER_OK) {
		reply->reason = (char *)transfer_refusal(loop, node, answer);
		return RFS_ERR_INVALID;
	}
	loop_post(loop, &event);
	return RFS_ERR_OK;
}

/* What a leader is asked, here or by way of another node. */
static enum rfs_err answer_as_leader(struct loop *loop,
				     const DistributedFs__ControlRequest *request,
				     DistributedFs__ControlReply *reply)
{
	if (loop->view.role != RAFT_LEADER)
		return RFS_ERR_NOT_LEADER;
	switch (request->kind) {
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER:
		return transfer_to(loop, request->node, reply);
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS:
		configure_members(loop, reply);
		return RFS_ERR_OK;
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_CONFIGURE:
		if (request->change == NULL)
			return RFS_ERR_INVALID;
		return configure_change(loop, request->change, reply);
	default:
		return RFS_ERR_NOTSUP;
	}
}

void control_asked(void *ctx, struct peers_question *question,
		   const DistributedFs__PeerControl *control)
{
	DistributedFs__PeerControlDone done =
		DISTRIBUTED_FS__PEER_CONTROL_DONE__INIT;
	DistributedFs__ControlReply reply = DISTRIBUTED_FS__CONTROL_REPLY__INIT;

	control_reply_settle(&reply,
			     answer_as_leader(ctx, control->request, &reply));
	done.id = control->id;
	done.reply = &reply;
	peers_answer(question, &done);
}

void control_done(void *ctx, uint32_t node,
		  const DistributedFs__PeerControlDone *done)
{
	struct loop *loop = ctx;

	questions_done(&loop->questions, node, done);
}

static enum rfs_err ask_leader(struct loop *loop,
			       const DistributedFs__ControlRequest *request,
			       DistributedFs__ControlReply *reply)
{
	const char *reason;
	enum rfs_err err;

	if (loop->view.role == RAFT_LEADER)
		return answer_as_leader(loop, request, reply);
	err = questions_pass_on(&loop->questions, loop->control, loop->peers,
				loop->view.leader, request, &reason);
	reply->reason = (char *)reason;
	if (err == RFS_ERR_NO_QUORUM &&
	    request->kind == DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS) {
		configure_members(loop, reply); /* better than nothing */
		return RFS_ERR_OK;
	}
	return err;
}

enum rfs_err loop_answer(void *ctx,
			 const DistributedFs__ControlRequest *request,
			 DistributedFs__ControlReply *reply)
{
	static struct status status;
	struct loop *loop = ctx;
	struct raft_now now;

	switch (request->kind) {
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_STATUS:
		fill(loop, &status);
		reply->raft = &status.raft;
		return RFS_ERR_OK;
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER:
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_MEMBERS:
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_CONFIGURE:
		return ask_leader(loop, request, reply);
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_LOG:
		loop_now(loop, &now);
		reply->log = logpage_fill(loop->logpage, loop->raft, &now,
					  request);
		return RFS_ERR_OK;
	default:
		return RFS_ERR_NOTSUP;
	}
}
