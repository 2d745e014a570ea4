/* Snapshots: what storaged has is noted, what it lacks is asked for. Sending
 * and receiving are transfer_send.c and transfer_receive.c. */
#include "raftd/transfer_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "raftd/convert.h"

#define TICK_SEC 1.0

struct meta_chore {
	struct chore chore;
	struct transfer *transfer;
	struct snapfile_meta meta;
	int fd; /* of the checkpoint; -1: a restored one */
	enum rfs_err err;
};

void transfer_meta_to_wire(const struct snapfile_meta *meta,
			   uint8_t window[RAFT_WINDOW_BYTES_MAX],
			   DistributedFs__SnapshotMeta *wire)
{
	convert_meta(&meta->at, wire);
	wire->bytes = meta->bytes;
	wire->sha256.data = (uint8_t *)meta->sha256;
	wire->sha256.len = sizeof(meta->sha256);
	wire->membership.data = (uint8_t *)meta->membership;
	wire->membership.len = meta->membership_bytes;
	wire->window.data = window;
	wire->window.len = raft_window_encode(&meta->window, window);
}

bool transfer_meta_from_wire(const DistributedFs__SnapshotMeta *wire,
			     struct snapfile_meta *meta)
{
	convert_parse_meta(wire, &meta->at);
	meta->bytes = wire->bytes;
	if (wire->index == 0 || wire->sha256.len != sizeof(meta->sha256))
		return false;
	memcpy(meta->sha256, wire->sha256.data, sizeof(meta->sha256));
	memset(&meta->window, 0, sizeof(meta->window));
	if (wire->window.len > 0 &&
	    raft_window_decode(wire->window.data, wire->window.len,
			       &meta->window) != RFS_ERR_OK)
		return false;
	return snapfile_set_membership(meta, wire->membership.data,
				       wire->membership.len) == RFS_ERR_OK;
}

const char *transfer_node_name(const struct transfer *transfer, uint32_t node)
{
	return roster_name(transfer->roster, node);
}

/* ---- noting what storaged has ---- */

static void meta_work(struct chore *chore)
{
	struct meta_chore *noting = (struct meta_chore *)chore;

	noting->err =
		snapfile_save_meta(noting->transfer->meta_path, &noting->meta);
}

void transfer_take_newest(struct transfer *transfer,
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

static void meta_done(struct chore *chore)
{
	struct meta_chore *noted = (struct meta_chore *)chore;
	struct transfer *transfer = noted->transfer;
	struct raft_snapshot_meta at = noted->meta.at;
	bool restored = noted->fd < 0;

	if (restored) {
		transfer_receive_noted(transfer, noted->err);
	} else if (noted->err != RFS_ERR_OK) {
		/* Without the note the log must not be compacted; storaged
		 * will offer another one some day. */
		close(noted->fd);
	} else {
		transfer_take_newest(transfer, &noted->meta, noted->fd);
		transfer->events->taken(transfer->ctx, &at);
	}
	free(noted);
}

void transfer_note(struct transfer *transfer, const struct snapfile_meta *meta,
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
static bool add_from_log(struct transfer *transfer, struct snapfile_meta *meta)
{
	struct raft_membership membership;

	if (!transfer->events->log_at(transfer->ctx, meta->at.index,
				      &membership, &meta->window))
		return false;
	meta->membership_bytes = 0; /* a joiner may know of nobody yet */
	if (membership.count > 0)
		meta->membership_bytes =
			raft_membership_encode(&membership, meta->membership);
	return true;
}

void transfer_taken(struct transfer *transfer,
		    const DistributedFs__SnapshotMeta *wire, int fd)
{
	struct snapfile_meta meta;
	struct stat st;

	if (!transfer_meta_from_wire(wire, &meta) || fstat(fd, &st) != 0 ||
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
		meta.window = transfer->newest.window;
	} else if (!add_from_log(transfer, &meta)) {
		log_warn("snapshot: storaged's at %ju is not within the log",
			 (uintmax_t)meta.at.index);
		close(fd);
		return;
	}
	transfer_note(transfer, &meta, fd);
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

	(void)ev;
	(void)revents;
	transfer_send_tick(transfer, clock_raw_ns());
	transfer_receive_tick(transfer);
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
		 "%.*s/snapshot.meta", TRANSFER_PATH_BYTES, dir);
	snprintf(transfer->incoming_path, sizeof(transfer->incoming_path),
		 "%.*s/incoming.snap", TRANSFER_PATH_BYTES, dir);
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
	transfer_send_fini(transfer);
	transfer_receive_forget(transfer);
	if (transfer->newest_fd >= 0)
		close(transfer->newest_fd);
	free(transfer);
}
