/* Pieces times nodes: a small table of who holds what, driven by answers and a
 * timer that sends again what was not accepted. */
#include "storaged/upload.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "storaged/cluster.h"
#include "storaged/grants.h"
#include "storaged/putqueue.h"

#define TURN_SEC 0.02

enum copy_state {
	COPY_NONE = 0, /* to be sent */
	COPY_SENT,
	COPY_DURABLE, /* with the hash in `sha256` */
	COPY_REFUSED, /* for good */
};

struct piece {
	struct put put; /* this node's copy */
	struct upload *upload;
	uint64_t chunk; /* 0: no id yet */
	const uint8_t *data;
	uint32_t bytes;
	bool hashed;
	struct {
		enum copy_state state;
		enum rfs_err err;
		uint8_t sha256[HASH_BYTES];
	} copies[CONFIG_NODES_MAX]; /* by index in the configuration */
};

struct upload {
	struct storaged *s;
	upload_done *done; /* NULL: told already */
	void *ctx;
	struct ev_timer turn;
	int64_t since_raw_ns;
	uint32_t outstanding; /* answers that will still come */
	uint32_t piece_count;
	struct piece pieces[UPLOAD_PIECES_MAX];
	uint8_t data[];
};

/* Which copy an answer is about. */
struct copy_ref {
	struct piece *piece;
	uint32_t node;
};

static void judge(struct upload *upload);

static void maybe_free(struct upload *upload)
{
	if (upload->done || upload->outstanding > 0)
		return;
	free(upload);
}

static void finish(struct upload *upload, enum rfs_err err)
{
	struct command_piece pieces[UPLOAD_PIECES_MAX];
	upload_done *done = upload->done;

	for (uint32_t i = 0; i < upload->piece_count; i++) {
		const struct piece *piece = &upload->pieces[i];

		pieces[i].chunk = piece->chunk;
		pieces[i].bytes = piece->bytes;
		memcpy(pieces[i].sha256, piece->put.chunk.sha256, HASH_BYTES);
	}
	upload->done = NULL;
	ev_timer_stop(upload->s->loop, &upload->turn);
	done(upload->ctx, err, pieces, upload->piece_count);
}

/* A copy whose hash differs is no copy, and says something about that disk. */
static uint32_t durable_copies(const struct piece *piece, uint32_t nodes)
{
	uint32_t count = 0;

	for (uint32_t i = 0; piece->hashed && i < nodes; i++)
		count += piece->copies[i].state == COPY_DURABLE &&
			 memcmp(piece->copies[i].sha256,
				piece->put.chunk.sha256, HASH_BYTES) == 0;
	return count;
}

/* Nodes that have not said a final no. */
static uint32_t hopeful_copies(const struct piece *piece, uint32_t nodes,
			       enum rfs_err *why)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < nodes; i++) {
		if (piece->copies[i].state == COPY_REFUSED)
			*why = piece->copies[i].err;
		else
			count++;
	}
	return count;
}

static void judge(struct upload *upload)
{
	uint32_t nodes = upload->s->config.node_count;
	uint32_t majority = storaged_majority(upload->s);
	uint32_t complete = 0;

	for (uint32_t i = 0; upload->done && i < upload->piece_count; i++) {
		const struct piece *piece = &upload->pieces[i];
		enum rfs_err why = RFS_ERR_IO;

		complete += durable_copies(piece, nodes) >= majority;
		if (hopeful_copies(piece, nodes, &why) < majority)
			finish(upload, why);
	}
	if (upload->done && complete == upload->piece_count)
		finish(upload, RFS_ERR_OK);
}

static void on_local(struct put *put)
{
	struct piece *piece = (struct piece *)put;
	struct upload *upload = piece->upload;
	uint32_t self = upload->s->config.self_index;

	upload->outstanding--;
	piece->hashed = put->chunk.err != RFS_ERR_NOMEM;
	piece->copies[self].err = put->chunk.err;
	if (put->chunk.err == RFS_ERR_OK) {
		piece->copies[self].state = COPY_DURABLE;
		memcpy(piece->copies[self].sha256, put->chunk.sha256,
		       HASH_BYTES);
	} else {
		piece->copies[self].state = COPY_REFUSED;
	}
	judge(upload);
	maybe_free(upload);
}

/* BUSY (the grant is not known there yet) and a broken connection may mend. */
static void on_peer(void *ctx, enum rfs_err err, const uint8_t *sha256)
{
	struct copy_ref *ref = ctx;
	struct piece *piece = ref->piece;
	struct upload *upload = piece->upload;

	upload->outstanding--;
	piece->copies[ref->node].err = err;
	if (err == RFS_ERR_OK) {
		piece->copies[ref->node].state = COPY_DURABLE;
		memcpy(piece->copies[ref->node].sha256, sha256, HASH_BYTES);
	} else if (err == RFS_ERR_BUSY || err == RFS_ERR_CLOSED) {
		piece->copies[ref->node].state = COPY_NONE;
	} else {
		piece->copies[ref->node].state = COPY_REFUSED;
	}
	free(ref);
	judge(upload);
	maybe_free(upload);
}

static void send_to_peer(struct piece *piece, uint32_t node)
{
	struct upload *upload = piece->upload;
	struct copy_ref *ref = malloc(sizeof(*ref));

	CHECK(ref != NULL);
	*ref = (struct copy_ref){ .piece = piece, .node = node };
	enum rfs_err err = cluster_put(upload->s->cluster,
				       upload->s->config.nodes[node].id,
				       piece->chunk, piece->data, piece->bytes,
				       on_peer, ref);
	if (err != RFS_ERR_OK) {
		free(ref);
		return;
	}
	piece->copies[node].state = COPY_SENT;
	upload->outstanding++;
}

/* A full disk here leaves it to the others; the hash is still ours to make. */
static void store_here(struct piece *piece)
{
	struct upload *upload = piece->upload;
	uint32_t self = upload->s->config.self_index;

	if (upload->s->disk_full) {
		hash_bytes(piece->data, piece->bytes, piece->put.chunk.sha256);
		piece->hashed = true;
		piece->copies[self].state = COPY_REFUSED;
		piece->copies[self].err = RFS_ERR_NOSPC;
		return;
	}
	piece->put.chunk = (struct chunk_put){ .id = piece->chunk,
					       .data = piece->data,
					       .bytes = piece->bytes };
	piece->put.done = on_local;
	piece->copies[self].state = COPY_SENT;
	upload->outstanding++;
	putqueue_add(upload->s->putqueue, &piece->put);
}

static void push_piece(struct piece *piece)
{
	struct storaged *s = piece->upload->s;

	if (piece->chunk == 0 &&
	    grants_take(s->grants, &piece->chunk) != RFS_ERR_OK)
		return;
	for (uint32_t i = 0; i < s->config.node_count; i++) {
		if (piece->copies[i].state != COPY_NONE)
			continue;
		if (i == s->config.self_index)
			store_here(piece);
		else
			send_to_peer(piece, i);
	}
}

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct upload *upload = timer->data;

	(void)loop;
	(void)events;
	if (clock_raw_ns() - upload->since_raw_ns > STORAGED_PATIENCE_NS) {
		finish(upload, RFS_ERR_NO_QUORUM);
		maybe_free(upload);
		return;
	}
	for (uint32_t i = 0; i < upload->piece_count; i++)
		push_piece(&upload->pieces[i]);
}

static uint64_t window_bytes(const struct storaged *s)
{
	uint64_t window = s->config.storage.chunk_bytes;

	if (window < UPLOAD_WINDOW_MIN_BYTES)
		return UPLOAD_WINDOW_MIN_BYTES;
	return window < COMMAND_CHUNK_MAX_BYTES ? window
						: COMMAND_CHUNK_MAX_BYTES;
}

static void cut(struct upload *upload, uint64_t offset, size_t bytes)
{
	uint64_t window = window_bytes(upload->s);
	const uint8_t *at = upload->data;

	while (bytes > 0) {
		struct piece *piece = &upload->pieces[upload->piece_count++];
		uint64_t part = window - offset % window;

		if (part > bytes)
			part = bytes;
		CHECK(upload->piece_count <= UPLOAD_PIECES_MAX);
		piece->upload = upload;
		piece->data = at;
		piece->bytes = (uint32_t)part;
		at += part;
		offset += part;
		bytes -= part;
	}
}

void upload_start(struct storaged *s, uint64_t offset, const void *data,
		  size_t bytes, upload_done *done, void *ctx)
{
	struct upload *upload = calloc(1, sizeof(*upload) + bytes);

	CHECK(upload != NULL);
	CHECK(bytes > 0);
	upload->s = s;
	upload->done = done;
	upload->ctx = ctx;
	upload->since_raw_ns = clock_raw_ns();
	memcpy(upload->data, data, bytes);
	cut(upload, offset, bytes);
	ev_timer_init(&upload->turn, on_turn, TURN_SEC, TURN_SEC);
	upload->turn.data = upload;
	ev_timer_start(s->loop, &upload->turn);
	for (uint32_t i = 0; i < upload->piece_count; i++)
		push_piece(&upload->pieces[i]);
}
