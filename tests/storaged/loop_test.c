/* Whole shells, wired by loop.c: what a client is told, and what is then true
 * of every node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "storaged/checkpoint.h"
#include "storaged/reclaim.h"
#include "tests/storaged/scratch.h"
#include "tests/storaged/trio.h"

static int one(void **state)
{
	*state = trio_new(1);
	return 0;
}

static int three(void **state)
{
	*state = trio_new(3);
	return 0;
}

static int end(void **state)
{
	trio_free(*state);
	return 0;
}

static uint8_t *made_of(size_t bytes, unsigned seed)
{
	uint8_t *data = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)(i * 131 + (i >> 9) + seed);
	return data;
}

static void assert_reads(struct trio *trio, uint32_t node, uint64_t ino,
			 const uint8_t *data, size_t bytes)
{
	assert_int_equal(trio_read(trio, node, ino, 0, bytes + 100),
			 RFS_ERR_OK);
	assert_int_equal(trio->reply->data.len, bytes);
	assert_memory_equal(trio->reply->data.data, data, bytes);
}

static void a_small_file_comes_back_from_every_node(void **state)
{
	struct trio *trio = *state;

	assert_int_equal(trio_put(trio, 2, "f", "hello", 5), RFS_ERR_OK);
	for (uint32_t node = 1; node <= 3; node++) {
		uint64_t ino = trio_find(trio, node, "f");

		assert_int_not_equal(ino, 0);
		assert_reads(trio, node, ino, (const uint8_t *)"hello", 5);
	}
}

static void a_large_file_comes_back_from_every_node(void **state)
{
	struct trio *trio = *state;
	uint8_t *data = made_of(MIB, 1);

	assert_int_equal(trio_put(trio, 1, "f", data, MIB), RFS_ERR_OK);
	for (uint32_t node = 1; node <= 3; node++)
		assert_reads(trio, node, trio_find(trio, node, "f"), data, MIB);
	free(data);
}

static void large_data_goes_in_while_one_node_is_away_and_finds_its_way(
	void **state)
{
	struct trio *trio = *state;
	uint8_t *data = made_of(700000, 2);

	trio_stop(trio, 3);
	assert_int_equal(trio_put(trio, 1, "f", data, 700000), RFS_ERR_OK);
	trio_start(trio, 3);
	trio_until(trio, trio_all_connected);
	trio_until(trio, trio_all_applied);
	assert_reads(trio, 3, trio_find(trio, 3, "f"), data, 700000);
	free(data);
}

static void the_same_request_twice_is_one_change(void **state)
{
	struct trio *trio = *state;
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	assert_int_equal(trio_put(trio, 1, "f", "", 0), RFS_ERR_OK);
	request.op = DISTRIBUTED_FS__FILE_OP__OP_WRITE;
	request.ino = trio->reply->attr->ino;
	request.flags = DISTRIBUTED_FS__WRITE_FLAG__WRITE_APPEND;
	request.data.data = (uint8_t *)"once";
	request.data.len = 4;
	assert_int_equal(trio_ask(trio, 1, &request), RFS_ERR_OK);
	uint64_t index = trio->reply->raft_index;
	assert_int_equal(trio_ask(trio, 3, &request), RFS_ERR_OK);
	assert_int_equal(trio->reply->raft_index, index);
	assert_reads(trio, 2, request.ino, (const uint8_t *)"once", 4);
}

static void what_the_log_lost_is_proposed_again(void **state)
{
	struct trio *trio = *state;
	uint32_t before = trio->proposals;

	trio->lose_entries = 2;
	assert_int_equal(trio_put(trio, 2, "f", "hello", 5), RFS_ERR_OK);
	assert_int_equal(trio->proposals, before + 3);
	assert_int_not_equal(trio_find(trio, 1, "f"), 0);
}

static void a_session_is_opened_though_the_log_loses_it_first(void **state)
{
	struct trio *trio = *state;
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	trio->lose_entries = 1;
	request.op = DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION;
	assert_int_equal(trio_ask(trio, 3, &request), RFS_ERR_OK);
	assert_int_not_equal(trio->reply->session, 0);
	assert_int_not_equal(trio->reply->session, trio->session);
}

static void elect(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct trio *trio = timer->data;

	(void)loop;
	(void)events;
	trio_lead(trio, 3, false);
}

static void a_change_waits_for_a_leader_and_then_happens(void **state)
{
	struct trio *trio = *state;
	struct ev_timer timer;

	trio_lead(trio, 0, false);
	ev_timer_init(&timer, elect, 0.1, 0.);
	timer.data = trio;
	ev_timer_start(trio->loop, &timer);
	assert_int_equal(trio_put(trio, 1, "f", "hello", 5), RFS_ERR_OK);
	assert_int_equal(trio->leader, 3);
	assert_int_not_equal(trio_find(trio, 2, "f"), 0);
}

static void under_a_lease_the_leader_answers_without_asking(void **state)
{
	struct trio *trio = *state;

	assert_int_equal(trio_put(trio, 1, "f", "hello", 5), RFS_ERR_OK);
	uint64_t ino = trio_find(trio, 1, "f");

	trio_lead(trio, 1, true);
	uint32_t before = trio->reads;
	trio->refuse_reads = true;
	for (int i = 0; i < 10; i++)
		assert_reads(trio, 1, ino, (const uint8_t *)"hello", 5);
	assert_int_equal(trio->reads, before);
	assert_int_equal(trio->nodes[0].s.counters.reads_by_lease, 10);
	trio->refuse_reads = false;
	assert_reads(trio, 2, ino, (const uint8_t *)"hello", 5);
	assert_true(trio->reads > before);
}

static bool raftd_was_asked(struct trio *trio)
{
	return trio->reads > trio->reads_before;
}

static void reads_past_the_middle_of_a_lease_ask_for_its_renewal(void **state)
{
	struct trio *trio = *state;

	assert_int_equal(trio_put(trio, 1, "f", "hello", 5), RFS_ERR_OK);
	uint64_t ino = trio_find(trio, 1, "f");

	trio->lease_left_ns = 90 * NS_PER_SEC; /* of 100 */
	trio_lead(trio, 1, true);
	trio->reads_before = trio->reads;
	assert_reads(trio, 1, ino, (const uint8_t *)"hello", 5);
	assert_int_equal(trio->reads, trio->reads_before);
	trio->lease_left_ns = 40 * NS_PER_SEC;
	trio_lead(trio, 1, true);
	assert_reads(trio, 1, ino, (const uint8_t *)"hello", 5);
	assert_reads(trio, 1, ino, (const uint8_t *)"hello", 5);
	trio_until(trio, raftd_was_asked);
	assert_int_equal(trio->nodes[0].s.counters.reads_by_lease, 3);
}

static void a_damaged_copy_reaches_no_reader_and_is_healed(void **state)
{
	struct trio *trio = *state;
	uint8_t *data = made_of(500000, 3);
	struct storaged *s = &trio->nodes[1].s;
	char path[128];

	assert_int_equal(trio_put(trio, 1, "f", data, 500000), RFS_ERR_OK);
	uint64_t ino = trio_find(trio, 2, "f");
	assert_reads(trio, 2, ino, data, 500000);
	snprintf(path, sizeof(path), "find %s -name '*.chunk'",
		 trio->nodes[1].dir);
	FILE *found = popen(path, "r");
	char chunk[256] = "";
	assert_non_null(fgets(chunk, sizeof(chunk), found));
	pclose(found);
	chunk[strcspn(chunk, "\n")] = '\0';
	scratch_flip(chunk, 4096 + 123456);
	uint64_t fetched = s->counters.chunks_fetched;
	assert_reads(trio, 2, ino, data, 500000);
	assert_int_equal(s->counters.chunks_bad, 1);
	assert_int_equal(s->counters.chunks_fetched, fetched + 1);
	assert_reads(trio, 2, ino, data, 500000);
	assert_int_equal(s->counters.chunks_bad, 1);
	free(data);
}

static void a_restart_finds_everything_again(void **state)
{
	struct trio *trio = *state;
	uint8_t *data = made_of(300000, 4);

	assert_int_equal(trio_put(trio, 1, "small", "hello", 5), RFS_ERR_OK);
	assert_int_equal(trio_put(trio, 1, "large", data, 300000), RFS_ERR_OK);
	trio_stop(trio, 1);
	trio_start(trio, 1);
	assert_reads(trio, 1, trio_find(trio, 1, "small"),
		     (const uint8_t *)"hello", 5);
	assert_reads(trio, 1, trio_find(trio, 1, "large"), data, 300000);
	free(data);
}

static bool is_checkpointed(struct trio *trio)
{
	struct storaged *s = &trio->nodes[0].s;

	return checkpoint_newest(s->checkpoint)->index == trio->last_index &&
	       !checkpoint_is_running(s->checkpoint);
}

static void freed_chunks_go_with_the_next_checkpoint_and_not_before(
	void **state)
{
	struct trio *trio = *state;
	struct storaged *s = &trio->nodes[0].s;
	struct packs_usage usage;

	assert_int_equal(trio_put(trio, 1, "f", "first", 5), RFS_ERR_OK);
	assert_int_equal(trio_put(trio, 1, "f", "second", 6), RFS_ERR_OK);
	packs_usage(s->packs, &usage);
	assert_int_equal(usage.records, 2);
	assert_int_equal(reclaim_waiting(s->reclaim), 1);
	checkpoint_want(s->checkpoint);
	trio_until(trio, is_checkpointed);
	packs_usage(s->packs, &usage);
	assert_int_equal(usage.records, 1);
	assert_int_equal(reclaim_waiting(s->reclaim), 0);
	assert_reads(trio, 1, trio_find(trio, 1, "f"),
		     (const uint8_t *)"second", 6);
}

static void what_makes_no_sense_is_refused_at_the_door(void **state)
{
	struct trio *trio = *state;
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;
	uint32_t before = trio->proposals;

	assert_int_equal(trio_put(trio, 1, "a/b", "x", 1), RFS_ERR_INVALID);
	assert_int_equal(trio_put(trio, 1, "..", "x", 1), RFS_ERR_INVALID);
	request.op = (DistributedFs__FileOp)777;
	assert_int_equal(trio_ask(trio, 1, &request), RFS_ERR_INVALID);
	request.op = DISTRIBUTED_FS__FILE_OP__OP_NONE;
	assert_int_equal(trio_ask(trio, 1, &request), RFS_ERR_INVALID);
	assert_int_equal(trio->proposals, before);
	assert_int_equal(trio_find(trio, 1, "nothing"), 0);
	assert_int_equal(trio->reply->err, RFS_ERR_NOENT);
}

static void an_unknown_session_is_told_so(void **state)
{
	struct trio *trio = *state;
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	request.op = DISTRIBUTED_FS__FILE_OP__OP_UNLINK;
	request.session = 12345;
	request.seq = 1;
	request.ino = INODE_ROOT;
	request.name.data = (uint8_t *)"f";
	request.name.len = 1;
	assert_int_equal(trio_ask(trio, 1, &request), RFS_ERR_NO_SESSION);
}

int main(void)
{
#define ONE(name)   cmocka_unit_test_setup_teardown(name, one, end)
#define THREE(name) cmocka_unit_test_setup_teardown(name, three, end)
	const struct CMUnitTest tests[] = {
		ONE(a_restart_finds_everything_again),
		ONE(freed_chunks_go_with_the_next_checkpoint_and_not_before),
		ONE(what_makes_no_sense_is_refused_at_the_door),
		ONE(an_unknown_session_is_told_so),
		THREE(a_small_file_comes_back_from_every_node),
		THREE(a_large_file_comes_back_from_every_node),
		THREE(large_data_goes_in_while_one_node_is_away_and_finds_its_way),
		THREE(the_same_request_twice_is_one_change),
		THREE(what_the_log_lost_is_proposed_again),
		THREE(a_session_is_opened_though_the_log_loses_it_first),
		THREE(a_change_waits_for_a_leader_and_then_happens),
		THREE(under_a_lease_the_leader_answers_without_asking),
		ONE(reads_past_the_middle_of_a_lease_ask_for_its_renewal),
		THREE(a_damaged_copy_reaches_no_reader_and_is_healed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
