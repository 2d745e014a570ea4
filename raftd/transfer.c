/* Snapshots on their way.
 *
 * Receiving:
 *	none -> receiving -> checking -> waiting -> restoring -> noting -> none
 *	        take_chunk   chore       storaged   storaged     chore
 */
#include "raftd/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "raftd/convert.h"

#define TICK_SEC   1.0
#define RETRY_NS   (1 * NS_PER_SEC)
#define PATH_BYTES 400

/* The stream to one peer. A read under way outlives it: fd and chunk are the
 * thread's until then, and the next stream waits for them. */
struct outgoing {
	struct chore read; /* first: a read is its stream's */
	struct transfer *transfer;
	uint32_t node;
	bool active;
	bool for_raft; /* else it was asked for */
	struct snapfile_meta meta;
	int fd; /* a copy of ours */
	uint8_t *chunk;
	bool reading;
	uint64_t read_offset;
	ssize_t read_bytes;
	uint64_t sent;
	uint64_t acked;
	bool asked_where; /* the first ack tells where to begin */
	int64_t progress_raw_ns;
	int64_t again_raw_ns; /* after a failure: not before */
};

enum incoming_state {
	INCOMING_NONE,
	INCOMING_RECEIVING,
	INCOMING_CHECKING,
	INCOMING_WAITING,
	INCOMING_RESTORING,
	INCOMING_NOTING,
};

struct incoming {
	enum incoming_state state;
	uint32_t from;
	struct snapfile_meta meta;
	int fd;
	uint64_t have;
	int64_t progress_raw_ns;
};

struct meta_chore {
	struct chore chore;
	struct transfer *transfer;
	struct snapfile_meta meta;
	int fd; /* of the checkpoint; -1: a restored one */
	enum rfs_err err;
};

struct check_chore {
	struct chore chore;
	struct transfer *transfer;
	enum rfs_err err;
};

struct transfer {
	struct ev_loop *ev;
	const struct roster *roster;
	char meta_path[PATH_BYTES + 32];
	char incoming_path[PATH_BYTES + 32];
	struct chores *chores;
	struct peers *peers;
	struct clients *clients;
	const struct transfer_events *events;
	void *ctx;
	ev_timer tick;
	uint64_t commit_index;
	uint64_t behind_index; /* storaged needs this entry; 0: it does not */
	uint64_t log_first_index; /* meanwhile: what it could go on with */
	uint32_t ask_next;

	/* Our newest checkpoint; fd -1: none at hand. */
	struct snapfile_meta newest;
	int newest_fd;
	bool newest_bad; /* so another one is needed */

	struct outgoing out[ROSTER_NODES_MAX];
	struct incoming in;
	struct check_chore check;
};

static void meta_to_wire(const struct snapfile_meta *meta,
			 DistributedFs__SnapshotMeta *wire)
{
	convert_meta(&meta->at, wire);
	wire->bytes = meta->bytes;
	wire->sha256.data = (uint8_t *)meta->sha256;
	wire->sha256.len = sizeof(meta->sha256);
	wire->membership.data = (uint8_t *)meta->membership;
	wire->membership.len = meta->membership_bytes;
}

/* False: it lacks what every snapshot has. */
static bool meta_from_wire(const DistributedFs__SnapshotMeta *wire,
			   struct snapfile_meta *meta)
{
	convert_parse_meta(wire, &meta->at);
	meta->bytes = wire->bytes;
	if (wire->index == 0 || wire->sha256.len != sizeof(meta->sha256))
		return false;
	memcpy(meta->sha256, wire->sha256.data, sizeof(meta->sha256));
	return snapfile_set_membership(meta, wire->membership.data,
				       wire->membership.len) == RFS_ERR_OK;
}

static bool same(const struct snapfile_meta *a, const struct snapfile_meta *b)
{
	return a->at.index == b->at.index && a->bytes == b->bytes &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

static const char *node_name(const struct transfer *transfer, uint32_t node)
{
	return roster_name(transfer->roster, node);
}

/* ---- sending ---- */

static struct outgoing *outgoing_to(struct transfer *transfer, uint32_t node)
{
	struct outgoing *unused = NULL;

	for (uint32_t i = 0; i < ROSTER_NODES_MAX; i++) {
		if (transfer->out[i].node == node)
			return &transfer->out[i];
		/* Nodes come and go: one's place is another's then. */
		if (!transfer->out[i].active && !transfer->out[i].reading &&
		    unused == NULL)
			unused = &transfer->out[i];
	}
	CHECK(unused != NULL);
	*unused = (struct outgoing){ .transfer = transfer, .node = node };
	return unused;
}

static void close_outgoing(struct outgoing *out)
{
	close(out->fd);
	free(out->chunk);
	*out = (struct outgoing){ .transfer = out->transfer,
				  .node = out->node,
				  .again_raw_ns = out->again_raw_ns };
}

static void stop_sending(struct transfer *transfer, struct outgoing *out,
			 const char *why)
{
	bool for_raft = out->for_raft;
	uint32_t node = out->node;

	out->active = false;
	out->again_raw_ns = why ? clock_raw_ns() + RETRY_NS : 0;
	if (!out->reading)
		close_outgoing(out);
	if (why == NULL)
		return;
	log_warn("snapshot: sending to %s broke off: %s",
		 node_name(transfer, node), why);
	if (for_raft)
		transfer->events->failed(transfer->ctx, node);
}

/* False: not now (the queue is full, or the peer is gone). */
static bool send_chunk(struct transfer *transfer, struct outgoing *out,
		       size_t bytes)
{
	DistributedFs__SnapshotChunk chunk =
		DISTRIBUTED_FS__SNAPSHOT_CHUNK__INIT;
	DistributedFs__SnapshotMeta meta;

	meta_to_wire(&out->meta, &meta);
	chunk.meta = &meta;
	chunk.offset = out->sent;
	chunk.data.data = out->chunk;
	chunk.data.len = bytes;
	return peers_send_frame(transfer->peers, out->node,
				FRAME_PEER_SNAPSHOT_CHUNK,
				&chunk.base) == RFS_ERR_OK;
}

static void read_work(struct chore *chore)
{
	struct outgoing *out = (struct outgoing *)chore;

	out->read_bytes = pread(out->fd, out->chunk, TRANSFER_CHUNK_BYTES,
				(off_t)out->read_offset);
	if (out->read_bytes <= 0)
		log_errno("snapshot: reading at offset %ju",
			  (uintmax_t)out->read_offset);
}

static void send_more(struct transfer *transfer, struct outgoing *out);

static void read_done(struct chore *chore)
{
	struct outgoing *out = (struct outgoing *)chore;
	struct transfer *transfer = out->transfer;

	out->reading = false;
	if (!out->active) { /* stopped meanwhile */
		close_outgoing(out);
		return;
	}
	if (out->read_bytes <= 0) {
		stop_sending(transfer, out, "cannot read it");
		return;
	}
	/* Anything else than what comes next was asked for before the receiver
	 * said that it holds less. */
	if (out->read_offset == out->sent) {
		if (!send_chunk(transfer, out, (size_t)out->read_bytes))
			return;
		out->sent += (uint64_t)out->read_bytes;
	}
	send_more(transfer, out);
}

/* One read at a time; each, when it has been sent, begins the next. */
static void send_more(struct transfer *transfer, struct outgoing *out)
{
	if (out->reading || out->sent >= out->meta.bytes ||
	    out->sent - out->acked >=
		    TRANSFER_IN_FLIGHT * (uint64_t)TRANSFER_CHUNK_BYTES)
		return;
	out->reading = true;
	out->read_offset = out->sent;
	out->read.work = read_work;
	out->read.done = read_done;
	chores_add(transfer->chores, &out->read);
}

static void start_sending(struct transfer *transfer, uint32_t node,
			  bool for_raft)
{
	struct outgoing *out = outgoing_to(transfer, node);
	const char *refused;
	bool connected;

	/* Nobody to send to: the raft, or the asker, comes again. */
	peers_get_status(transfer->peers, node, &connected, &refused);
	if (out->active || out->reading || transfer->newest_fd < 0 ||
	    !connected || clock_raw_ns() < out->again_raw_ns)
		return;
	*out = (struct outgoing){
		.transfer = transfer,
		.node = node,
		.active = true,
		.for_raft = for_raft,
		.meta = transfer->newest,
		.fd = dup(transfer->newest_fd),
		.chunk = malloc(TRANSFER_CHUNK_BYTES),
		.progress_raw_ns = clock_raw_ns(),
	};
	CHECK(out->fd >= 0);
	CHECK(out->chunk != NULL);
	log_notice("snapshot: sending %ju (%ju bytes) to %s",
		   (uintmax_t)out->meta.at.index, (uintmax_t)out->meta.bytes,
		   node_name(transfer, node));
	/* An empty chunk asks how much of it is there already. */
	if (!send_chunk(transfer, out, 0))
		stop_sending(transfer, out, "not connected");
}

void transfer_send(struct transfer *transfer, uint32_t node,
		   const struct raft_snapshot_meta *meta)
{
	struct outgoing *out = outgoing_to(transfer, node);

	/* Another one than we sent so far: that stream is of no use now. */
	if (out->active && out->for_raft && out->meta.at.index < meta->index)
		stop_sending(transfer, out, "a newer one is wanted");
	/* Without the file at hand we wait for storaged to offer it again; it
	 * makes another once there are entries that are not in this one. */
	if (transfer->newest_bad)
		clients_want_snapshot(transfer->clients, 0);
	if (transfer->newest.at.index >= meta->index)
		start_sending(transfer, node, true);
}

/* A peer's storaged lost its state and needs a snapshot at min_index or later.
 * If ours is older, have a new one made: the asker comes again. */
static void answer_asker(struct transfer *transfer, uint32_t node,
			 uint64_t min_index)
{
	if (transfer->newest_fd >= 0 && transfer->newest.at.index >= min_index)
		start_sending(transfer, node, false);
	else
		clients_want_snapshot(transfer->clients, 0);
}

/* What it received in full is not what we announced: our file has gone bad.
 * Another one takes its place. */
static void drop_newest(struct transfer *transfer, uint32_t node)
{
	if (transfer->newest_fd < 0)
		return;
	log_error("snapshot: %s found %ju damaged: having another one made",
		  node_name(transfer, node),
		  (uintmax_t)transfer->newest.at.index);
	close(transfer->newest_fd);
	transfer->newest_fd = -1;
	transfer->newest_bad = true;
	clients_want_snapshot(transfer->clients, 0);
}

void transfer_ack(struct transfer *transfer, uint32_t node,
		  const DistributedFs__SnapshotAck *ack)
{
	struct outgoing *out = outgoing_to(transfer, node);

	if (ack->index == 0) {
		answer_asker(transfer, node, ack->next_offset);
		return;
	}
	if (ack->err == RFS_ERR_CORRUPT &&
	    ack->index == transfer->newest.at.index)
		drop_newest(transfer, node);
	if (!out->active || ack->index != out->meta.at.index ||
	    ack->next_offset > out->meta.bytes)
		return;
	if (ack->err != RFS_ERR_OK) {
		stop_sending(transfer, out,
			     rfs_err_text((enum rfs_err)ack->err));
		return;
	}
	if (!out->asked_where || ack->next_offset < out->acked) {
		out->asked_where = true;
		out->sent = ack->next_offset;
	}
	if (ack->next_offset > out->acked)
		out->progress_raw_ns = clock_raw_ns();
	out->acked = ack->next_offset;
	if (out->acked == out->meta.bytes) {
		log_notice("snapshot: %s has %ju in full",
			   node_name(transfer, node),
			   (uintmax_t)out->meta.at.index);
		stop_sending(transfer, out, NULL);
		return;
	}
	send_more(transfer, out);
}

void transfer_peer_lost(struct transfer *transfer, uint32_t node)
{
	struct outgoing *out = outgoing_to(transfer, node);

	if (out->active)
		stop_sending(transfer, out, "connection lost");
}

/* ---- receiving ---- */

static void forget_incoming(struct transfer *transfer)
{
	if (transfer->in.fd >= 0)
		close(transfer->in.fd);
	unlink(transfer->incoming_path);
	transfer->in = (struct incoming){ .fd = -1 };
}

static void answer_chunk(struct transfer *transfer, uint32_t node,
			 uint64_t index, uint64_t next_offset, enum rfs_err err)
{
	DistributedFs__SnapshotAck ack = DISTRIBUTED_FS__SNAPSHOT_ACK__INIT;

	ack.index = index;
	ack.next_offset = next_offset;
	ack.err = err;
	/* A lost one is made good: the sender stalls, and asks again. */
	if (peers_send_frame(transfer->peers, node, FRAME_PEER_SNAPSHOT_ACK,
			     &ack.base) != RFS_ERR_OK)
		log_debug("snapshot: not acknowledged to %u", node);
}

static bool is_useful(const struct transfer *transfer,
		      const struct snapfile_meta *meta)
{
	return meta->at.index > transfer->commit_index ||
	       (transfer->behind_index > 0 &&
		meta->at.index >= transfer->behind_index &&
		meta->at.index + 1 >= transfer->log_first_index);
}

static void restore(struct transfer *transfer)
{
	DistributedFs__SnapshotMeta wire;

	/* The log may have brought us further while it was under way. */
	if (!is_useful(transfer, &transfer->in.meta)) {
		forget_incoming(transfer);
		return;
	}
	meta_to_wire(&transfer->in.meta, &wire);
	transfer->in.state = INCOMING_WAITING;
	if (clients_restore(transfer->clients, &wire, transfer->in.fd) ==
	    RFS_ERR_OK)
		transfer->in.state = INCOMING_RESTORING;
}

static void check_work(struct chore *chore)
{
	struct check_chore *check = (struct check_chore *)chore;

	check->err = snapfile_finish(check->transfer->in.fd,
				     &check->transfer->in.meta);
}

static void check_done(struct chore *chore)
{
	struct check_chore *check = (struct check_chore *)chore;
	struct transfer *transfer = check->transfer;

	if (check->err != RFS_ERR_OK) {
		log_error("snapshot: the one from %s is not what was "
			  "announced: %s; dropped",
			  node_name(transfer, transfer->in.from),
			  rfs_err_text(check->err));
		answer_chunk(transfer, transfer->in.from,
			     transfer->in.meta.at.index, 0, check->err);
		forget_incoming(transfer);
		return;
	}
	log_notice("snapshot: received %ju from %s",
		   (uintmax_t)transfer->in.meta.at.index,
		   node_name(transfer, transfer->in.from));
	restore(transfer);
}

static void begin_receiving(struct transfer *transfer, uint32_t node,
			    const struct snapfile_meta *meta)
{
	forget_incoming(transfer);
	transfer->in.fd = snapfile_create(transfer->incoming_path);
	if (transfer->in.fd < 0)
		return;
	transfer->in.state = INCOMING_RECEIVING;
	transfer->in.progress_raw_ns = clock_raw_ns();
	transfer->in.from = node;
	transfer->in.meta = *meta;
}

/* Its sender has gone away: another may take its place. */
static bool is_stalled(const struct incoming *in)
{
	return clock_raw_ns() - in->progress_raw_ns > TRANSFER_STALL_NS;
}

/* Append what comes next; anything else is only answered. */
static enum rfs_err store_chunk(struct transfer *transfer,
				const DistributedFs__SnapshotChunk *chunk)
{
	struct incoming *in = &transfer->in;
	ssize_t n;

	if (chunk->offset != in->have || chunk->data.len == 0)
		return RFS_ERR_OK;
	if (chunk->data.len > in->meta.bytes - in->have)
		return RFS_ERR_INVALID;
	n = pwrite(in->fd, chunk->data.data, chunk->data.len, (off_t)in->have);
	if (n != (ssize_t)chunk->data.len) {
		log_errno("snapshot: writing %s", transfer->incoming_path);
		return RFS_ERR_IO;
	}
	in->have += chunk->data.len;
	return RFS_ERR_OK;
}

void transfer_chunk(struct transfer *transfer, uint32_t node,
		    const DistributedFs__SnapshotChunk *chunk)
{
	struct incoming *in = &transfer->in;
	struct snapfile_meta meta;
	enum rfs_err err;

	if (!meta_from_wire(chunk->meta, &meta))
		return;
	if (!is_useful(transfer, &meta)) {
		answer_chunk(transfer, node, meta.at.index, meta.bytes,
			     RFS_ERR_OK);
		return;
	}
	if (in->state == INCOMING_NONE ||
	    (in->state == INCOMING_RECEIVING && !same(&in->meta, &meta) &&
	     is_stalled(in)))
		begin_receiving(transfer, node, &meta);
	if (in->state == INCOMING_NONE || !same(&in->meta, &meta))
		return; /* busy with another */
	if (in->state != INCOMING_RECEIVING) {
		answer_chunk(transfer, node, meta.at.index, meta.bytes,
			     RFS_ERR_OK);
		return;
	}

	in->from = node;
	in->progress_raw_ns = clock_raw_ns();
	err = store_chunk(transfer, chunk);
	if (err != RFS_ERR_OK) {
		answer_chunk(transfer, node, meta.at.index, 0, err);
		forget_incoming(transfer);
		return;
	}
	answer_chunk(transfer, node, meta.at.index, in->have, RFS_ERR_OK);
	if (in->have < in->meta.bytes)
		return;
	in->state = INCOMING_CHECKING;
	transfer->check.transfer = transfer;
	transfer->check.chore.work = check_work;
	transfer->check.chore.done = check_done;
	chores_add(transfer->chores, &transfer->check.chore);
}

/* ---- noting what storaged has ---- */

static void meta_work(struct chore *chore)
{
	struct meta_chore *noting = (struct meta_chore *)chore;

	noting->err = snapfile_save_meta(noting->transfer->meta_path,
					 &noting->meta);
}

static void take_newest(struct transfer *transfer,
			const struct snapfile_meta *meta, int fd)
{
	transfer->newest_bad &= meta->at.index == transfer->newest.at.index;
	if (transfer->newest_bad && fd >= 0) {
		close(fd); /* offered again, and no better */
		return;
	}
	if (transfer->newest_fd >= 0)
		close(transfer->newest_fd);
	transfer->newest = *meta;
	transfer->newest_fd = fd;
}

/* storaged runs on what was received. */
static void finish_restored(struct transfer *transfer)
{
	static struct raft_membership membership;
	struct raft_snapshot_meta at = transfer->in.meta.at;

	snapfile_membership(&transfer->in.meta, &membership);
	/* The file has no name any more, yet can be sent on. */
	if (at.index >= transfer->newest.at.index)
		take_newest(transfer, &transfer->in.meta,
			    dup(transfer->in.fd));
	forget_incoming(transfer);
	transfer->behind_index = 0;
	transfer->events->installed(transfer->ctx, &at,
				    membership.count > 0 ? &membership : NULL);
}

static void meta_done(struct chore *chore)
{
	struct meta_chore *noted = (struct meta_chore *)chore;
	struct transfer *transfer = noted->transfer;
	struct raft_snapshot_meta at = noted->meta.at;
	bool restored = noted->fd < 0;

	if (noted->err != RFS_ERR_OK && restored) {
		transfer->in.state = INCOMING_WAITING; /* the tick tries again */
	} else if (noted->err != RFS_ERR_OK) {
		/* Without the note the log must not be compacted; storaged
		 * will offer another one some day. */
		close(noted->fd);
	} else if (restored) {
		finish_restored(transfer);
	} else {
		take_newest(transfer, &noted->meta, noted->fd);
		transfer->events->taken(transfer->ctx, &at);
	}
	free(noted);
}

static void note(struct transfer *transfer, const struct snapfile_meta *meta,
		 int fd)
{
	struct meta_chore *noting = calloc(1, sizeof(*noting));

	CHECK(noting != NULL);
	noting->transfer = transfer;
	noting->meta = *meta;
	noting->fd = fd;
	noting->chore.work = meta_work;
	noting->chore.done = meta_done;
	chores_add(transfer->chores, &noting->chore);
}

/* False: our log does not reach there. */
static bool add_membership(struct transfer *transfer,
			   struct snapfile_meta *meta)
{
	struct raft_membership membership;

	if (!transfer->events->membership_at(transfer->ctx, meta->at.index,
					     &membership))
		return false;
	meta->membership_bytes = 0; /* a joiner may know of nobody yet */
	if (membership.count > 0)
		meta->membership_bytes = raft_membership_encode(
			&membership, meta->membership);
	return true;
}

void transfer_taken(struct transfer *transfer,
		    const DistributedFs__SnapshotMeta *wire, int fd)
{
	struct snapfile_meta meta;
	struct stat st;

	if (!meta_from_wire(wire, &meta) || fstat(fd, &st) != 0 ||
	    (uint64_t)st.st_size != meta.bytes) {
		log_error("snapshot: storaged's at %ju is not what it says",
			  (uintmax_t)wire->index);
		close(fd);
		return;
	}
	if (meta.at.index < transfer->newest.at.index) {
		close(fd); /* older than what the log stands on */
		return;
	}
	if (meta.at.index == transfer->newest.at.index) {
		/* What was noted then knows the members, the log may not. */
		meta.membership_bytes = transfer->newest.membership_bytes;
		memcpy(meta.membership, transfer->newest.membership,
		       sizeof(meta.membership));
	} else if (!add_membership(transfer, &meta)) {
		log_warn("snapshot: storaged's at %ju is not within the log",
			 (uintmax_t)meta.at.index);
		close(fd);
		return;
	}
	note(transfer, &meta, fd);
}

void transfer_attached(struct transfer *transfer)
{
	transfer->behind_index = 0; /* it will say so again if it still is */
	if (transfer->in.state == INCOMING_WAITING ||
	    transfer->in.state == INCOMING_RESTORING)
		restore(transfer);
}

void transfer_restore_done(struct transfer *transfer, uint64_t index,
			   enum rfs_err err)
{
	if (transfer->in.state != INCOMING_RESTORING)
		return;
	if (err != RFS_ERR_OK || index != transfer->in.meta.at.index) {
		log_error("snapshot: storaged could not restore %ju: %s",
			  (uintmax_t)transfer->in.meta.at.index,
			  rfs_err_text(err));
		forget_incoming(transfer);
		return;
	}
	/* The note never goes back: the log stands on what it names. */
	if (transfer->in.meta.at.index <= transfer->newest.at.index) {
		finish_restored(transfer);
		return;
	}
	transfer->in.state = INCOMING_NOTING;
	note(transfer, &transfer->in.meta, -1);
}

/* ---- asking ---- */

static void ask(struct transfer *transfer)
{
	DistributedFs__SnapshotAck request = DISTRIBUTED_FS__SNAPSHOT_ACK__INIT;
	const struct roster *roster = transfer->roster;
	const struct config_node *node =
		&roster->nodes[transfer->ask_next++ % roster->count];

	/* Of use is what covers the entry needed and reaches our log. */
	request.next_offset = transfer->log_first_index - 1;
	if (request.next_offset < transfer->behind_index)
		request.next_offset = transfer->behind_index;
	/* Over no link to ourselves. */
	if (peers_send_frame(transfer->peers, node->id, FRAME_PEER_SNAPSHOT_ACK,
			     &request.base) == RFS_ERR_OK)
		log_info("snapshot: asked %s for its newest", node->name);
}

void transfer_behind(struct transfer *transfer, uint64_t index,
		     uint64_t log_first_index)
{
	if (transfer->behind_index == 0)
		log_notice("snapshot: storaged needs entry %ju, which the log "
			   "no longer holds: asking the peers for a snapshot",
			   (uintmax_t)index);
	transfer->behind_index = index;
	transfer->log_first_index = log_first_index;
}

bool transfer_progress(const struct transfer *transfer, uint32_t node,
		       uint64_t *sent_bytes, uint64_t *bytes)
{
	for (uint32_t i = 0; i < ROSTER_NODES_MAX; i++) {
		const struct outgoing *out = &transfer->out[i];

		if (!out->active || out->node != node)
			continue;
		*sent_bytes = out->acked;
		*bytes = out->meta.bytes;
		return true;
	}
	return false;
}

bool transfer_is_awaited(const struct transfer *transfer)
{
	return transfer->behind_index > 0;
}

void transfer_set_commit(struct transfer *transfer, uint64_t commit_index)
{
	transfer->commit_index = commit_index;
}

static void on_tick(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct transfer *transfer = timer->data;
	int64_t now_ns = clock_raw_ns();

	(void)ev;
	(void)revents;
	for (uint32_t i = 0; i < ROSTER_NODES_MAX; i++) {
		struct outgoing *out = &transfer->out[i];

		if (out->active &&
		    now_ns - out->progress_raw_ns > TRANSFER_STALL_NS)
			stop_sending(transfer, out, "no progress");
	}
	if (transfer->in.state == INCOMING_WAITING)
		restore(transfer);
	if (transfer->behind_index > 0 && transfer->in.state == INCOMING_NONE)
		ask(transfer);
}

/* ---- life ---- */

struct transfer *transfer_new(struct ev_loop *ev, const struct roster *roster,
			      const char *dir, struct chores *chores,
			      struct peers *peers, struct clients *clients,
			      const struct snapfile_meta *noted,
			      const struct transfer_events *events, void *ctx)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (transfer == NULL)
		return NULL;
	transfer->ev = ev;
	transfer->roster = roster;
	snprintf(transfer->meta_path, sizeof(transfer->meta_path),
		 "%.*s/snapshot.meta", PATH_BYTES, dir);
	snprintf(transfer->incoming_path, sizeof(transfer->incoming_path),
		 "%.*s/incoming.snap", PATH_BYTES, dir);
	transfer->chores = chores;
	transfer->peers = peers;
	transfer->clients = clients;
	transfer->events = events;
	transfer->ctx = ctx;
	transfer->newest = *noted;
	transfer->newest_fd = -1;
	transfer->in.fd = -1;
	/* What was under way is asked for anew. */
	unlink(transfer->incoming_path);
	ev_timer_init(&transfer->tick, on_tick, TICK_SEC, TICK_SEC);
	transfer->tick.data = transfer;
	ev_timer_start(ev, &transfer->tick);
	return transfer;
}

void transfer_free(struct transfer *transfer)
{
	if (transfer == NULL)
		return;
	ev_timer_stop(transfer->ev, &transfer->tick);
	for (uint32_t i = 0; i < ROSTER_NODES_MAX; i++) {
		if (transfer->out[i].chunk)
			close_outgoing(&transfer->out[i]);
	}
	if (transfer->in.fd >= 0)
		close(transfer->in.fd);
	if (transfer->newest_fd >= 0)
		close(transfer->newest_fd);
	free(transfer);
}
