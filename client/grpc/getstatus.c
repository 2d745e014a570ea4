/* GetStatus: what raftd tells of consensus, in the words of the public file. */
#include "client/grpc/services.h"
#include "proto/raft_status.pb-c.h"

#define PEERS_MAX CONFIG_NODES_MAX

static void fill_peer(DistributedFs__RaftStatusPeer *to,
		      const DistributedFs__RaftPeer *from)
{
	distributed_fs__raft_status_peer__init(to);
	to->node = from->node;
	to->name = from->name;
	to->connected = from->connected;
	to->learner = from->learner;
	to->match_index = from->match_index;
	to->rtt_ns = from->rtt_ns;
	to->heard_ns = from->heard_ns;
}

static void fill(DistributedFs__RaftStatusReply *to,
		 const DistributedFs__RaftStatus *from)
{
	to->node = from->node;
	to->role = from->role;
	to->standing = from->standing;
	to->term = from->term;
	to->leader = from->leader;
	to->leader_name = from->leader_name;
	to->commit_index = from->commit_index;
	to->last_index = from->last_index;
	to->first_index = from->first_index;
	to->lease_valid = from->lease_valid;
	to->lease_left_ns = from->lease_left_ns;
	to->epoch = from->epoch;
	to->election_timeout_ns = from->election_timeout_ns;
	to->heartbeat_ns = from->heartbeat_ns;
}

static void answer_call(struct h2_call *call, void *ctx, const void *answer)
{
	DistributedFs__RaftStatusReply reply =
		DISTRIBUTED_FS__RAFT_STATUS_REPLY__INIT;
	DistributedFs__RaftStatusPeer peers[PEERS_MAX];
	DistributedFs__RaftStatusPeer *pointers[PEERS_MAX];
	const DistributedFs__ControlReply *from = answer;
	struct services *services = ctx;

	if (from == NULL || from->raft == NULL) {
		h2_call_refuse(call, CODE_UNAVAILABLE, "raftd does not answer");
		return;
	}
	fill(&reply, from->raft);
	while (reply.n_peers < from->raft->n_peers &&
	       reply.n_peers < PEERS_MAX) {
		pointers[reply.n_peers] = &peers[reply.n_peers];
		fill_peer(&peers[reply.n_peers],
			  from->raft->peers[reply.n_peers]);
		reply.n_peers++;
	}
	reply.peers = pointers;
	services->answered++;
	h2_call_reply(call, &reply.base);
}

void getstatus_handle(struct h2_call *call, void *ctx, const uint8_t *body,
		      size_t bytes)
{
	struct services *services = ctx;
	DistributedFs__RaftStatusRequest *request =
		distributed_fs__raft_status_request__unpack(NULL, bytes, body);

	if (request == NULL) {
		h2_call_refuse(call, CODE_INTERNAL,
			       "the message is no RaftStatusRequest");
		return;
	}
	distributed_fs__raft_status_request__free_unpacked(request, NULL);
	inquiry_ask(services->raftd, call, answer_call);
}
