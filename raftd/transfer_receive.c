/* A snapshot that comes in:
 *
 *	none -> receiving -> checking -> waiting -> restoring -> noting -> none
 *	        chores       chore      storaged   storaged     chore
 */
#include "raftd/transfer_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"

static bool same(const struct snapfile_meta *a, const struct snapfile_meta *b)
{
	return a->at.index == b->at.index && a->bytes == b->bytes &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

void transfer_receive_forget(struct transfer *transfer)
{
	struct incoming *in = &transfer->in;

	if (in->fd >= 0)
		close(in->fd);
	unlink(transfer->incoming_path);
	buffer_fini(&in->gathered);
	*in = (struct incoming){.fd = -1, .stream = in->stream + 1};
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
	uint8_t window[RAFT_WINDOW_BYTES_MAX];

	/* The log may have brought us further while it was under way. */
	if (!is_useful(transfer, &transfer->in.meta)) {
		transfer_receive_forget(transfer);
		return;
	}
	transfer_meta_to_wire(&transfer->in.meta, window, &wire);
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
			  transfer_node_name(transfer, transfer->in.from),
			  rfs_err_text(check->err));
		answer_chunk(transfer, transfer->in.from,
			     transfer->in.meta.at.index, 0, check->err);
		transfer_receive_forget(transfer);
		return;
	}
	log_notice("snapshot: received %ju from %s",
		   (uintmax_t)transfer->in.meta.at.index,
		   transfer_node_name(transfer, transfer->in.from));
	restore(transfer);
}

static void begin_receiving(struct transfer *transfer, uint32_t node,
			    const struct snapfile_meta *meta)
{
	transfer_receive_forget(transfer);
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

/* ---- into the file, beside the loop ---- */

/* What was gathered, and a descriptor of its own: the stream it is of may be
 * given up meanwhile. */
struct write_chore {
	struct chore chore;
	struct transfer *transfer;
	uint64_t stream;
	int fd;
	uint64_t offset;
	struct buffer data;
	bool failed;
};

static void write_work(struct chore *chore)
{
	struct write_chore *writing = (struct write_chore *)chore;
	uint64_t at = writing->offset;

	while (buffer_bytes(&writing->data) > 0 && !writing->failed) {
		ssize_t n = pwrite(writing->fd, buffer_front(&writing->data),
				   buffer_bytes(&writing->data), (off_t)at);

		writing->failed = n <= 0;
		if (n <= 0) {
			log_errno("snapshot: writing what comes in");
			break;
		}
		at += (uint64_t)n;
		buffer_consume(&writing->data, (size_t)n);
	}
	writing->offset = at;
}

static void write_gathered(struct transfer *transfer);

/* So much of it is here, and perhaps all. */
static void advance(struct transfer *transfer, uint64_t have)
{
	struct incoming *in = &transfer->in;

	in->have = have;
	answer_chunk(transfer, in->from, in->meta.at.index, have, RFS_ERR_OK);
	if (have < in->meta.bytes) {
		write_gathered(transfer);
		return;
	}
	in->state = INCOMING_CHECKING;
	transfer->check.transfer = transfer;
	transfer->check.chore.work = check_work;
	transfer->check.chore.done = check_done;
	chores_add(transfer->chores, &transfer->check.chore);
}

static void write_done(struct chore *chore)
{
	struct write_chore *written = (struct write_chore *)chore;
	struct transfer *transfer = written->transfer;
	struct incoming *in = &transfer->in;
	bool current = written->stream == in->stream &&
		       in->state == INCOMING_RECEIVING;
	bool failed = written->failed;
	uint64_t have = written->offset;

	close(written->fd);
	buffer_fini(&written->data);
	free(written);
	if (!current)
		return;
	in->writing = false;
	if (!failed) {
		advance(transfer, have);
		return;
	}
	answer_chunk(transfer, in->from, in->meta.at.index, 0, RFS_ERR_IO);
	transfer_receive_forget(transfer);
}

/* One write at a time; what comes meanwhile is the next. */
static void write_gathered(struct transfer *transfer)
{
	struct incoming *in = &transfer->in;
	struct write_chore *writing;

	if (in->writing || buffer_bytes(&in->gathered) == 0)
		return;
	writing = calloc(1, sizeof(*writing));
	CHECK(writing != NULL);
	writing->transfer = transfer;
	writing->stream = in->stream;
	writing->offset = in->have;
	writing->fd = dup(in->fd);
	CHECK(writing->fd >= 0);
	writing->data = in->gathered;
	in->gathered = (struct buffer){0};
	in->writing = true;
	writing->chore.work = write_work;
	writing->chore.done = write_done;
	chores_add(transfer->chores, &writing->chore);
}

/* A sender keeps so much under way at most; who does not is not waited for. */
static bool is_room(const struct incoming *in, size_t bytes)
{
	return buffer_bytes(&in->gathered) + bytes <=
	       FRAME_BODY_BYTES_MAX +
		       TRANSFER_IN_FLIGHT * (size_t)TRANSFER_CHUNK_BYTES;
}

/* Answered when it is in the file. */
static enum rfs_err gather(struct transfer *transfer, const void *data,
			   size_t bytes)
{
	struct incoming *in = &transfer->in;
	uint8_t *room;

	if (bytes > in->meta.bytes - in->next)
		return RFS_ERR_INVALID;
	room = buffer_reserve(&in->gathered, bytes);
	if (room == NULL)
		return RFS_ERR_NOMEM;
	memcpy(room, data, bytes);
	buffer_commit(&in->gathered, bytes);
	in->next += bytes;
	write_gathered(transfer);
	return RFS_ERR_OK;
}

void transfer_chunk(struct transfer *transfer, uint32_t node,
		    const DistributedFs__SnapshotChunk *chunk)
{
	struct incoming *in = &transfer->in;
	struct snapfile_meta meta;
	enum rfs_err err;

	if (!transfer_meta_from_wire(chunk->meta, &meta))
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
	if (chunk->offset != in->next || chunk->data.len == 0 ||
	    !is_room(in, chunk->data.len)) {
		advance(transfer, in->have); /* nothing of it is taken */
		return;
	}
	err = gather(transfer, chunk->data.data, chunk->data.len);
	if (err != RFS_ERR_OK) {
		answer_chunk(transfer, node, meta.at.index, 0, err);
		transfer_receive_forget(transfer);
	}
}

/* storaged runs on what was received. */
static void finish_restored(struct transfer *transfer)
{
	static struct raft_membership membership;
	struct raft_snapshot_meta at = transfer->in.meta.at;
	struct raft_window window = transfer->in.meta.window;

	snapfile_membership(&transfer->in.meta, &membership);
	/* The file has no name any more, yet can be sent on. */
	if (at.index >= transfer->newest.at.index)
		transfer_take_newest(transfer, &transfer->in.meta,
				     dup(transfer->in.fd));
	transfer_receive_forget(transfer);
	transfer->behind_index = 0;
	transfer->events->installed(transfer->ctx, &at,
				    membership.count > 0 ? &membership : NULL,
				    &window);
}

void transfer_receive_noted(struct transfer *transfer, enum rfs_err err)
{
	if (err == RFS_ERR_OK)
		finish_restored(transfer);
	else
		transfer->in.state =
			INCOMING_WAITING; /* the tick tries again */
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
		transfer_receive_forget(transfer);
		return;
	}
	/* The note never goes back: the log stands on what it names. */
	if (transfer->in.meta.at.index <= transfer->newest.at.index) {
		finish_restored(transfer);
		return;
	}
	transfer->in.state = INCOMING_NOTING;
	transfer_note(transfer, &transfer->in.meta, -1);
}

void transfer_receive_tick(struct transfer *transfer)
{
	if (transfer->in.state == INCOMING_WAITING)
		restore(transfer);
}
