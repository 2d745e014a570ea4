/* What one operation costs the core: memory, none after the start; time and
 * bytes, printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/core/raft.h"

#define NODES	   3u
#define OPERATIONS 20000
#define VALUE	   256

/* Every allocation of this program goes by here (linked with --wrap). */
static uint64_t allocations;
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
	allocations++;
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	allocations++;
	return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	allocations++;
	return __real_realloc(old, bytes);
}

/* Three cores that hear each other at once, with disks that take no time. */
struct trio {
	struct raft *raft[NODES];
	int64_t now_ns;
	uint64_t steps;
	uint64_t applied; /* by the leader's side */
};

static void step(struct trio *trio, uint32_t at, struct raft_event *event)
{
	struct raft_effects effects;
	struct raft_message sent[16];
	struct raft_entry last = { 0 };
	uint32_t count;

	trio->now_ns += 100;
	event->now = (struct raft_now){ .raw_ns = trio->now_ns,
					.wall_ns = trio->now_ns };
	raft_step(trio->raft[at], event, &effects);
	trio->steps++;
	assert_true(effects.send_count <= 16);
	count = effects.send_count;
	memcpy(sent, effects.send, count * sizeof(*sent));
	if (effects.append_count)
		last = effects.append[effects.append_count - 1];
	for (uint32_t i = 0; i < count; i++)
		step(trio, sent[i].to - 1,
		     &(struct raft_event){ .type = RAFT_EV_RECEIVE,
					   .message = &sent[i] });
	if (last.index)
		step(trio, at,
		     &(struct raft_event){ .type = RAFT_EV_PERSISTED,
					   .persisted = { last.index,
							  last.term } });
}

static void start(struct trio *trio)
{
	struct raft_config config = {
		.election_timeout_min_ns = 50 * NS_PER_MS,
		.election_timeout_max_ns = 50 * NS_PER_MS,
		.heartbeat_min_ns = 20 * NS_PER_MS,
		.member_count = NODES,
		.inflight_entries_max = 1024,
		.inflight_bytes_max = 1 << 20,
		.log_entries_max = 4096,
		.log_bytes_max = 4 << 20,
	};
	const struct raft_restart fresh = { 0 };
	const struct raft_now now = { .raw_ns = NS_PER_SEC };

	*trio = (struct trio){ .now_ns = NS_PER_SEC };
	for (uint32_t i = 0; i < NODES; i++)
		config.members[i].id = i + 1;
	for (uint32_t i = 0; i < NODES; i++) {
		config.self = config.seed = i + 1;
		trio->raft[i] = raft_new(&config, &fresh, &now);
		assert_non_null(trio->raft[i]);
	}
	trio->now_ns = raft_deadline_ns(trio->raft[0]);
	step(trio, 0, &(struct raft_event){ .type = RAFT_EV_TICK });
}

static void put(struct trio *trio, uint64_t id, const void *value)
{
	const struct raft_proposal proposal = { id, value, VALUE };

	step(trio, 0,
	     &(struct raft_event){ .type = RAFT_EV_PROPOSE,
				   .propose = { &proposal, 1 } });
}

/* As storaged does now and then, or the log would fill up. */
static void compact(struct trio *trio)
{
	for (uint32_t i = 0; i < NODES; i++) {
		struct raft_view view;
		const struct raft_entry *entry;

		raft_view(trio->raft[i], &view);
		entry = raft_log_at(trio->raft[i], view.commit_index);
		assert_non_null(entry);
		step(trio, i,
		     &(struct raft_event){ .type = RAFT_EV_SNAPSHOT_TAKEN,
					   .snapshot = { entry->index,
							 entry->term,
							 entry->stamp } });
	}
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void an_operation_allocates_nothing(void **state)
{
	char value[VALUE] = { 1 };
	struct raft_view view;
	struct trio trio;
	uint64_t before, steps;
	int64_t began_ns;

	(void)state;
	start(&trio);
	raft_view(trio.raft[0], &view);
	assert_int_equal(view.role, RAFT_LEADER);
	put(&trio, 1, value);
	before = allocations;
	steps = trio.steps;
	began_ns = cpu_ns();
	for (uint64_t i = 0; i < OPERATIONS; i++) {
		put(&trio, i, value);
		step(&trio, 0,
		     &(struct raft_event){ .type = RAFT_EV_READ,
					   .read = { i } });
		if (i % 1000 == 999)
			compact(&trio);
	}
	began_ns = cpu_ns() - began_ns;
	raft_view(trio.raft[0], &view);
	assert_true(view.commit_index > OPERATIONS);
	assert_int_equal(allocations - before, 0);
	printf("figure raft.core.put_and_read_us %.2f\n",
	       (double)began_ns / NS_PER_US / OPERATIONS);
	printf("figure raft.core.steps_per_operation %.1f\n",
	       (double)(trio.steps - steps) / OPERATIONS);
	for (uint32_t i = 0; i < NODES; i++)
		raft_free(trio.raft[i]);
}

static void the_count_itself_works(void **state)
{
	uint64_t before = allocations;
	void *block = malloc(100);

	(void)state;
	assert_non_null(block);
	free(block);
	assert_int_equal(allocations - before, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_count_itself_works),
		cmocka_unit_test(an_operation_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
