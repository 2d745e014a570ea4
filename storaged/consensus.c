/* Frames of local.proto, one handler each. */
#include "storaged/consensus.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/local.pb-c.h"
#include "storaged/backfill.h"
#include "storaged/checkpoint.h"
#include "storaged/cluster.h"
#include "storaged/gate.h"
#include "storaged/inherited.h"
#include "storaged/pending.h"

#define QUEUE_BYTES   (64 * MIB)
#define BATCH_ENTRIES 512 /* then the batch is committed at once */
#define STALL_SEC     1.0
#define KIND_COMMAND  1	  /* of a log entry: raftd/core/raft.h */
#define KIND_CONFIG   4

/* Entries that came and are not in a committed batch yet. raftd sends only so
 * much before it hears that some are applied. */
struct arrived {
	struct arrived *next;
	DistributedFs__LocalCommitted *committed;
};

struct question {
	consensus_proposed *proposed; /* one of the two */
	consensus_read_point *read_point;
	void *ctx;
};

struct consensus {
	struct storaged *s;
	struct conn *link;
	bool attached; /* we said where we stand; entries may come */
	struct pending questions;
	uint64_t commit_index;
	uint64_t told_applied;

	struct ev_prepare batch_end;
	struct arrived *first; /* oldest */
	struct arrived **last;
	struct arrived *next; /* to be applied, at next_entry; NULL: none */
	size_t next_entry;
	struct ev_timer stall; /* active: the disk is full, wait */

	/* A restore under way on a worker. */
	struct work restoring;
	bool is_restoring;
	int restore_fd;
	struct snapshot_meta restore_meta;
	enum rfs_err restore_err;
};

static void end_batch(struct consensus *c);
static void drop_arrived(struct consensus *c, const struct arrived *until);

static void answer(struct question *question, enum rfs_err err, uint64_t index,
		   uint64_t term)
{
	if (question->proposed)
		question->proposed(question->ctx, err, index, term);
	else
		question->read_point(question->ctx, err, index);
	free(question);
}

/* What was not committed comes again over the next link. */
static void forget_arrived(struct consensus *c)
{
	if (!c->s->failed && state_batch_count(c->s->state) > 0)
		end_batch(c);
	c->next = NULL;
	c->next_entry = 0;
	drop_arrived(c, NULL);
}

/* Whoever asked may ask again at once, and learns that there is no link. */
static void lose_link(struct consensus *c)
{
	struct question *question;

	c->link = NULL;
	c->attached = false;
	forget_arrived(c);
	inherited_forget(c->s->inherited);
	while ((question = pending_take_any(&c->questions)))
		answer(question, RFS_ERR_CLOSED, 0, 0);
}

static void send_frame(struct consensus *c, enum frame_type type,
		       const ProtobufCMessage *message, int fd)
{
	if (!c->link)
		return;
	enum rfs_err err = conn_send(c->link, type, message, fd);
	if (err != RFS_ERR_OK)
		log_warn("raftd link: frame %d: %s", type, rfs_err_text(err));
}

static void put_meta(const struct snapshot_meta *from,
		     DistributedFs__SnapshotMeta *to)
{
	to->index = from->index;
	to->term = from->term;
	to->epoch = from->epoch;
	to->ts_ns = from->ts_ns;
	to->bytes = from->bytes;
	to->sha256.data = (uint8_t *)from->sha256;
	to->sha256.len = HASH_BYTES;
}

static bool get_meta(const DistributedFs__SnapshotMeta *from,
		     struct snapshot_meta *to)
{
	if (!from || from->index == 0 || from->sha256.len != HASH_BYTES)
		return false;
	*to = (struct snapshot_meta){ .index = from->index,
				      .term = from->term,
				      .epoch = from->epoch,
				      .ts_ns = from->ts_ns,
				      .bytes = from->bytes };
	memcpy(to->sha256, from->sha256.data, HASH_BYTES);
	return true;
}

void consensus_tell_snapshot(struct consensus *c,
			     const struct snapshot_meta *meta)
{
	DistributedFs__LocalSnapshotTaken taken =
		DISTRIBUTED_FS__LOCAL_SNAPSHOT_TAKEN__INIT;
	DistributedFs__SnapshotMeta image = DISTRIBUTED_FS__SNAPSHOT_META__INIT;
	int fd;

	if (!c->attached ||
	    snapshots_open_file(c->s->snapshots, meta, &fd) != RFS_ERR_OK)
		return;
	put_meta(meta, &image);
	taken.meta = &image;
	send_frame(c, FRAME_LOCAL_SNAPSHOT_TAKEN, &taken.base, fd);
	close(fd);
}

void consensus_tell_filling(struct consensus *c)
{
	DistributedFs__LocalFilling filling =
		DISTRIBUTED_FS__LOCAL_FILLING__INIT;

	filling.filling = !backfill_is_whole(c->s->backfill);
	if (c->attached)
		send_frame(c, FRAME_LOCAL_FILLING, &filling.base, -1);
}

/* raftd keeps no descriptor over a restart: the newest snapshot follows. */
static void attach(struct consensus *c)
{
	DistributedFs__LocalAttach attach = DISTRIBUTED_FS__LOCAL_ATTACH__INIT;
	DistributedFs__SnapshotMeta image = DISTRIBUTED_FS__SNAPSHOT_META__INIT;
	struct snapshot_meta meta;

	if (!c->link || c->is_restoring)
		return;
	enum rfs_err err = snapshots_newest(c->s->snapshots, &meta);
	put_meta(&meta, &image);
	attach.applied_index = state_applied(c->s->state);
	attach.snapshot = &image;
	send_frame(c, FRAME_LOCAL_ATTACH, &attach.base, -1);
	c->attached = true;
	c->told_applied = attach.applied_index;
	log_info("raftd link: attached at %" PRIu64 ", snapshot %" PRIu64,
		 attach.applied_index, meta.index);
	consensus_tell_filling(c);
	if (err == RFS_ERR_OK)
		consensus_tell_snapshot(c, &meta);
}

static void tell_applied(struct consensus *c)
{
	DistributedFs__LocalApplied applied =
		DISTRIBUTED_FS__LOCAL_APPLIED__INIT;

	applied.index = state_applied(c->s->state);
	if (!c->attached || applied.index == c->told_applied)
		return;
	c->told_applied = applied.index;
	/* Nobody waits for it. */
	if (conn_send_lazily(c->link, FRAME_LOCAL_APPLIED, &applied.base) ==
	    RFS_ERR_FULL)
		log_warn("raftd link: full");
}

static void drop_arrived(struct consensus *c, const struct arrived *until)
{
	while (c->first != until) {
		struct arrived *arrived = c->first;

		c->first = arrived->next;
		frame_free(arrived->committed);
		free(arrived);
	}
	if (!c->first)
		c->last = &c->first;
}

/* Room may come: start again at the oldest entry; what is in the state by then
 * is skipped. Anything else than a full disk is for good. */
static void stall(struct consensus *c, enum rfs_err err)
{
	if (err != RFS_ERR_NOSPC) {
		storaged_fail(c->s, err);
		return;
	}
	state_abort(c->s->state);
	c->next = c->first;
	c->next_entry = 0;
	log_warn("no room to apply entries; trying again in a while");
	ev_timer_again(c->s->loop, &c->stall);
}

static void end_batch(struct consensus *c)
{
	enum rfs_err err = state_commit(c->s->state);

	if (err != RFS_ERR_OK) {
		stall(c, err);
		return;
	}
	drop_arrived(c, c->next);
	tell_applied(c);
}

static enum rfs_err apply_one(struct consensus *c,
			      const DistributedFs__LogEntry *from)
{
	struct store_entry entry = { .index = from->index,
				     .term = from->term,
				     .epoch = from->epoch,
				     .ts_ns = from->ts_ns,
				     .members = from->kind == KIND_CONFIG };

	if (from->kind == KIND_COMMAND)
		entry.command = (struct bytes){ .data = from->data.data,
						.bytes = from->data.len };
	return state_apply(c->s->state, &entry);
}

static bool may_apply(struct consensus *c)
{
	return c->next && !c->s->failed && !ev_is_active(&c->stall) &&
	       !c->is_restoring;
}

static void apply_arrived(struct consensus *c)
{
	while (may_apply(c)) {
		const DistributedFs__LocalCommitted *committed =
			c->next->committed;

		if (c->next_entry == committed->n_entries) {
			c->next = c->next->next;
			c->next_entry = 0;
			continue;
		}
		enum rfs_err err =
			apply_one(c, committed->entries[c->next_entry]);
		if (err != RFS_ERR_OK) {
			stall(c, err);
			return;
		}
		c->next_entry++;
		if (state_batch_count(c->s->state) >= BATCH_ENTRIES)
			end_batch(c);
	}
}

/* Just before the loop sleeps: all frames of one turn are one transaction. */
static void on_batch_end(struct ev_loop *loop, struct ev_prepare *prepare,
			 int events)
{
	struct consensus *c = prepare->data;

	(void)loop;
	(void)events;
	if (!c->s->failed && state_batch_count(c->s->state) > 0)
		end_batch(c);
}

static void on_stall_over(struct ev_loop *loop, struct ev_timer *timer,
			  int events)
{
	struct consensus *c = timer->data;

	(void)events;
	ev_timer_stop(loop, timer);
	apply_arrived(c);
}

static void on_committed(struct consensus *c, const struct frame *frame)
{
	struct arrived *arrived = calloc(1, sizeof(*arrived));
	DistributedFs__LocalCommitted *committed =
		(DistributedFs__LocalCommitted *)frame_unpack(
			frame, &distributed_fs__local_committed__descriptor);

	CHECK(arrived != NULL);
	if (!committed) {
		log_error("raftd link: malformed entries");
		free(arrived);
		storaged_fail(c->s, RFS_ERR_IO);
		return;
	}
	if (committed->commit_index > c->commit_index)
		c->commit_index = committed->commit_index;
	arrived->committed = committed;
	*c->last = arrived;
	c->last = &arrived->next;
	if (!c->next)
		c->next = arrived;
	apply_arrived(c);
}

static void on_limbo(struct consensus *c, const struct frame *frame)
{
	DistributedFs__LocalLimbo *limbo =
		(DistributedFs__LocalLimbo *)frame_unpack(
			frame, &distributed_fs__local_limbo__descriptor);

	if (limbo && inherited_take(c->s->inherited, limbo))
		gate_retry(c->s->gate);
}

static void on_propose_done(struct consensus *c, const struct frame *frame)
{
	DistributedFs__LocalProposeDone *done =
		(DistributedFs__LocalProposeDone *)frame_unpack(
			frame,
			&distributed_fs__local_propose_done__descriptor);

	if (!done)
		return;
	struct question *question = pending_take(&c->questions, done->id);
	if (question)
		answer(question, (enum rfs_err)done->err, done->index,
		       done->term);
	frame_free(done);
}

static void on_read_done(struct consensus *c, const struct frame *frame)
{
	DistributedFs__LocalReadDone *done =
		(DistributedFs__LocalReadDone *)frame_unpack(
			frame, &distributed_fs__local_read_done__descriptor);

	if (!done)
		return;
	struct question *question = pending_take(&c->questions, done->id);
	if (question)
		answer(question, (enum rfs_err)done->err, done->index, 0);
	frame_free(done);
}

static void restore_run(struct work *work)
{
	struct consensus *c = (struct consensus *)((char *)work -
						   offsetof(struct consensus,
							    restoring));

	c->restore_err = snapshots_receive(c->s->snapshots, c->restore_fd,
					   &c->restore_meta);
	if (c->restore_err == RFS_ERR_OK)
		c->restore_err = state_stage(c->s->state);
}

static void restore_done(struct work *work)
{
	struct consensus *c = (struct consensus *)((char *)work -
						   offsetof(struct consensus,
							    restoring));
	DistributedFs__LocalRestoreDone done =
		DISTRIBUTED_FS__LOCAL_RESTORE_DONE__INIT;

	close(c->restore_fd);
	c->is_restoring = false;
	if (c->restore_err == RFS_ERR_OK) {
		c->restore_err = state_restore(c->s->state);
		if (c->restore_err != RFS_ERR_OK) {
			storaged_fail(c->s, c->restore_err);
			return;
		}
		checkpoint_received(c->s->checkpoint, &c->restore_meta);
		storaged_restored(c->s);
	}
	if (!c->attached) { /* the link was replaced meanwhile */
		attach(c);
		return;
	}
	done.index = c->restore_meta.index;
	done.err = c->restore_err;
	c->told_applied = state_applied(c->s->state);
	send_frame(c, FRAME_LOCAL_RESTORE_DONE, &done.base, -1);
}

static void refuse_restore(struct consensus *c, uint64_t index,
			   enum rfs_err err)
{
	DistributedFs__LocalRestoreDone done =
		DISTRIBUTED_FS__LOCAL_RESTORE_DONE__INIT;

	done.index = index;
	done.err = err;
	send_frame(c, FRAME_LOCAL_RESTORE_DONE, &done.base, -1);
}

/* Busy with a checkpoint: the map is being read elsewhere. raftd asks again. */
static void on_restore(struct consensus *c, struct conn *link,
		       const struct frame *frame)
{
	DistributedFs__LocalRestore *restore =
		(DistributedFs__LocalRestore *)frame_unpack(
			frame, &distributed_fs__local_restore__descriptor);
	struct snapshot_meta meta;
	enum rfs_err err = RFS_ERR_OK;

	if (!restore)
		return;
	int fd = conn_take_fd(link);
	if (fd < 0 || !get_meta(restore->meta, &meta))
		err = RFS_ERR_INVALID;
	else if (c->is_restoring || checkpoint_is_running(c->s->checkpoint))
		err = RFS_ERR_BUSY;
	if (err != RFS_ERR_OK) {
		refuse_restore(c, restore->meta ? restore->meta->index : 0,
			       err);
		if (fd >= 0)
			close(fd);
	} else {
		log_notice("state: replacing it by a snapshot at %" PRIu64,
			   meta.index);
		forget_arrived(c);
		c->is_restoring = true;
		c->restore_fd = fd;
		c->restore_meta = meta;
		c->restoring = (struct work){ .run = restore_run,
					      .done = restore_done };
		work_submit(c->s->pool, &c->restoring);
	}
	frame_free(restore);
}

static void on_members(struct consensus *c, const struct frame *frame)
{
	DistributedFs__LocalMembers *message =
		(DistributedFs__LocalMembers *)frame_unpack(
			frame, &distributed_fs__local_members__descriptor);
	struct members members;

	if (!message ||
	    members_from_message(&members, message) != RFS_ERR_OK)
		log_error("raftd link: malformed members");
	else
		cluster_set_members(c->s->cluster, &members);
	frame_free(message);
}

/* raftd asks whether we hang. */
static void on_ping(struct consensus *c, const struct frame *frame)
{
	DistributedFs__Ping *ping = (DistributedFs__Ping *)frame_unpack(
		frame, &distributed_fs__ping__descriptor);

	if (!ping)
		return;
	send_frame(c, FRAME_LOCAL_PONG, &ping->base, -1);
	frame_free(ping);
}

static void on_frame(struct conn *link, void *ctx, const struct frame *frame)
{
	struct consensus *c = ctx;

	if (c->s->failed)
		return;
	switch (frame->type) {
	case FRAME_LOCAL_COMMITTED:
		on_committed(c, frame);
		return;
	case FRAME_LOCAL_PROPOSE_DONE:
		on_propose_done(c, frame);
		return;
	case FRAME_LOCAL_READ_DONE:
		on_read_done(c, frame);
		return;
	case FRAME_LOCAL_LIMBO:
		on_limbo(c, frame);
		return;
	case FRAME_LOCAL_SNAPSHOT_WANTED:
		checkpoint_want(c->s->checkpoint);
		return;
	case FRAME_LOCAL_RESTORE:
		on_restore(c, link, frame);
		return;
	case FRAME_LOCAL_MEMBERS:
		on_members(c, frame);
		return;
	case FRAME_LOCAL_PING:
		on_ping(c, frame);
		return;
	default:
		log_warn("raftd link: frame of type %u", frame->type);
	}
}

static void on_closed(struct conn *link, void *ctx, enum rfs_err why)
{
	struct consensus *c = ctx;

	if (link != c->link)
		return;
	log_info("raftd link: %s", rfs_err_text(why));
	lose_link(c);
	storaged_detached(c->s);
}

static const struct conn_events link_events = {
	.frame = on_frame,
	.closed = on_closed,
};

struct consensus *consensus_new(struct storaged *s)
{
	struct consensus *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->s = s;
	c->last = &c->first;
	ev_init(&c->stall, on_stall_over);
	c->stall.repeat = STALL_SEC;
	c->stall.data = c;
	ev_prepare_init(&c->batch_end, on_batch_end);
	c->batch_end.data = c;
	/* Before the connections' own prepare watchers, which send what the
	 * batch produced. */
	ev_set_priority(&c->batch_end, EV_MAXPRI);
	ev_prepare_start(s->loop, &c->batch_end);
	return c;
}

void consensus_free(struct consensus *c)
{
	if (!c)
		return;
	struct conn *link = c->link;

	lose_link(c);
	if (link)
		conn_close(link);
	ev_prepare_stop(c->s->loop, &c->batch_end);
	ev_timer_stop(c->s->loop, &c->stall);
	pending_fini(&c->questions);
	free(c);
}

void consensus_set_link(struct consensus *c, int fd)
{
	struct conn *old = c->link;

	if (old) {
		lose_link(c);
		conn_close(old);
	}
	c->link = conn_adopt(c->s->loop, fd, QUEUE_BYTES, &link_events, c);
	if (!c->link)
		log_error("raftd link: out of memory");
	attach(c);
}

bool consensus_is_restoring(const struct consensus *c)
{
	return c->is_restoring;
}

bool consensus_is_attached(const struct consensus *c)
{
	return c->attached && !c->is_restoring;
}

static enum rfs_err ask(struct consensus *c, enum frame_type type,
			const ProtobufCMessage *message, uint64_t *id,
			const struct question *asked)
{
	struct question *question = malloc(sizeof(*question));

	if (!question)
		return RFS_ERR_NOMEM;
	*question = *asked;
	*id = pending_add(&c->questions, question);
	enum rfs_err err = conn_send(c->link, type, message, -1);
	if (err != RFS_ERR_OK) {
		pending_take(&c->questions, *id);
		free(question);
	}
	return err;
}

enum rfs_err consensus_propose(struct consensus *c, struct bytes command,
			       consensus_proposed *proposed, void *ctx)
{
	DistributedFs__LocalPropose propose =
		DISTRIBUTED_FS__LOCAL_PROPOSE__INIT;
	const struct question question = { .proposed = proposed, .ctx = ctx };

	if (!consensus_is_attached(c))
		return RFS_ERR_CLOSED;
	propose.data.data = (uint8_t *)command.data;
	propose.data.len = command.bytes;
	return ask(c, FRAME_LOCAL_PROPOSE, &propose.base, &propose.id,
		   &question);
}

enum rfs_err consensus_read(struct consensus *c, consensus_read_point *done,
			    void *ctx)
{
	DistributedFs__LocalRead read = DISTRIBUTED_FS__LOCAL_READ__INIT;
	const struct question question = { .read_point = done, .ctx = ctx };

	if (!consensus_is_attached(c))
		return RFS_ERR_CLOSED;
	return ask(c, FRAME_LOCAL_READ, &read.base, &read.id, &question);
}

uint64_t consensus_commit_index(const struct consensus *c)
{
	return c->commit_index;
}
