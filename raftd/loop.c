/* The wiring of raftd. See loop.h for the order of effects and why. */
#include "raftd/loop_state.h"

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/os/probe.h"
#include "common/os/process.h"
#include "proto/sockets.h"
#include "raftd/calls.h"
#include "raftd/explain.h"

#define FAREWELL_SEC	 0.5
#define REARM_NS	 (4 * NS_PER_MS)
#define HEARTBEAT_SEC	 1.0
#define FITNESS_SEC	 0.25
#define FITNESS_FOLLOWER_LOOKS 4
#define ENTRY_HEAD_BYTES 48
#define WANT_AGAIN_NS	 (30 * NS_PER_SEC)

void loop_now(struct loop *loop, struct raft_now *now)
{
	pages_now(loop->pages, now);
}

/* ---- time ---- */

/* Rearming costs a system call and a timer that fires for nothing costs more:
 * a deadline that moves on a little waits for the earlier one to fire, one that
 * a heartbeat moves does not. */
static void arm(struct loop *loop, int64_t deadline_raw_ns)
{
	int64_t left_ns;
	struct itimerspec spec = { 0 };

	if (loop->armed_raw_ns <= deadline_raw_ns &&
	    deadline_raw_ns - loop->armed_raw_ns < REARM_NS)
		return;
	loop->armed_raw_ns = deadline_raw_ns;
	left_ns = deadline_raw_ns - clock_raw_ns();
	if (left_ns < 1)
		left_ns = 1; /* 0 would disarm */
	spec.it_value.tv_sec = left_ns / NS_PER_SEC;
	spec.it_value.tv_nsec = left_ns % NS_PER_SEC;
	CHECK(timerfd_settime(loop->deadline.fd, 0, &spec, NULL) == 0);
}

/* Duties are not all deadlines: a follower's is to take a heartbeat, and answer
 * it, about when it comes. */
static void expect(struct loop *loop, int64_t deadline_raw_ns)
{
	int64_t soon_ns = clock_raw_ns() + 3 * loop->view.heartbeat_ns / 2;

	guard_expect(loop->guard,
		     deadline_raw_ns < soon_ns ? deadline_raw_ns : soon_ns);
}

static void on_deadline(struct ev_loop *ev, ev_io *io, int revents)
{
	struct loop *loop = io->data;
	const struct raft_event tick = { .type = RAFT_EV_TICK };
	uint64_t expirations;

	(void)ev;
	(void)revents;
	if (read(io->fd, &expirations, sizeof(expirations)) < 0)
		return;
	loop->armed_raw_ns = INT64_MAX;
	if (clock_raw_ns() >= raft_deadline_ns(loop->raft))
		loop_post(loop, &tick);
	else
		arm(loop, raft_deadline_ns(loop->raft));
}

/* ---- effects ---- */

/* Until it is durable the raft stands still: nothing may depend on it, and what
 * a step may borrow is gone by then. */
static void hold(struct loop *loop, const struct raft_effects *effects)
{
	loop->hardstate.term = effects->term;
	loop->hardstate.voted_for = effects->voted_for;
	loop->hardstate.supported_term = effects->supported_term;
	loop->hardstate.floor = effects->floor;
	loop->held = *effects;
	loop->holding = true;
	peers_pause(loop->peers);
	clients_pause(loop->clients);
	hardstate_writer_begin(loop->hardstate_writer, &loop->hardstate);
}

/* What a partition left behind, and how it was settled. */
static void report_conflict(const struct raft_effects *effects)
{
	const struct raft_conflict *conflict = &effects->conflict;

	log_notice("log: %" PRIu64 " entries from %" PRIu64 " on, not "
		   "committed, give way to the leader's: term %" PRIu64
		   " stamped %" PRId64 " ns of epoch %" PRIu64 ", to term %"
		   PRIu64 " stamped %" PRId64 " ns of epoch %" PRIu64,
		   conflict->count, effects->truncate_from,
		   conflict->dropped_term, conflict->dropped.ts_ns,
		   conflict->dropped.epoch, conflict->kept_term,
		   conflict->kept.ts_ns, conflict->kept.epoch);
}

static void write_log(struct loop *loop, const struct raft_effects *effects)
{
	if (effects->reset_log)
		disk_reset(loop->disk, &effects->reset_to);
	if (effects->truncate_from > 0) {
		report_conflict(effects);
		disk_truncate(loop->disk, effects->truncate_from);
	}
	if (effects->append_count > 0)
		PROBE2(append, effects->append[0].index,
		       effects->append_count);
	disk_append(loop->disk, effects->append, effects->append_count);
	/* Others' disks first, when there is something to send them. */
	if (effects->send_count == 0)
		disk_begin(loop->disk);
}

static void send_messages(struct loop *loop,
			  const struct raft_effects *effects)
{
	for (uint32_t i = 0; i < effects->send_count; i++) {
		const struct raft_message *message = &effects->send[i];

		peers_send(loop->peers, message);
		if (message->type == RAFT_MSG_SNAPSHOT)
			transfer_send(loop->transfer, message->to,
				      &message->snapshot);
	}
}

static void answer(struct loop *loop, const struct raft_effects *effects)
{
	for (uint32_t i = 0; i < effects->proposal_count; i++) {
		if (loop->configuring)
			loop->configured = effects->proposals[i];
		else
			clients_proposed(loop->clients, &effects->proposals[i]);
	}
	for (uint32_t i = 0; i < effects->read_count; i++)
		clients_read_done(loop->clients, &effects->reads[i]);
}

/* Count what was committed since the snapshot, and ask for the next one when
 * it is too much. */
static void count_log(struct loop *loop)
{
	const struct config *config = loop->config;
	uint64_t commit = loop->view.commit_index;
	int64_t now_ns;

	while (loop->counted_index < commit) {
		const struct raft_entry *entry =
			raft_log_at(loop->raft, ++loop->counted_index);

		if (entry != NULL)
			loop->log_bytes += entry->bytes + ENTRY_HEAD_BYTES;
	}
	if (loop->log_bytes < config->raft.snapshot_after_bytes &&
	    commit - loop->snapshot_index < config->raft.snapshot_after_entries)
		return;
	now_ns = clock_raw_ns();
	if (loop->wanted_raw_ns > 0 &&
	    now_ns - loop->wanted_raw_ns < WANT_AGAIN_NS)
		return;
	if (clients_attached(loop->clients)) {
		loop->wanted_raw_ns = now_ns;
		clients_want_snapshot(loop->clients, loop->log_bytes);
	}
}

/* A checkpoint may be offered before this raft knows that it is committed. */
static void offer_snapshot(struct loop *loop)
{
	struct raft_event event = {
		.type = RAFT_EV_SNAPSHOT_TAKEN,
		.snapshot = loop->offered,
	};

	if (loop->offered.index == 0 ||
	    loop->offered.index > loop->view.commit_index)
		return;
	loop->snapshot_index = loop->offered.index;
	loop->counted_index = loop->offered.index;
	loop->log_bytes = 0;
	loop->wanted_raw_ns = 0;
	loop->offered.index = 0;
	loop_post(loop, &event);
}

static const char *role_name(enum raft_role role)
{
	static const char *const names[] = { "follower", "pre-candidate",
					     "candidate", "leader" };

	return names[role];
}

static void report_change(const struct loop *loop, const struct raft_view *was)
{
	const struct raft_view *view = &loop->view;
	const struct config_node *leader =
		roster_find(&loop->changes.roster, view->leader);

	if (view->role == was->role && view->leader == was->leader &&
	    view->term == was->term)
		return;
	/* One that was just removed may lead on for a moment, unlisted. */
	if (view->role == RAFT_FOLLOWER && leader != NULL)
		log_notice("following %s in term %" PRIu64, leader->name,
			   view->term);
	else if (view->role == RAFT_LEADER)
		log_notice("leader of term %" PRIu64, view->term);
	else
		log_info("%s in term %" PRIu64, role_name(view->role),
			 view->term);
}

static void report_hand_over(const struct loop *loop,
			     const struct raft_view *was)
{
	const struct raft_handed_over *last = &loop->view.handed_over;

	if (last->raw_ns == was->handed_over.raw_ns)
		return;
	log_notice("handing leadership to %s: %s",
		   roster_name(&loop->changes.roster, last->to),
		   raft_unfit_text(last->why));
}

static void report_lease(const struct loop *loop, const struct raft_view *was)
{
	const struct raft_view *view = &loop->view;
	struct explain why;

	if (view->lease.index == was->lease.index &&
	    view->lease_wanted_ns == was->lease_wanted_ns)
		return;
	explain_setting(view, &why);
	log_notice("leases: %s", why.setting);
}

/* All but the hard state, which is durable. */
static void carry_out(struct loop *loop, const struct raft_effects *effects)
{
	const struct raft_view *was = &loop->view_before;

	pages_publish(loop->pages, &loop->view);
	if (loop->view.role == RAFT_LEADER &&
	    (was->role != RAFT_LEADER || was->term != loop->view.term))
		clients_limbo(loop->clients, loop->raft, &loop->view);
	write_log(loop, effects);
	changes_follow(&loop->changes, &loop->view, effects->membership_changed,
		       loop->snapshot_index);
	send_messages(loop, effects);
	transfer_set_commit(loop->transfer, effects->commit_index);
	clients_stream(loop->clients, loop->raft, effects->commit_index);
	answer(loop, effects);
	if (effects->compact_to > 0)
		disk_compact(loop->disk, effects->compact_to);
	arm(loop, effects->deadline_raw_ns);
	expect(loop, effects->deadline_raw_ns);

	if (loop->view.commit_index != was->commit_index) {
		PROBE2(commit, loop->view.commit_index, loop->view.term);
		count_log(loop);
	}
	offer_snapshot(loop);
	report_change(loop, was);
	report_hand_over(loop, was);
	report_lease(loop, was);
	if (loop->stopping && loop->view.role != RAFT_LEADER)
		ev_break(loop->ev, EVBREAK_ALL);
}

static void step(struct loop *loop, const struct raft_event *event)
{
	struct raft_event now = *event;
	struct raft_effects effects;

	loop->stepping = true;
	loop->configuring = event->type == RAFT_EV_CONFIGURE;
	loop->view_before = loop->view;
	loop_now(loop, &now.now);
	raft_step(loop->raft, &now, &effects);
	raft_view(loop->raft, &loop->view);
	pages_withdraw(loop->pages, &loop->view);
	if (effects.hard_state_changed)
		hold(loop, &effects);
	else
		carry_out(loop, &effects);
	loop->stepping = false;
}

static void step_posted(struct loop *loop)
{
	while (loop->posted_count > 0 && !loop->holding) {
		const struct raft_event posted = loop->posted[0];

		memmove(loop->posted, loop->posted + 1,
			--loop->posted_count * sizeof(loop->posted[0]));
		step(loop, &posted);
	}
}

/* What is lost when the raft stands still: what comes again, what is only a
 * hint, and what cannot wait because it is borrowed. A peer or a storaged that
 * was here is not heard meanwhile. */
static bool may_be_lost(const struct loop *loop, enum raft_event_type type)
{
	switch (type) {
	case RAFT_EV_TICK:
	case RAFT_EV_RTT:
	case RAFT_EV_RECEIVE:
	case RAFT_EV_CONFIGURE:
		return true;
	case RAFT_EV_PEER_LOST:
	case RAFT_EV_DEATH:
		return loop->posted_count > LOOP_POSTED_MAX / 2;
	default:
		return false;
	}
}

/* Of these the newest says all. */
static bool replaces(const struct raft_event *event,
		     const struct raft_event *older)
{
	return event->type == older->type &&
	       (event->type == RAFT_EV_HOST || event->type == RAFT_EV_FILLING ||
		event->type == RAFT_EV_LEASE ||
		event->type == RAFT_EV_PERSISTED);
}

static void wait_in_line(struct loop *loop, const struct raft_event *event)
{
	for (uint32_t i = 0; i < loop->posted_count; i++) {
		if (replaces(event, &loop->posted[i])) {
			loop->posted[i] = *event;
			return;
		}
	}
	CHECK(loop->posted_count < LOOP_POSTED_MAX);
	loop->posted[loop->posted_count++] = *event;
}

void loop_post(struct loop *loop, const struct raft_event *event)
{
	if (loop->holding && may_be_lost(loop, event->type))
		return;
	if (loop->stepping || loop->holding) {
		wait_in_line(loop, event);
		return;
	}
	step(loop, event);
	step_posted(loop);
}

static void on_hardstate_written(void *ctx)
{
	struct loop *loop = ctx;

	loop->holding = false;
	peers_resume(loop->peers);
	clients_resume(loop->clients);
	loop->stepping = true;
	carry_out(loop, &loop->held);
	loop->stepping = false;
	step_posted(loop);
}

/* ---- what the parts report ---- */

static void on_persisted(void *ctx, uint64_t index, uint64_t term)
{
	const struct raft_event event = {
		.type = RAFT_EV_PERSISTED,
		.persisted = { .index = index, .term = term },
	};

	loop_post(ctx, &event);
}

static uint64_t record_bytes(const struct raft_message *message)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < message->append.count; i++)
		bytes += wal_record_bytes(message->append.entries[i].bytes);
	return bytes;
}

static void on_message(void *ctx, const struct raft_message *message)
{
	struct loop *loop = ctx;
	struct raft_message empty;
	struct raft_event event = {
		.type = RAFT_EV_RECEIVE,
		.message = message,
	};

	/* No room: entries are lost on the way, the heartbeat is not. */
	if (message->type == RAFT_MSG_APPEND && disk_is_full(loop->disk) &&
	    record_bytes(message) > disk_room_bytes(loop->disk)) {
		empty = *message;
		empty.append.count = 0;
		event.message = &empty;
	}
	loop_post(loop, &event);
}

static void on_lost(void *ctx, uint32_t node)
{
	struct loop *loop = ctx;
	const struct raft_event event = {
		.type = RAFT_EV_PEER_LOST,
		.peer = node,
	};

	transfer_peer_lost(loop->transfer, node);
	questions_lost(&loop->questions, node);
	loop_post(loop, &event);
}

static void on_death(void *ctx, uint32_t node, uint64_t term_led)
{
	const struct raft_event event = {
		.type = RAFT_EV_DEATH,
		.death = { .node = node, .term_led = term_led },
	};

	loop_post(ctx, &event);
}

static void on_rtt(void *ctx, uint32_t node, enum raft_rtt_from from,
		   int64_t rtt_ns)
{
	const struct raft_event event = {
		.type = RAFT_EV_RTT,
		.rtt = { .peer = node, .rtt_ns = rtt_ns, .from = from },
	};

	loop_post(ctx, &event);
}

static void on_members(void *ctx, uint32_t node, const void *image,
		       size_t bytes)
{
	struct loop *loop = ctx;

	changes_shown(&loop->changes, node, image, bytes, &loop->view);
}

static void on_removed(void *ctx, uint32_t node, uint64_t index)
{
	struct loop *loop = ctx;

	changes_removed(&loop->changes, node, index);
}

static void on_forgotten(void *ctx, uint32_t node)
{
	struct loop *loop = ctx;

	changes_forgotten(&loop->changes, node);
}

static void on_chunk(void *ctx, uint32_t node,
		     const DistributedFs__SnapshotChunk *chunk)
{
	struct loop *loop = ctx;

	transfer_chunk(loop->transfer, node, chunk);
}

static void on_ack(void *ctx, uint32_t node,
		   const DistributedFs__SnapshotAck *ack)
{
	struct loop *loop = ctx;

	transfer_ack(loop->transfer, node, ack);
}

static const struct peers_events peers_events = {
	.message = on_message,
	.lost = on_lost,
	.death = on_death,
	.rtt = on_rtt,
	.chunk = on_chunk,
	.ack = on_ack,
	.members = on_members,
	.removed = on_removed,
	.forgotten = on_forgotten,
	.control = control_asked,
	.control_done = control_done,
};

static void on_attached(void *ctx, uint64_t applied_index)
{
	struct loop *loop = ctx;

	(void)applied_index;
	if (loop->view.limbo_index > 0)
		clients_limbo(loop->clients, loop->raft, &loop->view);
	loop->wanted_raw_ns = 0;
	changes_tell_storaged(&loop->changes);
	transfer_attached(loop->transfer);
}

static void on_filling(void *ctx, bool filling)
{
	const struct raft_event event = {
		.type = RAFT_EV_FILLING,
		.filling = filling,
	};

	loop_post(ctx, &event);
}

static void refuse_proposals(struct loop *loop,
			     const struct raft_proposal *proposals,
			     uint32_t count, enum rfs_err err)
{
	for (uint32_t i = 0; i < count; i++)
		clients_proposed(loop->clients, &(struct raft_proposal_done){
							.id = proposals[i].id,
							.err = err,
						});
}

static void on_propose(void *ctx, const struct raft_proposal *proposals,
		       uint32_t count)
{
	struct loop *loop = ctx;
	const struct raft_event event = {
		.type = RAFT_EV_PROPOSE,
		.propose = { .proposals = proposals, .count = count },
	};

	/* Who changes its hard state is about to lead, at best. */
	if (loop->stopping || loop->holding)
		refuse_proposals(loop, proposals, count, RFS_ERR_NOT_LEADER);
	else if (disk_is_full(loop->disk))
		refuse_proposals(loop, proposals, count, RFS_ERR_NOSPC);
	else
		loop_post(loop, &event);
}

static void on_read(void *ctx, uint64_t id)
{
	struct loop *loop = ctx;
	const struct raft_event event = {
		.type = RAFT_EV_READ,
		.read = { .id = id },
	};

	if (loop->holding)
		clients_read_done(loop->clients, &(struct raft_read_done){
							 .id = id,
							 .err = RFS_ERR_NOT_LEADER,
						 });
	else
		loop_post(loop, &event);
}

static void on_snapshot_taken(void *ctx,
			      const DistributedFs__SnapshotMeta *meta, int fd)
{
	struct loop *loop = ctx;

	transfer_taken(loop->transfer, meta, fd);
}

static void on_restore_done(void *ctx, uint64_t index, enum rfs_err err)
{
	struct loop *loop = ctx;

	transfer_restore_done(loop->transfer, index, err);
}

static void on_behind(void *ctx, uint64_t index)
{
	struct loop *loop = ctx;

	transfer_behind(loop->transfer, index, raft_log_first(loop->raft));
}

static const struct clients_events clients_events = {
	.attached = on_attached,
	.propose = on_propose,
	.read = on_read,
	.snapshot_taken = on_snapshot_taken,
	.restore_done = on_restore_done,
	.behind = on_behind,
	.filling = on_filling,
};

static void on_taken(void *ctx, const struct raft_snapshot_meta *meta)
{
	struct loop *loop = ctx;

	if (meta->index <= loop->snapshot_index)
		return; /* offered again at attach: the raft knows it */
	loop->offered = *meta;
	offer_snapshot(loop);
}

static void on_installed(void *ctx, const struct raft_snapshot_meta *meta,
			 const struct raft_membership *membership,
			 const struct raft_window *window)
{
	struct loop *loop = ctx;
	const struct raft_event event = {
		.type = RAFT_EV_SNAPSHOT_INSTALLED,
		.snapshot = *meta,
		.membership = membership != NULL ? &loop->installed : NULL,
		.window = window != NULL ? &loop->installed_window : NULL,
	};

	/* Borrowed for this call, and the step may have to wait. */
	if (membership != NULL)
		loop->installed = *membership;
	if (window != NULL)
		loop->installed_window = *window;
	if (meta->index > loop->snapshot_index) {
		loop->snapshot_index = meta->index;
		loop->log_bytes = 0;
		if (loop->counted_index < meta->index)
			loop->counted_index = meta->index;
	}
	loop_post(loop, &event);
}

static void on_failed(void *ctx, uint32_t node)
{
	const struct raft_event event = {
		.type = RAFT_EV_SNAPSHOT_FAILED,
		.peer = node,
	};

	loop_post(ctx, &event);
}

static bool on_log_at(void *ctx, uint64_t index,
		      struct raft_membership *membership,
		      struct raft_window *window)
{
	struct loop *loop = ctx;

	return raft_membership_at(loop->raft, index, membership) &&
	       raft_window_at(loop->raft, index, window);
}

static const struct transfer_events transfer_events = {
	.log_at = on_log_at,
	.taken = on_taken,
	.installed = on_installed,
	.failed = on_failed,
};

/* ---- the scrubber ---- */

static const struct raft_entry *on_entry(void *ctx, uint64_t index)
{
	struct loop *loop = ctx;

	return raft_log_at(loop->raft, index);
}

static uint64_t on_covered(void *ctx)
{
	struct loop *loop = ctx;

	return loop->snapshot_index;
}

static void on_want_snapshot(void *ctx)
{
	struct loop *loop = ctx;

	if (clients_attached(loop->clients))
		clients_want_snapshot(loop->clients, loop->log_bytes);
}

static const struct scrub_events scrub_events = {
	.entry = on_entry,
	.covered_index = on_covered,
	.want_snapshot = on_want_snapshot,
};

/* ---- the supervisor ---- */

/* The supervisor has looked at it before, and told what was wrong. */
static void reload(struct loop *loop, int fd)
{
	static struct config fresh;

	if (config_load_fd(fd, "raftfs.conf", NULL, &fresh) != RFS_ERR_OK)
		return;
	log_notice("configuration reloaded: but for raft.lease, options of "
		   "this daemon take effect at its next start");
	loop_post(loop, &(struct raft_event){
				.type = RAFT_EV_LEASE,
				.lease_ns = fresh.raft.lease_ns,
			});
}

void loop_handout(struct loop *loop, const struct handout *handout, int fd)
{
	switch ((enum handout_kind)handout->kind) {
	case HANDOUT_CLOCK_READER:
		pages_set_clock(loop->pages, fd);
		break;
	case HANDOUT_CONS_WRITER:
		if (pages_set_consensus(loop->pages, fd) != RFS_ERR_OK)
			log_warn("pages: storaged must ask for every read");
		break;
	case HANDOUT_LINK:
		clients_link(loop->clients, fd);
		return; /* owned by the link now */
	case HANDOUT_CONFIG:
		reload(loop, fd);
		break;
	case HANDOUT_START:
	case HANDOUT_CLOCK_WRITER:
	case HANDOUT_CONS_READER:
	case HANDOUT_PATHS:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void say_farewell(struct loop *loop);

static void on_channel(struct ev_loop *ev, ev_io *io, int revents)
{
	struct loop *loop = io->data;
	struct handout handout;
	enum rfs_err err;
	int fd;

	(void)revents;
	while ((err = handout_receive(io->fd, &handout, &fd)) == RFS_ERR_OK)
		loop_handout(loop, &handout, fd);
	if (err != RFS_ERR_CLOSED)
		return;
	ev_io_stop(ev, io);
	log_notice("the supervisor is gone: stopping");
	say_farewell(loop);
}

static void on_heartbeat(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct loop *loop = timer->data;
	const struct raft_view *view = &loop->view;
	const char *leader = roster_name(&loop->changes.roster, view->leader);
	const char *why = changes_why(&loop->changes, view);
	char state[320];
	int used = snprintf(state, sizeof(state), "WATCHDOG=1\n");

	(void)ev;
	(void)revents;
	if (loop->changes.written_index > 0)
		used += snprintf(state + used, sizeof(state) - (size_t)used,
				 "X_MEMBERS=%" PRIu64 "\n",
				 loop->changes.written_index);
	if (why[0] != '\0')
		snprintf(state + used, sizeof(state) - (size_t)used,
			 "STATUS=%s", why);
	else if (view->role == RAFT_FOLLOWER && leader[0] != '\0')
		snprintf(state + used, sizeof(state) - (size_t)used,
			 "STATUS=follower of %s in term %" PRIu64
			 ", commit %" PRIu64,
			 leader, view->term, view->commit_index);
	else
		snprintf(state + used, sizeof(state) - (size_t)used,
			 "STATUS=%s of term %" PRIu64 ", commit %" PRIu64,
			 role_name(view->role), view->term,
			 view->commit_index);
	process_notify(state);
	arm(loop, raft_deadline_ns(loop->raft));
}

/* ---- handing over ---- */

/* Is this node of use? Of its own accord a process that hangs says nothing: a
 * leader asks at every look, a follower now and then. */
static void on_fitness(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct loop *loop = timer->data;
	struct raft_event event = { .type = RAFT_EV_HOST };
	int64_t now_ns = clock_raw_ns();
	const struct condition_facts facts = {
		.disk_full = disk_is_full(loop->disk),
		.served = clients_serving(loop->clients) &&
			  !transfer_is_awaited(loop->transfer),
		.commit_index = loop->view.commit_index,
		.applied_index = clients_applied(loop->clients),
		.asked_raw_ns = clients_asked_raw_ns(loop->clients),
	};

	(void)ev;
	(void)revents;
	questions_expire(&loop->questions, now_ns);
	event.unfit = condition_note(&loop->condition, &facts, now_ns);
	if (loop->view.role == RAFT_LEADER ||
	    ++loop->looks % FITNESS_FOLLOWER_LOOKS == 0)
		clients_ask(loop->clients, now_ns);
	if (event.unfit == loop->unfit)
		return;
	if (event.unfit & ~loop->unfit)
		log_warn("of no use as a leader: %s",
			 raft_unfit_text(event.unfit & ~loop->unfit));
	else if (event.unfit == 0)
		log_notice("of use as a leader again");
	loop->unfit = event.unfit;
	loop_post(loop, &event);
}

/* ---- stopping ---- */

static void on_farewell(struct ev_loop *ev, ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(ev, EVBREAK_ALL);
}

/* A leader hands over before it goes, if somebody takes it in time. */
static void say_farewell(struct loop *loop)
{
	const struct raft_event event = { .type = RAFT_EV_TRANSFER };

	if (loop->stopping)
		return;
	loop->stopping = true;
	process_notify("STOPPING=1");
	loop_post(loop, &event);
	if (loop->view.role != RAFT_LEADER ||
	    loop->view.transfer_to == RAFT_NOBODY) {
		ev_break(loop->ev, EVBREAK_ALL);
		return;
	}
	log_notice("stopping: handing leadership to %s",
		   roster_name(&loop->changes.roster, loop->view.transfer_to));
	ev_timer_start(loop->ev, &loop->farewell);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int revents)
{
	(void)ev;
	(void)revents;
	say_farewell(watcher->data);
}

/* ---- life ---- */

static enum rfs_err init_watchers(struct loop *loop)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0) {
		log_errno("timerfd");
		return RFS_ERR_IO;
	}
	ev_io_init(&loop->deadline, on_deadline, fd, EV_READ);
	/* After the sockets: when this process was held up, what came in
	 * meanwhile counts before what it seemed to miss. */
	ev_set_priority(&loop->deadline, EV_MINPRI);
	ev_signal_init(&loop->term, on_signal, SIGTERM);
	ev_signal_init(&loop->interrupt, on_signal, SIGINT);
	ev_timer_init(&loop->heartbeat, on_heartbeat, HEARTBEAT_SEC,
		      HEARTBEAT_SEC);
	ev_timer_init(&loop->fitness, on_fitness, FITNESS_SEC, FITNESS_SEC);
	ev_timer_init(&loop->farewell, on_farewell, FAREWELL_SEC, 0.);
	loop->deadline.data = loop->term.data = loop->interrupt.data =
		loop->heartbeat.data = loop->fitness.data =
			loop->farewell.data = loop;
	ev_io_start(loop->ev, &loop->deadline);
	ev_signal_start(loop->ev, &loop->term);
	ev_signal_start(loop->ev, &loop->interrupt);
	ev_timer_start(loop->ev, &loop->heartbeat);
	ev_timer_start(loop->ev, &loop->fitness);
	/* After the sockets: an answer that is here counts. */
	ev_set_priority(&loop->fitness, EV_MINPRI);
	condition_init(&loop->condition, clock_raw_ns());
	stall_start(&loop->stall, loop->ev);
	loop->armed_raw_ns = INT64_MAX;
	return RFS_ERR_OK;
}

static enum rfs_err open_world(struct loop *loop, const struct node_key *key)
{
	const struct config *config = loop->config;
	char path[CONFIG_PATH_MAX + 32];
	struct snapfile_meta noted;
	enum rfs_err err;

	loop->pages = pages_new(config_self(config)->id, loop->incarnation);
	loop->chores = chores_new(loop->ev);
	loop->logpage = logpage_new();
	loop->clients = clients_new(loop->ev, &clients_events, loop);
	if (loop->pages == NULL || loop->chores == NULL ||
	    loop->logpage == NULL || loop->clients == NULL)
		return RFS_ERR_NOMEM;
	err = loop_restart(loop, on_persisted, &noted);
	if (err != RFS_ERR_OK)
		return err;
	loop->hardstate_writer = hardstate_writer_new(
		loop->ev, loop->hardstate_file, on_hardstate_written, loop);
	if (loop->hardstate_writer == NULL)
		return RFS_ERR_NOMEM;
	loop->snapshot_index = loop->counted_index = noted.at.index;
	raft_view(loop->raft, &loop->view);
	changes_init(&loop->changes, config, loop->raft, loop->clients,
		     loop->chores);
	loop->peers = peers_new(loop->ev, config, &loop->changes.roster, key,
				loop->incarnation, &peers_events, loop);
	if (loop->peers == NULL)
		return RFS_ERR_IO;
	loop->changes.peers = loop->peers;
	changes_follow(&loop->changes, &loop->view, true, loop->snapshot_index);
	snprintf(path, sizeof(path), "%s/raftd", config->data_dir);
	loop->transfer = transfer_new(loop->ev, &loop->changes.roster, path,
				      loop->chores,
				      loop->peers, loop->clients, &noted,
				      &transfer_events, loop);
	snprintf(path, sizeof(path), "%s/%s", config->run_dir, SOCKETS_RAFTD);
	loop->control = control_server_new(loop->ev, path, loop_answer, loop);
	snprintf(path, sizeof(path), "%s/raftd/wal", config->data_dir);
	loop->scrub = scrub_new(loop->ev, loop->chores, loop->disk, path,
				config->raft.scrub_interval_ns, &scrub_events,
				loop);
	if (loop->transfer == NULL || loop->control == NULL ||
	    loop->scrub == NULL)
		return RFS_ERR_IO;
	return init_watchers(loop);
}

enum rfs_err loop_new(const struct config *config, const struct node_key *key,
		      struct loop **made)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	enum rfs_err err = RFS_ERR_NOMEM;

	if (loop == NULL)
		return err;
	loop->config = config;
	loop->deadline.fd = -1;
	do
		randombytes_buf(&loop->incarnation, sizeof(loop->incarnation));
	while (loop->incarnation == 0);
	loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (loop->ev != NULL)
		err = open_world(loop, key);
	if (err != RFS_ERR_OK) {
		loop_free(loop);
		return err;
	}
	*made = loop;
	return RFS_ERR_OK;
}

void loop_run(struct loop *loop, int channel_fd)
{
	ev_io_init(&loop->channel, on_channel, channel_fd, EV_READ);
	loop->channel.data = loop;
	ev_io_start(loop->ev, &loop->channel);
	arm(loop, raft_deadline_ns(loop->raft));
	pages_publish(loop->pages, &loop->view);
	/* What storaged has, it has to say. */
	on_filling(loop, true);
	/* This thread alone, the others have been started: a heartbeat that
	 * waits for its turn on a busy host costs an election. */
	process_wake_soon();
	loop->guard = guard_new(loop->ev);
	calls_confine();
	process_notify("READY=1");
	ev_run(loop->ev, 0);
	ev_io_stop(loop->ev, &loop->channel);
}

static void stop_watchers(struct loop *loop)
{
	if (loop->deadline.fd < 0)
		return;
	ev_io_stop(loop->ev, &loop->deadline);
	close(loop->deadline.fd);
	ev_signal_stop(loop->ev, &loop->term);
	ev_signal_stop(loop->ev, &loop->interrupt);
	ev_timer_stop(loop->ev, &loop->heartbeat);
	ev_timer_stop(loop->ev, &loop->fitness);
	ev_timer_stop(loop->ev, &loop->farewell);
	stall_stop(&loop->stall, loop->ev);
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	guard_free(loop->guard);
	if (loop->pages != NULL)
		pages_retire(loop->pages);
	if (loop->control != NULL)
		control_server_free(loop->control);
	chores_free(loop->chores);
	logpage_free(loop->logpage);
	transfer_free(loop->transfer);
	peers_free(loop->peers);
	clients_free(loop->clients);
	scrub_free(loop->scrub);
	disk_free(loop->disk);
	hardstate_writer_free(loop->hardstate_writer);
	hardstate_close(loop->hardstate_file);
	if (loop->raft != NULL)
		raft_free(loop->raft);
	pages_free(loop->pages);
	stop_watchers(loop);
	if (loop->ev != NULL)
		ev_loop_destroy(loop->ev);
	free(loop);
}
