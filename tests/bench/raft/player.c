/* storaged, played. One map, one applied index, no cleverness. */
#include "tests/bench/raft/player.h"

#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/crc32c.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "local.pb-c.h"
#include "proto/conn.h"
#include "proto/handout.h"
#include "raftd/core/raft.h"
#include "raftd/snapfile.h"
#include "shm/clockpage.h"
#include "shm/conspage.h"

#define SLOTS	      65536
#define CLIENTS_MAX   1024
#define COMMAND_BYTES (8 + PLAYER_VALUE_BYTES)

struct client {
	struct player *player;
	struct conn *conn; /* NULL: free */
	uint64_t serial;
};

/* Something a client waits for. */
struct slot {
	uint64_t id; /* ours, towards raftd; 0: free */
	struct client *client;
	uint64_t serial; /* the client's, so that a later one is not mistaken */
	uint64_t client_id;
	uint64_t index; /* once known */
	uint64_t term;
	uint64_t key;
	bool is_read;
};

struct state {
	uint64_t applied;
	struct raft_snapshot_meta last; /* entry at applied */
	uint8_t value[PLAYER_KEYS][PLAYER_VALUE_BYTES];
};

struct player {
	struct ev_loop *ev;
	char snapshot_path[300];
	int channel_fd;
	ev_io channel;
	struct conn *link;
	const struct conspage *consensus;
	const struct clockpage *clock;
	struct client clients[CLIENTS_MAX];
	uint64_t next_serial;
	uint64_t next_id;
	struct slot slots[SLOTS];
	uint64_t by_index[SLOTS]; /* index -> id of the put waiting for it */
	uint64_t parked[SLOTS];	  /* reads that know their index, oldest first */
	uint64_t parked_head, parked_tail;
	uint64_t asked[SLOTS]; /* reads that raftd was asked for */
	uint64_t asked_head, asked_tail;
	struct state *state;

	/* What raftd cannot settle (R2), by key. */
	uint64_t limbo_term;
	uint64_t limbo_index;
	bool limbo_whole;
	bool limbo[PLAYER_KEYS];
};

static struct slot *slot_of(struct player *player, uint64_t id)
{
	struct slot *slot = &player->slots[id % SLOTS];

	return slot->id == id && id != 0 ? slot : NULL;
}

static void tell(struct conn *conn, enum frame_type type, const void *message,
		 int fd)
{
	if (conn != NULL && conn_send(conn, type, message, fd) != RFS_ERR_OK)
		log_warn("a frame of type %d was not sent", type);
}

static void reply(struct player *player, struct slot *slot, enum rfs_err err)
{
	DistributedFs__LocalProposeDone done =
		DISTRIBUTED_FS__LOCAL_PROPOSE_DONE__INIT;
	DistributedFs__LocalPropose value = DISTRIBUTED_FS__LOCAL_PROPOSE__INIT;
	bool there = slot->client->conn != NULL &&
		     slot->client->serial == slot->serial;

	slot->id = 0;
	if (!there)
		return;
	if (slot->is_read && err == RFS_ERR_OK) {
		value.id = slot->client_id;
		value.data.data = player->state->value[slot->key];
		value.data.len = PLAYER_VALUE_BYTES;
		tell(slot->client->conn, FRAME_LOCAL_PROPOSE, &value, -1);
		return;
	}
	done.id = slot->client_id;
	done.err = err;
	done.index = slot->index;
	done.term = slot->term;
	tell(slot->client->conn, FRAME_LOCAL_PROPOSE_DONE, &done, -1);
}

/* ---- clients ---- */

static struct slot *new_slot(struct client *client, uint64_t client_id)
{
	struct player *player = client->player;
	uint64_t id = ++player->next_id;
	struct slot *slot = &player->slots[id % SLOTS];

	/* A put that never committed: its client has long given up. */
	*slot = (struct slot){
		.id = id,
		.client = client,
		.serial = client->serial,
		.client_id = client_id,
	};
	return slot;
}

static void put(struct player *player, struct slot *slot,
		const ProtobufCBinaryData *data)
{
	DistributedFs__LocalPropose propose =
		DISTRIBUTED_FS__LOCAL_PROPOSE__INIT;

	if (player->link == NULL) {
		reply(player, slot, RFS_ERR_NOT_LEADER);
		return;
	}
	propose.id = slot->id;
	propose.data.data = data->data + 1;
	propose.data.len = data->len - 1;
	tell(player->link, FRAME_LOCAL_PROPOSE, &propose, -1);
}

static bool limbo_spares(const struct player *player,
			 const struct cons_sample *cons, uint64_t key)
{
	return cons->limbo_index == 0 ||
	       (player->limbo_whole && player->limbo_term == cons->term &&
		player->limbo_index == cons->limbo_index &&
		!player->limbo[key]);
}

/* The lease check, pages before state. */
static bool lease_holds(const struct player *player, uint64_t key)
{
	struct cons_sample cons;
	struct clock_sample clock;

	return player->consensus != NULL && player->clock != NULL &&
	       conspage_read(player->consensus, &cons) == RFS_ERR_OK &&
	       clockpage_read(player->clock, &clock) == RFS_ERR_OK &&
	       cons.lease_valid && limbo_spares(player, &cons, key) &&
	       clock.disruptions == cons.lease_disruptions &&
	       clock_raw_ns() < cons.lease_until_raw_ns &&
	       player->state->applied >= cons.commit_index;
}

static void get(struct player *player, struct slot *slot)
{
	DistributedFs__LocalRead read = DISTRIBUTED_FS__LOCAL_READ__INIT;

	slot->is_read = true;
	if (lease_holds(player, slot->key)) {
		reply(player, slot, RFS_ERR_OK);
		return;
	}
	if (player->link == NULL) {
		reply(player, slot, RFS_ERR_NOT_LEADER);
		return;
	}
	read.id = slot->id;
	player->asked[player->asked_tail++ % SLOTS] = slot->id;
	tell(player->link, FRAME_LOCAL_READ, &read, -1);
}

static void tell_digest(struct player *player, struct slot *slot)
{
	slot->index = player->state->applied;
	slot->term = crc32c(0, player->state->value,
			    sizeof(player->state->value));
	reply(player, slot, RFS_ERR_OK);
}

static void on_request(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct client *client = ctx;
	struct player *player = client->player;
	DistributedFs__LocalPropose *request = (void *)frame_unpack(
		frame, &distributed_fs__local_propose__descriptor);
	struct slot *slot;

	(void)conn;
	CHECK(request != NULL && request->data.len >= 9);
	slot = new_slot(client, request->id);
	memcpy(&slot->key, request->data.data + 1, 8);
	slot->key %= PLAYER_KEYS;
	switch (request->data.data[0]) {
	case PLAYER_PUT:
		put(player, slot, &request->data);
		break;
	case PLAYER_GET:
		get(player, slot);
		break;
	default:
		tell_digest(player, slot);
	}
	frame_free(request);
}

static void on_client_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct client *client = ctx;

	(void)conn;
	(void)why;
	client->conn = NULL;
}

static const struct conn_events client_events = {
	.frame = on_request,
	.closed = on_client_closed,
};

static void on_accepted(void *ctx, int fd)
{
	struct player *player = ctx;
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &player->clients[i];

		if (client->conn != NULL)
			continue;
		client->player = player;
		client->serial = ++player->next_serial;
		client->conn = conn_adopt(player->ev, fd, 16 * MIB,
					  &client_events, client);
		return;
	}
	close(fd);
}

/* ---- the link ---- */

static void apply(struct player *player, const DistributedFs__LogEntry *entry)
{
	struct state *state = player->state;
	struct slot *slot;
	uint64_t key;

	CHECK(entry->index == state->applied + 1);
	if (entry->kind == RAFT_ENTRY_COMMAND) {
		CHECK(entry->data.len == COMMAND_BYTES);
		memcpy(&key, entry->data.data, 8);
		memcpy(state->value[key % PLAYER_KEYS], entry->data.data + 8,
		       PLAYER_VALUE_BYTES);
	}
	state->applied = entry->index;
	state->last = (struct raft_snapshot_meta){
		.index = entry->index,
		.term = entry->term,
		.stamp = { .epoch = entry->epoch, .ts_ns = entry->ts_ns },
	};
	slot = slot_of(player, player->by_index[entry->index % SLOTS]);
	if (slot != NULL && slot->index == entry->index)
		reply(player, slot,
		      slot->term == entry->term ? RFS_ERR_OK :
						  RFS_ERR_NOT_LEADER);
}

static void answer_parked(struct player *player)
{
	while (player->parked_head != player->parked_tail) {
		uint64_t id = player->parked[player->parked_head % SLOTS];
		struct slot *slot = slot_of(player, id);

		if (slot != NULL && slot->index > player->state->applied)
			return;
		player->parked_head++;
		if (slot != NULL)
			reply(player, slot, RFS_ERR_OK);
	}
}

static void take_committed(struct player *player, const struct frame *frame)
{
	DistributedFs__LocalCommitted *committed = (void *)frame_unpack(
		frame, &distributed_fs__local_committed__descriptor);
	DistributedFs__LocalApplied applied =
		DISTRIBUTED_FS__LOCAL_APPLIED__INIT;

	CHECK(committed != NULL);
	for (size_t i = 0; i < committed->n_entries; i++)
		apply(player, committed->entries[i]);
	frame_free(committed);
	applied.index = player->state->applied;
	if (player->link != NULL &&
	    conn_send_lazily(player->link, FRAME_LOCAL_APPLIED,
			     &applied.base) != RFS_ERR_OK)
		log_warn("what is applied was not told");
	answer_parked(player);
}

static void take_propose_done(struct player *player, const struct frame *frame)
{
	DistributedFs__LocalProposeDone *done = (void *)frame_unpack(
		frame, &distributed_fs__local_propose_done__descriptor);
	struct slot *slot;

	CHECK(done != NULL);
	slot = slot_of(player, done->id);
	if (slot != NULL && done->err != RFS_ERR_OK) {
		reply(player, slot, (enum rfs_err)done->err);
	} else if (slot != NULL) {
		slot->index = done->index;
		slot->term = done->term;
		player->by_index[done->index % SLOTS] = done->id;
		/* raftd answers before it streams, but let that be its choice. */
		if (player->state->applied >= done->index)
			reply(player, slot, RFS_ERR_UNKNOWN);
	}
	frame_free(done);
}

static void take_read_done(struct player *player, const struct frame *frame)
{
	DistributedFs__LocalReadDone *done = (void *)frame_unpack(
		frame, &distributed_fs__local_read_done__descriptor);
	struct slot *slot;

	CHECK(done != NULL);
	slot = slot_of(player, done->id);
	if (slot != NULL && done->err != RFS_ERR_OK) {
		reply(player, slot, (enum rfs_err)done->err);
	} else if (slot != NULL) {
		slot->index = done->index;
		player->parked[player->parked_tail++ % SLOTS] = slot->id;
		answer_parked(player);
	}
	frame_free(done);
}

/* Reads that raftd was asked for while limbo was not known yet. */
static void retry_reads(struct player *player)
{
	if (player->asked_tail - player->asked_head > SLOTS)
		player->asked_head = player->asked_tail - SLOTS;
	while (player->asked_head != player->asked_tail) {
		uint64_t id = player->asked[player->asked_head++ % SLOTS];
		struct slot *slot = slot_of(player, id);

		if (slot != NULL && slot->index == 0 &&
		    lease_holds(player, slot->key))
			reply(player, slot, RFS_ERR_OK);
	}
}

static void take_limbo(struct player *player, const struct frame *frame)
{
	DistributedFs__LocalLimbo *limbo = (void *)frame_unpack(
		frame, &distributed_fs__local_limbo__descriptor);
	uint64_t key;

	CHECK(limbo != NULL);
	if (limbo->term != player->limbo_term || player->limbo_whole)
		memset(player->limbo, 0, sizeof(player->limbo));
	player->limbo_term = limbo->term;
	player->limbo_index = limbo->limbo_index;
	player->limbo_whole = !limbo->more;
	for (size_t i = 0; i < limbo->n_commands; i++) {
		memcpy(&key, limbo->commands[i].data, 8);
		player->limbo[key % PLAYER_KEYS] = true;
	}
	frame_free(limbo);
	if (player->limbo_whole)
		retry_reads(player);
}

static void offer_snapshot(struct player *player)
{
	DistributedFs__LocalSnapshotTaken taken =
		DISTRIBUTED_FS__LOCAL_SNAPSHOT_TAKEN__INIT;
	DistributedFs__SnapshotMeta meta = DISTRIBUTED_FS__SNAPSHOT_META__INIT;
	uint8_t sha256[SNAPFILE_HASH_BYTES];
	int fd = snapfile_create(player->snapshot_path);

	CHECK(fd >= 0);
	CHECK(write(fd, player->state, sizeof(*player->state)) ==
	      sizeof(*player->state));
	CHECK(fsync(fd) == 0);
	CHECK(snapfile_hash(fd, &meta.bytes, sha256) == RFS_ERR_OK);
	meta.index = player->state->last.index;
	meta.term = player->state->last.term;
	meta.epoch = player->state->last.stamp.epoch;
	meta.ts_ns = player->state->last.stamp.ts_ns;
	meta.sha256.data = sha256;
	meta.sha256.len = sizeof(sha256);
	taken.meta = &meta;
	tell(player->link, FRAME_LOCAL_SNAPSHOT_TAKEN, &taken, fd);
	close(fd);
	/* The next one is another file: raftd may still be sending this. */
	unlink(player->snapshot_path);
}

static void restore(struct player *player, struct conn *conn,
		    const struct frame *frame)
{
	DistributedFs__LocalRestore *wanted = (void *)frame_unpack(
		frame, &distributed_fs__local_restore__descriptor);
	DistributedFs__LocalRestoreDone done =
		DISTRIBUTED_FS__LOCAL_RESTORE_DONE__INIT;
	int fd = conn_take_fd(conn);

	CHECK(wanted != NULL && wanted->meta != NULL && fd >= 0);
	CHECK(pread(fd, player->state, sizeof(*player->state), 0) ==
	      sizeof(*player->state));
	close(fd);
	CHECK(player->state->applied == wanted->meta->index);
	log_notice("restored snapshot %ju",
		   (uintmax_t)player->state->applied);
	done.index = player->state->applied;
	tell(player->link, FRAME_LOCAL_RESTORE_DONE, &done, -1);
	frame_free(wanted);
}

static void take_ping(struct player *player, const struct frame *frame)
{
	DistributedFs__Ping *ping = (void *)frame_unpack(
		frame, &distributed_fs__ping__descriptor);

	CHECK(ping != NULL);
	tell(player->link, FRAME_LOCAL_PONG, ping, -1);
	frame_free(ping);
}

static void on_link_frame(struct conn *conn, void *ctx,
			  const struct frame *frame)
{
	struct player *player = ctx;

	switch (frame->type) {
	case FRAME_LOCAL_PING:
		take_ping(player, frame);
		break;
	case FRAME_LOCAL_COMMITTED:
		take_committed(player, frame);
		break;
	case FRAME_LOCAL_PROPOSE_DONE:
		take_propose_done(player, frame);
		break;
	case FRAME_LOCAL_READ_DONE:
		take_read_done(player, frame);
		break;
	case FRAME_LOCAL_LIMBO:
		take_limbo(player, frame);
		break;
	case FRAME_LOCAL_SNAPSHOT_WANTED:
		offer_snapshot(player);
		break;
	case FRAME_LOCAL_RESTORE:
		restore(player, conn, frame);
		break;
	case FRAME_LOCAL_MEMBERS:
		break; /* this one asks only its own raftd */
	default:
		log_error("unexpected frame %u from raftd", frame->type);
	}
}

static void on_link_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct player *player = ctx;

	(void)conn;
	(void)why;
	player->link = NULL;
}

static const struct conn_events link_events = {
	.frame = on_link_frame,
	.closed = on_link_closed,
};

static void take_link(struct player *player, int fd)
{
	DistributedFs__LocalAttach attach = DISTRIBUTED_FS__LOCAL_ATTACH__INIT;
	DistributedFs__SnapshotMeta none = DISTRIBUTED_FS__SNAPSHOT_META__INIT;

	if (player->link != NULL)
		conn_close(player->link);
	player->link = conn_adopt(player->ev, fd, 64 * MIB, &link_events,
				  player);
	CHECK(player->link != NULL);
	attach.applied_index = player->state->applied;
	attach.snapshot = &none;
	tell(player->link, FRAME_LOCAL_ATTACH, &attach, -1);
}

static void on_channel(struct ev_loop *ev, ev_io *io, int revents)
{
	struct player *player = io->data;
	struct handout handout;
	const void *map = NULL;
	enum rfs_err err;
	int fd;

	(void)ev;
	(void)revents;
	while ((err = handout_receive(io->fd, &handout, &fd)) == RFS_ERR_OK) {
		if (handout.kind == HANDOUT_LINK) {
			take_link(player, fd);
			continue;
		}
		if (handout.kind == HANDOUT_CONS_READER) {
			CHECK(page_map_reader(fd, CONSPAGE_MAGIC,
					      CONSPAGE_VERSION,
					      &map) == RFS_ERR_OK);
			page_unmap(player->consensus);
			player->consensus = map;
		} else {
			CHECK(page_map_reader(fd, CLOCKPAGE_MAGIC,
					      CLOCKPAGE_VERSION,
					      &map) == RFS_ERR_OK);
			page_unmap(player->clock);
			player->clock = map;
		}
		close(fd);
	}
	if (err == RFS_ERR_CLOSED)
		_exit(0);
}

void player_run(const char *name, const char *dir, uint16_t port,
		int channel_fd)
{
	struct player *player = calloc(1, sizeof(*player));

	CHECK(player != NULL);
	log_init("player", name);
	player->state = calloc(1, sizeof(*player->state));
	CHECK(player->state != NULL);
	player->ev = ev_loop_new(EVFLAG_AUTO);
	snprintf(player->snapshot_path, sizeof(player->snapshot_path),
		 "%s/player.snap", dir);
	CHECK(listener_tcp(player->ev, "127.0.0.1", port, on_accepted,
			   player) != NULL);
	fcntl(channel_fd, F_SETFL, O_NONBLOCK);
	ev_io_init(&player->channel, on_channel, channel_fd, EV_READ);
	player->channel.data = player;
	ev_io_start(player->ev, &player->channel);
	ev_run(player->ev, 0);
	_exit(1);
}
