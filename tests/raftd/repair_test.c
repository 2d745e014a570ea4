/* What a node that lost entries may do, and what its leader makes of it: the
 * corners that the stories in tests/stories/repair do not tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/core/raft.h"

#define MS NS_PER_MS

static const struct raft_entry kept[] = {
	{ .index = 1, .term = 1, .stamp = { 1, 10 } },
	{ .index = 2, .term = 2, .stamp = { 2, 20 } },
	{ .index = 3, .term = 2, .stamp = { 2, 30 } },
};

static struct raft_event event;
static struct raft_effects effects;

/* Node 1 of three, in term 5. */
static struct raft *start(uint64_t entry_count, struct raft_floor floor)
{
	const struct raft_restart restart = {
		.term = 5,
		.entries = kept,
		.entry_count = entry_count,
		.floor = floor,
	};
	struct raft *raft;

	event = (struct raft_event){ .type = RAFT_EV_TICK,
				     .now = { .raw_ns = 1 } };
	raft = raft_new(
		&(struct raft_config){
			.self = 1,
			.members = { { .id = 1 }, { .id = 2 }, { .id = 3 } },
			.member_count = 3,
			.election_timeout_min_ns = 100 * MS,
			.election_timeout_max_ns = 100 * MS,
			.heartbeat_min_ns = 20 * MS,
			.inflight_entries_max = 64,
			.inflight_bytes_max = MIB,
			.log_entries_max = 64,
			.log_bytes_max = MIB,
		},
		&restart, &event.now);
	assert_non_null(raft);
	return raft;
}

static void receive(struct raft *raft, struct raft_message message)
{
	message.to = 1;
	event.type = RAFT_EV_RECEIVE;
	event.message = &message;
	raft_step(raft, &event, &effects);
}

static void persisted(struct raft *raft, uint64_t index, uint64_t term)
{
	event.type = RAFT_EV_PERSISTED;
	event.persisted.index = index;
	event.persisted.term = term;
	raft_step(raft, &event, &effects);
}

static const struct raft_message *sent(enum raft_message_type type,
				       uint32_t to)
{
	for (uint32_t i = 0; i < effects.send_count; i++)
		if (effects.send[i].type == type && effects.send[i].to == to)
			return &effects.send[i];
	return NULL;
}

static bool votes_for(uint64_t last_index, uint64_t last_term, bool pre)
{
	struct raft *raft = start(3, (struct raft_floor){ 9, 4 });
	bool granted;

	receive(raft, (struct raft_message){
			      .type = RAFT_MSG_VOTE,
			      .from = 2,
			      .term = 6,
			      .vote = { .pre = pre,
					.last_index = last_index,
					.last_term = last_term },
		      });
	assert_non_null(sent(RAFT_MSG_VOTE_REPLY, 2));
	granted = sent(RAFT_MSG_VOTE_REPLY, 2)->vote_reply.granted;
	raft_free(raft);
	return granted;
}

static void a_vote_goes_only_to_who_reaches_the_floor(void **state)
{
	(void)state;
	for (int pre = 0; pre < 2; pre++) {
		assert_false(votes_for(3, 2, pre)); /* as good as ours is now */
		assert_false(votes_for(8, 4, pre));
		assert_false(votes_for(100, 3, pre));
		assert_true(votes_for(9, 4, pre));
		assert_true(votes_for(10, 4, pre));
		assert_true(votes_for(4, 5, pre));
	}
}

static struct raft_message append_of(uint64_t previous, uint64_t previous_term,
				     const struct raft_entry *entries,
				     uint32_t count)
{
	return (struct raft_message){
		.type = RAFT_MSG_APPEND,
		.from = 2,
		.term = 5,
		.append = { .previous_index = previous,
			    .previous_term = previous_term,
			    .round = 1,
			    .entries = entries,
			    .count = count },
	};
}

static enum raft_role role(const struct raft *raft)
{
	struct raft_view view;

	raft_view(raft, &view);
	return view.role;
}

static void it_never_stands_not_even_when_told(void **state)
{
	struct raft *raft = start(3, (struct raft_floor){ 9, 4 });
	(void)state;

	for (int i = 0; i < 5; i++) {
		event.type = RAFT_EV_TICK;
		event.now.raw_ns = raft_deadline_ns(raft);
		raft_step(raft, &event, &effects);
		assert_int_equal(effects.send_count, 0);
		assert_int_equal(effects.term, 5);
		assert_true(effects.deadline_raw_ns > event.now.raw_ns);
	}
	receive(raft, append_of(3, 2, NULL, 0));
	receive(raft, (struct raft_message){ .type = RAFT_MSG_TIMEOUT_NOW,
					     .from = 2,
					     .term = 5 });
	assert_int_equal(effects.term, 5);
	assert_int_equal(role(raft), RAFT_FOLLOWER);
	raft_free(raft);
}

/* By term first: fewer entries, but of a later term, are enough. Only what is
 * durable counts. */
static void the_floor_goes_when_the_durable_log_has_reached_it(void **state)
{
	const struct raft_entry more[] = {
		{ .index = 4, .term = 4, .stamp = { 4, 40 } },
		{ .index = 5, .term = 5, .stamp = { 5, 50 } },
	};
	struct raft *raft = start(3, (struct raft_floor){ 9, 4 });
	const struct raft_message *reply;
	(void)state;

	receive(raft, append_of(3, 2, more, 2));
	assert_int_equal(effects.floor.index, 9);
	reply = sent(RAFT_MSG_APPEND_REPLY, 2);
	assert_true(reply->append_reply.lost);
	assert_int_equal(reply->append_reply.lost_after, 3);
	persisted(raft, 4, 4);
	assert_int_equal(effects.floor.index, 9);
	assert_false(effects.hard_state_changed);
	persisted(raft, 5, 5);
	assert_true(effects.hard_state_changed);
	assert_int_equal(effects.floor.index, 0);
	receive(raft, append_of(5, 5, NULL, 0));
	receive(raft, (struct raft_message){ .type = RAFT_MSG_TIMEOUT_NOW,
					     .from = 2,
					     .term = 5 });
	assert_int_equal(role(raft), RAFT_CANDIDATE);
	raft_free(raft);
}

/* A leader in term 6 with an entry of its own at 4, which is durable. */
static struct raft *leader(void)
{
	struct raft *raft = start(3, (struct raft_floor){ 0 });
	struct raft_message grant = { .type = RAFT_MSG_VOTE_REPLY,
				      .from = 2,
				      .term = 6,
				      .vote_reply = { .pre = true,
						      .granted = true } };

	event.now.raw_ns = raft_deadline_ns(raft);
	raft_step(raft, &event, &effects);
	receive(raft, grant);
	grant.vote_reply.pre = false;
	receive(raft, grant);
	assert_int_equal(role(raft), RAFT_LEADER);
	persisted(raft, 4, 6);
	return raft;
}

static struct raft_message reply_from(uint32_t from, bool accepted,
				      uint64_t match)
{
	return (struct raft_message){
		.type = RAFT_MSG_APPEND_REPLY,
		.from = from,
		.term = 6,
		.append_reply = { .accepted = accepted,
				  .match_index = match },
	};
}

static uint64_t match_of(const struct raft *raft, uint32_t id)
{
	struct raft_view view;

	raft_view(raft, &view);
	for (uint32_t i = 0; i < view.peer_count; i++)
		if (view.peers[i].id == id)
			return view.peers[i].match_index;
	return UINT64_MAX;
}

static void a_leader_takes_back_what_a_follower_lost(void **state)
{
	struct raft_message refusal = reply_from(2, false, 4);
	struct raft *raft = leader();
	(void)state;

	receive(raft, reply_from(2, true, 4));
	assert_int_equal(match_of(raft, 2), 4);
	assert_int_equal(effects.commit_index, 4);

	refusal.append_reply.lost = true;
	refusal.append_reply.lost_after = 0;
	refusal.append_reply.hint_index = 2;
	refusal.append_reply.hint_term = 2;
	receive(raft, refusal);
	assert_int_equal(match_of(raft, 2), 0);
	assert_int_equal(effects.commit_index, 4);
	/* And sends from there at once. */
	assert_non_null(sent(RAFT_MSG_APPEND, 2));
	assert_int_equal(sent(RAFT_MSG_APPEND, 2)->append.previous_index, 2);
	assert_int_equal(sent(RAFT_MSG_APPEND, 2)->append.count, 2);

	/* An answer from before the damage comes late: put right again. */
	receive(raft, reply_from(2, true, 4));
	receive(raft, refusal);
	assert_int_equal(match_of(raft, 2), 0);
	receive(raft, reply_from(2, true, 4));
	assert_int_equal(match_of(raft, 2), 4);
	raft_free(raft);
}

static void what_was_lost_makes_no_quorum(void **state)
{
	struct raft_message lost = reply_from(2, true, 1);
	struct raft *raft = leader();
	(void)state;

	lost.append_reply.lost = true;
	lost.append_reply.lost_after = 1;
	receive(raft, lost);
	assert_int_equal(effects.commit_index, 0);
	receive(raft, reply_from(3, true, 4));
	assert_int_equal(effects.commit_index, 4);
	raft_free(raft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vote_goes_only_to_who_reaches_the_floor),
		cmocka_unit_test(it_never_stands_not_even_when_told),
		cmocka_unit_test(
			the_floor_goes_when_the_durable_log_has_reached_it),
		cmocka_unit_test(a_leader_takes_back_what_a_follower_lost),
		cmocka_unit_test(what_was_lost_makes_no_quorum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
