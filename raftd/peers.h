/* The other nodes' raftd: one connection dialled to each, one accepted from
 * each, and a UDP socket for death notices.
 *
 * What we say goes over the connection we dialled; what they say comes over
 * theirs. Only answers that belong to a connection (hello, pong) return on it.
 * A message that cannot be sent now is dropped: Raft takes it for lost.
 *
 *	idle -> dialling -> greeting -> ready		(ours)
 *	 ^----- closed or refused: again in 50 ms .. 1 s, or in 30 s once it
 *		was said that we are no member any more
 *
 * Who the peers are is the roster's matter, and changes: links come and go with
 * it. Anybody who has a key gets as far as its first frame, which is refused
 * with the reason unless the roster knows him (greeting.h).
 *
 * A broken connection is reported as `lost`: a hint that the peer may be dead,
 * long before silence would tell.
 *
 * A ping is answered by the process that would have to vote, which is what
 * election timeouts are about. The kernel's figure (linkrtt.h) is there when the
 * link is, and goes along with every tenth ping.
 */
#ifndef RAFTFS_RAFTD_PEERS_H
#define RAFTFS_RAFTD_PEERS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/config.h"
#include "common/os/keys.h"
#include "forward.pb-c.h"
#include "peer.pb-c.h"
#include "proto/frame.h"
#include "raftd/core/raft.h"
#include "raftd/roster.h"

struct peers;
struct peers_question;

/* Called on the loop; arguments are borrowed. */
struct peers_events {
	void (*message)(void *ctx, const struct raft_message *message);
	void (*lost)(void *ctx, uint32_t node);
	/* The raftd of that node died leading that term (RAFT_EV_DEATH). */
	void (*death)(void *ctx, uint32_t node, uint64_t term_led);
	void (*rtt)(void *ctx, uint32_t node, enum raft_rtt_from from,
		    int64_t rtt_ns);
	/* A peer streams a snapshot to us. */
	void (*chunk)(void *ctx, uint32_t node,
		      const DistributedFs__SnapshotChunk *chunk);
	/* A peer tells how much of ours it holds. */
	void (*ack)(void *ctx, uint32_t node,
		    const DistributedFs__SnapshotAck *ack);
	/* A peer shows its membership: roster_show(). */
	void (*members)(void *ctx, uint32_t node, const void *image,
			size_t bytes);
	/* A peer says that we are no member as of this log entry. */
	void (*removed)(void *ctx, uint32_t node, uint64_t index);
	/* A peer says that we were a voter: our log is lost. */
	void (*forgotten)(void *ctx, uint32_t node);
	/* A peer asks what a leader is asked on its control socket; answer with
	 * peers_answer(), now or never. */
	void (*control)(void *ctx, struct peers_question *question,
			const DistributedFs__PeerControl *control);
	void (*control_done)(void *ctx, uint32_t node,
			     const DistributedFs__PeerControlDone *done);
};

/* Listen on this node's raft_port and begin to dial. config, roster and key
 * are borrowed for its life. NULL: cannot listen, out of memory (logged). */
struct peers *peers_new(struct ev_loop *ev, const struct config *config,
			const struct roster *roster, const struct node_key *key,
			uint64_t incarnation, const struct peers_events *events,
			void *ctx);

/* The roster has changed: links follow before the loop sleeps. alone: this
 * node was removed, and has nothing to say to anybody. */
void peers_refresh(struct peers *peers, bool alone);

/* The membership to show to all peers, now and whenever one is met: its image,
 * copied; bytes 0: none. */
void peers_show(struct peers *peers, const void *image, uint32_t bytes);

void peers_send(struct peers *peers, const struct raft_message *message);

/* Snapshot chunks and acknowledgements. CLOSED: not connected; FULL. */
RFS_MUST_USE enum rfs_err peers_send_frame(struct peers *peers, uint32_t node,
					   enum frame_type type,
					   const ProtobufCMessage *message);

/* To who asked by `control`. */
void peers_answer(struct peers_question *question,
		  const DistributedFs__PeerControlDone *done);

/* *refused: why the handshake failed, "" when it did not; valid until the next
 * event. */
void peers_get_status(const struct peers *peers, uint32_t node,
		      bool *connected, const char **refused);

uint64_t peers_bad_messages(const struct peers *peers);
/* Raft messages given to peers_send(), whether or not a link was there. */
uint64_t peers_messages_sent(const struct peers *peers);

/* What is queued is tried once more. peers may be NULL. */
/* Hear nothing of what the peers' rafts say until they may go on; at once. */
void peers_pause(struct peers *peers);
void peers_resume(struct peers *peers);

void peers_free(struct peers *peers);

#endif
