/* The core as a whole, in clusters on a pretended world: what the stories do
 * not tell. The invariants of cluster.h are checked after every step of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/check.h"
#include "common/prng.h"
#include "common/units.h"
#include "tests/raftd/cluster.h"

#define MS NS_PER_MS

static struct cluster *three_nodes(int64_t lease_ns)
{
	return cluster_new(&(struct cluster_options){
		.node_count = 3,
		.lease_ns = lease_ns,
		.log_entries_max = 1024,
		.inflight_entries_max = 512,
		.max_rate_ppb = 200000,
	});
}

static void a_lease_read_sends_nothing(void **state)
{
	struct cluster *cluster = three_nodes(400 * MS);
	(void)state;

	cluster_run(cluster, 120 * MS);
	assert_int_equal(cluster_leader(cluster), 1);

	uint64_t before = cluster_messages(cluster);

	cluster_read(cluster, 1);
	assert_int_equal(cluster_messages(cluster), before);
	assert_true(cluster_last_read(cluster, 1).by_lease);
	assert_int_equal(cluster_last_read(cluster, 1).err, RFS_ERR_OK);
	cluster_free(cluster);
}

static void an_idle_cluster_appends_nothing(void **state)
{
	struct cluster *cluster = three_nodes(100 * MS);
	(void)state;

	cluster_run(cluster, 200 * MS);

	uint64_t last = cluster_view(cluster, 1).last_index;

	cluster_run(cluster, 5000 * MS);
	assert_int_equal(cluster_view(cluster, 1).last_index, last);
	assert_int_equal(cluster_view(cluster, 1).term, 1);
	cluster_free(cluster);
}

static void many_reads_share_a_round(void **state)
{
	struct cluster *cluster = three_nodes(0);
	(void)state;

	cluster_run(cluster, 125 * MS);

	uint64_t before = cluster_messages(cluster);

	for (int i = 0; i < 100; i++)
		cluster_read(cluster, 1);
	cluster_run(cluster, 5 * MS);
	assert_int_equal(cluster_view(cluster, 1).counters.reads_by_quorum,
			 100);
	/* Two rounds, two followers, there and back; maybe one heartbeat. */
	assert_true(cluster_messages(cluster) - before <= 12);
	cluster_free(cluster);
}

static void a_cut_off_leader_answers_no_read_by_quorum(void **state)
{
	struct cluster *cluster = three_nodes(0);
	(void)state;

	cluster_run(cluster, 200 * MS);
	cluster_isolate(cluster, 1, true);
	cluster_read(cluster, 1);
	cluster_run(cluster, 1000 * MS);
	assert_int_equal(cluster_last_read(cluster, 1).err,
			 RFS_ERR_NOT_LEADER);
	cluster_free(cluster);
}

static void a_proposal_says_where_it_went(void **state)
{
	struct cluster *cluster = three_nodes(0);
	(void)state;

	cluster_run(cluster, 200 * MS);
	cluster_propose(cluster, 1, "hello");

	struct raft_proposal_done done = cluster_last_proposal(cluster, 1);

	assert_int_equal(done.err, RFS_ERR_OK);
	assert_int_equal(done.index, 2);
	assert_int_equal(done.term, 1);
	cluster_settle(cluster);

	const struct raft_entry *entry =
		raft_log_at(cluster_raft(cluster, 3), done.index);

	assert_non_null(entry);
	assert_int_equal(entry->kind, RAFT_ENTRY_COMMAND);
	assert_int_equal(entry->bytes, 5);
	assert_memory_equal(entry->data, "hello", 5);
	cluster_propose(cluster, 2, "not here");
	assert_int_equal(cluster_last_proposal(cluster, 2).err,
			 RFS_ERR_NOT_LEADER);
	cluster_free(cluster);
}

static void the_first_entry_of_a_term_hands_time_over(void **state)
{
	struct cluster *cluster = three_nodes(400 * MS);
	struct raft_handover handover;
	(void)state;

	cluster_run(cluster, 300 * MS);
	cluster_crash(cluster, 1);
	cluster_run(cluster, 1500 * MS);

	uint32_t leader = cluster_leader(cluster);

	assert_int_not_equal(leader, RAFT_NOBODY);

	const struct raft_entry *first =
		raft_log_at(cluster_raft(cluster, leader), 1);
	/* Between them: how long leases last. */
	const struct raft_entry *second =
		raft_log_at(cluster_raft(cluster, leader), 3);

	assert_int_equal(second->kind, RAFT_ENTRY_NOOP);
	assert_int_equal(second->term, 2);
	assert_int_equal(second->stamp.epoch, 2);
	assert_int_equal(raft_handover_decode(second->data, second->bytes,
					      &handover),
			 RFS_ERR_OK);
	assert_int_equal(handover.old_epoch, 1);
	assert_int_equal(handover.new_ts_ns, second->stamp.ts_ns);
	assert_int_equal(handover.old.high_ns, handover.new_ts_ns);
	assert_true(second->stamp.ts_ns > first->stamp.ts_ns);
	cluster_free(cluster);
}

static struct raft *restarted(const struct raft_restart *restart)
{
	const struct raft_now now = { .raw_ns = 1 };
	struct raft *raft = raft_new(
		&(struct raft_config){
			.self = 1,
			.members = { { .id = 1 }, { .id = 2 }, { .id = 3 } },
			.member_count = 3,
			.election_timeout_min_ns = 100 * MS,
			.election_timeout_max_ns = 100 * MS,
			.inflight_entries_max = 8,
			.inflight_bytes_max = 4096,
			.log_entries_max = 16,
			.log_bytes_max = 4096,
		},
		restart, &now);

	assert_non_null(raft);
	return raft;
}

static enum raft_role role_after(struct raft *raft, struct raft_event event,
				 int64_t now_raw_ns)
{
	struct raft_effects effects;
	struct raft_view view;

	event.now.raw_ns = now_raw_ns;
	raft_step(raft, &event, &effects);
	raft_view(raft, &view);
	return view.role;
}

/* When this process was held up, the disk's word may come before the leader's
 * that was here first: it proves no silence. */
static void silence_is_judged_at_a_tick_alone(void **state)
{
	const struct raft_message heartbeat = {
		.type = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = 1
	};
	const struct raft_event heard = { .type = RAFT_EV_RECEIVE,
					  .message = &heartbeat };
	const struct raft_event disk = { .type = RAFT_EV_PERSISTED };
	const struct raft_event tick = { .type = RAFT_EV_TICK };
	struct raft *raft = restarted(&(struct raft_restart){ 0 });
	int64_t late_ns;
	(void)state;

	assert_int_equal(role_after(raft, heard, 2), RAFT_FOLLOWER);
	late_ns = raft_deadline_ns(raft) + 50 * MS;
	assert_int_equal(role_after(raft, disk, late_ns), RAFT_FOLLOWER);
	assert_int_equal(role_after(raft, heard, late_ns), RAFT_FOLLOWER);
	assert_int_equal(role_after(raft, tick, late_ns), RAFT_FOLLOWER);
	late_ns = raft_deadline_ns(raft);
	assert_int_equal(role_after(raft, tick, late_ns), RAFT_PRECANDIDATE);
	raft_free(raft);
}

/* Does the first step after this restart throw the disk's log away? */
static bool first_step_resets(const struct raft_restart *restart)
{
	struct raft *raft = restarted(restart);
	const struct raft_event tick = { .type = RAFT_EV_TICK,
					 .now = { .raw_ns = 2 } };
	struct raft_effects first, second;

	raft_step(raft, &tick, &first);
	if (first.reset_log)
		assert_int_equal(first.reset_to.index,
				 restart->snapshot.index);

	bool reset = first.reset_log;

	raft_step(raft, &tick, &second);
	assert_false(second.reset_log);
	raft_free(raft);
	return reset;
}

static void a_disk_log_that_parts_from_the_snapshot_is_reset(void **state)
{
	struct raft_entry entries[] = {
		{ .index = 4, .term = 1, .stamp = { 1, 40 } },
		{ .index = 5, .term = 1, .stamp = { 1, 50 } },
		{ .index = 6, .term = 1, .stamp = { 1, 60 } },
	};
	struct raft_restart restart = {
		.term = 3, .entries = entries, .entry_count = 3
	};
	(void)state;

	restart.snapshot = (struct raft_snapshot_meta){ 5, 1, { 1, 50 } };
	assert_false(first_step_resets(&restart));
	restart.snapshot = (struct raft_snapshot_meta){ 6, 1, { 1, 60 } };
	assert_false(first_step_resets(&restart));
	restart.snapshot = (struct raft_snapshot_meta){ 5, 2, { 2, 55 } };
	assert_true(first_step_resets(&restart));
	restart.snapshot = (struct raft_snapshot_meta){ 6, 2, { 2, 55 } };
	assert_true(first_step_resets(&restart));
	restart.snapshot = (struct raft_snapshot_meta){ 9, 2, { 2, 99 } };
	assert_true(first_step_resets(&restart));
}

/* A truncation on its way to the disk, then a snapshot: had the disk dropped
 * what the snapshot covers, a crash would leave the old entries beyond it. */
static void the_disk_is_compacted_only_up_to_what_reached_it(void **state)
{
	struct raft_entry old[] = {
		{ .index = 1, .term = 1, .stamp = { 1, 10 } },
		{ .index = 2, .term = 1, .stamp = { 1, 20 } },
		{ .index = 3, .term = 1, .stamp = { 1, 30 } },
	};
	struct raft_entry new = { .index = 2, .term = 2, .stamp = { 2, 25 } };
	struct raft_restart restart = {
		.term = 1, .entries = old, .entry_count = 3
	};
	struct raft *raft = restarted(&restart);
	struct raft_message append = { .type = RAFT_MSG_APPEND,
				       .from = 2,
				       .to = 1,
				       .term = 2 };
	struct raft_event event = { .type = RAFT_EV_RECEIVE,
				    .now = { .raw_ns = 2 } };
	struct raft_effects effects;
	(void)state;

	append.append.previous_index = 1;
	append.append.previous_term = 1;
	append.append.commit_index = 2;
	append.append.round = 1;
	append.append.entries = &new;
	append.append.count = 1;
	event.message = &append;
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.truncate_from, 2);
	assert_int_equal(effects.commit_index, 2);

	event.type = RAFT_EV_SNAPSHOT_TAKEN;
	event.snapshot = (struct raft_snapshot_meta){ 2, 2, { 2, 25 } };
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.compact_to, 0);

	event.type = RAFT_EV_PERSISTED;
	event.persisted.index = 2;
	event.persisted.term = 2;
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.compact_to, 2);
	raft_free(raft);
}

static void a_stamp_from_the_future_is_counted_and_kept(void **state)
{
	struct raft *raft = restarted(&(struct raft_restart){ .term = 1 });
	struct raft_entry entries[] = {
		{ .index = 1, .term = 1, .stamp = { 1, 1000 } },
		{ .index = 2, .term = 1, .stamp = { 1, 5000 * MS } },
	};
	struct raft_message append = {
		.type = RAFT_MSG_APPEND, .from = 2, .to = 1, .term = 1
	};
	struct raft_event event = { .type = RAFT_EV_RECEIVE,
				    .now = { .raw_ns = 2,
					     .usable = true,
					     .epoch = 1,
					     .cluster = { 1500, 2500 } } };
	struct raft_effects effects;
	struct raft_view view;
	(void)state;

	append.append.round = 1;
	append.append.entries = entries;
	append.append.count = 2;
	event.message = &append;
	raft_step(raft, &event, &effects);
	raft_view(raft, &view);
	assert_int_equal(view.last_index, 2);
	assert_int_equal(view.counters.stamps_disagreed, 1);
	raft_free(raft);
}

/* Some membership, well formed or not; node 1 may be in it or not. */
static void random_membership(struct prng *prng, struct raft_entry *entry,
			      uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX])
{
	struct raft_membership m = {
		.index = entry->index + (prng_below(prng, 20) == 0),
		.joint = prng_below(prng, 2),
		.last_id = 6,
	};

	for (uint32_t id = 1; id <= 6; id++)
		if (prng_below(prng, 2))
			m.members[m.count++] = (struct raft_member){
				.id = id,
				.voter = prng_below(prng, 3),
				.voter_before = m.joint && prng_below(prng, 2),
				.promote = prng_below(prng, 8) == 0,
			};
	if (m.count == 0)
		return;
	entry->kind = RAFT_ENTRY_CONFIG;
	entry->data = image;
	entry->bytes = raft_membership_encode(&m, image);
	if (prng_below(prng, 20) == 0)
		entry->bytes = (uint32_t)prng_below(prng, entry->bytes);
}

static struct raft_message
random_message(struct prng *prng, struct raft_entry entries[4],
	       uint8_t images[4][RAFT_MEMBERSHIP_BYTES_MAX])
{
	struct raft_message m = {
		.type = (enum raft_message_type)prng_below(prng, 10),
		.from = (uint32_t)prng_below(prng, 5),
		.to = prng_below(prng, 20) ? 1 : 2,
		.term = prng_below(prng, 8),
	};
	uint64_t at = prng_below(prng, 4);
	uint64_t term = at ? 1 + prng_below(prng, 2) : 0;

	if (prng_below(prng, 2)) { /* mostly what changes the log */
		m.type = RAFT_MSG_APPEND;
		m.from = 2;
		m.term = 3;
	}
	if (m.type == RAFT_MSG_VOTE) {
		m.vote.pre = prng_below(prng, 2);
		m.vote.last_index = prng_below(prng, 8);
		m.vote.last_term = prng_below(prng, 8);
	} else if (m.type == RAFT_MSG_VOTE_REPLY) {
		m.vote_reply.pre = prng_below(prng, 2);
		m.vote_reply.granted = prng_below(prng, 2);
	} else if (m.type == RAFT_MSG_APPEND_REPLY) {
		m.append_reply.accepted = prng_below(prng, 2);
		m.append_reply.match_index = prng_below(prng, 8);
		m.append_reply.hint_index = prng_below(prng, 8);
		m.append_reply.hint_term = prng_below(prng, 8);
		m.append_reply.round = prng_below(prng, 8);
	} else if (m.type == RAFT_MSG_APPEND) {
		m.append.previous_index = at;
		m.append.previous_term = term;
		m.append.commit_index = prng_below(prng, 4);
		m.append.round = prng_below(prng, 8);
		m.append.entries = entries;
		m.append.count = (uint32_t)prng_below(prng, 5);
		for (uint32_t i = 0; i < 4; i++) {
			term += term == 0 || prng_below(prng, 6) == 0;
			entries[i] = (struct raft_entry){
				.index = at + 1 + i,
				.term = term,
				.stamp = { term, (int64_t)(10 * (at + i) +
							   prng_below(prng, 9)) },
			};
			if (prng_below(prng, 6) == 0)
				random_membership(prng, &entries[i], images[i]);
		}
	}
	return m;
}

/* From a peer that proved who it is, and still talks nonsense. */
static void nonsense_from_a_peer_breaks_nothing(void **state)
{
	struct prng prng;
	(void)state;

	prng_seed(&prng, 7);
	for (int life = 0; life < 2000; life++) {
		struct raft *raft =
			restarted(&(struct raft_restart){ .term = 1 });
		struct raft_event event = { .type = RAFT_EV_RECEIVE };
		struct raft_effects effects;
		uint64_t term = 0, commit = 0;

		for (int i = 0; i < 60; i++) {
			struct raft_entry entries[4];
			uint8_t images[4][RAFT_MEMBERSHIP_BYTES_MAX];
			struct raft_message m =
				random_message(&prng, entries, images);

			event.type = prng_below(&prng, 5) ? RAFT_EV_RECEIVE
							  : RAFT_EV_TICK;
			event.message = &m;
			event.now.raw_ns +=
				(int64_t)prng_below(&prng, 50) * MS + 1;
			raft_step(raft, &event, &effects);
			assert_true(effects.term >= term);
			assert_true(effects.commit_index >= commit);
			term = effects.term;
			commit = effects.commit_index;
		}
		raft_free(raft);
	}
}

static void a_dead_follower_costs_no_entries(void **state)
{
	struct cluster *cluster = three_nodes(0);
	(void)state;

	cluster_run(cluster, 200 * MS);
	for (int i = 0; i < 20; i++)
		cluster_propose(cluster, 1, "x");
	cluster_crash(cluster, 1);
	cluster_run(cluster, 500 * MS);

	uint32_t leader = cluster_leader(cluster);

	assert_int_not_equal(leader, RAFT_NOBODY);
	for (int i = 0; i < 20; i++)
		cluster_propose(cluster, leader, "y");
	cluster_run(cluster, 100 * MS);

	uint64_t before = cluster_entries_sent(cluster);

	cluster_run(cluster, 2000 * MS);
	assert_int_equal(cluster_entries_sent(cluster), before);
	cluster_restart(cluster, 1);
	cluster_run(cluster, 200 * MS);
	assert_int_equal(cluster_view(cluster, 1).commit_index,
			 cluster_committed(cluster));
	cluster_free(cluster);
}

static void what_is_under_way_stays_within_the_window(void **state)
{
	struct cluster *cluster = cluster_new(&(struct cluster_options){
		.node_count = 3,
		.log_entries_max = 1024,
		.inflight_entries_max = 10,
		.max_rate_ppb = 200000,
	});
	(void)state;

	cluster_run(cluster, 150 * MS);
	for (int i = 0; i < 100; i++) {
		cluster_propose(cluster, 1, "x");

		struct raft_view view = cluster_view(cluster, 1);

		for (int k = 1; k < 3; k++)
			assert_true(view.peers[k].next_index - 1 -
					    view.peers[k].match_index <=
				    10);
	}
	cluster_run(cluster, 100 * MS);
	assert_int_equal(cluster_view(cluster, 3).commit_index, 101);
	cluster_free(cluster);
}

static void a_large_command_travels_alone(void **state)
{
	struct cluster *cluster = three_nodes(0);
	char *text = malloc(1000001);
	(void)state;

	assert_non_null(text);
	memset(text, 'x', 1000000);
	text[1000000] = '\0';
	cluster_run(cluster, 150 * MS);
	for (int i = 0; i < 4; i++)
		cluster_propose(cluster, 1, text);
	assert_int_equal(cluster_last_proposal(cluster, 1).err, RFS_ERR_OK);
	cluster_propose(cluster, 1, text);
	assert_int_equal(cluster_last_proposal(cluster, 1).err, RFS_ERR_FULL);
	cluster_run(cluster, 100 * MS);
	assert_int_equal(cluster_view(cluster, 2).commit_index, 5);
	assert_int_equal(raft_log_at(cluster_raft(cluster, 2), 5)->bytes,
			 1000000);
	free(text);
	cluster_free(cluster);
}

static void lost_messages_only_delay(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct cluster *cluster = three_nodes(0);

		cluster_run(cluster, 200 * MS);
		cluster_lossy(cluster, 20, seed);
		for (int i = 0; i < 50; i++) {
			uint32_t leader = cluster_leader(cluster);

			if (leader)
				cluster_propose(cluster, leader, "x");
			cluster_run(cluster, 20 * MS);
		}
		cluster_lossy(cluster, 0, seed);
		cluster_run(cluster, 2000 * MS);
		assert_int_equal(cluster_view(cluster, 1).commit_index,
				 cluster_committed(cluster));
		assert_int_equal(cluster_view(cluster, 3).commit_index,
				 cluster_committed(cluster));
		assert_true(cluster_committed(cluster) > 25);
		cluster_free(cluster);
	}
}

static void one_mishap(struct cluster *cluster, struct prng *prng,
		       uint32_t node_count)
{
	uint32_t node = 1 + (uint32_t)prng_below(prng, node_count);
	uint32_t other = 1 + (uint32_t)prng_below(prng, node_count);
	bool up = cluster_raft(cluster, node) != NULL;

	switch (prng_below(prng, 16)) {
	case 0:
		if (up)
			cluster_crash(cluster, node);
		break;
	case 1:
	case 2:
		if (!up)
			cluster_restart(cluster, node);
		break;
	case 3:
		cluster_isolate(cluster, node, true);
		break;
	case 4:
	case 5:
		cluster_isolate(cluster, node, false);
		break;
	case 6:
		if (node != other)
			cluster_link(cluster, node, other,
				     prng_below(prng, 2) == 0);
		break;
	case 7:
		if (up && node != other)
			cluster_peer_lost(cluster, node, other);
		break;
	case 8:
		if (up && cluster_view(cluster, node).commit_index >
				  cluster_view(cluster, node).first_index)
			cluster_snapshot(cluster, node);
		break;
	case 9:
		if (up && node != other)
			cluster_transfer(cluster, node, other);
		break;
	case 10:
		cluster_clock(cluster, node, prng_below(prng, 4) != 0);
		break;
	case 11:
		if (prng_below(prng, 4) == 0)
			cluster_disrupt(cluster, node);
		break;
	case 12:
		cluster_lossy(cluster, (uint32_t)prng_below(prng, 30),
			      prng_next(prng));
		break;
	default:
		break;
	}
}

static void one_work(struct cluster *cluster, struct prng *prng,
		     uint32_t node_count)
{
	uint32_t node = 1 + (uint32_t)prng_below(prng, node_count);
	uint32_t leader = cluster_leader(cluster);

	for (uint64_t i = prng_below(prng, 4); i > 0; i--)
		if (leader)
			cluster_propose(cluster, leader, "work");
	if (cluster_raft(cluster, node))
		cluster_read(cluster, node);
	if (leader)
		cluster_read(cluster, leader);
}

static void all_well_again(struct cluster *cluster, uint32_t node_count)
{
	cluster_lossy(cluster, 0, 1);
	for (uint32_t i = 1; i <= node_count; i++) {
		cluster_isolate(cluster, i, false);
		cluster_clock(cluster, i, true);
		if (!cluster_raft(cluster, i))
			cluster_restart(cluster, i);
	}
	cluster_run(cluster, 3000 * MS);
}

/* rho of 20 %, so that a forgotten margin shows. */
static void one_life_with_mishaps(uint64_t seed)
{
	struct prng prng;

	prng_seed(&prng, seed);

	uint32_t node_count = prng_below(&prng, 2) ? 3 : 5;
	struct cluster *cluster = cluster_new(&(struct cluster_options){
		.node_count = node_count,
		.lease_ns = (int64_t)(1 + prng_below(&prng, 4)) * 100 * MS,
		.log_entries_max = 16 + prng_below(&prng, 100),
		.inflight_entries_max = 1 + (uint32_t)prng_below(&prng, 32),
		.max_rate_ppb = 200000000,
	});

	for (int i = 0; i < 300; i++) {
		if (prng_below(&prng, 2))
			one_mishap(cluster, &prng, node_count);
		one_work(cluster, &prng, node_count);
		cluster_run(cluster, (int64_t)prng_below(&prng, 40) * MS);
	}
	all_well_again(cluster, node_count);

	uint32_t leader = cluster_leader(cluster);
	uint64_t before = cluster_committed(cluster);

	assert_int_not_equal(leader, RAFT_NOBODY);
	if (cluster_view(cluster, leader).last_index ==
	    cluster_view(cluster, leader).commit_index)
		cluster_propose(cluster, leader, "last");
	cluster_run(cluster, 1000 * MS);
	/* A log full of what was never compacted refuses, and says so. */
	if (cluster_last_proposal(cluster, leader).err != RFS_ERR_FULL)
		assert_true(cluster_committed(cluster) > before);
	for (uint32_t i = 1; i <= node_count; i++)
		assert_int_equal(cluster_view(cluster, i).commit_index,
				 cluster_committed(cluster));
	cluster_free(cluster);
}

static void mishaps_never_break_a_promise(void **state)
{
	const char *seeds = getenv("RAFTFS_RAFT_SEEDS");
	const char *first = getenv("RAFTFS_RAFT_SEED");
	uint64_t from = first ? (uint64_t)atoll(first) : 1;
	uint64_t count = seeds ? (uint64_t)atoll(seeds) : 40;
	(void)state;

	for (uint64_t seed = from; seed < from + count; seed++) {
		if (seeds || first)
			print_message("seed %llu\n", (unsigned long long)seed);
		one_life_with_mishaps(seed);
	}
}

static void report(const char *file, int line, const char *fact)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, fact);
}

/* P after a restart: node 3, whose log ends with the lease of term 1 given up,
 * wins term 3 with the vote of node 1. What it commits at once. */
static uint64_t commits_at_once(uint64_t own_support, uint64_t told_support)
{
	uint8_t lease[RAFT_LEASE_BYTES];
	const struct raft_entry entries[] = {
		{ .index = 1,
		  .term = 1,
		  .stamp = { 1, 10 },
		  .kind = RAFT_ENTRY_LEASE,
		  .data = lease,
		  .bytes = sizeof(lease) },
		{ .index = 2,
		  .term = 1,
		  .stamp = { 1, 20 },
		  .kind = RAFT_ENTRY_RELINQUISH },
	};
	const struct raft_config config = {
		.self = 3,
		.members = { { .id = 1 }, { .id = 2 }, { .id = 3 } },
		.member_count = 3,
		.election_timeout_min_ns = 100 * NS_PER_MS,
		.election_timeout_max_ns = 100 * NS_PER_MS,
		.heartbeat_min_ns = 20 * NS_PER_MS,
		.lease_ns = 400 * NS_PER_MS,
		.inflight_entries_max = 64,
		.inflight_bytes_max = MIB,
		.log_entries_max = 64,
		.log_bytes_max = MIB,
	};
	const struct raft_restart restart = {
		.term = 2,
		.supported_term = own_support,
		.entries = entries,
		.entry_count = 2,
	};
	struct raft_event event = { .type = RAFT_EV_TICK };
	struct raft_message m = { .type = RAFT_MSG_VOTE_REPLY,
				  .from = 1, .to = 3, .term = 3 };
	struct raft_effects effects;
	struct raft *raft;

	raft_lease_encode(
		&(struct raft_lease){ .duration_ns = 400 * NS_PER_MS }, lease);
	raft = raft_new(&config, &restart, &event.now);
	assert_non_null(raft);
	event.now.raw_ns = raft_deadline_ns(raft);
	raft_step(raft, &event, &effects);
	event.type = RAFT_EV_RECEIVE;
	event.message = &m;
	m.vote_reply.pre = m.vote_reply.granted = true;
	raft_step(raft, &event, &effects);
	m.vote_reply.pre = false;
	m.vote_reply.supported_term = told_support;
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.append_count, 1);
	event.type = RAFT_EV_PERSISTED;
	event.persisted.index = 3;
	event.persisted.term = 3;
	raft_step(raft, &event, &effects);
	event.type = RAFT_EV_RECEIVE;
	event.message = &m;
	m.type = RAFT_MSG_APPEND_REPLY;
	memset(&m.append_reply, 0, sizeof(m.append_reply));
	m.append_reply.accepted = true;
	m.append_reply.match_index = 3;
	raft_step(raft, &event, &effects);
	raft_free(raft);
	return effects.commit_index;
}

static void a_leader_in_between_is_remembered_by_who_voted_for_it(void **state)
{
	(void)state;
	assert_int_equal(commits_at_once(1, 1), 3);
	assert_int_equal(commits_at_once(2, 1), 0);
	assert_int_equal(commits_at_once(1, 2), 0);
}

/* Two nodes become one, and the entry that says so is on the removed one's disk
 * alone: it has to stand, though its own membership does not name it, or nobody
 * could (thesis 4.2.2). It leads until that is committed, then hands over. */
static void who_is_removed_stands_while_only_it_knows(void **state)
{
	struct cluster *cluster =
		cluster_new(&(struct cluster_options){ .node_count = 2,
						       .log_entries_max = 64,
						       .inflight_entries_max =
							       8 });
	(void)state;

	cluster_run(cluster, 300 * MS);
	assert_int_equal(cluster_leader(cluster), 1);
	cluster_configure(cluster, 1, RAFT_CHANGE_REMOVE, 1, 0);
	cluster_run(cluster, 3 * MS / 2); /* 2 has the joint one */
	cluster_link(cluster, 1, 2, false);
	cluster_run(cluster, 10 * MS);
	assert_false(raft_membership(cluster_raft(cluster, 1))->joint);
	assert_true(raft_membership(cluster_raft(cluster, 2))->joint);
	assert_int_equal(cluster_view(cluster, 1).standing, RAFT_LEAVING);

	cluster_crash(cluster, 1);
	cluster_restart(cluster, 1);
	cluster_link(cluster, 1, 2, true);
	cluster_run(cluster, 1000 * MS);
	assert_int_equal(cluster_leader(cluster), 2);
	assert_int_equal(cluster_view(cluster, 1).standing, RAFT_REMOVED);
	assert_int_equal(raft_membership(cluster_raft(cluster, 2))->count, 1);
	cluster_free(cluster);
}

/* It holds the entry that removes it, and does not know that it is committed: it
 * has to ask. Those who know refuse, though its log is as good as theirs. */
static void who_is_out_for_good_gets_no_pre_vote(void **state)
{
	struct cluster *cluster =
		cluster_new(&(struct cluster_options){ .node_count = 4,
						       .log_entries_max = 64,
						       .inflight_entries_max =
							       8 });
	char *lines;
	(void)state;

	cluster_run(cluster, 300 * MS);
	assert_int_equal(cluster_leader(cluster), 1);
	cluster_configure(cluster, 1, RAFT_CHANGE_REMOVE, 4, 0);
	cluster_run(cluster, 4 * MS);
	cluster_link(cluster, 1, 4, false);
	cluster_run(cluster, 10 * MS);
	assert_int_equal(cluster_view(cluster, 4).standing, RAFT_LEAVING);
	assert_int_equal(cluster_view(cluster, 4).last_index,
			 cluster_view(cluster, 2).last_index);
	assert_int_equal(cluster_view(cluster, 2).commit_index,
			 cluster_view(cluster, 2).last_index);

	free(cluster_take_lines(cluster));
	cluster_isolate(cluster, 1, true);
	cluster_peer_lost(cluster, 2, 1);
	cluster_peer_lost(cluster, 3, 1);
	cluster_peer_lost(cluster, 4, 1);
	cluster_run(cluster, 500 * MS);
	lines = cluster_take_lines(cluster);
	assert_non_null(strstr(lines, "to 4  term 2, no member any more"));
	assert_null(strstr(lines, "to 4  term 2\n"));
	free(lines);
	assert_true(cluster_leader(cluster) == 2 ||
		    cluster_leader(cluster) == 3);
	cluster_free(cluster);
}

/* A cluster of one, asked; what was appended is durable, so committed. */
static enum rfs_err asked(struct raft *raft, enum raft_change change,
			  uint32_t node, uint32_t replaces, const char *about,
			  uint32_t about_bytes)
{
	static int64_t raw_ns = 1;
	struct raft_event event = { .type = RAFT_EV_CONFIGURE };
	struct raft_effects effects;
	struct raft_proposal_done done;

	event.now.raw_ns = ++raw_ns * MS;
	event.configure = (struct raft_configure){
		.id = 5, .change = change, .node = node, .replaces = replaces,
		.about = about, .about_bytes = about_bytes
	};
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.proposal_count, 1);
	done = effects.proposals[0];
	assert_int_equal(done.id, 5);
	assert_int_equal(effects.membership_changed, done.err == RFS_ERR_OK);
	event = (struct raft_event){ .type = RAFT_EV_PERSISTED };
	event.now.raw_ns = ++raw_ns * MS;
	event.persisted.index = raft_log_last(raft);
	event.persisted.term = 1;
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.commit_index, raft_log_last(raft));
	return done.err;
}

static void a_change_is_made_or_refused_for_a_reason(void **state)
{
	const struct raft_now now = { .raw_ns = 1 };
	struct raft *raft = raft_new(
		&(struct raft_config){ .self = 1,
				       .members = { { .id = 1 } },
				       .member_count = 1,
				       .election_timeout_min_ns = 100 * MS,
				       .election_timeout_max_ns = 100 * MS,
				       .inflight_entries_max = 8,
				       .inflight_bytes_max = 4096,
				       .log_entries_max = 64,
				       .log_bytes_max = 65536 },
		&(struct raft_restart){ 0 }, &now);
	struct raft_event tick = { .type = RAFT_EV_TICK, .now = now };
	char about[RAFT_ABOUT_MAX + 1] = "there";
	struct raft_effects effects;
	const struct raft_member *member;
	(void)state;

	assert_non_null(raft);
	raft_step(raft, &tick, &effects);
	/* Nothing of its own term is committed yet. */
	assert_int_equal(asked(raft, RAFT_CHANGE_ADD_LEARNER, 2, 0, NULL, 0),
			 RFS_ERR_BUSY);
	assert_int_equal(asked(raft, RAFT_CHANGE_REMOVE, 1, 0, NULL, 0),
			 RFS_ERR_INVALID);
	assert_int_equal(asked(raft, RAFT_CHANGE_ADD_LEARNER, 3, 0, about, 5),
			 RFS_ERR_OK);
	assert_int_equal(asked(raft, RAFT_CHANGE_ADD, 2, 0, NULL, 0),
			 RFS_ERR_EXIST); /* below the highest id ever used */
	assert_int_equal(asked(raft, RAFT_CHANGE_ABOUT, 3, 0, about,
			       RAFT_ABOUT_MAX + 1),
			 RFS_ERR_INVALID);
	assert_int_equal(asked(raft, RAFT_CHANGE_ABOUT, 3, 0, "elsewhere", 9),
			 RFS_ERR_OK);
	member = raft_membership_find(raft_membership(raft), 3);
	assert_int_equal(member->about_bytes, 9);
	assert_memory_equal(member->about, "elsewhere", 9);
	assert_int_equal(asked(raft, RAFT_CHANGE_REPLACE, 4, 3, NULL, 0),
			 RFS_ERR_INVALID); /* 3 is no voter */
	assert_int_equal(asked(raft, RAFT_CHANGE_REPLACE, 4, 2, NULL, 0),
			 RFS_ERR_NOENT);
	assert_int_equal(asked(raft, RAFT_CHANGE_REPLACE, 4, 1, NULL, 0),
			 RFS_ERR_OK);
	assert_int_equal(asked(raft, RAFT_CHANGE_REPLACE, 5, 1, NULL, 0),
			 RFS_ERR_INVALID); /* on its way already */
	assert_int_equal(asked(raft, RAFT_CHANGE_PROMOTE, 4, 0, NULL, 0),
			 RFS_ERR_EXIST);
	assert_int_equal(asked(raft, RAFT_CHANGE_REMOVE, 4, 0, NULL, 0),
			 RFS_ERR_OK);
	assert_int_equal(asked(raft, RAFT_CHANGE_ADD, 4, 0, NULL, 0),
			 RFS_ERR_EXIST); /* once was enough */
	for (uint32_t id = 5; id < 5 + RAFT_NODES_MAX - 2; id++)
		assert_int_equal(asked(raft, RAFT_CHANGE_ADD_LEARNER, id, 0,
				       NULL, 0),
				 RFS_ERR_OK);
	assert_int_equal(asked(raft, RAFT_CHANGE_ADD, 50, 0, NULL, 0),
			 RFS_ERR_FULL);
	raft_free(raft);
}

/* A membership message to a node with no membership, from node 2. */
static enum raft_standing joiner_told(struct raft_membership *told)
{
	const struct raft_now now = { .raw_ns = 1 };
	struct raft *raft = raft_new(
		&(struct raft_config){ .self = 4,
				       .election_timeout_min_ns = 100 * MS,
				       .election_timeout_max_ns = 100 * MS,
				       .inflight_entries_max = 8,
				       .inflight_bytes_max = 4096,
				       .log_entries_max = 16,
				       .log_bytes_max = 4096 },
		&(struct raft_restart){ 0 }, &now);
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];
	struct raft_entry entry = { .index = 1,
				    .term = 2,
				    .stamp = { 2, 5 },
				    .kind = RAFT_ENTRY_CONFIG,
				    .data = image,
				    .bytes = raft_membership_encode(told,
								    image) };
	struct raft_message m = {
		.type = RAFT_MSG_VOTE, .from = 2, .to = 4, .term = 2
	};
	struct raft_event event = { .type = RAFT_EV_RECEIVE, .now = now };
	struct raft_effects effects;
	struct raft_view view;

	assert_non_null(raft);
	event.message = &m;
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.send_count, 1);
	assert_false(effects.send[0].vote_reply.granted);

	m = (struct raft_message){
		.type = RAFT_MSG_APPEND, .from = 2, .to = 4, .term = 2
	};
	m.append.round = 7;
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.send_count, 1);
	assert_int_equal(effects.send[0].append_reply.round, 0);

	m.append.entries = &entry;
	m.append.count = 1;
	raft_step(raft, &event, &effects);
	raft_view(raft, &view);
	assert_int_equal(effects.membership_changed, view.last_index == 1);

	/* Whatever it is now, it never stands, told to or by itself. */
	m = (struct raft_message){
		.type = RAFT_MSG_TIMEOUT_NOW, .from = 2, .to = 4, .term = 2
	};
	raft_step(raft, &event, &effects);
	assert_int_equal(effects.send_count, 0);
	event = (struct raft_event){ .type = RAFT_EV_TICK,
				     .now = { .raw_ns = 1000 * MS } };
	raft_step(raft, &event, &effects);
	if (view.standing != RAFT_VOTER)
		assert_int_equal(effects.send_count, 0);
	raft_free(raft);
	return view.standing;
}

static void a_joiner_promises_nothing_before_it_is_a_member(void **state)
{
	struct raft_membership told = {
		.index = 1,
		.last_id = 4,
		.count = 2,
		.members = { { .id = 2, .voter = true },
			     { .id = 4, .promote = true } },
	};
	(void)state;

	assert_int_equal(joiner_told(&told), RAFT_LEARNER);
	told.count = 1; /* before it was added */
	told.last_id = 3;
	assert_int_equal(joiner_told(&told), RAFT_JOINER);
	told.last_id = 4; /* and after it was removed */
	assert_int_equal(joiner_told(&told), RAFT_LEAVING);
}

/* It would vote again with nothing it ever promised in mind. */
static void who_forgot_that_it_voted_is_no_voter_again(void **state)
{
	struct raft_membership told = {
		.index = 1,
		.last_id = 4,
		.count = 2,
		.members = { { .id = 2, .voter = true },
			     { .id = 4, .voter = true } },
	};
	(void)state;

	assert_int_equal(joiner_told(&told), RAFT_JOINER);
}

static void a_vote_tells_whom_its_voter_supported_before(void **state)
{
	const struct raft_restart restart = { .term = 2, .supported_term = 2 };
	const struct raft_message m = { .type = RAFT_MSG_VOTE,
					.from = 3, .to = 1, .term = 3 };
	struct raft *raft = restarted(&restart);
	struct raft_event event = { .type = RAFT_EV_RECEIVE, .message = &m };
	struct raft_effects effects;
	(void)state;

	event.now.raw_ns = 2; /* before any timeout */
	for (int again = 0; again < 2; again++) {
		raft_step(raft, &event, &effects);
		assert_int_equal(effects.supported_term, 3);
		assert_int_equal(effects.send_count, 1);
		assert_true(effects.send[0].vote_reply.granted);
		assert_int_equal(effects.send[0].vote_reply.supported_term, 2);
	}
	raft_free(raft);
}

/* Answers are asked for with every third heartbeat: rarer than an election. */
static void a_learner_of_an_idle_cluster_is_promoted(void **state)
{
	struct cluster *cluster = cluster_new(&(struct cluster_options){
		.node_count = 3,
		.election_timeout_ns = 50 * NS_PER_MS,
		.lease_ns = 50 * NS_PER_MS,
		.log_entries_max = 1000,
		.inflight_entries_max = 100,
		.max_rate_ppb = 200000,
	});

	(void)state;
	cluster_run(cluster, 10 * NS_PER_SEC);
	assert_int_equal(cluster_view(cluster, 1).role, RAFT_LEADER);
	cluster_join(cluster);
	cluster_filling(cluster, 4, true);
	cluster_configure(cluster, 1, RAFT_CHANGE_ADD, 4, 0);
	cluster_run(cluster, NS_PER_SEC);
	assert_int_equal(cluster_view(cluster, 4).standing, RAFT_LEARNER);
	cluster_filling(cluster, 4, false);
	cluster_run(cluster, NS_PER_SEC);
	assert_int_equal(cluster_view(cluster, 4).standing, RAFT_VOTER);
	cluster_free(cluster);
}

int main(void)
{
	check_report = report;

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_read_sends_nothing),
		cmocka_unit_test(an_idle_cluster_appends_nothing),
		cmocka_unit_test(many_reads_share_a_round),
		cmocka_unit_test(a_cut_off_leader_answers_no_read_by_quorum),
		cmocka_unit_test(a_proposal_says_where_it_went),
		cmocka_unit_test(the_first_entry_of_a_term_hands_time_over),
		cmocka_unit_test(silence_is_judged_at_a_tick_alone),
		cmocka_unit_test(
			a_disk_log_that_parts_from_the_snapshot_is_reset),
		cmocka_unit_test(
			the_disk_is_compacted_only_up_to_what_reached_it),
		cmocka_unit_test(a_stamp_from_the_future_is_counted_and_kept),
		cmocka_unit_test(nonsense_from_a_peer_breaks_nothing),
		cmocka_unit_test(a_dead_follower_costs_no_entries),
		cmocka_unit_test(what_is_under_way_stays_within_the_window),
		cmocka_unit_test(a_large_command_travels_alone),
		cmocka_unit_test(lost_messages_only_delay),
		cmocka_unit_test(mishaps_never_break_a_promise),
		cmocka_unit_test(who_is_removed_stands_while_only_it_knows),
		cmocka_unit_test(a_change_is_made_or_refused_for_a_reason),
		cmocka_unit_test(who_is_out_for_good_gets_no_pre_vote),
		cmocka_unit_test(
			a_joiner_promises_nothing_before_it_is_a_member),
		cmocka_unit_test(who_forgot_that_it_voted_is_no_voter_again),
		cmocka_unit_test(a_learner_of_an_idle_cluster_is_promoted),
		cmocka_unit_test(a_vote_tells_whom_its_voter_supported_before),
		cmocka_unit_test(
			a_leader_in_between_is_remembered_by_who_voted_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
