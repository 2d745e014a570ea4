/* Our questions: a connection to each peer, redialled for ever. */
#include "storaged/cluster.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/storage.pb-c.h"
#include "storaged/backfill.h"
#include "storaged/pending.h"
#include "storaged/serve_peers.h"

#define QUEUE_BYTES	   (64 * MIB)
#define REDIAL_FIRST_SEC   0.1
#define REDIAL_LAST_SEC	   2.0
#define TCP_GIVE_UP_MS	   5000u

struct question {
	consensus_proposed *proposed; /* one of the three */
	cluster_put_done *put_done;
	cluster_get_done *get_done;
	void *ctx;
};

struct peer {
	struct peer *next;
	struct cluster *cluster;
	struct config_node node;
	struct conn *conn;
	bool ready; /* the handshake was accepted */
	bool told;  /* a refusal was logged */
	struct pending questions;
	struct ev_timer redial;
	double redial_sec;
};

struct cluster {
	struct storaged *s;
	struct serve_peers *serving;
	struct peer *first;
};

static struct peer *peer_of(const struct cluster *cluster, uint32_t node)
{
	struct peer *peer = cluster->first;

	while (peer && peer->node.id != node)
		peer = peer->next;
	return peer;
}

static void fail_question(struct question *question)
{
	if (question->proposed)
		question->proposed(question->ctx, RFS_ERR_CLOSED, 0, 0);
	else if (question->put_done)
		question->put_done(question->ctx, RFS_ERR_CLOSED, NULL);
	else
		question->get_done(question->ctx, RFS_ERR_CLOSED, NULL, 0);
	free(question);
}

static void lose_conn(struct peer *peer)
{
	struct question *question;

	peer->conn = NULL;
	peer->ready = false;
	while ((question = pending_take_any(&peer->questions)))
		fail_question(question);
}

static void redial_later(struct peer *peer)
{
	ev_timer_stop(peer->cluster->s->loop, &peer->redial);
	ev_timer_set(&peer->redial, peer->redial_sec, 0.);
	ev_timer_start(peer->cluster->s->loop, &peer->redial);
	peer->redial_sec *= 2;
	if (peer->redial_sec > REDIAL_LAST_SEC)
		peer->redial_sec = REDIAL_LAST_SEC;
}

/* Who did not know us may have heard of the same change as we. */
static void redial_soon(struct peer *peer)
{
	peer->redial_sec = REDIAL_FIRST_SEC;
	if (ev_is_active(&peer->redial))
		redial_later(peer);
}

static void on_opened(struct conn *conn, void *ctx)
{
	struct peer *peer = ctx;
	struct storaged *s = peer->cluster->s;
	DistributedFs__StoreHello hello = DISTRIBUTED_FS__STORE_HELLO__INIT;
	unsigned int give_up_ms = TCP_GIVE_UP_MS;

	/* A peer that vanished without a word is noticed in this time. */
	setsockopt(conn_fd(conn), IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up_ms,
		   sizeof(give_up_ms));
	hello.node = storaged_self(s);
	hello.config_digest.data = s->config.digest;
	hello.config_digest.len = sizeof(s->config.digest);
	if (conn_send(conn, FRAME_STORE_HELLO, &hello.base, -1) != RFS_ERR_OK)
		log_warn("storaged %s: hello not sent", peer->node.name);
}

static void on_hello_reply(struct peer *peer, const struct frame *frame)
{
	DistributedFs__StoreHelloReply *reply =
		(DistributedFs__StoreHelloReply *)frame_unpack(
			frame, &distributed_fs__store_hello_reply__descriptor);

	if (!reply)
		return;
	if (reply->err == RFS_ERR_OK) {
		peer->ready = true;
		peer->told = false;
		peer->redial_sec = REDIAL_FIRST_SEC;
		log_info("storaged %s: connected", peer->node.name);
		backfill_peer_came(peer->cluster->s->backfill);
	} else if (!peer->told) {
		log_warn("storaged %s refuses us: %s", peer->node.name,
			 reply->reason);
		peer->told = true;
	}
	frame_free(reply);
}

static void on_forward_done(struct peer *peer, const struct frame *frame)
{
	DistributedFs__StoreForwardDone *done =
		(DistributedFs__StoreForwardDone *)frame_unpack(
			frame,
			&distributed_fs__store_forward_done__descriptor);
	struct question *question =
		done ? pending_take(&peer->questions, done->id) : NULL;

	if (question && question->proposed)
		question->proposed(question->ctx, (enum rfs_err)done->err,
				   done->index, done->term);
	free(question);
	frame_free(done);
}

static void on_put_done(struct peer *peer, const struct frame *frame)
{
	DistributedFs__ChunkPutDone *done =
		(DistributedFs__ChunkPutDone *)frame_unpack(
			frame, &distributed_fs__chunk_put_done__descriptor);
	struct question *question =
		done ? pending_take(&peer->questions, done->id) : NULL;

	if (question && question->put_done) {
		enum rfs_err err = (enum rfs_err)done->err;

		if (err == RFS_ERR_OK && done->sha256.len != HASH_BYTES)
			err = RFS_ERR_INVALID;
		question->put_done(question->ctx, err, done->sha256.data);
	}
	free(question);
	frame_free(done);
}

static void on_get_done(struct peer *peer, const struct frame *frame)
{
	DistributedFs__ChunkGetDone *done =
		(DistributedFs__ChunkGetDone *)frame_unpack(
			frame, &distributed_fs__chunk_get_done__descriptor);
	struct question *question =
		done ? pending_take(&peer->questions, done->id) : NULL;

	if (question && question->get_done)
		question->get_done(question->ctx, (enum rfs_err)done->err,
				   done->data.data, done->data.len);
	free(question);
	frame_free(done);
}

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct peer *peer = ctx;

	(void)conn;
	switch (frame->type) {
	case FRAME_STORE_HELLO_REPLY:
		on_hello_reply(peer, frame);
		return;
	case FRAME_STORE_FORWARD_DONE:
		on_forward_done(peer, frame);
		return;
	case FRAME_STORE_CHUNK_PUT_DONE:
		on_put_done(peer, frame);
		return;
	case FRAME_STORE_CHUNK_GET_DONE:
		on_get_done(peer, frame);
		return;
	default:
		log_warn("storaged %s: frame of type %u", peer->node.name,
			 frame->type);
	}
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct peer *peer = ctx;

	(void)conn;
	if (peer->ready)
		log_info("storaged %s: %s", peer->node.name,
			 rfs_err_text(why));
	else if (why == RFS_ERR_DENIED && !peer->told) {
		log_warn("storaged %s: its key is not the configured one, or "
			 "ours is not known there",
			 peer->node.name);
		peer->told = true;
	}
	lose_conn(peer);
	redial_later(peer);
}

static const struct conn_events peer_events = {
	.opened = on_opened,
	.frame = on_frame,
	.closed = on_closed,
};

static void dial(struct peer *peer)
{
	struct storaged *s = peer->cluster->s;

	peer->conn = conn_dial_tls(s->loop, s->tls, peer->node.address,
				   peer->node.storage_port, peer->node.key,
				   QUEUE_BYTES, &peer_events, peer);
	if (!peer->conn)
		redial_later(peer);
}

static void on_redial(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	dial(timer->data);
}

static void add_peer(struct cluster *cluster, const struct config_node *node)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	CHECK(peer != NULL);
	peer->cluster = cluster;
	peer->node = *node;
	peer->redial_sec = REDIAL_FIRST_SEC;
	peer->next = cluster->first;
	cluster->first = peer;
	ev_timer_init(&peer->redial, on_redial, 0., 0.);
	peer->redial.data = peer;
	dial(peer);
}

static void free_peer(struct peer *peer)
{
	struct conn *conn = peer->conn;

	ev_timer_stop(peer->cluster->s->loop, &peer->redial);
	lose_conn(peer);
	if (conn)
		conn_close(conn);
	pending_fini(&peer->questions);
	free(peer);
}

static bool same_node(const struct config_node *a, const struct config_node *b)
{
	return a->id == b->id && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->address, b->address) == 0 &&
	       a->storage_port == b->storage_port &&
	       memcmp(a->key, b->key, CONFIG_KEY_BYTES) == 0;
}

/* Nobody listens to a node that is no member. */
static bool is_taken_in(const struct storaged *s)
{
	return members_find(&s->members, storaged_self(s)) != NULL;
}

static bool is_peer(const struct storaged *s, const struct peer *peer)
{
	const struct member *member = members_find(&s->members, peer->node.id);

	return is_taken_in(s) && member && same_node(&member->node, &peer->node);
}

/* Off the list first: what hears that its question failed finds no such
 * peer. */
static void drop_strangers(struct cluster *cluster)
{
	for (struct peer **at = &cluster->first; *at;) {
		struct peer *peer = *at;

		if (is_peer(cluster->s, peer)) {
			at = &peer->next;
			continue;
		}
		*at = peer->next;
		log_notice("storaged %s: no peer of ours any more",
			   peer->node.name);
		free_peer(peer);
		at = &cluster->first;
	}
}

void cluster_set_members(struct cluster *cluster,
			 const struct members *members)
{
	struct storaged *s = cluster->s;

	s->members = *members;
	drop_strangers(cluster);
	serve_peers_drop_strangers(cluster->serving);
	for (uint32_t i = 0; is_taken_in(s) && i < members->count; i++) {
		const struct config_node *node = &members->list[i].node;
		struct peer *peer = peer_of(cluster, node->id);

		if (peer)
			redial_soon(peer);
		else if (node->id != storaged_self(s))
			add_peer(cluster, node);
	}
}

struct cluster *cluster_new(struct storaged *s)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));
	struct members members;

	if (!cluster)
		return NULL;
	cluster->s = s;
	cluster->serving = serve_peers_new(s);
	if (!cluster->serving) {
		free(cluster);
		return NULL;
	}
	members_from_config(&members, &s->config);
	cluster_set_members(cluster, &members);
	return cluster;
}

void cluster_free(struct cluster *cluster)
{
	if (!cluster)
		return;
	while (cluster->first) {
		struct peer *peer = cluster->first;

		cluster->first = peer->next;
		free_peer(peer);
	}
	serve_peers_free(cluster->serving);
	free(cluster);
}

bool cluster_is_connected(const struct cluster *cluster, uint32_t node)
{
	const struct peer *peer = peer_of(cluster, node);

	return peer && peer->ready;
}

/* Number the question, then send it; *id is a field of message. */
static enum rfs_err ask(struct cluster *cluster, uint32_t node,
			enum frame_type type, const ProtobufCMessage *message,
			uint64_t *id, const struct question *asked)
{
	struct peer *peer = peer_of(cluster, node);

	if (!peer || !peer->ready)
		return RFS_ERR_CLOSED;
	struct question *question = malloc(sizeof(*question));
	if (!question)
		return RFS_ERR_NOMEM;
	*question = *asked;
	*id = pending_add(&peer->questions, question);
	enum rfs_err err = conn_send(peer->conn, type, message, -1);
	if (err != RFS_ERR_OK) {
		pending_take(&peer->questions, *id);
		free(question);
	}
	return err;
}

enum rfs_err cluster_forward(struct cluster *cluster, uint32_t node,
			     struct bytes command, consensus_proposed *proposed,
			     void *ctx)
{
	DistributedFs__StoreForward forward =
		DISTRIBUTED_FS__STORE_FORWARD__INIT;
	const struct question question = { .proposed = proposed, .ctx = ctx };

	forward.command.data = (uint8_t *)command.data;
	forward.command.len = command.bytes;
	return ask(cluster, node, FRAME_STORE_FORWARD, &forward.base,
		   &forward.id, &question);
}

enum rfs_err cluster_put(struct cluster *cluster, uint32_t node, uint64_t chunk,
			 const void *data, uint32_t bytes,
			 cluster_put_done *done, void *ctx)
{
	DistributedFs__ChunkPut put = DISTRIBUTED_FS__CHUNK_PUT__INIT;
	const struct question question = { .put_done = done, .ctx = ctx };

	put.chunk = chunk;
	put.data.data = (uint8_t *)data;
	put.data.len = bytes;
	return ask(cluster, node, FRAME_STORE_CHUNK_PUT, &put.base, &put.id,
		   &question);
}

enum rfs_err cluster_get(struct cluster *cluster, uint32_t node, uint64_t chunk,
			 cluster_get_done *done, void *ctx)
{
	DistributedFs__ChunkGet get = DISTRIBUTED_FS__CHUNK_GET__INIT;
	const struct question question = { .get_done = done, .ctx = ctx };

	get.chunk = chunk;
	return ask(cluster, node, FRAME_STORE_CHUNK_GET, &get.base, &get.id,
		   &question);
}
