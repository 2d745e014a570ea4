/* The other nodes' raftd: dialling, greeting, pinging, and what they say. */
#include "raftd/peers.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/conn.h"
#include "raftd/convert.h"
#include "raftd/greeting.h"
#include "raftd/linkrtt.h"
#include "raftd/obituary.h"

#define REDIAL_MIN_SEC	  0.05
#define REDIAL_MAX_SEC	  1.0
#define PING_FIRST_SEC	  0.05
#define PING_SEC	  1.0
#define PING_FIRST_COUNT  20
#define PINGS_A_LOOK	  10 /* at what the kernel says */
#define SILENCE_MAX_NS	  (5 * NS_PER_SEC)
#define USER_TIMEOUT_MS	  5000
#define QUEUE_BYTES	  (16 * MIB)
#define REMOVED_SEC	  30.0 /* it was said for good: ask seldom */
#define INBOUND_MAX	  64
#define HELLO_BYTES_MAX	  4096 /* before it is known who it is */
#define HELLO_SEC	  3.0
#define MESSAGE_BYTES_MAX (FRAME_BODY_BYTES_MAX - 4096)
#define FIRST_PRIORITY	  (EV_MINPRI + 2) /* before our own disk begins */

struct peer {
	struct peers *peers;
	struct config_node node;
	struct conn *out; /* NULL: idle */
	bool ready;	  /* our hello was accepted */
	struct inbound *in;
	ev_timer redial;
	double redial_sec;
	ev_timer ping;
	unsigned int ping_count;
	int64_t heard_raw_ns; /* anything on `out` */
	uint64_t incarnation; /* of the one we last spoke to */
	char refused[GREETING_WHY_MAX];
};

/* A connection somebody dialled to us. */
struct inbound {
	struct peers *peers;
	struct conn *conn;
	struct peer *peer; /* NULL until its hello was accepted */
	ev_timer patience; /* until then */
	struct inbound *next;
};

struct peers_question {
	struct conn *conn;
};

struct peers {
	struct ev_loop *ev;
	const struct config *config;
	const struct roster *roster;
	uint64_t incarnation;
	const struct peers_events *events;
	void *ctx;
	struct tls *tls;
	struct listener *listener;
	struct obituary *obituary;
	struct peer *peer[ROSTER_NODES_MAX]; /* each on the heap: watched */
	uint32_t peer_count;
	ev_prepare refresh; /* runs while the roster's changes are due */
	bool alone;
	uint32_t shown_bytes;
	uint8_t shown[RAFT_MEMBERSHIP_BYTES_MAX];
	struct inbound *inbound;
	unsigned int inbound_count;
	uint64_t bad_messages;
	uint64_t messages_sent;
	struct convert_out scratch;
	struct raft_entry entries[RAFT_ENTRIES_MAX];
};

static struct peer *peer_by_id(struct peers *peers, uint32_t id)
{
	for (uint32_t i = 0; i < peers->peer_count; i++) {
		if (peers->peer[i]->node.id == id)
			return peers->peer[i];
	}
	return NULL;
}

/* Remember why, and say it when it is news. */
static void set_refused(struct peer *peer, const char *why)
{
	if (strcmp(peer->refused, why) == 0)
		return;
	snprintf(peer->refused, sizeof(peer->refused), "%s", why);
	if (why[0] != '\0')
		log_warn("peer %s: %s", peer->node.name, why);
	else
		log_notice("peer %s: accepted now", peer->node.name);
}

/* ---- the connection we dialled ---- */

static void redial_later(struct peer *peer, double after_sec)
{
	ev_timer_stop(peer->peers->ev, &peer->redial);
	ev_timer_set(&peer->redial, after_sec, 0.);
	ev_timer_start(peer->peers->ev, &peer->redial);
}

static void hang_up(struct peer *peer)
{
	ev_timer_stop(peer->peers->ev, &peer->ping);
	peer->out = NULL;
	peer->ready = false;
	redial_later(peer, peer->redial_sec);
	peer->redial_sec *= 2;
	if (peer->redial_sec > REDIAL_MAX_SEC)
		peer->redial_sec = REDIAL_MAX_SEC;
}

static void out_opened(struct conn *conn, void *ctx)
{
	struct peer *peer = ctx;
	struct peers *peers = peer->peers;
	DistributedFs__PeerHello hello;
	unsigned int timeout_ms = USER_TIMEOUT_MS;

	setsockopt(conn_fd(conn), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
		   sizeof(timeout_ms));
	greeting_hello(peers->config, peers->roster, peers->incarnation,
		       &hello);
	if (conn_send(conn, FRAME_PEER_HELLO, &hello.base, -1) != RFS_ERR_OK)
		log_warn("peer %s: no hello", peer->node.name);
	peer->heard_raw_ns = clock_raw_ns();
}

static void show_members(struct peer *peer)
{
	DistributedFs__PeerMembers members = DISTRIBUTED_FS__PEER_MEMBERS__INIT;
	struct peers *peers = peer->peers;

	if (!peer->ready || peers->shown_bytes == 0)
		return;
	members.membership.data = peers->shown;
	members.membership.len = peers->shown_bytes;
	if (conn_send(peer->out, FRAME_PEER_MEMBERS, &members.base, -1) !=
	    RFS_ERR_OK)
		log_debug("peer %s: members not shown", peer->node.name);
}

static void look_at_link(struct peer *peer)
{
	struct peers *peers = peer->peers;
	int64_t least_ns = linkrtt_least_ns(conn_fd(peer->out));

	if (least_ns > 0)
		peers->events->rtt(peers->ctx, peer->node.id, RAFT_RTT_TCP,
				   least_ns);
}

static void become_ready(struct peer *peer, uint64_t incarnation)
{
	set_refused(peer, "");
	log_info("peer %s: connected", peer->node.name);
	peer->ready = true;
	peer->incarnation = incarnation;
	peer->redial_sec = REDIAL_MIN_SEC;
	peer->ping_count = 0;
	ev_timer_set(&peer->ping, 0., PING_FIRST_SEC);
	ev_timer_start(peer->peers->ev, &peer->ping);
	show_members(peer);
	look_at_link(peer);
}

static void become_refused(struct peer *peer,
			   const DistributedFs__PeerHelloReply *reply)
{
	struct peers *peers = peer->peers;

	set_refused(peer, reply != NULL && reply->reason[0] != '\0' ?
				  reply->reason :
				  "refused without a reason");
	if (reply != NULL && reply->forgotten)
		peers->events->forgotten(peers->ctx, peer->node.id);
	if (reply == NULL || reply->removed_index == 0)
		return;
	peer->redial_sec = REMOVED_SEC;
	peers->events->removed(peers->ctx, peer->node.id,
			       reply->removed_index);
}

static void greeted(struct peer *peer, const struct frame *frame)
{
	DistributedFs__PeerHelloReply *reply =
		(void *)frame_unpack(frame,
				     &distributed_fs__peer_hello_reply__descriptor);
	char why[GREETING_WHY_MAX];

	if (reply == NULL || reply->err != RFS_ERR_OK) {
		become_refused(peer, reply);
	} else if (greeting_has_forgotten(peer->peers->roster, peer->node.id,
					  reply->fresh, why)) {
		set_refused(peer, why);
		conn_close(peer->out);
		hang_up(peer);
	} else {
		become_ready(peer, reply->incarnation);
	}
	frame_free(reply);
}

static void ponged(struct peer *peer, const struct frame *frame)
{
	struct peers *peers = peer->peers;
	DistributedFs__Ping *pong =
		(void *)frame_unpack(frame, &distributed_fs__ping__descriptor);

	if (pong == NULL) {
		peers->bad_messages++;
		return;
	}
	int64_t rtt_ns = clock_raw_ns() - pong->raw_ns;

	frame_free(pong);
	if (rtt_ns > 0 && rtt_ns < SILENCE_MAX_NS)
		peers->events->rtt(peers->ctx, peer->node.id, RAFT_RTT_ANSWERS,
				   rtt_ns);
}

static void take_control_done(struct peer *peer, const struct frame *frame)
{
	struct peers *peers = peer->peers;
	DistributedFs__PeerControlDone *done = (void *)frame_unpack(
		frame, &distributed_fs__peer_control_done__descriptor);

	if (done == NULL || done->reply == NULL)
		peers->bad_messages++;
	else
		peers->events->control_done(peers->ctx, peer->node.id, done);
	frame_free(done);
}

static void out_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct peer *peer = ctx;

	(void)conn;
	peer->heard_raw_ns = clock_raw_ns();
	if (frame->type == FRAME_PEER_HELLO_REPLY && !peer->ready)
		greeted(peer, frame);
	else if (frame->type == FRAME_PEER_PONG)
		ponged(peer, frame);
	else if (frame->type == FRAME_PEER_CONTROL_DONE && peer->ready)
		take_control_done(peer, frame);
	else
		peer->peers->bad_messages++;
}

static void out_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct peer *peer = ctx;
	bool was_ready = peer->ready;

	(void)conn;
	if (why == RFS_ERR_DENIED)
		set_refused(peer, "TLS failed: who answers at its address does "
				  "not have the key configured for it, or does "
				  "not know ours");
	hang_up(peer);
	if (was_ready)
		peer->peers->events->lost(peer->peers->ctx, peer->node.id);
}

static const struct conn_events out_events = {
	.opened = out_opened,
	.frame = out_frame,
	.closed = out_closed,
};

/* With our own disk, those who are sent to first are a majority. */
static bool is_first(const struct peer *peer)
{
	const struct roster *roster = peer->peers->roster;
	uint32_t self = config_self(peer->peers->config)->id;
	uint32_t before = 0;

	for (uint32_t i = 0; i < roster->count; i++) {
		if (roster->nodes[i].id == peer->node.id)
			break;
		before += roster->nodes[i].id != self;
	}
	return before < roster->count / 2;
}

static void dial(struct peer *peer)
{
	struct peers *peers = peer->peers;

	ev_timer_stop(peers->ev, &peer->redial);
	peer->out = conn_dial_tls(peers->ev, peers->tls, peer->node.address,
				  peer->node.raft_port, peer->node.key,
				  QUEUE_BYTES, &out_events, peer);
	if (peer->out == NULL)
		hang_up(peer);
	else
		conn_set_priority(peer->out, is_first(peer) ? FIRST_PRIORITY :
							      EV_MINPRI);
}

static void on_redial(struct ev_loop *ev, ev_timer *timer, int revents)
{
	(void)ev;
	(void)revents;
	dial(timer->data);
}

static void on_ping(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct peer *peer = timer->data;
	DistributedFs__Ping ping = DISTRIBUTED_FS__PING__INIT;

	(void)revents;
	if (clock_raw_ns() - peer->heard_raw_ns > SILENCE_MAX_NS) {
		conn_close(peer->out);
		hang_up(peer);
		peer->peers->events->lost(peer->peers->ctx, peer->node.id);
		return;
	}
	if (++peer->ping_count == PING_FIRST_COUNT) {
		timer->repeat = PING_SEC;
		ev_timer_again(ev, timer);
	}
	if (peer->ping_count % PINGS_A_LOOK == 0)
		look_at_link(peer);
	ping.raw_ns = clock_raw_ns();
	/* A full queue means the peer is slow; its silence will tell. */
	if (conn_send(peer->out, FRAME_PEER_PING, &ping.base, -1) !=
	    RFS_ERR_OK)
		log_debug("peer %s: ping not sent", peer->node.name);
}

/* ---- connections dialled to us ---- */

static void inbound_unlink(struct inbound *inbound)
{
	struct peers *peers = inbound->peers;
	struct inbound **at = &peers->inbound;

	while (*at != inbound)
		at = &(*at)->next;
	*at = inbound->next;
	peers->inbound_count--;
	if (inbound->peer != NULL && inbound->peer->in == inbound)
		inbound->peer->in = NULL;
	ev_timer_stop(peers->ev, &inbound->patience);
	free(inbound);
}

static void inbound_close(struct inbound *inbound)
{
	struct conn *conn = inbound->conn;

	inbound_unlink(inbound);
	conn_close(conn);
}

static void on_patience(struct ev_loop *ev, ev_timer *timer, int revents)
{
	(void)ev;
	(void)revents;
	inbound_close(timer->data);
}

static void welcome(struct peer *peer, struct inbound *inbound,
		    uint64_t incarnation)
{
	struct inbound *old = peer->in;

	ev_timer_stop(peer->peers->ev, &inbound->patience);
	conn_limit_frames(inbound->conn, FRAME_BODY_BYTES_MAX);
	inbound->peer = peer;
	peer->in = inbound;
	peer->incarnation = incarnation;
	set_refused(peer, "");
	if (old != NULL)
		inbound_close(old);
	/* It is up: do not sit out the pause. */
	peer->redial_sec = REDIAL_MIN_SEC;
	if (peer->out == NULL)
		dial(peer);
}

static void answer_hello(struct inbound *inbound,
			 const DistributedFs__PeerHello *hello,
			 struct greeting *greeting)
{
	DistributedFs__PeerHelloReply reply =
		DISTRIBUTED_FS__PEER_HELLO_REPLY__INIT;
	struct peers *peers = inbound->peers;

	greeting_judge(peers->config, peers->roster, hello,
		       conn_peer_key(inbound->conn), greeting);
	/* The roster may be ahead of the links by one turn of the loop. */
	if (greeting->err == RFS_ERR_OK &&
	    peer_by_id(peers, hello->node) == NULL) {
		greeting->err = RFS_ERR_BUSY;
		snprintf(greeting->why, sizeof(greeting->why), "not just yet");
	}
	reply.incarnation = peers->incarnation;
	reply.reason = greeting->why;
	reply.err = greeting->err;
	reply.removed_index = greeting->removed_index;
	reply.forgotten = greeting->forgotten;
	reply.fresh = peers->roster->fresh;
	if (conn_send(inbound->conn, FRAME_PEER_HELLO_REPLY, &reply.base, -1) !=
	    RFS_ERR_OK)
		log_debug("peers: hello not answered");
}

static void take_hello(struct inbound *inbound, const struct frame *frame)
{
	struct peers *peers = inbound->peers;
	DistributedFs__PeerHello *hello = (void *)frame_unpack(
		frame, &distributed_fs__peer_hello__descriptor);
	struct greeting greeting;
	struct peer *peer;

	if (hello == NULL) {
		peers->bad_messages++;
		inbound_close(inbound);
		return;
	}
	answer_hello(inbound, hello, &greeting);
	peer = greeting.node != NULL ? peer_by_id(peers, hello->node) : NULL;
	if (greeting.err == RFS_ERR_OK) {
		welcome(peer, inbound, hello->incarnation);
	} else {
		if (peer != NULL)
			set_refused(peer, greeting.why);
		else
			log_info("peers: refused a connection: %s",
				 greeting.why);
		inbound_close(inbound);
	}
	frame_free(hello);
}

static void take_message(struct peer *peer, const struct frame *frame)
{
	struct peers *peers = peer->peers;
	DistributedFs__RaftMessage *in = (void *)frame_unpack(
		frame, &distributed_fs__raft_message__descriptor);
	struct raft_message message;

	if (in == NULL || convert_parse(in, peer->node.id,
					config_self(peers->config)->id,
					peers->entries,
					&message) != RFS_ERR_OK)
		peers->bad_messages++;
	else
		peers->events->message(peers->ctx, &message);
	frame_free(in);
}

static void take_chunk(struct peer *peer, const struct frame *frame)
{
	struct peers *peers = peer->peers;
	DistributedFs__SnapshotChunk *chunk = (void *)frame_unpack(
		frame, &distributed_fs__snapshot_chunk__descriptor);

	if (chunk == NULL || chunk->meta == NULL)
		peers->bad_messages++;
	else
		peers->events->chunk(peers->ctx, peer->node.id, chunk);
	frame_free(chunk);
}

static void take_ack(struct peer *peer, const struct frame *frame)
{
	struct peers *peers = peer->peers;
	DistributedFs__SnapshotAck *ack = (void *)frame_unpack(
		frame, &distributed_fs__snapshot_ack__descriptor);

	if (ack == NULL) {
		peers->bad_messages++;
		return;
	}
	peers->events->ack(peers->ctx, peer->node.id, ack);
	frame_free(ack);
}

static void take_members(struct peer *peer, const struct frame *frame)
{
	struct peers *peers = peer->peers;
	DistributedFs__PeerMembers *members = (void *)frame_unpack(
		frame, &distributed_fs__peer_members__descriptor);

	if (members == NULL) {
		peers->bad_messages++;
		return;
	}
	peers->events->members(peers->ctx, peer->node.id,
			       members->membership.data,
			       members->membership.len);
	frame_free(members);
}

static void take_control(struct inbound *inbound, const struct frame *frame)
{
	struct peers *peers = inbound->peers;
	struct peers_question question = { .conn = inbound->conn };
	DistributedFs__PeerControl *control = (void *)frame_unpack(
		frame, &distributed_fs__peer_control__descriptor);

	if (control == NULL || control->request == NULL)
		peers->bad_messages++;
	else
		peers->events->control(peers->ctx, &question, control);
	frame_free(control);
}

void peers_answer(struct peers_question *question,
		  const DistributedFs__PeerControlDone *done)
{
	/* Not sent: the asker's patience ends. */
	if (conn_send(question->conn, FRAME_PEER_CONTROL_DONE, &done->base,
		      -1) != RFS_ERR_OK)
		log_debug("peers: question not answered");
}

static void echo_ping(struct inbound *inbound, const struct frame *frame)
{
	DistributedFs__Ping *ping =
		(void *)frame_unpack(frame, &distributed_fs__ping__descriptor);

	if (ping == NULL) {
		inbound->peers->bad_messages++;
		return;
	}
	if (conn_send(inbound->conn, FRAME_PEER_PONG, &ping->base, -1) !=
	    RFS_ERR_OK)
		log_debug("peers: pong not sent");
	frame_free(ping);
}

static void in_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct inbound *inbound = ctx;

	(void)conn;
	if (inbound->peer == NULL) {
		if (frame->type == FRAME_PEER_HELLO)
			take_hello(inbound, frame);
		else
			inbound->peers->bad_messages++;
		return;
	}
	switch (frame->type) {
	case FRAME_PEER_RAFT:
		take_message(inbound->peer, frame);
		break;
	case FRAME_PEER_PING:
		echo_ping(inbound, frame);
		break;
	case FRAME_PEER_SNAPSHOT_CHUNK:
		take_chunk(inbound->peer, frame);
		break;
	case FRAME_PEER_SNAPSHOT_ACK:
		take_ack(inbound->peer, frame);
		break;
	case FRAME_PEER_MEMBERS:
		take_members(inbound->peer, frame);
		break;
	case FRAME_PEER_CONTROL:
		take_control(inbound, frame);
		break;
	default:
		inbound->peers->bad_messages++;
	}
}

static void in_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct inbound *inbound = ctx;
	struct peers *peers = inbound->peers;
	struct peer *peer = inbound->peer;
	uint32_t lost = peer != NULL && peer->in == inbound ? peer->node.id :
							      RAFT_NOBODY;

	(void)conn;
	if (why == RFS_ERR_DENIED)
		log_info("peers: refused a connection without a key");
	inbound_unlink(inbound);
	if (lost != RAFT_NOBODY)
		peers->events->lost(peers->ctx, lost);
}

static const struct conn_events in_events = {
	.frame = in_frame,
	.closed = in_closed,
};

static void on_accepted(void *ctx, int fd)
{
	struct peers *peers = ctx;
	struct inbound *inbound;
	unsigned int timeout_ms = USER_TIMEOUT_MS;

	inbound = peers->inbound_count < INBOUND_MAX ?
			  calloc(1, sizeof(*inbound)) :
			  NULL;
	if (inbound == NULL) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
		   sizeof(timeout_ms));
	inbound->peers = peers;
	/* Any key, for a reason to be told; the hello decides. */
	inbound->conn = conn_accept_tls(peers->ev, peers->tls, fd, NULL,
					QUEUE_BYTES, &in_events, inbound);
	if (inbound->conn == NULL) {
		free(inbound);
		return;
	}
	conn_limit_frames(inbound->conn, HELLO_BYTES_MAX);
	ev_timer_init(&inbound->patience, on_patience, HELLO_SEC, 0.);
	inbound->patience.data = inbound;
	ev_timer_start(peers->ev, &inbound->patience);
	inbound->next = peers->inbound;
	peers->inbound = inbound;
	peers->inbound_count++;
}

/* ---- death notices ---- */

static void on_death(void *ctx, uint32_t node, uint64_t incarnation,
		     uint64_t term_led)
{
	struct peers *peers = ctx;
	struct peer *peer = peer_by_id(peers, node);

	if (peer != NULL && term_led != 0)
		peers->events->death(peers->ctx, node, term_led);
	if (peer == NULL || incarnation == 0 ||
	    incarnation != peer->incarnation)
		return;
	log_info("peer %s: its supervisor says it is dead", peer->node.name);
	peer->incarnation = 0; /* once */
	peers->events->lost(peers->ctx, node);
}

/* ---- sending ---- */

enum rfs_err peers_send_frame(struct peers *peers, uint32_t node,
			      enum frame_type type,
			      const ProtobufCMessage *message)
{
	struct peer *peer = peer_by_id(peers, node);

	if (peer == NULL || !peer->ready)
		return RFS_ERR_CLOSED;
	return conn_send(peer->out, type, message, -1);
}

static void send_whole(struct peers *peers, const struct raft_message *message)
{
	convert_message(message, &peers->scratch);
	/* Not sent is lost: Raft copes. */
	if (peers_send_frame(peers, message->to, FRAME_PEER_RAFT,
			     &peers->scratch.message.base) != RFS_ERR_OK)
		return;
}

/* How many of the entries fit into one frame; at least one. */
static uint32_t entries_fitting(const struct raft_entry *entries,
				uint32_t count)
{
	size_t bytes = 0;
	uint32_t fit = 0;

	while (fit < count) {
		bytes += convert_entry_bytes(&entries[fit]);
		if (bytes > MESSAGE_BYTES_MAX && fit > 0)
			break;
		fit++;
	}
	return fit;
}

/* An AppendEntries too large for a frame is sent as several that follow one
 * another, as the leader might have done itself. */
static void send_append(struct peers *peers, const struct raft_message *message)
{
	struct raft_message part = *message;
	uint32_t left = message->append.count;

	do {
		part.append.count = entries_fitting(part.append.entries, left);
		send_whole(peers, &part);
		left -= part.append.count;
		if (left == 0)
			break;
		part.append.entries += part.append.count;
		part.append.previous_index = part.append.entries[-1].index;
		part.append.previous_term = part.append.entries[-1].term;
	} while (true);
}

void peers_send(struct peers *peers, const struct raft_message *message)
{
	peers->messages_sent++;
	if (message->type == RAFT_MSG_APPEND)
		send_append(peers, message);
	else
		send_whole(peers, message);
}

void peers_get_status(const struct peers *peers, uint32_t node,
		      bool *connected, const char **refused)
{
	const struct peer *peer = peer_by_id((struct peers *)peers, node);

	*connected = peer != NULL && peer->ready;
	*refused = peer != NULL ? peer->refused : "";
}

uint64_t peers_bad_messages(const struct peers *peers)
{
	return peers->bad_messages;
}

uint64_t peers_messages_sent(const struct peers *peers)
{
	return peers->messages_sent;
}

/* ---- the roster's changes ---- */

static void peer_free(struct peer *peer)
{
	struct peers *peers = peer->peers;

	ev_timer_stop(peers->ev, &peer->redial);
	ev_timer_stop(peers->ev, &peer->ping);
	if (peer->out != NULL)
		conn_close(peer->out);
	if (peer->in != NULL)
		inbound_close(peer->in);
	free(peer);
}

static bool is_wanted(const struct peers *peers, const struct config_node *node)
{
	const struct config_node *known =
		roster_find(peers->roster, node->id);

	return !peers->alone && known != NULL &&
	       strcmp(known->name, node->name) == 0 &&
	       strcmp(known->address, node->address) == 0 &&
	       known->raft_port == node->raft_port &&
	       memcmp(known->key, node->key, sizeof(node->key)) == 0;
}

/* Who left, and who is reached in another way now. */
static void drop_unwanted(struct peers *peers)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < peers->peer_count; i++) {
		struct peer *peer = peers->peer[i];

		if (is_wanted(peers, &peer->node)) {
			peers->peer[kept++] = peer;
			continue;
		}
		log_notice("peer %s: not ours any more", peer->node.name);
		peer_free(peer);
	}
	peers->peer_count = kept;
}

static void add_peer(struct peers *peers, const struct config_node *node)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	CHECK(peer != NULL);
	peer->peers = peers;
	peer->node = *node;
	peer->redial_sec = REDIAL_MIN_SEC;
	ev_timer_init(&peer->redial, on_redial, 0., 0.);
	ev_timer_init(&peer->ping, on_ping, 0., PING_FIRST_SEC);
	peer->redial.data = peer->ping.data = peer;
	peers->peer[peers->peer_count++] = peer;
	dial(peer);
}

static void refresh(struct peers *peers)
{
	const struct roster *roster = peers->roster;

	drop_unwanted(peers);
	for (uint32_t i = 0; i < roster->count && !peers->alone; i++) {
		const struct config_node *node = &roster->nodes[i];

		if (node->id != config_self(peers->config)->id &&
		    peer_by_id(peers, node->id) == NULL)
			add_peer(peers, node);
	}
}

/* Not from inside a peer's own callback: from here none is under way. */
static void on_refresh(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
	(void)revents;
	ev_prepare_stop(ev, watcher);
	refresh(watcher->data);
}

void peers_refresh(struct peers *peers, bool alone)
{
	peers->alone = alone;
	ev_prepare_start(peers->ev, &peers->refresh);
}

void peers_show(struct peers *peers, const void *image, uint32_t bytes)
{
	CHECK(bytes <= sizeof(peers->shown));
	if (bytes == peers->shown_bytes &&
	    memcmp(peers->shown, image, bytes) == 0)
		return;
	memcpy(peers->shown, image, bytes);
	peers->shown_bytes = bytes;
	for (uint32_t i = 0; i < peers->peer_count; i++)
		show_members(peers->peer[i]);
}

/* ---- life ---- */

struct peers *peers_new(struct ev_loop *ev, const struct config *config,
			const struct roster *roster, const struct node_key *key,
			uint64_t incarnation, const struct peers_events *events,
			void *ctx)
{
	const struct config_node *self = config_self(config);
	struct peers *peers = calloc(1, sizeof(*peers));

	if (peers == NULL)
		return NULL;
	peers->ev = ev;
	peers->config = config;
	peers->roster = roster;
	peers->incarnation = incarnation;
	peers->events = events;
	peers->ctx = ctx;
	ev_prepare_init(&peers->refresh, on_refresh);
	peers->refresh.data = peers;
	peers->tls = tls_new(key);
	if (peers->tls != NULL)
		peers->listener = listener_tcp(ev, self->address,
					       self->raft_port, on_accepted,
					       peers);
	if (peers->listener != NULL)
		peers->obituary =
			obituary_new(ev, config, roster, on_death, peers);
	if (peers->obituary == NULL) {
		peers_free(peers);
		return NULL;
	}
	refresh(peers);
	return peers;
}

void peers_pause(struct peers *peers)
{
	for (uint32_t i = 0; i < peers->peer_count; i++)
		if (peers->peer[i]->in != NULL)
			conn_pause(peers->peer[i]->in->conn);
}

void peers_resume(struct peers *peers)
{
	for (uint32_t i = 0; i < peers->peer_count; i++)
		if (peers->peer[i]->in != NULL)
			conn_resume(peers->peer[i]->in->conn);
}

void peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	ev_prepare_stop(peers->ev, &peers->refresh);
	for (uint32_t i = 0; i < peers->peer_count; i++)
		peer_free(peers->peer[i]);
	while (peers->inbound != NULL)
		inbound_close(peers->inbound);
	obituary_free(peers->obituary);
	listener_free(peers->listener);
	tls_free(peers->tls);
	free(peers);
}
