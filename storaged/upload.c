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

struct copy {
	uint32_t node; /* 0: an unused one */
	enum copy_state state;
	enum rfs_err err;
	uint8_t sha256[HASH_BYTES];
};

struct piece {
	struct put put; /* this node's copy */
	struct upload *upload;
	uint64_t chunk; /* 0: no id yet */
	const uint8_t *data;
	uint32_t bytes;
	bool hashed;
	struct copy copies[CONFIG_NODES_MAX]; /* in no order */
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

/* Which copy an answer is about. It keeps its place while it is SENT. */
struct copy_ref {
	struct piece *piece;
	struct copy *copy;
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

/* The node's copy; one that is new takes the place of nobody, or of a node that
 * has left. NULL: all places are still waited for. */
static struct copy *copy_of(struct piece *piece, uint32_t node)
{
	const struct members *members = &piece->upload->s->members;
	struct copy *place = NULL;

	for (uint32_t i = 0; i < CONFIG_NODES_MAX; i++) {
		struct copy *copy = &piece->copies[i];

		if (copy->node == node)
			return copy;
		if (copy->node == 0 || (copy->state != COPY_SENT &&
					!members_find(members, copy->node)))
			place = copy;
	}
	if (place)
		*place = (struct copy){ .node = node };
	return place;
}

/* A copy whose hash differs is no copy, and says something about that disk. */
static bool is_durable(const struct piece *piece, const struct copy *copy)
{
	return piece->hashed && copy->state == COPY_DURABLE &&
	       memcmp(copy->sha256, piece->put.chunk.sha256, HASH_BYTES) == 0;
}

/* Is it durable on enough nodes; may it still become so? *why: if not. */
static bool is_stored(struct piece *piece, bool *hopeful, enum rfs_err *why)
{
	const struct members *members = &piece->upload->s->members;
	uint32_t durable = 0;
	uint32_t open = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct copy *copy =
			copy_of(piece, members->list[i].node.id);

		if (copy && copy->state == COPY_REFUSED) {
			*why = copy->err;
			continue;
		}
		open |= UINT32_C(1) << i;
		if (copy && is_durable(piece, copy))
			durable |= UINT32_C(1) << i;
	}
	*hopeful = members_decide(members, open);
	return members_decide(members, durable);
}

static void judge(struct upload *upload)
{
	uint32_t complete = 0;

	for (uint32_t i = 0; upload->done && i < upload->piece_count; i++) {
		enum rfs_err why = RFS_ERR_IO;
		bool hopeful;

		complete += is_stored(&upload->pieces[i], &hopeful, &why);
		if (!hopeful)
			finish(upload, why);
	}
	if (upload->done && complete == upload->piece_count)
		finish(upload, RFS_ERR_OK);
}

static void take_answer(struct copy *copy, enum rfs_err err,
			const uint8_t *sha256)
{
	copy->err = err;
	copy->state = COPY_REFUSED;
	if (err != RFS_ERR_OK)
		return;
	copy->state = COPY_DURABLE;
	memcpy(copy->sha256, sha256, HASH_BYTES);
}

static void on_local(struct put *put)
{
	struct piece *piece = (struct piece *)put;
	struct upload *upload = piece->upload;

	upload->outstanding--;
	piece->hashed = put->chunk.err != RFS_ERR_NOMEM;
	take_answer(copy_of(piece, storaged_self(upload->s)), put->chunk.err,
		    put->chunk.sha256);
	judge(upload);
	maybe_free(upload);
}

/* BUSY (the grant is not known there yet) and a broken connection may mend. */
static void on_peer(void *ctx, enum rfs_err err, const uint8_t *sha256)
{
	struct copy_ref *ref = ctx;
	struct upload *upload = ref->piece->upload;

	upload->outstanding--;
	take_answer(ref->copy, err, sha256);
	if (err == RFS_ERR_BUSY || err == RFS_ERR_CLOSED)
		ref->copy->state = COPY_NONE;
	free(ref);
	judge(upload);
	maybe_free(upload);
}

static void send_to_peer(struct piece *piece, struct copy *copy)
{
	struct upload *upload = piece->upload;
	struct copy_ref *ref = malloc(sizeof(*ref));

	CHECK(ref != NULL);
	*ref = (struct copy_ref){ .piece = piece, .copy = copy };
	enum rfs_err err = cluster_put(upload->s->cluster, copy->node,
				       piece->chunk, piece->data, piece->bytes,
				       on_peer, ref);
	if (err != RFS_ERR_OK) {
		free(ref);
		return;
	}
	copy->state = COPY_SENT;
	upload->outstanding++;
}

/* A full disk here leaves it to the others; the hash is still ours to make. */
static void store_here(struct piece *piece, struct copy *copy)
{
	struct upload *upload = piece->upload;

	if (upload->s->disk_full) {
		hash_bytes(piece->data, piece->bytes, piece->put.chunk.sha256);
		piece->hashed = true;
		take_answer(copy, RFS_ERR_NOSPC, NULL);
		return;
	}
	piece->put.chunk = (struct chunk_put){ .id = piece->chunk,
					       .data = piece->data,
					       .bytes = piece->bytes };
	piece->put.done = on_local;
	copy->state = COPY_SENT;
	upload->outstanding++;
	putqueue_add(upload->s->putqueue, &piece->put);
}

static void push_piece(struct piece *piece)
{
	struct storaged *s = piece->upload->s;

	if (piece->chunk == 0 &&
	    grants_take(s->grants, &piece->chunk) != RFS_ERR_OK)
		return;
	for (uint32_t i = 0; i < s->members.count; i++) {
		uint32_t node = s->members.list[i].node.id;
		struct copy *copy = copy_of(piece, node);

		if (!copy || copy->state != COPY_NONE)
			continue;
		if (node == storaged_self(s))
			store_here(piece, copy);
		else
			send_to_peer(piece, copy);
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
	judge(upload); /* who counts may have changed */
	maybe_free(upload);
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
