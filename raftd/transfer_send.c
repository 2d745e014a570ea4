/* Snapshots that go to peers. */
#include "raftd/transfer_state.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"

#define RETRY_NS (1 * NS_PER_SEC)

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
	*unused = (struct outgoing){.transfer = transfer, .node = node};
	return unused;
}

static void close_outgoing(struct outgoing *out)
{
	close(out->fd);
	free(out->chunk);
	*out = (struct outgoing){.transfer = out->transfer,
				 .node = out->node,
				 .again_raw_ns = out->again_raw_ns};
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
		 transfer_node_name(transfer, node), why);
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
	uint8_t window[RAFT_WINDOW_BYTES_MAX];

	transfer_meta_to_wire(&out->meta, window, &meta);
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
		   transfer_node_name(transfer, node));
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
		  transfer_node_name(transfer, node),
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
			   transfer_node_name(transfer, node),
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

void transfer_send_tick(struct transfer *transfer, int64_t now_raw_ns)
{
	for (uint32_t i = 0; i < ROSTER_NODES_MAX; i++) {
		struct outgoing *out = &transfer->out[i];

		if (out->active &&
		    now_raw_ns - out->progress_raw_ns > TRANSFER_STALL_NS)
			stop_sending(transfer, out, "no progress");
	}
}

void transfer_send_fini(struct transfer *transfer)
{
	for (uint32_t i = 0; i < ROSTER_NODES_MAX; i++) {
		if (transfer->out[i].chunk)
			close_outgoing(&transfer->out[i]);
	}
}
