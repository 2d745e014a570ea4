/* The history checker against an exhaustive search, and against bad histories
 * planted on purpose. Pure; seeds are fixed.
 *
 * The search is Wing and Gong's: place the operations one by one, each time
 * any that no unplaced operation wholly precedes, and see whether a register
 * could have answered so. Histories are small, so it needs no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "common/prng.h"
#include "tests/sim/history.h"

#define OPS 6

/* One operation on the one register; a write's value is its own number + 1,
 * a read's is what it returned. */
struct op {
	bool read;
	bool open; /* a write that never learnt its outcome */
	uint64_t value;
	int begin, end; /* distinct instants, 0 .. 2 * OPS - 1 */
};

static bool search(const struct op *ops, unsigned int placed, uint64_t value)
{
	bool all = true;

	for (unsigned int i = 0; i < OPS; i++) {
		bool free = true;

		if (placed & (1u << i))
			continue;
		/* An open write may also never happen. */
		if (!ops[i].open)
			all = false;
		for (unsigned int j = 0; j < OPS; j++)
			if (!(placed & (1u << j)) && !ops[j].open &&
			    ops[j].end < ops[i].begin)
				free = false;
		if (!free || (ops[i].read && ops[i].value != value))
			continue;
		if (search(ops, placed | (1u << i),
			   ops[i].read ? value : ops[i].value))
			return true;
	}
	return all;
}

/* Does the checker accept, when writes took effect in this order? order lists
 * write numbers; writes not in it never took effect. */
static bool accepts(const struct op *ops, const unsigned int *order,
		    unsigned int count)
{
	struct history *history = history_new(1);
	struct history_op handles[OPS];
	bool good = true;

	for (unsigned int i = 0; i < count; i++)
		history_committed(history, 0, i + 1, ops[order[i]].value);
	for (int instant = 0; instant < 2 * OPS; instant++)
		for (unsigned int i = 0; i < OPS; i++) {
			if (ops[i].begin == instant)
				handles[i] = history_begin(history, 0);
			if (ops[i].end != instant || ops[i].open)
				continue;
			if ((ops[i].read ? history_read_done
					 : history_write_done)(
				    history, &handles[i], ops[i].value))
				good = false;
		}
	/* An open write that took effect ended some time after all this. */
	for (unsigned int i = 0; i < count; i++)
		if (ops[order[i]].open &&
		    history_write_done(history, &handles[order[i]],
				       ops[order[i]].value))
			good = false;
	history_free(history);
	return good;
}

/* A read that returned a write's value before that write was asked for can
 * not happen to the simulator, where a value exists from its write on. */
static bool causal(const struct op *ops)
{
	for (unsigned int i = 0; i < OPS; i++)
		for (unsigned int j = 0; j < OPS; j++)
			if (ops[i].read && !ops[j].read &&
			    ops[i].value == ops[j].value &&
			    ops[i].end < ops[j].begin)
				return false;
	return true;
}

/* Is there any order of any set of writes, all finished ones included, that
 * the checker accepts? */
static bool some_order(const struct op *ops, unsigned int *order,
		       unsigned int count, unsigned int used)
{
	bool complete = true;

	for (unsigned int i = 0; i < OPS; i++)
		if (!ops[i].read && !ops[i].open && !(used & (1u << i)))
			complete = false;
	if (complete && accepts(ops, order, count))
		return true;
	for (unsigned int i = 0; i < OPS; i++) {
		if (ops[i].read || (used & (1u << i)))
			continue;
		order[count] = i;
		if (some_order(ops, order, count + 1, used | (1u << i)))
			return true;
	}
	return false;
}

static void random_history(struct prng *prng, struct op *ops)
{
	int instants[2 * OPS];

	for (int i = 0; i < 2 * OPS; i++)
		instants[i] = i;
	for (int i = 2 * OPS - 1; i > 0; i--) {
		int j = (int)prng_below(prng, (uint64_t)i + 1);
		int held = instants[i];

		instants[i] = instants[j];
		instants[j] = held;
	}
	for (unsigned int i = 0; i < OPS; i++) {
		int a = instants[2 * i], b = instants[2 * i + 1];

		ops[i].begin = a < b ? a : b;
		ops[i].end = a < b ? b : a;
		ops[i].read = prng_below(prng, 2);
		ops[i].open = !ops[i].read && prng_below(prng, 5) == 0;
		ops[i].value = i + 1;
	}
	for (unsigned int i = 0; i < OPS; i++) {
		unsigned int of = (unsigned int)prng_below(prng, OPS);

		if (ops[i].read)
			ops[i].value = ops[of].read ? 0 : of + 1;
	}
}

static void agrees_with_exhaustive_search(void **state)
{
	struct prng prng;
	unsigned int good = 0, bad = 0;

	(void)state;
	prng_seed(&prng, 1);
	for (int round = 0; round < 60000; round++) {
		struct op ops[OPS];
		unsigned int order[OPS];
		bool linearizable;

		random_history(&prng, ops);
		if (!causal(ops))
			continue;
		linearizable = search(ops, 0, 0);
		assert_int_equal(some_order(ops, order, 0, 0), linearizable);
		good += linearizable;
		bad += !linearizable;
	}
	/* Both answers must have been given often, or nothing was compared. */
	assert_true(good > 1000);
	assert_true(bad > 1000);
}

/* The planted ones: each is one key, times in the order of the calls. */
static void a_stale_read_is_caught(void **state)
{
	struct history *history = history_new(2);
	struct history_op write = history_begin(history, 1);

	(void)state;
	history_committed(history, 1, 7, 0x11);
	assert_null(history_write_done(history, &write, 0x11));

	struct history_op read = history_begin(history, 1);

	assert_non_null(history_read_done(history, &read, 0));
	history_free(history);
}

static void a_read_older_than_another_read_is_caught(void **state)
{
	struct history *history = history_new(1);
	struct history_op first = history_begin(history, 0), second;

	(void)state;
	history_committed(history, 0, 1, 0x11);
	history_committed(history, 0, 2, 0x22); /* its writer never heard */
	assert_null(history_read_done(history, &first, 0x22));
	second = history_begin(history, 0);
	assert_non_null(history_read_done(history, &second, 0x11));
	history_free(history);
}

static void overlapping_reads_may_disagree(void **state)
{
	struct history *history = history_new(1);
	struct history_op first = history_begin(history, 0);
	struct history_op second = history_begin(history, 0);

	(void)state;
	history_committed(history, 0, 1, 0x11);
	assert_null(history_read_done(history, &first, 0x11));
	assert_null(history_read_done(history, &second, 0));
	history_free(history);
}

static void a_lost_write_is_caught(void **state)
{
	struct history *history = history_new(1);
	struct history_op write = history_begin(history, 0);

	(void)state;
	assert_non_null(history_write_done(history, &write, 0x11));
	history_free(history);
}

static void a_value_never_committed_is_caught(void **state)
{
	struct history *history = history_new(2);
	struct history_op read = history_begin(history, 0);

	(void)state;
	history_committed(history, 1, 1, 0x11);
	assert_non_null(history_read_done(history, &read, 0x33));
	/* And one of another key is no better. */
	assert_non_null(history_read_done(history, &read, 0x11));
	history_free(history);
}

static void a_write_before_its_time_is_caught(void **state)
{
	struct history *history = history_new(1);
	struct history_op first = history_begin(history, 0), second;

	(void)state;
	history_committed(history, 0, 1, 0x22);
	history_committed(history, 0, 2, 0x11);
	assert_null(history_write_done(history, &first, 0x11));
	second = history_begin(history, 0);
	assert_non_null(history_write_done(history, &second, 0x22));
	history_free(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_exhaustive_search),
		cmocka_unit_test(a_stale_read_is_caught),
		cmocka_unit_test(a_read_older_than_another_read_is_caught),
		cmocka_unit_test(overlapping_reads_may_disagree),
		cmocka_unit_test(a_lost_write_is_caught),
		cmocka_unit_test(a_value_never_committed_is_caught),
		cmocka_unit_test(a_write_before_its_time_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
