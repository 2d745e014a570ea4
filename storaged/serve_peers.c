/* One struct per accepted connection; it outlives the connection while an
 * answer is being made. */
#include "storaged/serve_peers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/storage.pb-c.h"
#include "storaged/consensus.h"
#include "storaged/core/query.h"
#include "storaged/fetch.h"
#include "storaged/putqueue.h"

#define QUEUE_BYTES  (64 * MIB)
#define UNASKED_MAX  (64 * MIB) /* bytes being stored for one peer */

struct serve_peers {
	struct storaged *s;
	struct listener *listener;
	struct inbound *first;
};

struct inbound {
	struct storaged *s;
	struct serve_peers *serving; /* only while there is a connection */
	struct inbound *next;
	struct conn *conn; /* NULL: gone */
	bool greeted;
	uint32_t refs;	     /* the connection, and answers being made */
	uint64_t busy_bytes; /* of chunks being stored */
};

static void unref(struct inbound *in)
{
	if (--in->refs == 0)
		free(in);
}

static void reply(struct inbound *in, enum frame_type type,
		  const ProtobufCMessage *message)
{
	if (!in->conn)
		return;
	enum rfs_err err = conn_send(in->conn, type, message, -1);
	if (err != RFS_ERR_OK)
		log_debug("storaged peer: answer %d dropped: %s", type,
			  rfs_err_text(err));
}

/* --- hello --- */

static const char *refusal(struct storaged *s, struct conn *conn,
			   const DistributedFs__StoreHello *hello)
{
	const struct member *member =
		hello ? members_find(&s->members, hello->node) : NULL;

	if (!member || hello->node == storaged_self(s))
		return "not a node of this cluster";
	if (memcmp(member->node.key, conn_peer_key(conn), KEY_PUBLIC_BYTES) !=
	    0)
		return "the key is another node's";
	if (hello->config_digest.len != sizeof(s->config.digest) ||
	    memcmp(hello->config_digest.data, s->config.digest,
		   sizeof(s->config.digest)) != 0)
		return "the configurations differ (cluster, "
		       "time_sync.max_rate_ppm, storage.chunk)";
	return NULL;
}

static void on_hello(struct inbound *in, const struct frame *frame)
{
	struct storaged *s = in->s;
	DistributedFs__StoreHello *hello =
		(DistributedFs__StoreHello *)frame_unpack(
			frame, &distributed_fs__store_hello__descriptor);
	DistributedFs__StoreHelloReply answer =
		DISTRIBUTED_FS__STORE_HELLO_REPLY__INIT;
	const char *why = refusal(s, in->conn, hello);

	if (why) {
		answer.err = RFS_ERR_DENIED;
		answer.reason = (char *)why;
		log_warn("storaged of node %u refused: %s",
			 hello ? hello->node : 0, why);
	}
	in->greeted = why == NULL;
	reply(in, FRAME_STORE_HELLO_REPLY, &answer.base);
	frame_free(hello);
}

/* --- forwarded commands --- */

struct forward {
	struct inbound *in;
	uint64_t id;
};

static void forward_done(void *ctx, enum rfs_err err, uint64_t index,
			 uint64_t term)
{
	struct forward *forward = ctx;
	DistributedFs__StoreForwardDone done =
		DISTRIBUTED_FS__STORE_FORWARD_DONE__INIT;

	done.id = forward->id;
	done.err = err;
	done.index = index;
	done.term = term;
	reply(forward->in, FRAME_STORE_FORWARD_DONE, &done.base);
	unref(forward->in);
	free(forward);
}

static void on_forward(struct inbound *in, const struct frame *frame)
{
	DistributedFs__StoreForward *asked =
		(DistributedFs__StoreForward *)frame_unpack(
			frame, &distributed_fs__store_forward__descriptor);
	struct forward *forward = malloc(sizeof(*forward));
	struct command command;

	if (!asked || !forward) {
		free(forward);
		return;
	}
	*forward = (struct forward){ .in = in, .id = asked->id };
	in->refs++;
	const struct bytes image = { .data = asked->command.data,
				     .bytes = asked->command.len };
	/* What is no command never enters the log. */
	enum rfs_err err = command_decode(image.data, image.bytes, &command);
	if (err == RFS_ERR_OK)
		err = consensus_propose(in->s->consensus, image,
					forward_done, forward);
	/* Not sent: so it has certainly not happened. */
	if (err == RFS_ERR_CLOSED)
		err = RFS_ERR_NOT_LEADER;
	if (err != RFS_ERR_OK)
		forward_done(forward, err, 0, 0);
	frame_free(asked);
}

/* --- chunks to store --- */

struct arrival {
	struct put put; /* first: a put is its arrival */
	struct inbound *in;
	DistributedFs__ChunkPut *asked;
};

static void arrival_answer(struct arrival *arrival, enum rfs_err err)
{
	struct inbound *in = arrival->in;
	DistributedFs__ChunkPutDone done =
		DISTRIBUTED_FS__CHUNK_PUT_DONE__INIT;

	done.id = arrival->asked->id;
	done.err = err;
	if (err == RFS_ERR_OK) {
		done.sha256.data = arrival->put.chunk.sha256;
		done.sha256.len = HASH_BYTES;
	}
	reply(in, FRAME_STORE_CHUNK_PUT_DONE, &done.base);
	frame_free(arrival->asked);
	free(arrival);
	unref(in);
}

static void arrival_stored(struct put *put)
{
	struct arrival *arrival = (struct arrival *)put;

	arrival->in->busy_bytes -= arrival->asked->data.len;
	arrival_answer(arrival, put->chunk.err);
}

/* A chunk is only taken in under a grant this node has applied: then no sweep
 * can mistake it for one that was freed, and none comes back after that. */
static enum rfs_err may_store(struct inbound *in,
			      const DistributedFs__ChunkPut *asked)
{
	struct storaged *s = in->s;
	struct query_chunk known;
	struct kv kv;

	if (asked->chunk & STORE_CHUNK_INLINE || asked->data.len == 0 ||
	    asked->data.len > COMMAND_CHUNK_MAX_BYTES)
		return RFS_ERR_INVALID;
	if (s->disk_full)
		return RFS_ERR_NOSPC;
	if (in->busy_bytes > UNASKED_MAX)
		return RFS_ERR_BUSY;
	enum rfs_err err = state_begin_read(s->state, &kv);
	if (err != RFS_ERR_OK)
		return err;
	err = query_chunk(&kv, asked->chunk, &known);
	state_end_read(s->state, &kv);
	if (err == RFS_ERR_OK && known.state == QUERY_CHUNK_UNKNOWN)
		err = RFS_ERR_BUSY;
	return err;
}

static void on_chunk_put(struct inbound *in, const struct frame *frame)
{
	struct arrival *arrival = calloc(1, sizeof(*arrival));
	DistributedFs__ChunkPut *asked =
		(DistributedFs__ChunkPut *)frame_unpack(
			frame, &distributed_fs__chunk_put__descriptor);

	if (!asked || !arrival) {
		free(arrival);
		return;
	}
	arrival->in = in;
	arrival->asked = asked;
	in->refs++;
	enum rfs_err err = may_store(in, asked);
	if (err != RFS_ERR_OK) {
		arrival_answer(arrival, err);
		return;
	}
	in->busy_bytes += asked->data.len;
	arrival->put.chunk.id = asked->chunk;
	arrival->put.chunk.data = asked->data.data;
	arrival->put.chunk.bytes = (uint32_t)asked->data.len;
	arrival->put.done = arrival_stored;
	putqueue_add(in->s->putqueue, &arrival->put);
}

/* --- chunks to send --- */

struct departure {
	struct work work; /* first: a work is its departure */
	struct inbound *in;
	uint64_t id;
	uint64_t chunk;
	struct packs_record packed; /* of a small one */
	enum rfs_err err;
	uint8_t *data;
	uint32_t bytes;
};

static void departure_answer(struct departure *departure)
{
	struct inbound *in = departure->in;
	DistributedFs__ChunkGetDone done =
		DISTRIBUTED_FS__CHUNK_GET_DONE__INIT;

	done.id = departure->id;
	done.err = departure->err;
	if (departure->err == RFS_ERR_OK) {
		done.data.data = departure->data;
		done.data.len = departure->bytes;
	} else if (departure->err == RFS_ERR_CORRUPT) {
		fetch_repair(in->s->fetch, departure->chunk);
	}
	reply(in, FRAME_STORE_CHUNK_GET_DONE, &done.base);
	free(departure->data);
	free(departure);
	unref(in);
}

static void departure_run(struct work *work)
{
	struct departure *departure = (struct departure *)work;
	struct chunks *chunks = departure->in->s->chunks;
	uint8_t sha256[HASH_BYTES];

	if (departure->chunk & STORE_CHUNK_INLINE) {
		departure->err = packs_read(&departure->packed,
					    departure->data);
		return;
	}
	departure->err = chunks_stat(chunks, departure->chunk,
				     &departure->bytes, sha256);
	if (departure->err != RFS_ERR_OK)
		return;
	departure->data = malloc(departure->bytes);
	departure->err = departure->data
				 ? chunks_read(chunks, departure->chunk, NULL,
					       0, departure->bytes,
					       departure->data)
				 : RFS_ERR_NOMEM;
}

static void departure_ready(struct work *work)
{
	departure_answer((struct departure *)work);
}

/* A small one: at once where the disk is not needed. */
static bool depart_packed(struct departure *departure)
{
	struct packs *packs = departure->in->s->packs;

	departure->data = malloc(COMMAND_INLINE_MAX_BYTES);
	CHECK(departure->data != NULL);
	departure->err = packs_get(packs, departure->chunk,
				       departure->data,
				       COMMAND_INLINE_MAX_BYTES,
				       &departure->bytes);
	if (departure->err != RFS_ERR_BUSY)
		return true;
	departure->err = packs_find(packs, departure->chunk,
				    &departure->packed);
	departure->bytes = departure->packed.bytes;
	return departure->err != RFS_ERR_OK;
}

static void on_chunk_get(struct inbound *in, const struct frame *frame)
{
	struct storaged *s = in->s;
	struct departure *departure = calloc(1, sizeof(*departure));
	DistributedFs__ChunkGet *asked =
		(DistributedFs__ChunkGet *)frame_unpack(
			frame, &distributed_fs__chunk_get__descriptor);

	if (!asked || !departure) {
		free(departure);
		return;
	}
	departure->in = in;
	departure->id = asked->id;
	departure->chunk = asked->chunk;
	frame_free(asked);
	in->refs++;
	if (departure->chunk & STORE_CHUNK_INLINE && depart_packed(departure)) {
		departure_answer(departure);
		return;
	}
	departure->work = (struct work){ .run = departure_run,
					 .done = departure_ready };
	work_submit(s->pool, &departure->work);
}

/* --- the connection --- */

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct inbound *in = ctx;

	(void)conn;
	if (frame->type == FRAME_STORE_HELLO) {
		on_hello(in, frame);
		return;
	}
	if (!in->greeted)
		return;
	switch (frame->type) {
	case FRAME_STORE_FORWARD:
		on_forward(in, frame);
		return;
	case FRAME_STORE_CHUNK_PUT:
		on_chunk_put(in, frame);
		return;
	case FRAME_STORE_CHUNK_GET:
		on_chunk_get(in, frame);
		return;
	default:
		log_warn("storaged peer: frame of type %u", frame->type);
	}
}

static void forget(struct inbound *in)
{
	struct inbound **at = &in->serving->first;

	while (*at != in)
		at = &(*at)->next;
	*at = in->next;
	in->conn = NULL;
	unref(in);
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	(void)conn;
	(void)why;
	forget(ctx);
}

static const struct conn_events inbound_events = {
	.frame = on_frame,
	.closed = on_closed,
};

static bool is_node(void *ctx, const uint8_t *peer_key)
{
	struct inbound *in = ctx;
	const struct member *member =
		members_find_key(&in->s->members, peer_key);

	return member && member->node.id != storaged_self(in->s);
}

static void on_accepted(void *ctx, int fd)
{
	struct serve_peers *serving = ctx;
	struct inbound *in = calloc(1, sizeof(*in));

	CHECK(in != NULL);
	in->serving = serving;
	in->s = serving->s;
	in->refs = 1;
	in->conn = conn_accept_tls(serving->s->loop, serving->s->tls, fd,
				   is_node, QUEUE_BYTES, &inbound_events, in);
	if (!in->conn) {
		free(in);
		return;
	}
	in->next = serving->first;
	serving->first = in;
}

struct serve_peers *serve_peers_new(struct storaged *s)
{
	struct serve_peers *serving = calloc(1, sizeof(*serving));
	const struct config_node *self = config_self(&s->config);

	if (!serving)
		return NULL;
	serving->s = s;
	serving->listener = listener_tcp(s->loop, self->address,
					 self->storage_port, on_accepted,
					 serving);
	if (!serving->listener) {
		free(serving);
		return NULL;
	}
	return serving;
}

void serve_peers_drop_strangers(struct serve_peers *serving)
{
	struct inbound *next;

	for (struct inbound *in = serving->first; in; in = next) {
		next = in->next;
		if (!in->greeted || is_node(in, conn_peer_key(in->conn)))
			continue;
		conn_close(in->conn);
		forget(in);
	}
}

void serve_peers_free(struct serve_peers *serving)
{
	if (!serving)
		return;
	for (struct inbound *in = serving->first; in;) {
		struct inbound *next = in->next;

		conn_close(in->conn);
		in->conn = NULL;
		unref(in);
		in = next;
	}
	listener_free(serving->listener);
	free(serving);
}
