/* The link to this node's storaged. */
#include "raftd/clients.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/conn.h"
#include "raftd/convert.h"

#define QUEUE_BYTES	   (64 * MIB)
#define FRAME_ENTRY_BYTES  (1 * MIB)
#define FRAMES_IN_FLIGHT   256
#define PROPOSAL_BYTES_MAX (FRAME_BODY_BYTES_MAX / 2) /* fits any frame */
#define READ_SLOTS	   8192
#define LINK_PRIORITY	   (EV_MINPRI + 3) /* before peers: somebody waits */

/* A LocalCommitted on its way: gone when `last_index` is applied. */
struct sent_frame {
	uint64_t last_index;
	uint64_t bytes;
};

/* Reads are answered late, perhaps on another link: so they have ids of ours,
 * and storaged's are found again by slot. */
struct read_slot {
	uint64_t ours; /* 0: free */
	uint64_t theirs;
};

struct clients {
	struct ev_loop *ev;
	const struct clients_events *events;
	void *ctx;
	struct conn *conn; /* NULL: no link */
	bool attached;
	bool restoring;

	/* Streaming. */
	const struct raft *raft;
	uint64_t commit_index;
	uint64_t applied_index;
	uint64_t next_index;
	uint64_t in_flight_bytes;
	struct sent_frame sent[FRAMES_IN_FLIGHT]; /* a ring */
	uint32_t sent_head, sent_count;
	int64_t asked_raw_ns; /* not answered yet; 0: nothing was asked */

	/* Proposals of this iteration. */
	ev_check end_of_iteration;
	DistributedFs__LocalPropose *proposed[RAFT_PROPOSALS_MAX];
	struct raft_proposal proposal[RAFT_PROPOSALS_MAX];
	uint32_t proposal_count;

	uint64_t next_read;
	struct read_slot reads[READ_SLOTS];

	DistributedFs__LogEntry entry[RAFT_ENTRIES_MAX];
	DistributedFs__LogEntry *entries[RAFT_ENTRIES_MAX];
};

static void forget_proposals(struct clients *clients)
{
	for (uint32_t i = 0; i < clients->proposal_count; i++)
		frame_free(clients->proposed[i]);
	clients->proposal_count = 0;
}

static void detach(struct clients *clients)
{
	clients->conn = NULL;
	clients->attached = false;
	clients->restoring = false;
	clients->applied_index = 0;
	clients->sent_count = 0;
	clients->in_flight_bytes = 0;
	clients->asked_raw_ns = 0;
	memset(clients->reads, 0, sizeof(clients->reads));
	forget_proposals(clients);
}

/* The other side does not drain or talks nonsense: begin anew. */
static void give_up(struct clients *clients, const char *why)
{
	struct conn *conn = clients->conn;

	log_warn("storaged: closing the link: %s", why);
	detach(clients);
	conn_close(conn);
}

static void send(struct clients *clients, enum frame_type type,
		 const ProtobufCMessage *message, int fd)
{
	if (clients->conn != NULL &&
	    conn_send(clients->conn, type, message, fd) == RFS_ERR_FULL)
		give_up(clients, "it does not read");
}

/* ---- proposals and reads ---- */

static void hand_over_proposals(struct clients *clients)
{
	if (clients->proposal_count == 0)
		return;
	clients->events->propose(clients->ctx, clients->proposal,
				 clients->proposal_count);
	forget_proposals(clients);
}

/* Runs after every other callback of the iteration: lowest priority. */
static void on_end_of_iteration(struct ev_loop *ev, ev_check *watcher,
				int revents)
{
	(void)ev;
	(void)revents;
	hand_over_proposals(watcher->data);
}

static void take_propose(struct clients *clients, const struct frame *frame)
{
	DistributedFs__LocalPropose *propose = (void *)frame_unpack(
		frame, &distributed_fs__local_propose__descriptor);

	if (propose == NULL) {
		give_up(clients, "bad LocalPropose");
		return;
	}
	if (propose->data.len > PROPOSAL_BYTES_MAX) {
		const struct raft_proposal_done refused = {
			.id = propose->id,
			.err = RFS_ERR_FBIG,
		};

		frame_free(propose);
		clients_proposed(clients, &refused);
		return;
	}
	clients->proposed[clients->proposal_count] = propose;
	clients->proposal[clients->proposal_count] = (struct raft_proposal){
		.id = propose->id,
		.data = propose->data.data,
		.bytes = (uint32_t)propose->data.len,
	};
	if (++clients->proposal_count == RAFT_PROPOSALS_MAX)
		hand_over_proposals(clients);
}

void clients_proposed(struct clients *clients,
		      const struct raft_proposal_done *done)
{
	DistributedFs__LocalProposeDone reply =
		DISTRIBUTED_FS__LOCAL_PROPOSE_DONE__INIT;

	reply.id = done->id;
	reply.err = done->err;
	reply.index = done->index;
	reply.term = done->term;
	/* Where it stands is of no use before it is committed, and that will be
	 * said over this link: one wake-up for both. */
	if (done->err != RFS_ERR_OK)
		send(clients, FRAME_LOCAL_PROPOSE_DONE, &reply.base, -1);
	else if (clients->conn != NULL &&
		 conn_send_lazily(clients->conn, FRAME_LOCAL_PROPOSE_DONE,
				  &reply.base) == RFS_ERR_FULL)
		give_up(clients, "it does not read");
}

static void answer_read(struct clients *clients, uint64_t id, enum rfs_err err,
			uint64_t index)
{
	DistributedFs__LocalReadDone reply =
		DISTRIBUTED_FS__LOCAL_READ_DONE__INIT;

	reply.id = id;
	reply.err = err;
	reply.index = index;
	send(clients, FRAME_LOCAL_READ_DONE, &reply.base, -1);
}

static void take_read(struct clients *clients, const struct frame *frame)
{
	DistributedFs__LocalRead *read = (void *)frame_unpack(
		frame, &distributed_fs__local_read__descriptor);
	struct read_slot *slot;
	uint64_t theirs;

	if (read == NULL) {
		give_up(clients, "bad LocalRead");
		return;
	}
	theirs = read->id;
	frame_free(read);
	slot = &clients->reads[++clients->next_read % READ_SLOTS];
	if (slot->ours != 0) {
		answer_read(clients, theirs, RFS_ERR_FULL, 0);
		return;
	}
	slot->ours = clients->next_read;
	slot->theirs = theirs;
	clients->events->read(clients->ctx, slot->ours);
}

void clients_read_done(struct clients *clients,
		       const struct raft_read_done *done)
{
	struct read_slot *slot = &clients->reads[done->id % READ_SLOTS];

	if (slot->ours != done->id)
		return; /* asked over a link that is gone */
	slot->ours = 0;
	answer_read(clients, slot->theirs, done->err, done->index);
}

/* ---- committed entries ---- */

/* How many entries from next_index on go into one frame. */
static uint32_t gather(struct clients *clients, uint64_t *bytes)
{
	uint32_t count = 0;

	*bytes = 0;
	while (count < RAFT_ENTRIES_MAX && *bytes < FRAME_ENTRY_BYTES &&
	       clients->next_index + count <= clients->commit_index) {
		const struct raft_entry *entry = raft_log_at(
			clients->raft, clients->next_index + count);

		if (entry == NULL ||
		    (count > 0 && *bytes + convert_entry_bytes(entry) >
					  FRAME_BODY_BYTES_MAX / 2))
			break;
		convert_entry(entry, &clients->entry[count]);
		*bytes += convert_entry_bytes(entry);
		count++;
	}
	return count;
}

static void send_committed(struct clients *clients, uint32_t count,
			   uint64_t bytes)
{
	DistributedFs__LocalCommitted committed =
		DISTRIBUTED_FS__LOCAL_COMMITTED__INIT;
	struct sent_frame *frame;

	committed.n_entries = count;
	committed.entries = clients->entries;
	committed.commit_index = clients->commit_index;
	clients->next_index += count;
	frame = &clients->sent[(clients->sent_head + clients->sent_count) %
			       FRAMES_IN_FLIGHT];
	frame->last_index = clients->next_index - 1;
	frame->bytes = bytes;
	clients->sent_count++;
	clients->in_flight_bytes += bytes;
	send(clients, FRAME_LOCAL_COMMITTED, &committed.base, -1);
}

static void stream(struct clients *clients)
{
	while (clients->attached && !clients->restoring &&
	       clients->next_index <= clients->commit_index &&
	       clients->sent_count < FRAMES_IN_FLIGHT &&
	       clients->in_flight_bytes < CLIENTS_WINDOW_BYTES) {
		uint64_t bytes;
		uint32_t count = gather(clients, &bytes);

		if (count == 0) {
			clients->events->behind(clients->ctx,
						clients->next_index);
			return;
		}
		send_committed(clients, count, bytes);
	}
}

void clients_stream(struct clients *clients, const struct raft *raft,
		    uint64_t commit_index)
{
	clients->raft = raft;
	clients->commit_index = commit_index;
	stream(clients);
}

static void take_applied(struct clients *clients, const struct frame *frame)
{
	DistributedFs__LocalApplied *applied = (void *)frame_unpack(
		frame, &distributed_fs__local_applied__descriptor);

	if (applied == NULL) {
		give_up(clients, "bad LocalApplied");
		return;
	}
	if (applied->index > clients->applied_index)
		clients->applied_index = applied->index;
	frame_free(applied);
	while (clients->sent_count > 0 &&
	       clients->sent[clients->sent_head].last_index <=
		       clients->applied_index) {
		clients->in_flight_bytes -=
			clients->sent[clients->sent_head].bytes;
		clients->sent_head =
			(clients->sent_head + 1) % FRAMES_IN_FLIGHT;
		clients->sent_count--;
	}
	stream(clients);
}

/* ---- limbo ---- */

static bool limbo_is_small(const struct raft *raft,
			   const struct raft_view *view)
{
	uint64_t bytes = 0;

	for (uint64_t i = view->commit_index + 1; i <= view->limbo_index; i++)
		bytes += raft_log_at(raft, i)->bytes;
	return bytes <= CLIENTS_LIMBO_BYTES_MAX;
}

/* Commands from `index` on into one frame; where the next one goes on. */
static uint64_t send_limbo(struct clients *clients, const struct raft *raft,
			   const struct raft_view *view, uint64_t index)
{
	DistributedFs__LocalLimbo limbo = DISTRIBUTED_FS__LOCAL_LIMBO__INIT;
	ProtobufCBinaryData commands[RAFT_ENTRIES_MAX];
	uint64_t bytes = 0;

	while (index <= view->limbo_index && bytes < FRAME_ENTRY_BYTES &&
	       limbo.n_commands < RAFT_ENTRIES_MAX) {
		const struct raft_entry *entry = raft_log_at(raft, index++);

		if (entry->kind != RAFT_ENTRY_COMMAND)
			continue;
		commands[limbo.n_commands++] = (ProtobufCBinaryData){
			.data = (uint8_t *)entry->data,
			.len = entry->bytes,
		};
		bytes += entry->bytes;
	}
	limbo.term = view->term;
	limbo.limbo_index = view->limbo_index;
	limbo.commands = commands;
	limbo.more = index <= view->limbo_index;
	send(clients, FRAME_LOCAL_LIMBO, &limbo.base, -1);
	return index;
}

void clients_limbo(struct clients *clients, const struct raft *raft,
		   const struct raft_view *view)
{
	uint64_t index = view->commit_index + 1;

	if (!clients->attached || !limbo_is_small(raft, view))
		return;
	do
		index = send_limbo(clients, raft, view, index);
	while (clients->attached && index <= view->limbo_index);
}

/* ---- members ---- */

void clients_members(struct clients *clients,
		     const DistributedFs__LocalMembers *members)
{
	if (clients->attached)
		send(clients, FRAME_LOCAL_MEMBERS, &members->base, -1);
}

/* ---- snapshots ---- */

void clients_want_snapshot(struct clients *clients, uint64_t log_bytes)
{
	DistributedFs__LocalSnapshotWanted wanted =
		DISTRIBUTED_FS__LOCAL_SNAPSHOT_WANTED__INIT;

	wanted.log_bytes = log_bytes;
	if (clients->attached)
		send(clients, FRAME_LOCAL_SNAPSHOT_WANTED, &wanted.base, -1);
}

enum rfs_err clients_restore(struct clients *clients,
			     const DistributedFs__SnapshotMeta *meta, int fd)
{
	DistributedFs__LocalRestore restore =
		DISTRIBUTED_FS__LOCAL_RESTORE__INIT;

	if (!clients->attached)
		return RFS_ERR_CLOSED;
	restore.meta = (DistributedFs__SnapshotMeta *)meta;
	clients->restoring = true;
	send(clients, FRAME_LOCAL_RESTORE, &restore.base, fd);
	return clients->attached ? RFS_ERR_OK : RFS_ERR_CLOSED;
}

static void take_restore_done(struct clients *clients,
			      const struct frame *frame)
{
	DistributedFs__LocalRestoreDone *done = (void *)frame_unpack(
		frame, &distributed_fs__local_restore_done__descriptor);

	if (done == NULL || !clients->restoring) {
		give_up(clients, "unexpected LocalRestoreDone");
	} else {
		clients->restoring = false;
		if (done->err == RFS_ERR_OK) {
			clients->applied_index = done->index;
			clients->next_index = done->index + 1;
			clients->sent_count = 0;
			clients->in_flight_bytes = 0;
		}
		clients->events->restore_done(clients->ctx, done->index,
					      (enum rfs_err)done->err);
		stream(clients);
	}
	frame_free(done);
}

static void take_snapshot(struct clients *clients, const struct frame *frame)
{
	DistributedFs__LocalSnapshotTaken *taken = (void *)frame_unpack(
		frame, &distributed_fs__local_snapshot_taken__descriptor);
	int fd = conn_take_fd(clients->conn);

	if (taken == NULL || taken->meta == NULL || fd < 0) {
		if (fd >= 0)
			close(fd);
		give_up(clients, "bad LocalSnapshotTaken");
	} else {
		clients->events->snapshot_taken(clients->ctx, taken->meta, fd);
	}
	frame_free(taken);
}

/* ---- the link ---- */

static void take_attach(struct clients *clients, const struct frame *frame)
{
	DistributedFs__LocalAttach *attach = (void *)frame_unpack(
		frame, &distributed_fs__local_attach__descriptor);

	if (attach == NULL) {
		give_up(clients, "bad LocalAttach");
		return;
	}
	clients->attached = true;
	clients->applied_index = attach->applied_index;
	clients->next_index = attach->applied_index + 1;
	frame_free(attach);
	log_info("storaged: attached, applied %ju",
		 (uintmax_t)clients->applied_index);
	clients->events->attached(clients->ctx, clients->applied_index);
	stream(clients);
}

static void take_filling(struct clients *clients, const struct frame *frame)
{
	DistributedFs__LocalFilling *said = (void *)frame_unpack(
		frame, &distributed_fs__local_filling__descriptor);

	if (said == NULL) {
		give_up(clients, "malformed LocalFilling");
		return;
	}
	clients->events->filling(clients->ctx, said->filling);
	frame_free(said);
}

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct clients *clients = ctx;

	(void)conn;
	if (frame->type == FRAME_LOCAL_ATTACH && !clients->attached) {
		take_attach(clients, frame);
		return;
	}
	if (!clients->attached) {
		give_up(clients, "it spoke before LocalAttach");
		return;
	}
	switch (frame->type) {
	case FRAME_LOCAL_PROPOSE:
		take_propose(clients, frame);
		break;
	case FRAME_LOCAL_READ:
		take_read(clients, frame);
		break;
	case FRAME_LOCAL_PONG:
		clients->asked_raw_ns = 0;
		break;
	case FRAME_LOCAL_APPLIED:
		take_applied(clients, frame);
		break;
	case FRAME_LOCAL_SNAPSHOT_TAKEN:
		take_snapshot(clients, frame);
		break;
	case FRAME_LOCAL_RESTORE_DONE:
		take_restore_done(clients, frame);
		break;
	case FRAME_LOCAL_FILLING:
		take_filling(clients, frame);
		break;
	default:
		give_up(clients, "unknown frame");
	}
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct clients *clients = ctx;

	(void)conn;
	log_info("storaged: link closed: %s", rfs_err_text(why));
	detach(clients);
}

static const struct conn_events link_events = {
	.frame = on_frame,
	.closed = on_closed,
};

void clients_link(struct clients *clients, int fd)
{
	struct conn *old = clients->conn;

	detach(clients);
	if (old != NULL)
		conn_close(old);
	clients->conn = conn_adopt(clients->ev, fd, QUEUE_BYTES, &link_events,
				   clients);
	if (clients->conn == NULL)
		log_error("storaged: no memory for a link");
	else
		conn_set_priority(clients->conn, LINK_PRIORITY);
}

bool clients_attached(const struct clients *clients)
{
	return clients->attached;
}

bool clients_serving(const struct clients *clients)
{
	return clients->attached && !clients->restoring;
}

void clients_ask(struct clients *clients, int64_t now_raw_ns)
{
	DistributedFs__Ping ping = DISTRIBUTED_FS__PING__INIT;

	if (!clients_serving(clients) || clients->asked_raw_ns != 0)
		return;
	clients->asked_raw_ns = now_raw_ns;
	ping.raw_ns = now_raw_ns;
	send(clients, FRAME_LOCAL_PING, &ping.base, -1);
}

int64_t clients_asked_raw_ns(const struct clients *clients)
{
	return clients->asked_raw_ns;
}

uint64_t clients_applied(const struct clients *clients)
{
	return clients->applied_index;
}

struct clients *clients_new(struct ev_loop *ev,
			    const struct clients_events *events, void *ctx)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	if (clients == NULL)
		return NULL;
	clients->ev = ev;
	clients->events = events;
	clients->ctx = ctx;
	for (uint32_t i = 0; i < RAFT_ENTRIES_MAX; i++)
		clients->entries[i] = &clients->entry[i];
	ev_check_init(&clients->end_of_iteration, on_end_of_iteration);
	ev_set_priority(&clients->end_of_iteration, EV_MINPRI);
	clients->end_of_iteration.data = clients;
	ev_check_start(ev, &clients->end_of_iteration);
	return clients;
}

void clients_pause(struct clients *clients)
{
	if (clients->attached)
		conn_pause(clients->conn);
}

void clients_resume(struct clients *clients)
{
	if (clients->attached)
		conn_resume(clients->conn);
}

void clients_free(struct clients *clients)
{
	if (clients == NULL)
		return;
	struct conn *conn = clients->conn;

	ev_check_stop(clients->ev, &clients->end_of_iteration);
	detach(clients);
	if (conn != NULL)
		conn_close(conn);
	free(clients);
}
