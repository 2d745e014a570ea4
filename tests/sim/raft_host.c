/* One event in, one step of the core, its effects carried out in order. */
#include "tests/sim/raft_host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/changes.h"
#include "tests/sim/checks.h"
#include "tests/sim/faults.h"
#include "tests/sim/narrate.h"
#include "tests/sim/network.h"
#include "tests/sim/record.h"
#include "tests/sim/rot.h"
#include "tests/sim/settings.h"
#include "tests/sim/storage.h"

static struct raft_now read_clocks(struct world *world, struct node *node)
{
	const struct timesync_clock *page = &node->clock_page;
	int64_t raw_ns = node_raw(world, node);
	struct raft_now now = {
		.raw_ns = raw_ns,
		.wall_ns = clocks_wall(&node->clock, world->now_ns),
		.disruptions = page->disruptions,
	};

	if (node_clock_usable(page, raw_ns)) {
		now.usable = true;
		now.exchange_ns = 2 * page->part_delay_ns;
		now.epoch = page->epoch;
		now.cluster = timesync_clock_at(page, raw_ns);
		checks_clock(world, node);
	}
	return now;
}

static void story_line(void *ctx, const char *text)
{
	struct node *node = ctx;

	world_trace(node->world, node->id, "raft: %s", text);
}

static struct raft_config config_of(struct world *world, struct node *node)
{
	const struct world_profile *profile = &world->profile;
	struct raft_config config = {
		.self = node->id,
		.member_count = world->options.node_count,
		.election_timeout_min_ns = profile->election_min_ns,
		.election_timeout_max_ns = profile->election_max_ns,
		.heartbeat_min_ns = profile->heartbeat_ns,
		.lease_ns = node->lease_file_ns,
		.max_rate_ppb = profile->rho_ppb,
		.inflight_entries_max = profile->inflight_entries,
		.inflight_bytes_max = 64 * KIB,
		.log_entries_max = profile->log_entries_max,
		.log_bytes_max = MIB,
		.seed = prng_next(&world->prng),
	};

	if (node->id > config.member_count)
		config.member_count = 0; /* a joiner */
	for (uint32_t i = 0; i < config.member_count; i++)
		config.members[i].id = i + 1;
	if (world->options.tracing)
		config.story = (struct story){story_line, node};
	return config;
}

/* What the core kept of what it was handed: entries after the snapshot, if
 * the disk's log leads up to them. */
static void mirror_log(struct world *world, struct node *node)
{
	const struct raft_snapshot_meta *snapshot = &node->disk.snapshot;
	struct raft_host *host = &node->host;

	factlog_reset(&host->log, snapshot->index
					  ? facts_find(world, snapshot->index,
						       snapshot->term)
					  : NULL);
	for (uint64_t i = snapshot->index + 1; i <= raft_log_last(host->raft);
	     i++)
		factlog_append(&host->log, factlog_at(&node->disk.log, i));
}

static void schedule(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;
	int64_t at_ns = clocks_true_at(&node->clock, world->now_ns,
				       host->deadline_raw_ns);

	if (host->tick_at_ns <= at_ns)
		return;
	host->tick_at_ns = at_ns;
	node_post(world, node->index, PROC_RAFTD, at_ns - world->now_ns,
		  (struct event){.kind = EVENT_RAFT_TICK,
				 .a = ++host->tick_number});
}

void raft_host_start(struct world *world, struct node *node)
{
	rot_open(world, node);

	struct raft_host *host = &node->host;
	struct raft_config config = config_of(world, node);
	struct raft_now now = read_clocks(world, node);
	struct raft_restart restart = {.term = node->disk.term,
				       .voted_for = node->disk.voted_for,
				       .supported_term =
					       node->disk.supported_term,
				       .snapshot = node->disk.snapshot,
				       .floor = node->disk.floor};
	struct raft_membership membership = changes_by(
		world, NULL,
		facts_find(world, restart.snapshot.index,
			   restart.snapshot.term));
	struct raft_window window =
		settings_window(facts_find(world, restart.snapshot.index,
					   restart.snapshot.term));
	struct raft_entry *entries;
	struct factlog log = host->log;

	restart.window = &window;

	if (node->disk.snapshot_knows)
		restart.membership = &membership;
	memset(host, 0, sizeof(*host));
	host->log = log;
	restart.entry_count = node->disk.log.count;
	entries = calloc(restart.entry_count + 1, sizeof(*entries));
	CHECK(entries);
	for (uint64_t i = 0; i < restart.entry_count; i++)
		entries[i] = facts_entry(node->disk.log.facts[i]);
	restart.entries = entries;
	host->raft = raft_new(&config, &restart, &now);
	CHECK(host->raft);
	free(entries);
	mirror_log(world, node);
	host->commit_index = restart.snapshot.index;
	host->tick_at_ns = INT64_MAX;
	host->deadline_raw_ns = raft_deadline_ns(host->raft);
	raft_view(host->raft, &host->view);
	world_trace(world, node->id,
		    "raftd starts: term %" PRIu64 " vote %u snapshot %" PRIu64
		    " log to %" PRIu64,
		    restart.term, restart.voted_for, restart.snapshot.index,
		    factlog_last(&host->log));
	record_start(world, node);
	schedule(world, node);
}

void raft_host_stop(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;

	record(world, node->id, "stop");
	raft_free(host->raft);
	host->raft = NULL;
	host->view.role = RAFT_FOLLOWER;
	/* The supervisor has reaped it: nobody extends this lease any more. */
	node->page.lease_valid = false;
	node->page.role = RAFT_FOLLOWER;
	if (host->hard_in_flight && world_chance(world, 0.5)) {
		world_cover(world, COVER_HARD_STATE_LOST);
		node->disk.term = host->hard_term_before;
		node->disk.voted_for = host->hard_vote_before;
		node->disk.supported_term = host->hard_support_before;
		node->disk.floor = host->hard_floor_before;
	}
	disks_crash(world, node->id, &node->disk);
	checks_crashed(world, node);
}

/* What a new leader tells its storaged: the keys that may have changed. */
static void tell_limbo(struct world *world, struct node *node)
{
	const struct raft_view *view = &node->host.view;
	struct limbo_set *set = calloc(1, sizeof(*set));
	int64_t after_ns = NODE_IPC_NS;

	CHECK(set);
	*set = (struct limbo_set){view->term, view->limbo_index, 0};
	for (uint64_t i = view->commit_index + 1; i <= view->limbo_index; i++) {
		const struct raft_entry *entry =
			raft_log_at(node->host.raft, i);
		struct kv_command command;

		if (entry->kind != RAFT_ENTRY_COMMAND)
			continue;
		memcpy(&command, entry->data, sizeof(command));
		set->keys |= UINT64_C(1) << command.key;
	}
	/* storaged may see the page long before this. */
	if (world_chance(world, 0.3))
		after_ns += world_exponential(world, 20 * NS_PER_MS);
	node_post(world, node->index, PROC_STORAGED, after_ns,
		  (struct event){.kind = EVENT_STORE_LIMBO, .payload = set});
}

static void publish(struct world *world, struct node *node)
{
	const struct raft_view *view = &node->host.view;
	struct consensus_page *page = &node->page;
	bool moved = page->leader != view->leader || page->term != view->term ||
		     page->role != view->role || page->epoch != view->epoch;
	bool limbo = view->limbo_index > 0 &&
		     (page->limbo_index == 0 || page->term != view->term);

	*page = (struct consensus_page){
		.role = view->role,
		.term = view->term,
		.leader = view->leader,
		.commit_index = view->commit_index,
		.limbo_index = view->limbo_index,
		.lease_valid = view->lease_valid,
		.lease_until_raw_ns = view->lease_until_raw_ns,
		.lease_disruptions = view->lease_disruptions,
		.epoch = view->epoch,
		.epoch_raw_ns = view->epoch_raw_ns,
		.epoch_ts_ns = view->epoch_ts_ns,
	};
	if (page->lease_valid)
		world_cover(world, COVER_LEASES_SHOWN);
	if (limbo)
		tell_limbo(world, node);
	if (moved)
		node_post(world, node->index, PROC_TIMESYNCD,
			  world_exponential(world, NS_PER_MS),
			  (struct event){.kind = EVENT_CLOCK_EPOCH});
	checks_page(world, node);
}

/* Facts for entries that follow `previous` in this node's log. */
static void append_all(struct world *world, struct node *node,
		       const struct raft_effects *effects)
{
	for (uint32_t i = 0; i < effects->append_count; i++) {
		struct factlog *log = &node->host.log;
		const struct raft_entry *entry = &effects->append[i];
		const struct fact *fact =
			facts_intern(world, node->id, entry,
				     factlog_at(log, factlog_last(log)));

		factlog_append(log, fact);
		disks_append(&node->disk, fact);
	}
}

static void change_log(struct world *world, struct node *node,
		       const struct raft_effects *effects)
{
	struct raft_host *host = &node->host;

	if (effects->reset_log) {
		const struct fact *base = facts_find(
			world, effects->reset_to.index, effects->reset_to.term);

		checks_reset(world, node, &effects->reset_to, base);
		factlog_reset(&host->log, base);
		disks_reset(&node->disk, &effects->reset_to, base);
		world_trace(world, node->id, "log reset to snapshot %" PRIu64,
			    effects->reset_to.index);
	}
	if (effects->truncate_from) {
		checks_truncate(world, node, effects->truncate_from);
		settings_truncated(world, node, effects->truncate_from);
		world_cover(world, COVER_TRUNCATIONS);
		world_trace(world, node->id, "truncate from %" PRIu64,
			    effects->truncate_from);
		factlog_truncate(&host->log, effects->truncate_from);
		disks_truncate(&node->disk, effects->truncate_from);
	}
	append_all(world, node, effects);
}

static void start_flush(struct world *world, struct node *node)
{
	int64_t after_ns;

	if (disks_start_flush(world, &node->disk, &after_ns))
		node_post(world, node->index, PROC_RAFTD, after_ns,
			  (struct event){.kind = EVENT_RAFT_DISK});
}

/* Entries of a message by the facts they are; they follow previous_index. */
static void message_facts(struct world *world, struct node *node,
			  const struct raft_message *message,
			  const struct fact **facts)
{
	const struct fact *previous = NULL;

	if (message->type != RAFT_MSG_APPEND || message->append.count == 0)
		return;
	if (message->append.previous_index)
		previous = facts_find(world, message->append.previous_index,
				      message->append.previous_term);
	for (uint32_t i = 0; i < message->append.count; i++) {
		facts[i] = facts_intern(world, node->id,
					&message->append.entries[i], previous);
		previous = facts[i];
	}
}

static void send_one(struct world *world, struct node *node,
		     const struct raft_message *message)
{
	const struct fact *facts[RAFT_ENTRIES_MAX];
	const struct stored_snapshot *snapshot;
	uint32_t to = message->to - 1;

	if (message->to < 1 || message->to > world->node_count ||
	    to == node->index || message->from != node->id) {
		world_violate(world, node->id, "addressing",
			      "message from %u to %u", message->from,
			      message->to);
		return;
	}
	narrate_message(world, "send", node->id, message);
	checks_send(world, node, message);
	record_message(world, node, message);
	message_facts(world, node, message, facts);
	network_send_raft(world, node->index, to, message, facts);
	/* A header is repeated; the stream it opened goes on. */
	if (message->type != RAFT_MSG_SNAPSHOT || node->host.streaming[to])
		return;
	snapshot = storage_snapshot(node, message->snapshot.index);
	node->host.streaming[to] = true;
	if (snapshot)
		network_send_snapshot(world, node->index, to, &snapshot->meta,
				      &snapshot->kv);
	else
		node_post(world, node->index, PROC_RAFTD, NS_PER_MS,
			  (struct event){.kind = EVENT_RAFT_SNAPSHOT_FAILED,
					 .a = message->to});
}

static void tell_storage(struct world *world, struct node *node,
			 const struct raft_effects *effects)
{
	struct raft_host *host = &node->host;

	if (effects->commit_index > host->commit_index) {
		host->commit_index = effects->commit_index;
		node_post(world, node->index, PROC_STORAGED, NODE_IPC_NS,
			  (struct event){.kind = EVENT_STORE_COMMITTED,
					 .a = effects->commit_index});
	}
	for (uint32_t i = 0; i < effects->proposal_count; i++) {
		const struct raft_proposal_done *done = &effects->proposals[i];
		bool ok = done->err == RFS_ERR_OK;

		if (changes_answered(world, node, done))
			continue;
		node_post(world, node->index, PROC_STORAGED, NODE_IPC_NS,
			  (struct event){.kind = EVENT_STORE_PROPOSED,
					 .a = done->id,
					 .b = ok ? done->index : 0,
					 .c = ok ? done->term : 0});
	}
	for (uint32_t i = 0; i < effects->read_count; i++) {
		const struct raft_read_done *done = &effects->reads[i];

		checks_read(world, node, done);
		if (done->err == RFS_ERR_OK)
			record(world, node->id, "point %" PRIu64 " %" PRIu64
			       " %s", done->id, done->index,
			       done->by_lease ? "lease" : "quorum");
		node_post(world, node->index, PROC_STORAGED, NODE_IPC_NS,
			  (struct event){.kind = EVENT_STORE_READ,
					 .a = done->id,
					 .b = done->index,
					 .c = (uint64_t)done->err});
	}
}

/* The rest of a step, once the hard state is durable. A touchy moment may end
 * the process half-way (faults_after_send), so look before each part. */
static void carry_out(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;
	const struct raft_effects *effects = &host->effects;
	uint32_t life = node->procs[PROC_RAFTD].incarnation;

	host->carrying = false;
	host->hard_in_flight = false;
	rot_mended(world, node);
	record_step(world, node);
	change_log(world, node, effects);
	changes_check(world, node);
	settings_check(world, node);
	start_flush(world, node);
	checks_step(world, node);
	checks_commit(world, node, host->commit_index, effects->commit_index);
	if (host->view.role == RAFT_LEADER && host->won_term != host->view.term)
		faults_after_win(world, node);
	if (host->view.role == RAFT_LEADER)
		host->won_term = host->view.term;
	for (uint32_t i = 0; i < effects->send_count; i++) {
		send_one(world, node, &effects->send[i]);
		faults_after_send(world, node, &effects->send[i]);
		if (node->procs[PROC_RAFTD].incarnation != life)
			return;
	}
	tell_storage(world, node, effects);
	faults_after_commit(world, node);
	if (node->procs[PROC_RAFTD].incarnation != life)
		return;
	if (effects->compact_to) {
		world_cover(world, COVER_COMPACTIONS);
		world_trace(world, node->id, "compact to %" PRIu64,
			    effects->compact_to);
		disks_compact(&node->disk, effects->compact_to);
	}
	factlog_compact(&host->log, raft_log_first(host->raft) - 1);
	checks_log(world, node);
	publish(world, node);
	host->deadline_raw_ns = effects->deadline_raw_ns;
	schedule(world, node);
}

void raft_host_resume(struct world *world, struct node *node)
{
	if (node->host.carrying)
		carry_out(world, node);
	if (world_chance(world, 0.5)) {
		node->host.tick_at_ns = INT64_MAX;
		schedule(world, node);
	}
}

/* Sending waits for the hard state; the whole loop does. */
static void write_hard_state(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;

	host->hard_in_flight = true;
	host->hard_term_before = node->disk.term;
	host->hard_vote_before = node->disk.voted_for;
	host->hard_support_before = node->disk.supported_term;
	host->hard_floor_before = node->disk.floor;
	checks_hard_state(world, node, host->effects.term,
			  host->effects.voted_for);
	node->disk.term = host->effects.term;
	node->disk.voted_for = host->effects.voted_for;
	node->disk.supported_term = host->effects.supported_term;
	node->disk.floor = host->effects.floor;
	node_pause(world, node, PROC_RAFTD,
		   disks_hard_state_ns(world, &node->disk));
}

static void step(struct world *world, struct node *node,
		 struct raft_event *event)
{
	struct raft_host *host = &node->host;
	struct coverage_before before = coverage_before(node);

	event->now = read_clocks(world, node);
	memset(&host->effects, 0, sizeof(host->effects));
	raft_step(host->raft, event, &host->effects);
	raft_view(host->raft, &host->view);
	coverage_step(world, node, event, &before);
	host->carrying = true;
	host->decided_last = factlog_at(&host->log, factlog_last(&host->log));
	host->decided_at_ns = world->now_ns;
	host->decided_raw_ns = event->now.raw_ns;
	host->decided_raw_ahead_ns = node->clock.raw_ahead_ns;
	for (uint32_t i = 0; i < world->node_count; i++)
		host->decided_oscillator_ns[i] = clocks_oscillator(
			&world->nodes[i].clock, world->now_ns);
	world_digest(world, host->view.term ^ (host->view.last_index << 32) ^
				    ((uint64_t)host->view.role << 60));
	if (host->effects.hard_state_changed)
		write_hard_state(world, node);
	if (host->stall && host->effects.send_count > 0) {
		host->stall = false;
		world_cover(world, COVER_PAUSES_MID_STEP);
		world_trace(world, node->id, "paused between step and sending");
		node_pause(world, node, PROC_RAFTD,
			   world_exponential(world, 300 * NS_PER_MS) + 1);
	}
	if (node->procs[PROC_RAFTD].paused_until_ns <= world->now_ns)
		carry_out(world, node);
}

void raft_host_event(struct world *world, struct node *node,
		     struct raft_event *event)
{
	step(world, node, event);
}

void raft_host_tick(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_host *host = &node->host;
	struct raft_event tick = {.type = RAFT_EV_TICK};

	if (event->a != host->tick_number)
		return;
	host->tick_at_ns = INT64_MAX;
	if (node_raw(world, node) < host->deadline_raw_ns) {
		schedule(world, node);
		return;
	}
	host->idle_ticks =
		host->idle_at_ns == world->now_ns ? host->idle_ticks + 1 : 0;
	host->idle_at_ns = world->now_ns;
	if (host->idle_ticks > 100)
		world_violate(world, node->id, "busy-loop",
			      "a hundred ticks without time passing");
	step(world, node, &tick);
}

void raft_host_message(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_entry entries[RAFT_ENTRIES_MAX];
	struct raft_event receive = {.type = RAFT_EV_RECEIVE};
	struct flight *flight;

	if (!network_arrives(world, event))
		return;
	flight = event->payload;
	/* No room: entries are lost on the way, the heartbeat is not. */
	if (flight->message.type == RAFT_MSG_APPEND &&
	    flight->message.append.count > 0 &&
	    world->now_ns < node->disk.full_until_ns) {
		world_cover(world, COVER_FULL_REFUSALS);
		flight->message.append.count = 0;
	}
	if (flight->message.type == RAFT_MSG_APPEND) {
		for (uint32_t i = 0; i < flight->message.append.count; i++)
			entries[i] = facts_entry(flight->facts[i]);
		flight->message.append.entries = entries;
	}
	narrate_message(world, "recv", node->id, &flight->message);
	receive.message = &flight->message;
	step(world, node, &receive);
	world_drop(event);
}

void raft_host_disk(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_event persisted = {.type = RAFT_EV_PERSISTED};
	const struct fact *last;

	if (node->disk.flushing == 0)
		return; /* a reset made it void */
	if (node->disk.fails) {
		node->disk.fails = false;
		world_cover(world, COVER_FSYNC_FAILED);
		world_trace(world, node->id, "disk: sync failed, raftd exits");
		node_crash(world, node, 1u << PROC_RAFTD,
			   world_exponential(world, 100 * NS_PER_MS));
		return;
	}
	disks_finish_flush(&node->disk);
	rot_flushed(world, node);
	start_flush(world, node);
	last = factlog_at(&node->disk.log, disks_settled(&node->disk));
	if (!last)
		return;
	record(world, node->id, "durable %" PRIu64, last->index);
	persisted.persisted.index = last->index;
	persisted.persisted.term = last->term;
	step(world, node, &persisted);
}

void raft_host_hint(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_event hint = {.type = RAFT_EV_PEER_LOST,
				  .peer = (uint32_t)event->a};

	if (event->kind == EVENT_RAFT_TRANSFER) {
		hint.type = RAFT_EV_TRANSFER;
		world_cover(world, COVER_TRANSFERS);
	} else if (event->kind == EVENT_RAFT_SNAPSHOT_FAILED) {
		hint.type = RAFT_EV_SNAPSHOT_FAILED;
		node->host.streaming[hint.peer - 1] = false;
		world_cover(world, COVER_SNAPSHOTS_FAILED);
	} else {
		world_cover(world, COVER_PEER_LOST);
	}
	world_trace(world, node->id, "hint %d about peer %u", (int)hint.type,
		    hint.peer);
	step(world, node, &hint);
}

void raft_host_death(struct world *world, struct event *event)
{
	struct raft_event death = { .type = RAFT_EV_DEATH };

	death.death.node = (uint32_t)event->a;
	death.death.term_led = event->b;
	world_cover(world, COVER_DEATHS);
	world_trace(world, event->node + 1,
		    "death notice of %u, leader of term %" PRIu64,
		    death.death.node, event->b);
	step(world, &world->nodes[event->node], &death);
}

void raft_host_propose(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_host *host = &node->host;
	const struct gathered *proposal = event->payload;

	if (host->gathered_count < NODE_PROPOSALS_MAX) {
		host->gathered[host->gathered_count++] = *proposal;
		if (host->gathered_count == 1)
			node_post(world, node->index, PROC_RAFTD,
				  world_exponential(world, 100 * NS_PER_US),
				  (struct event){.kind = EVENT_RAFT_FLUSH});
	}
	world_drop(event);
}

static void refuse_gathered(struct world *world, struct node *node)
{
	struct raft_host *host = &node->host;

	for (uint32_t i = 0; i < host->gathered_count; i++)
		node_post(world, node->index, PROC_STORAGED, NODE_IPC_NS,
			  (struct event){.kind = EVENT_STORE_PROPOSED,
					 .a = host->gathered[i].token});
	world_cover(world, COVER_FULL_REFUSALS);
	host->gathered_count = 0;
}

void raft_host_flush(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_host *host = &node->host;
	struct raft_proposal proposals[NODE_PROPOSALS_MAX];
	struct raft_event propose = {.type = RAFT_EV_PROPOSE};

	if (world->now_ns < node->disk.full_until_ns) {
		refuse_gathered(world, node);
		return;
	}

	for (uint32_t i = 0; i < host->gathered_count; i++)
		proposals[i] = (struct raft_proposal){
			.id = host->gathered[i].token,
			.data = &host->gathered[i].command,
			.bytes = sizeof(host->gathered[i].command),
		};
	propose.propose.proposals = proposals;
	propose.propose.count = host->gathered_count;
	host->gathered_count = 0;
	step(world, node, &propose);
}

void raft_host_read(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct raft_event read = {.type = RAFT_EV_READ, .read.id = event->a};

	checks_read_asked(world, node, event->a);
	record(world, node->id, "asked %" PRIu64, event->a);
	step(world, node, &read);
}

void raft_host_rtt(struct world *world, struct event *event)
{
	struct raft_event rtt = {
		.type = RAFT_EV_RTT,
		.rtt = {(uint32_t)event->a, (int64_t)event->b,
			(enum raft_rtt_from)event->c}};

	step(world, &world->nodes[event->node], &rtt);
}

void raft_host_snapshot(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	const struct stored_snapshot *snapshot =
		storage_snapshot(node, event->a);
	struct raft_event about = {.type = RAFT_EV_SNAPSHOT_TAKEN};
	struct raft_membership membership;
	struct raft_window window;

	if (!snapshot)
		return; /* a newer one has taken its place */
	membership = changes_by(world, NULL,
				facts_committed(world, snapshot->meta.index));
	if (event->kind == EVENT_RAFT_SNAPSHOT_INSTALLED)
		about.type = RAFT_EV_SNAPSHOT_INSTALLED;
	window = settings_window(facts_committed(world, snapshot->meta.index));
	if (about.type == RAFT_EV_SNAPSHOT_TAKEN) {
		changes_check_at(world, node, snapshot->meta.index,
				 &membership);
		settings_check_at(world, node, snapshot->meta.index, &window);
	}
	if (snapshot->meta.index > node->disk.snapshot.index) {
		node->disk.snapshot = snapshot->meta;
		node->disk.snapshot_knows =
			(about.type == RAFT_EV_SNAPSHOT_INSTALLED &&
			 snapshot->meta.index > node->host.view.commit_index) ||
			changes_known_at(node, snapshot->meta.index);
		record(world, node->id, "snapshot %" PRIu64 " %" PRIu64,
		       snapshot->meta.index, snapshot->meta.term);
	}
	if (about.type == RAFT_EV_SNAPSHOT_INSTALLED && window.lease.index > 0)
		world_cover(world, COVER_SETTINGS_INSTALLED);
	about.snapshot = snapshot->meta;
	about.membership = &membership;
	about.window = &window;
	world_trace(world, node->id, "snapshot %" PRIu64 " %s",
		    snapshot->meta.index,
		    event->kind == EVENT_RAFT_SNAPSHOT_INSTALLED ? "installed"
								 : "taken");
	step(world, node, &about);
}
