/* Pages of the committed log: where they begin and end, and how a stamp of an
 * earlier epoch compares with the present. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/units.h"
#include "raftd/logpage.h"

#define ENTRIES 3000 /* commands of term 3, after what is in prefix() */
#define PREFIX	5
#define LAST	(PREFIX + ENTRIES)

struct fixture {
	struct raft *raft;
	struct logpage *page;
	struct raft_now now;
	bool known; /* whether term 3 knew the epoch before it */
};

/*	1  term 1  leader	ts 100
 *	2  term 1  command	ts 200
 *	3  term 2  leader	ts 300: epoch 1 was within [270, 290]
 *	4  term 2  command	ts 400
 *	5  term 3  leader	ts 500: epoch 2 was within [440, 480], or unknown
 *	6.. term 3 commands	ts 1006, 1007, ... */
static void prefix(struct raft_entry entries[PREFIX],
		   uint8_t images[PREFIX][RAFT_HANDOVER_BYTES], bool known)
{
	static const uint64_t terms[PREFIX] = { 1, 1, 2, 2, 3 };
	struct raft_handover handovers[PREFIX] = {
		[0] = { .old = { 1, 0 }, .new_ts_ns = 100 },
		[2] = { .old_epoch = 1, .old = { 270, 290 }, .new_ts_ns = 300 },
		[4] = { .old_epoch = 2, .old = { 440, 480 }, .new_ts_ns = 500 },
	};

	if (!known)
		handovers[4].old_epoch = 1; /* of another epoch than the last */
	for (uint32_t i = 0; i < PREFIX; i++) {
		bool leads = i % 2 == 0;

		raft_handover_encode(&handovers[i], images[i]);
		entries[i] = (struct raft_entry){
			.index = i + 1,
			.term = terms[i],
			.stamp = { terms[i], 100 * (int64_t)(i + 1) },
			.kind = leads ? RAFT_ENTRY_NOOP : RAFT_ENTRY_COMMAND,
			.data = leads ? (const void *)images[i] : "old",
			.bytes = leads ? RAFT_HANDOVER_BYTES : 3,
		};
	}
}

/* The only member: it wins, and what it has is committed. The clock says that
 * epoch 3 is within 30 ns; so is its record. */
static void lead_and_commit(struct fixture *f)
{
	struct raft_event event = { .type = RAFT_EV_TICK };
	struct raft_effects effects;

	f->now.raw_ns = raft_deadline_ns(f->raft);
	f->now.usable = true;
	f->now.epoch = 3;
	f->now.cluster = (struct interval){ 90000, 90030 };
	event.now = f->now;
	raft_step(f->raft, &event, &effects);
	event.type = RAFT_EV_PERSISTED;
	event.persisted.index = LAST + 1;
	event.persisted.term = 4;
	event.now.raw_ns += 10 * NS_PER_SEC; /* past any lease */
	event.now.cluster = (struct interval){ 0, -1 };
	event.now.usable = false;
	raft_step(f->raft, &event, &effects);
	assert_int_equal(effects.commit_index, LAST + 1);
}

/* Node 2 leads and says that so much is committed. */
static void commit_by_message(struct raft *raft, uint64_t index)
{
	const struct raft_message message = {
		.type = RAFT_MSG_APPEND,
		.from = 2,
		.to = 1,
		.term = 1,
		.append = { .previous_index = index,
			    .previous_term = 1,
			    .commit_index = index },
	};
	const struct raft_event event = { .type = RAFT_EV_RECEIVE,
					  .message = &message };
	struct raft_effects effects;

	raft_step(raft, &event, &effects);
	assert_int_equal(effects.commit_index, index);
}

static int setup_raft(void **state, bool known)
{
	static struct fixture f;
	static struct raft_entry entries[LAST];
	static uint8_t images[PREFIX][RAFT_HANDOVER_BYTES];
	static uint8_t body[1000];
	const struct raft_config config = {
		.self = 1,
		.members = { { .id = 1 } },
		.member_count = 1,
		.election_timeout_min_ns = NS_PER_SEC,
		.election_timeout_max_ns = 2 * NS_PER_SEC,
		.heartbeat_min_ns = NS_PER_MS,
		.lease_ns = NS_PER_SEC,
		.inflight_entries_max = 64,
		.inflight_bytes_max = MIB,
		.log_entries_max = 2 * ENTRIES,
		.log_bytes_max = 16 * MIB,
	};
	const struct raft_restart restart = {
		.term = 3,
		.entries = entries,
		.entry_count = LAST,
	};

	memset(&f, 0, sizeof(f));
	prefix(entries, images, known);
	for (uint64_t i = PREFIX; i < LAST; i++)
		entries[i] = (struct raft_entry){
			.index = i + 1,
			.term = 3,
			.stamp = { 3, 1000 + (int64_t)i + 1 },
			.kind = RAFT_ENTRY_COMMAND,
			.data = body,
			.bytes = sizeof(body),
		};
	f.now.raw_ns = 1;
	f.raft = raft_new(&config, &restart, &f.now);
	assert_non_null(f.raft);
	lead_and_commit(&f);
	f.page = logpage_new();
	assert_non_null(f.page);
	*state = &f;
	return 0;
}

static int setup(void **state)
{
	return setup_raft(state, true);
}

static int setup_unknown(void **state)
{
	return setup_raft(state, false);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	logpage_free(f->page);
	raft_free(f->raft);
	return 0;
}

static const DistributedFs__RaftLog *ask(struct fixture *f, uint64_t from,
					 int64_t since_ns, uint32_t max)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;

	request.from_index = from;
	request.since_ns = since_ns;
	request.entries_max = max;
	return logpage_fill(f->page, f->raft, &f->now, &request);
}

static void all_pages_together_are_the_committed_log(void **state)
{
	struct fixture *f = *state;
	uint64_t next = 0, seen = 0;
	int pages = 0;

	do {
		const DistributedFs__RaftLog *log =
			ask(f, next, INT64_MIN, 0);

		assert_true(log->n_entries > 0);
		assert_true(log->n_entries <= LOGPAGE_ENTRIES_MAX);
		for (size_t i = 0; i < log->n_entries; i++)
			assert_int_equal(log->entries[i]->index, ++seen);
		next = log->next_index;
		pages++;
	} while (next <= LAST + 1);
	assert_int_equal(seen, LAST + 1);
	assert_true(pages > 3); /* by bytes: 3 MB in pages of 256 KiB */
}

static void a_page_begins_at_the_first_stamp_not_before_the_time(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, 0, 200, 1)->entries[0]->index, 2);
	assert_int_equal(ask(f, 0, 201, 1)->entries[0]->index, 3);
	assert_int_equal(ask(f, 5, 201, 1)->entries[0]->index, 5);
	assert_int_equal(ask(f, 0, 1777, 1)->entries[0]->index, 777);
	assert_int_equal(ask(f, 0, INT64_MAX, 1)->n_entries, 0);
	assert_int_equal(ask(f, 0, INT64_MAX, 1)->next_index, LAST + 2);
	assert_int_equal(ask(f, LAST + 2, 0, 0)->n_entries, 0);
}

static void what_hand_overs_may_have_moved_adds_up(void **state)
{
	struct fixture *f = *state;
	const DistributedFs__RaftLog *log = ask(f, 0, INT64_MIN, 10);
	int64_t of_term_4 = log->entries[4]->error_ns;

	/* [270, 290] -> 300 and [440, 480] -> 500, then term 4's own. */
	assert_true(of_term_4 >= 30);
	assert_int_equal(log->entries[0]->error_ns, of_term_4 + 60 + 30);
	assert_int_equal(log->entries[1]->error_ns, of_term_4 + 60 + 30);
	assert_int_equal(log->entries[2]->error_ns, of_term_4 + 60);
	assert_int_equal(log->entries[3]->error_ns, of_term_4 + 60);
	assert_int_equal(log->entries[9]->error_ns, of_term_4);
	assert_int_equal(ask(f, LAST + 1, 0, 1)->entries[0]->error_ns, 0);
	/* The same when the page ends before the hand-overs. */
	assert_int_equal(ask(f, 1, INT64_MIN, 1)->entries[0]->error_ns,
			 of_term_4 + 60 + 30);
}

static void an_epoch_nobody_compared_has_no_error_but_unknown(void **state)
{
	struct fixture *f = *state;
	const DistributedFs__RaftLog *log = ask(f, 0, INT64_MIN, 10);

	assert_int_equal(log->entries[0]->error_ns, -1);
	assert_int_equal(log->entries[3]->error_ns, -1);
	assert_true(log->entries[4]->error_ns >= 30);
	assert_int_equal(ask(f, 1, INT64_MIN, 1)->entries[0]->error_ns, -1);
}

/* A log of one entry, by the member that has it all. */
static void members_and_leases_are_told_in_words(void **state)
{
	struct raft_membership membership = {
		.joint = true,
		.last_id = 9,
		.count = 4,
		.members = { { .id = 1, .voter = true, .voter_before = true },
			     { .id = 2, .voter_before = true },
			     { .id = 3, .voter = true },
			     { .id = 9 } },
	};
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];
	uint8_t long_lease[RAFT_LEASE_BYTES], no_lease[RAFT_LEASE_BYTES];
	struct raft_entry entries[] = {
		{ .index = 1, .term = 1, .stamp = { 1, 1 } },
		{ .index = 2,
		  .term = 1,
		  .stamp = { 1, 2 },
		  .kind = RAFT_ENTRY_CONFIG,
		  .data = image },
		{ .index = 3,
		  .term = 1,
		  .stamp = { 1, 3 },
		  .kind = RAFT_ENTRY_LEASE,
		  .data = long_lease,
		  .bytes = RAFT_LEASE_BYTES },
		{ .index = 4,
		  .term = 1,
		  .stamp = { 1, 4 },
		  .kind = RAFT_ENTRY_LEASE,
		  .data = no_lease,
		  .bytes = RAFT_LEASE_BYTES },
	};
	const struct raft_config config = {
		.self = 1,
		.members = { { .id = 1 } },
		.member_count = 1,
		.election_timeout_min_ns = NS_PER_SEC,
		.election_timeout_max_ns = 2 * NS_PER_SEC,
		.heartbeat_min_ns = NS_PER_MS,
		.inflight_entries_max = 64,
		.inflight_bytes_max = MIB,
		.log_entries_max = 64,
		.log_bytes_max = MIB,
	};
	const struct raft_restart restart = {
		.term = 1,
		.snapshot = { .index = 0 },
		.entries = entries,
		.entry_count = 4,
	};
	struct fixture f = { .page = logpage_new() };

	(void)state;
	membership.index = 2;
	raft_lease_encode(
		&(struct raft_lease){ .duration_ns = 200 * NS_PER_MS },
		long_lease);
	raft_lease_encode(&(struct raft_lease){ 0 }, no_lease);
	entries[1].bytes = raft_membership_encode(&membership, image);
	f.raft = raft_new(&config, &restart, &f.now);
	assert_non_null(f.raft);
	commit_by_message(f.raft, 4);
	assert_string_equal(ask(&f, 3, 0, 1)->entries[0]->kind, "lease-time");
	assert_string_equal(ask(&f, 3, 0, 1)->entries[0]->text,
			    "leases last 200.00 ms from here on");
	assert_string_equal(ask(&f, 4, 0, 1)->entries[0]->text,
			    "leases are off from here on");
	assert_string_equal(ask(&f, 2, 0, 1)->entries[0]->kind, "membership");
	assert_string_equal(ask(&f, 2, 0, 1)->entries[0]->text,
			    "voters node 1 node 3; together with node 1 node "
			    "2; learners node 9");
	logpage_free(f.page);
	raft_free(f.raft);
}

static void kinds_and_commands_are_told(void **state)
{
	struct fixture *f = *state;
	const DistributedFs__RaftLog *log = ask(f, 0, INT64_MIN, 2);

	assert_string_equal(log->entries[0]->kind, "leader");
	assert_int_equal(log->entries[0]->command.len, 0);
	assert_string_equal(log->entries[1]->kind, "command");
	assert_int_equal(log->entries[1]->command.len, 3);
	assert_memory_equal(log->entries[1]->command.data, "old", 3);
	assert_int_equal(log->first_index, 1);
	assert_int_equal(log->commit_index, LAST + 1);
	assert_int_equal(log->now_ns, 90015);
	assert_int_equal(log->now_error_ns, 15);
	f->now.usable = false;
	assert_int_equal(ask(f, 0, 0, 1)->now_error_ns, -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_pages_together_are_the_committed_log),
		TEST(a_page_begins_at_the_first_stamp_not_before_the_time),
		TEST(what_hand_overs_may_have_moved_adds_up),
		cmocka_unit_test_setup_teardown(
			an_epoch_nobody_compared_has_no_error_but_unknown,
			setup_unknown, teardown),
		TEST(kinds_and_commands_are_told),
		cmocka_unit_test(members_and_leases_are_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
