/* The step: one event in, its owner called, deadlines looked at, effects out. */
#include "raftd/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static bool raft_allocate(struct raft *raft, const struct raft_restart *restart)
{
	uint64_t entries = raft->config.log_entries_max;
	uint64_t bytes = 0;

	/* What the disk holds must fit, whatever the configuration says now. */
	for (uint64_t i = 0; i < restart->entry_count; i++)
		bytes += restart->entries[i].bytes;
	if (entries < restart->entry_count)
		entries = restart->entry_count;
	if (bytes < raft->config.log_bytes_max)
		bytes = raft->config.log_bytes_max;

	raft->send = calloc(RAFT_SEND_MAX, sizeof(*raft->send));
	raft->reads = calloc(RAFT_READS_MAX, sizeof(*raft->reads));
	raft->reads_done =
		calloc(RAFT_READS_MAX + 1, sizeof(*raft->reads_done));
	raft->proposals_done =
		calloc(RAFT_PROPOSALS_MAX, sizeof(*raft->proposals_done));
	return raft->send && raft->reads && raft->reads_done &&
	       raft->proposals_done &&
	       log_setup(&raft->log, entries, bytes) == RFS_ERR_OK;
}

/* The snapshot was ahead of a log write that a crash undid: what the disk holds
 * is older than the snapshot, or parts from it. Entries must not follow that. */
static bool raft_disk_log_is_stale(const struct raft *raft,
				   const struct raft_restart *restart)
{
	const struct raft_snapshot_meta *snapshot = &restart->snapshot;
	const struct raft_entry *last;

	if (snapshot->index == 0 || log_last_index(&raft->log) > snapshot->index)
		return false;
	if (restart->entry_count == 0)
		return true;
	last = &restart->entries[restart->entry_count - 1];
	return last->index != snapshot->index || last->term != snapshot->term;
}

static void raft_load_log(struct raft *raft, const struct raft_restart *restart)
{
	const struct raft_snapshot_meta *snapshot = &restart->snapshot;

	raft->snapshot = *snapshot;
	log_reset(&raft->log, snapshot, raft->now.raw_ns);
	for (uint64_t i = 0; i < restart->entry_count; i++) {
		const struct raft_entry *e = &restart->entries[i];

		if (e->index == snapshot->index && e->term != snapshot->term)
			break;
		if (e->index <= snapshot->index)
			continue;
		CHECK(log_append(&raft->log, e, raft->now.raw_ns) ==
		      RFS_ERR_OK);
	}
	raft->reset_first = raft_disk_log_is_stale(raft, restart);
	raft->durable_index = log_last_index(&raft->log);
	raft->commit_index = snapshot->index;
	raft->verified_index = raft->commit_index;
	raft->disk_first_index = snapshot->index + 1;
	CHECK(restart->term >= log_last_term(&raft->log));
}

struct raft *raft_new(const struct raft_config *config,
		      const struct raft_restart *restart,
		      const struct raft_now *now)
{
	struct raft *raft = calloc(1, sizeof(*raft));

	if (!raft)
		return NULL;
	CHECK(config->election_timeout_min_ns > 0);
	CHECK(config->election_timeout_max_ns >=
	      config->election_timeout_min_ns);
	CHECK(config->inflight_entries_max > 0);
	CHECK(config->inflight_bytes_max > 0);
	raft->config = *config;
	raft->now = *now;
	if (!raft_allocate(raft, restart)) {
		raft_free(raft);
		return NULL;
	}
	CHECK(config->member_count <= RAFT_NODES_MAX);
	raft_load_log(raft, restart);
	configure_load(raft, restart->membership);
	lease_clock_init(&raft->clock, config->max_rate_ppb);
	setting_load(raft, restart->window);
	raft->term = restart->term;
	raft->voted_for = restart->voted_for;
	raft->supported_term = restart->supported_term;
	raft->support_before = restart->supported_term;
	raft->c1_deadline_raw_ns = RAFT_NEVER;
	raft->transfer_deadline_raw_ns = RAFT_NEVER;
	prng_seed(&raft->prng, config->seed);
	repair_start(raft, &restart->floor);
	election_timer_start(raft);
	return raft;
}

void raft_free(struct raft *raft)
{
	if (!raft)
		return;
	log_fini(&raft->log);
	free(raft->send);
	free(raft->reads);
	free(raft->reads_done);
	free(raft->proposals_done);
	free(raft);
}

struct raft_message *raft_send(struct raft *raft, enum raft_message_type type,
			       uint32_t to)
{
	if (raft->send_count == RAFT_SEND_MAX) {
		raft->counters.messages_dropped++;
		raft->send_count--;
	}

	struct raft_message *m = &raft->send[raft->send_count++];

	memset(m, 0, sizeof(*m));
	m->type = type;
	m->from = raft->config.self;
	m->to = to;
	m->term = raft->term;
	return m;
}

void raft_set_commit(struct raft *raft, uint64_t index)
{
	if (index <= raft->commit_index)
		return;
	CHECK(index <= log_last_index(&raft->log));
	raft->commit_index = index;
	raft_story(raft, "commit %llu", (unsigned long long)index);
}

enum rfs_err raft_append(struct raft *raft, const struct raft_entry *entry)
{
	enum rfs_err err = log_append(&raft->log, entry, raft->now.raw_ns);

	if (err != RFS_ERR_OK) {
		snapshot_compact_fully(raft);
		err = log_append(&raft->log, entry, raft->now.raw_ns);
	}
	if (err != RFS_ERR_OK)
		return err;
	if (raft->append_from == 0)
		raft->append_from = entry->index;
	if (entry->kind == RAFT_ENTRY_CONFIG)
		configure_appended(raft, entry);
	setting_appended(raft, entry);
	return RFS_ERR_OK;
}

enum rfs_err raft_append_own(struct raft *raft, enum raft_entry_kind kind,
			     const void *data, uint32_t bytes)
{
	struct raft_stamp last = log_last_stamp(&raft->log);
	struct raft_entry entry = {
		.index = log_last_index(&raft->log) + 1,
		.term = raft->term,
		.stamp = timestamp_next(&raft->timeline, raft->now.raw_ns,
					last),
		.kind = kind,
		.data = data,
		.bytes = bytes,
	};

	CHECK(raft->role == RAFT_LEADER);
	CHECK(entry.stamp.ts_ns > last.ts_ns || entry.index == 1);
	return raft_append(raft, &entry);
}

static enum rfs_err raft_propose_one(struct raft *raft,
				     const struct raft_proposal *proposal)
{
	if (raft->role != RAFT_LEADER || raft->transfer_to != RAFT_NOBODY)
		return RFS_ERR_NOT_LEADER;
	if (!log_has_room(&raft->log, proposal->bytes))
		snapshot_compact_fully(raft);
	if (!log_has_room(&raft->log, proposal->bytes) ||
	    timestamp_is_ahead(&raft->timeline, raft->now.raw_ns,
			       log_last_stamp(&raft->log)))
		return RFS_ERR_FULL;
	return raft_append_own(raft, RAFT_ENTRY_COMMAND, proposal->data,
			       proposal->bytes);
}

static void raft_propose(struct raft *raft, const struct raft_event *event)
{
	CHECK(event->propose.count <= RAFT_PROPOSALS_MAX);
	for (uint32_t i = 0; i < event->propose.count; i++) {
		const struct raft_proposal *one = &event->propose.proposals[i];
		enum rfs_err err = raft_propose_one(raft, one);
		bool taken = err == RFS_ERR_OK;

		if (!taken)
			raft_story(raft, "refuses a command  %s",
				   rfs_err_name(err));
		raft->proposals_done[raft->proposal_done_count++] =
			(struct raft_proposal_done){
				.id = one->id,
				.err = err,
				.index = taken ? log_last_index(&raft->log) : 0,
				.term = taken ? raft->term : 0,
			};
	}
}

static void raft_persisted(struct raft *raft, uint64_t index, uint64_t term)
{
	if (index <= raft->durable_index ||
	    log_term_at(&raft->log, index) != term)
		return;
	raft->durable_index = index;
	fitness_note_disk(&raft->disk,
			  raft->now.raw_ns -
				  log_received_raw_ns(&raft->log, index));
	append_answer_durable(raft);
}

/* Figure 2, all servers: a higher term makes us a follower in it. Except for
 * pre-votes, which speak of a term nobody has entered yet. */
static void raft_meet_term(struct raft *raft, const struct raft_message *m)
{
	bool leads = m->type == RAFT_MSG_APPEND || m->type == RAFT_MSG_SNAPSHOT;

	if (m->term <= raft->term ||
	    (m->type == RAFT_MSG_VOTE && m->vote.pre) ||
	    (m->type == RAFT_MSG_VOTE_REPLY && m->vote_reply.pre &&
	     m->vote_reply.granted))
		return;
	become_follower(raft, m->term, leads ? m->from : RAFT_NOBODY);
}

/* A leader of an older term learns from our term that it is over. */
static bool raft_refuse_old_leader(struct raft *raft,
				   const struct raft_message *m)
{
	if (m->term >= raft->term ||
	    (m->type != RAFT_MSG_APPEND && m->type != RAFT_MSG_SNAPSHOT))
		return false;
	raft_send(raft, RAFT_MSG_APPEND_REPLY, m->from);
	return true;
}

static void raft_receive(struct raft *raft, const struct raft_message *m)
{
	if (m->to != raft->config.self || m->from == raft->config.self ||
	    m->from == RAFT_NOBODY) {
		raft->counters.messages_dropped++;
		return;
	}
	/* Whoever it is: our membership may be behind (thesis 4.1). */
	peer_meet(raft, m->from);
	raft_meet_term(raft, m);
	if (raft_refuse_old_leader(raft, m))
		return;
	switch (m->type) {
	case RAFT_MSG_VOTE:
		vote_receive(raft, m);
		break;
	case RAFT_MSG_VOTE_REPLY:
		vote_reply_receive(raft, m);
		break;
	case RAFT_MSG_APPEND:
		append_receive(raft, m);
		break;
	case RAFT_MSG_APPEND_REPLY:
		append_reply_receive(raft, m);
		break;
	case RAFT_MSG_SNAPSHOT:
		snapshot_receive(raft, m);
		break;
	case RAFT_MSG_READ_INDEX:
		reads_index_receive(raft, m);
		break;
	case RAFT_MSG_READ_INDEX_REPLY:
		reads_index_reply_receive(raft, m);
		break;
	case RAFT_MSG_TIMEOUT_NOW:
		timeout_now_receive(raft, m);
		break;
	default:
		raft->counters.messages_dropped++;
	}
}

static void raft_rtt(struct raft *raft, const struct raft_event *event)
{
	struct peer *peer = peer_find(raft, event->rtt.peer);

	if (!peer || peer->id == raft->config.self) {
		raft->counters.messages_dropped++;
		return;
	}
	rtt_measured(raft, peer, event->rtt.from, event->rtt.rtt_ns);
}

static void raft_transfer(struct raft *raft, uint32_t peer)
{
	if (peer == RAFT_NOBODY && raft->role == RAFT_LEADER)
		peer = fitness_successor(raft);
	if (peer != RAFT_NOBODY)
		transfer_start(raft, peer);
}

static void raft_dispatch(struct raft *raft, const struct raft_event *event)
{
	switch (event->type) {
	case RAFT_EV_TICK:
		break; /* raft_look_at_deadlines() */
	case RAFT_EV_RECEIVE:
		raft_receive(raft, event->message);
		break;
	case RAFT_EV_PERSISTED:
		raft_persisted(raft, event->persisted.index,
			       event->persisted.term);
		break;
	case RAFT_EV_PROPOSE:
		raft_propose(raft, event);
		break;
	case RAFT_EV_READ:
		reads_ask(raft, raft->config.self, event->read.id);
		break;
	case RAFT_EV_RTT:
		raft_rtt(raft, event);
		break;
	case RAFT_EV_PEER_LOST:
		election_peer_lost(raft, event->peer);
		break;
	case RAFT_EV_DEATH:
		election_death(raft, event->death.node, event->death.term_led);
		break;
	case RAFT_EV_SNAPSHOT_TAKEN:
		snapshot_taken(raft, &event->snapshot);
		break;
	case RAFT_EV_SNAPSHOT_INSTALLED:
		snapshot_installed(raft, &event->snapshot, event->membership,
				   event->window);
		break;
	case RAFT_EV_SNAPSHOT_FAILED:
		snapshot_failed(raft, event->peer);
		break;
	case RAFT_EV_TRANSFER:
		raft_transfer(raft, event->peer);
		break;
	case RAFT_EV_HOST:
		raft->fitness.host = event->unfit & RAFT_UNFIT_HOST;
		break;
	case RAFT_EV_CONFIGURE:
		configure_request(raft, &event->configure);
		break;
	case RAFT_EV_LEASE:
		setting_want(raft, event->lease_ns);
		break;
	case RAFT_EV_FILLING:
		raft->filling = event->filling;
		break;
	}
}

/* Time first: what it says about other clocks, and whether our own is still to
 * be trusted (I7). */
static void raft_take_now(struct raft *raft, const struct raft_now *now)
{
	bool disrupted = now->disruptions != raft->now.disruptions;

	CHECK(now->raw_ns >= raft->now.raw_ns);
	raft->now = *now;
	if (now->usable)
		raft->fitness.clock_lost_raw_ns = 0;
	else if (raft->fitness.clock_lost_raw_ns == 0)
		raft->fitness.clock_lost_raw_ns = now->raw_ns;
	if (disrupted) {
		raft_story(raft, "own clock disrupted");
		raft->log.received_floor_raw_ns = now->raw_ns;
		if (raft->role == RAFT_LEADER) {
			transfer_at_once(raft);
			become_follower(raft, raft->term, RAFT_NOBODY);
		}
		lease_clock_forget(&raft->clock);
	}
	if (now->usable && now->epoch != 0 &&
	    now->epoch != raft->timeline.epoch &&
	    !interval_is_empty(now->cluster))
		lease_clock_note(&raft->clock, now->epoch, now->raw_ns,
				 now->cluster);
}

static void raft_begin(struct raft *raft)
{
	raft->hard_state_changed = false;
	raft->reset_log = raft->reset_first;
	raft->reset_first = false;
	raft->more = false;
	raft->truncate_from = 0;
	raft->append_from = 0;
	raft->membership_changed = false;
	raft->send_count = 0;
	raft->proposal_done_count = 0;
	raft->read_done_count = 0;
}

/* Whatever is due, after the event. That others are silent is judged at a tick
 * alone, which the host brings after all that came in: when we were not running
 * for a while, a disk or a client may be heard before the message that was
 * waiting meanwhile. */
static void raft_look_at_deadlines(struct raft *raft, bool tick)
{
	if (tick && raft->role != RAFT_LEADER &&
	    raft->now.raw_ns >= raft->election_deadline_raw_ns)
		election_begin(raft);
	if (tick && raft->role == RAFT_LEADER)
		election_check_quorum(raft);
	if (raft->role == RAFT_LEADER &&
	    raft->now.raw_ns >= raft->heartbeat_deadline_raw_ns)
		replicate_heartbeat(raft);
}

static void raft_lead(struct raft *raft)
{
	fitness_look(raft);
	replicate_advance_commit(raft);
	configure_advance(raft);
	setting_advance(raft);
	transfer_advance(raft);
	if (raft->role != RAFT_LEADER)
		return;
	reads_advance(raft);
	replicate_flush(raft);
}

static void raft_gather(struct raft *raft, struct raft_effects *effects)
{
	*effects = (struct raft_effects){
		.hard_state_changed = raft->hard_state_changed,
		.term = raft->term,
		.voted_for = raft->voted_for,
		.supported_term = raft->supported_term,
		.floor = raft->floor,
		.reset_log = raft->reset_log,
		.truncate_from = raft->truncate_from,
		.send = raft->send,
		.send_count = raft->send_count,
		.commit_index = raft->commit_index,
		.membership_changed = raft->membership_changed,
		.proposals = raft->proposals_done,
		.proposal_count = raft->proposal_done_count,
		.reads = raft->reads_done,
		.read_count = raft->read_done_count,
		.compact_to = snapshot_disk_compaction(raft),
		.deadline_raw_ns = raft_deadline_ns(raft),
	};
	if (raft->truncate_from)
		effects->conflict = raft->conflict;
	if (raft->reset_log)
		effects->reset_to = raft->snapshot;
	if (raft->append_from) {
		effects->append = log_at(&raft->log, raft->append_from);
		effects->append_count = (uint32_t)(log_last_index(&raft->log) -
						   raft->append_from + 1);
	}
}

void raft_step(struct raft *raft, const struct raft_event *event,
	       struct raft_effects *effects)
{
	uint64_t commit = raft->commit_index;
	uint64_t term = raft->term;

	raft_begin(raft);
	raft_take_now(raft, &event->now);
	raft_dispatch(raft, event);
	raft_look_at_deadlines(raft, event->type == RAFT_EV_TICK);
	repair_advance(raft);
	if (raft->role == RAFT_LEADER)
		raft_lead(raft);
	else
		reads_advance(raft);
	CHECK(raft->commit_index >= commit);
	CHECK(raft->term >= term);
	CHECK(raft->durable_index <= log_last_index(&raft->log));
	raft_gather(raft, effects);
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

int64_t raft_deadline_ns(const struct raft *raft)
{
	int64_t due_ns = reads_deadline_ns(raft);

	if (raft->more)
		return raft->now.raw_ns;
	if (raft->role != RAFT_LEADER)
		return earlier(due_ns, raft->election_deadline_raw_ns);
	due_ns = earlier(due_ns, raft->heartbeat_deadline_raw_ns);
	due_ns = earlier(due_ns, election_quorum_deadline_ns(raft));
	due_ns = earlier(due_ns, raft->c1_deadline_raw_ns);
	return earlier(due_ns, raft->transfer_deadline_raw_ns);
}

const struct raft_entry *raft_log_at(const struct raft *raft, uint64_t index)
{
	return log_at(&raft->log, index);
}

uint64_t raft_log_first(const struct raft *raft)
{
	return log_first_index(&raft->log);
}

uint64_t raft_log_last(const struct raft *raft)
{
	return log_last_index(&raft->log);
}

static struct raft_peer_view raft_view_peer(const struct raft *raft,
					    uint32_t at)
{
	const struct peer *peer = &raft->peers[at];
	struct raft_peer_view view = {
		.id = peer->id,
		.member = at < raft->members.count,
		.voter = members_votes(&raft->members, at),
		.match_index = peer->progress.match_index,
		.next_index = peer->progress.next_index,
		.rtt_ns = peer->rtt.smoothed_ns ? peer->rtt.smoothed_ns :
						  peer->tcp_rtt_ns,
		.rtt_from = rtt_from(raft, peer),
		.tcp_rtt_ns = peer->tcp_rtt_ns,
		.last_heard_raw_ns = peer->heard_raw_ns,
		.disk_ns = peer->disk.smoothed_ns,
		.condition = peer->condition,
		.snapshotting = peer->progress.state == PROGRESS_SNAPSHOT,
		.filling = peer->filling,
	};

	if (peer->id == raft->config.self) {
		view.match_index = raft->durable_index;
		view.next_index = log_last_index(&raft->log) + 1;
		view.last_heard_raw_ns = raft->now.raw_ns;
		view.rtt_from = RAFT_RTT_UNKNOWN;
	}
	return view;
}

static void raft_view_peers(const struct raft *raft, struct raft_view *view)
{
	for (uint32_t i = 0; i < raft->peer_count; i++)
		if (i < raft->members.count || raft->peers[i].left_index != 0)
			view->peers[view->peer_count++] =
				raft_view_peer(raft, i);
}

void raft_view(const struct raft *raft, struct raft_view *view)
{
	*view = (struct raft_view){
		.role = raft->role,
		.term = raft->term,
		.voted_for = raft->voted_for,
		.leader = raft->leader,
		.commit_index = raft->commit_index,
		.last_index = log_last_index(&raft->log),
		.first_index = log_first_index(&raft->log),
		.base_stamp = raft->log.base.stamp,
		.floor = raft->floor,
		.durable_index = raft->durable_index,
		.lease_disruptions = raft->now.disruptions,
		.lease = setting_at(raft, raft->commit_index),
		.lease_wanted_ns = raft->lease_wanted_ns,
		.epoch = log_last_stamp(&raft->log).epoch,
		.epoch_raw_ns = raft->timeline.raw_ns,
		.epoch_ts_ns = raft->timeline.ts_ns,
		.election_timeout_ns = rtt_election_timeout_ns(raft),
		.election_timeout_from = rtt_timeout_from(raft),
		.rtt_quorum_ns = rtt_over_quorum_ns(raft),
		.rtt_quorum_from = rtt_quorum_from(raft),
		.leader_silence_ns = raft->detector.high_ns,
		.leader_silence_max_ns = raft->detector.most_ns,
		.slots_why = slots_why_not(raft, rtt_election_timeout_ns(raft)),
		.heartbeat_ns = rtt_heartbeat_ns(raft),
		.disk_ns = raft->disk.smoothed_ns,
		.condition = raft->role == RAFT_LEADER ?
				     raft->fitness.reasons :
				     fitness_condition(raft),
		.rank = raft->fitness.rank,
		.transfer_to = raft->transfer_to,
		.handed_over = raft->fitness.last,
		.standing = configure_standing(raft),
		.membership_index = raft->membership.index,
		.counters = raft->counters,
	};
	view->limbo_index = reads_limbo(raft);
	view->lease_valid = reads_lease_until(raft, &view->lease_until_raw_ns);
	view->lease_why = view->lease_valid ? "" : reads_why_no_lease(raft);
	raft_view_peers(raft, view);
}
