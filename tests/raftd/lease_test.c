/* Ages of entries under clocks that differ by rho: never both sure at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/prng.h"
#include "common/units.h"
#include "raftd/core/lease.h"
#include "raftd/core/timestamp.h"

#define RHO_PPB 100000000 /* 10 %, so that margins are easy to see */
#define D_NS	(1000 * NS_PER_MS)

static void an_unknown_timeline_is_an_empty_interval(void **state)
{
	struct lease_clock clock;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	assert_true(interval_is_empty(lease_clock_at(&clock, 1, 0)));
	assert_true(interval_is_empty(lease_clock_at(&clock, 0, 0)));
	assert_int_equal(lease_clock_newest(&clock), 0);
}

static void a_reading_widens_by_rho_as_it_ages(void **state)
{
	struct lease_clock clock;
	struct interval got;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 3, 1000, (struct interval){ 5000, 5010 });
	got = lease_clock_at(&clock, 3, 1000);
	assert_int_equal(got.low_ns, 5000);
	assert_int_equal(got.high_ns, 5010);
	got = lease_clock_at(&clock, 3, 2000);
	assert_int_equal(got.low_ns, 6000 - 101);
	assert_int_equal(got.high_ns, 6010 + 101);
}

static void the_oldest_epoch_makes_room(void **state)
{
	struct lease_clock clock;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	for (uint64_t epoch = 1; epoch <= LEASE_EPOCHS_MAX + 1; epoch++)
		lease_clock_note(&clock, epoch, 0, (struct interval){ 0, 0 });
	assert_true(interval_is_empty(lease_clock_at(&clock, 1, 0)));
	assert_false(interval_is_empty(lease_clock_at(&clock, 2, 0)));
	assert_int_equal(lease_clock_newest(&clock), LEASE_EPOCHS_MAX + 1);
	lease_clock_forget(&clock);
	assert_int_equal(lease_clock_newest(&clock), 0);
}

static void a_new_reading_replaces_the_old_one(void **state)
{
	struct lease_clock clock;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 3, 10, (struct interval){ 0, 100 });
	lease_clock_note(&clock, 3, 20, (struct interval){ 50, 60 });
	assert_int_equal(lease_clock_at(&clock, 3, 20).high_ns, 60);
}

static void without_any_clock_the_time_since_receipt_decides(void **state)
{
	struct lease_clock clock;
	struct lease_entry entry = { { 3, 0 }, 1000 };
	(void)state;

	lease_clock_init(&clock, RHO_PPB);

	int64_t from = lease_older_from(&clock, &entry, D_NS, 1000);

	assert_true(from >= 1000 + D_NS + D_NS / 5);
	assert_true(from <= 1000 + D_NS + D_NS / 5 + 10);
	assert_int_equal(lease_older_from(&clock, &entry, D_NS, from), from);
	assert_int_equal(lease_older_from(&clock, &entry, D_NS, from + 5),
			 from + 5);
}

static void a_known_timeline_shortens_the_wait(void **state)
{
	struct lease_clock clock;
	struct lease_entry entry = { { 3, 0 }, 0 };
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 3, 0, (struct interval){ D_NS, D_NS + 10 });

	int64_t from = lease_older_from(&clock, &entry, D_NS, 0);

	assert_true(from > 0);
	assert_true(from < D_NS / 3);
	assert_true(lease_clock_at(&clock, 3, from).low_ns > D_NS);
}

static void an_inherited_entry_of_an_unknown_timeline_gives_no_lease(void **state)
{
	struct lease_clock clock;
	struct lease_entry entry = { { 3, 0 }, 0 };
	int64_t until;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	assert_false(lease_inherited_until(&clock, &entry, D_NS, 0, &until));
	lease_clock_note(&clock, 3, 0, (struct interval){ D_NS, D_NS });
	assert_false(lease_inherited_until(&clock, &entry, D_NS, 0, &until));
}

/* Whatever the maker's clock did since it was read, as long as rho holds. */
static void younger_ends_in_time_on_the_fastest_clock(void **state)
{
	struct lease_clock clock;
	struct lease_entry entry = { { 3, 0 }, 0 };
	int64_t until;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 3, 0, (struct interval){ 0, 0 });
	assert_true(lease_inherited_until(&clock, &entry, D_NS, 0, &until));
	assert_true(until + units_scale_ppb(until, RHO_PPB) <
		    D_NS - TIMESTAMP_LEAD_MAX_NS);
}

/* It may be as old as the late end of what is known says (I5). */
static void an_inherited_entry_is_as_old_as_it_may_be(void **state)
{
	struct lease_clock clock;
	struct lease_entry entry = { { 3, 0 }, 0 };
	int64_t exact, wide;
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 3, 0, (struct interval){ D_NS / 2, D_NS / 2 });
	assert_true(lease_inherited_until(&clock, &entry, D_NS, 0, &exact));
	lease_clock_note(&clock, 3, 0, (struct interval){ 0, D_NS / 2 });
	assert_true(lease_inherited_until(&clock, &entry, D_NS, 0, &wide));
	assert_int_equal(wide, exact);
}

/* One entry, made at true time 0 on the maker's clock. A reader and a committer
 * on raw clocks of their own, each with an interval or without; all rates differ
 * by at most rho. At no true time may the reader still read and the committer
 * already commit. */
static void no_reader_and_committer_are_both_sure(void **state)
{
	const double rho = (double)RHO_PPB / PPB;
	struct prng prng;
	(void)state;

	prng_seed(&prng, 42);
	for (int round = 0; round < 20000; round++) {
		/* Rates in true time, any two within rho of each other. */
		double low = 1 / (1 + rho / 2), span = 1 + rho / 2 - low;
		double maker = low + span * 0.97 * prng_unit(&prng);
		double reader = low + span * 0.97 * prng_unit(&prng);
		double committer = low + span * 0.97 * prng_unit(&prng);
		double lag = prng_unit(&prng) * 0.9 * D_NS; /* true */
		double error = prng_unit(&prng) * 0.02 * D_NS;
		struct lease_clock r, c;
		struct lease_entry entry = { { 3, 0 }, 0 };
		int64_t until = 0, from;

		lease_clock_init(&r, RHO_PPB);
		lease_clock_init(&c, RHO_PPB);

		/* Both read the maker's timeline at `lag`, with an error. */
		struct interval seen = {
			(int64_t)(maker * lag - error),
			(int64_t)(maker * lag + error) + 1,
		};
		lease_clock_note(&r, 3, (int64_t)(reader * lag), seen);
		if (prng_below(&prng, 2))
			lease_clock_note(&c, 3, (int64_t)(committer * lag),
					 seen);

		if (!lease_inherited_until(&r, &entry, D_NS,
					   (int64_t)(reader * lag), &until))
			until = 0;
		from = lease_older_from(&c, &entry, D_NS,
					(int64_t)(committer * lag));
		assert_true((double)until / reader <
			    (double)from / committer);
		/* The maker itself reads exactly. */
		assert_true((double)lease_own_until(0, D_NS) / maker <
			    (double)from / committer);
	}
}

/* The last inherited entry answers for those before it, whose makers' clocks
 * may be the slowest allowed. */
static void the_last_entry_answers_for_older_ones_on_slower_clocks(void **state)
{
	struct lease_clock clock;
	struct lease_entry last = { { 4, 0 }, 0 };
	(void)state;

	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 4, 0, (struct interval){ 0, 0 });

	/* Our clock and the last maker's agree; another ran 10 % slower. */
	int64_t from = lease_older_from(&clock, &last, D_NS, 0);

	assert_true((double)from * 0.9 > (double)D_NS);
}

/* Time that passed on a clock of that rate, in parts of a thousand. */
static int64_t ticked(int64_t true_ns, int64_t per_mille)
{
	return true_ns / 1000 * per_mille;
}

static void a_record_carries_an_old_timeline_on(void **state)
{
	struct raft_window window = { .handover_count = 2 };
	struct lease_clock clock;
	struct interval got;
	(void)state;

	window.handovers[0].epoch = 3;
	window.handovers[0].record = (struct raft_handover){
		.old_epoch = 2, .old = { 100, 110 }, .new_ts_ns = 1000
	};
	window.handovers[1].epoch = 5;
	window.handovers[1].record = (struct raft_handover){
		.old_epoch = 3, .old = { 2000, 2005 }, .new_ts_ns = 7000
	};
	lease_clock_init(&clock, RHO_PPB);
	lease_clock_note(&clock, 5, 0, (struct interval){ 8000, 8000 });
	assert_true(interval_is_empty(lease_clock_at(&clock, 3, 0)));
	clock.window = &window;
	got = lease_clock_at(&clock, 3, 0);
	assert_int_equal(got.low_ns, 2000 + 1000 - 101);
	assert_int_equal(got.high_ns, 2005 + 1000 + 101);
	got = lease_clock_at(&clock, 2, 0);
	assert_int_equal(got.low_ns, 100 + 1899 - 190);
	assert_int_equal(got.high_ns, 110 + 2106 + 211);
	assert_true(interval_is_empty(lease_clock_at(&clock, 1, 0)));
	assert_true(interval_is_empty(lease_clock_at(&clock, 4, 0)));
	/* What is known of it directly is asked first. */
	lease_clock_note(&clock, 3, 0, (struct interval){ 3003, 3004 });
	assert_int_equal(lease_clock_at(&clock, 3, 0).low_ns, 3003);
	/* A clock that broke its promise knows nothing by records either. */
	lease_clock_forget(&clock);
	assert_true(interval_is_empty(lease_clock_at(&clock, 2, 0)));
	assert_ptr_equal(clock.window, &window);
}

static void what_a_record_tells_contains_the_truth(void **state)
{
	struct prng prng;
	(void)state;

	prng_seed(&prng, 1);
	for (int round = 0; round < 2000; round++) {
		/* Any two differ by less than rho, 10 %. */
		int64_t old_rate = 955 + (int64_t)prng_below(&prng, 91);
		int64_t new_rate = 955 + (int64_t)prng_below(&prng, 91);
		int64_t own_rate = 955 + (int64_t)prng_below(&prng, 91);
		int64_t met = (int64_t)prng_below(&prng, 1000) * 1000;
		int64_t read = met + (int64_t)prng_below(&prng, 1000) * 1000;
		int64_t now = read + (int64_t)prng_below(&prng, 1000) * 1000;
		int64_t old_then = ticked(met, old_rate);
		int64_t new_read = 500 + ticked(read - met, new_rate);
		struct raft_window window = { .handover_count = 1 };
		struct lease_clock clock;

		window.handovers[0].epoch = 8;
		window.handovers[0].record = (struct raft_handover){
			.old_epoch = 7,
			.old = { old_then - (int64_t)prng_below(&prng, 50),
				 old_then + (int64_t)prng_below(&prng, 50) },
			.new_ts_ns = 500,
		};
		lease_clock_init(&clock, RHO_PPB);
		clock.window = &window;
		lease_clock_note(
			&clock, 8, ticked(read, own_rate),
			(struct interval){
				new_read - (int64_t)prng_below(&prng, 50),
				new_read + (int64_t)prng_below(&prng, 50) });
		assert_true(interval_contains(
			lease_clock_at(&clock, 7, ticked(now, own_rate)),
			ticked(now, old_rate)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_carries_an_old_timeline_on),
		cmocka_unit_test(what_a_record_tells_contains_the_truth),
		cmocka_unit_test(an_unknown_timeline_is_an_empty_interval),
		cmocka_unit_test(a_reading_widens_by_rho_as_it_ages),
		cmocka_unit_test(the_oldest_epoch_makes_room),
		cmocka_unit_test(a_new_reading_replaces_the_old_one),
		cmocka_unit_test(
			without_any_clock_the_time_since_receipt_decides),
		cmocka_unit_test(a_known_timeline_shortens_the_wait),
		cmocka_unit_test(
			an_inherited_entry_of_an_unknown_timeline_gives_no_lease),
		cmocka_unit_test(younger_ends_in_time_on_the_fastest_clock),
		cmocka_unit_test(an_inherited_entry_is_as_old_as_it_may_be),
		cmocka_unit_test(no_reader_and_committer_are_both_sure),
		cmocka_unit_test(
			the_last_entry_answers_for_older_ones_on_slower_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
