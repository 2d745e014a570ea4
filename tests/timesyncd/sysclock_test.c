/* Steering a simulated host clock: it converges, is never stepped, and its
 * maxerror is true. No real clock is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/timex.h>

#include "common/units.h"
#include "timesyncd/core/sysclock.h"
#include "timesyncd/steer.h"

#define BASE_PPB 4800 /* the kernel's rounding */

/* A host: raw is true time; the wall clock runs as the kernel was told. */
struct host {
	struct sysclock sysclock;
	struct timesync_clock clock;
	struct sysclock_orders orders;
	int64_t raw_ns;
	double wall_ns;
	double rate_ppb;
	double true_ppb; /* cluster against raw */
	double cluster_ns;
	uint64_t wrong_maxerror;
};

static void tell_nothing(void *ctx, const char *text)
{
	(void)text;
	(*(int *)ctx)++;
}
static int lines;

static void begin(struct host *host, int64_t away_ns)
{
	const struct story story = { .line = tell_nothing, .ctx = &lines };

	lines = 0;
	*host = (struct host){ .raw_ns = 5 * NS_PER_SEC,
			       .wall_ns = 1e15 - (double)away_ns,
			       .cluster_ns = 1e15,
			       .true_ppb = 20000 };
	sysclock_init(&host->sysclock, 500000, 0, story);
}

static void pass(struct host *host, enum timesync_quality quality,
		 int64_t for_ns)
{
	double truth_ns = host->cluster_ns;

	host->clock = (struct timesync_clock){
		.quality = quality,
		.asof_ns = host->raw_ns,
		.offset_ns = (int64_t)truth_ns - host->raw_ns + 3000,
		.bound_ns = 50000,
		.drift_ppb = 20000,
		.growth_ppb = 220000,
		.void_after_ns = INT64_MAX,
	};
	sysclock_follow(&host->sysclock, &host->clock, host->raw_ns,
			(int64_t)host->wall_ns, 0, &host->orders);
	if (host->orders.set) {
		host->rate_ppb = (double)host->orders.rate_ppb;
		if (host->orders.synchronised &&
		    llabs((int64_t)(host->wall_ns - truth_ns)) >
			    host->orders.maxerror_us * 1000)
			host->wrong_maxerror++;
	}
	host->raw_ns += for_ns;
	host->wall_ns += (double)for_ns *
			 (1 + (host->rate_ppb + BASE_PPB) / 1e9);
	host->cluster_ns += (double)for_ns * (1 + host->true_ppb / 1e9);
}

static void second(struct host *host, enum timesync_quality quality)
{
	for (int i = 0; i < 4; i++)
		pass(host, quality, NS_PER_SEC / 4);
}

static int64_t away_ns(const struct host *host)
{
	return llabs((int64_t)(host->cluster_ns + 3000 - host->wall_ns));
}

static void ten_milliseconds_are_slewed_away_in_a_second(void **state)
{
	struct host host;

	(void)state;
	begin(&host, 10 * NS_PER_MS);
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC / 4);
	assert_true(host.orders.rate_ppb > 25000000);
	assert_true(host.sysclock.fast && host.sysclock.hurry);
	second(&host, TIMESYNC_SYNCED);
	assert_true(away_ns(&host) < 100 * NS_PER_US);
	second(&host, TIMESYNC_SYNCED);
	assert_true(away_ns(&host) < SYSCLOCK_NEAR_NS);
	for (int i = 0; i < 60; i++) {
		second(&host, TIMESYNC_SYNCED);
		assert_true(llabs(host.sysclock.rate_ppb) <= 550000);
		assert_false(host.sysclock.fast);
	}
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	assert_true(host.orders.set && host.orders.synchronised);
	assert_true(away_ns(&host) < 500);
	assert_int_equal(host.wrong_maxerror, 0);
	assert_true(host.orders.maxerror_us >= 50 &&
		    host.orders.maxerror_us < 60);
	/* What is left is cluster time's own rate, less the kernel's. */
	assert_true(llabs(host.orders.rate_ppb - (20000 - BASE_PPB)) < 500);
}

static void no_slew_is_faster_than_five_percent(void **state)
{
	struct host host;

	(void)state;
	begin(&host, 900 * NS_PER_MS);
	for (int i = 0; i < 25; i++) {
		second(&host, TIMESYNC_SYNCED);
		assert_true(llabs(host.sysclock.rate_ppb) <= 50000000);
	}
	assert_true(away_ns(&host) < SYSCLOCK_NEAR_NS);
	assert_int_equal(host.wrong_maxerror, 0);
}

static void a_clock_that_was_set_is_looked_at_at_once(void **state)
{
	struct host host;

	(void)state;
	begin(&host, 0);
	for (int i = 0; i < 30; i++)
		pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	host.raw_ns -= NS_PER_SEC;
	host.wall_ns -= 1e9;
	host.cluster_ns -= 1e9;
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC / 10);
	assert_false(host.orders.set);

	double base_ppb = host.sysclock.base_ppb;

	host.wall_ns -= 9e6; /* near enough to pass for a rate */
	sysclock_was_set(&host.sysclock);
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC / 4);
	assert_true(host.orders.set && host.sysclock.hurry);
	assert_true(host.sysclock.base_ppb == base_ppb);
}

static void a_late_reading_is_in_the_maxerror(void **state)
{
	const struct timesync_clock clock = {
		.quality = TIMESYNC_SYNCED,
		.bound_ns = 50000,
		.void_after_ns = INT64_MAX,
	};
	struct sysclock sysclock;
	struct sysclock_orders orders;

	(void)state;
	sysclock_init(&sysclock, 500000, 0, (struct story){ 0 });
	sysclock_follow(&sysclock, &clock, 0, 0, 70000, &orders);
	assert_int_equal(orders.maxerror_us, 121);
}

static void a_difference_of_hours_is_left_alone_and_told_once(void **state)
{
	struct host host;

	(void)state;
	begin(&host, 3600 * NS_PER_SEC);
	for (int i = 0; i < 10; i++) {
		pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
		assert_false(host.orders.synchronised);
		assert_true(llabs(host.orders.rate_ppb) < 30000);
	}
	assert_int_equal(lines, 1);
}

static void without_a_bound_the_slew_ends_and_the_rate_stays(void **state)
{
	struct host host;

	(void)state;
	begin(&host, SYSCLOCK_FAR_NS - NS_PER_MS / 10);
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	assert_true(host.orders.rate_ppb > 400000);
	for (int i = 0; i < 30; i++)
		pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	host.wall_ns -= 0.99e6;
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	assert_true(host.orders.rate_ppb > 400000);
	pass(&host, TIMESYNC_UNSYNCED, NS_PER_SEC);
	assert_true(host.orders.set);
	assert_false(host.orders.synchronised);
	assert_true(llabs(host.orders.rate_ppb - (20000 - BASE_PPB)) < 500);
	pass(&host, TIMESYNC_UNSYNCED, NS_PER_SEC);
	assert_false(host.orders.set);
	pass(&host, TIMESYNC_DISRUPTED, NS_PER_SEC);
	assert_true(host.orders.set && !host.orders.synchronised);
}

static void looks_are_a_second_apart(void **state)
{
	struct host host;

	(void)state;
	begin(&host, NS_PER_MS / 2);
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	host.raw_ns -= NS_PER_SEC / 2;
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	assert_false(host.orders.set);
}

static void leaving_takes_the_slew_away(void **state)
{
	struct host host;

	(void)state;
	begin(&host, 100 * NS_PER_MS);
	pass(&host, TIMESYNC_SYNCED, NS_PER_SEC);
	assert_true(host.sysclock.fast);
	sysclock_leave(&host.sysclock, &host.clock, &host.orders);
	assert_true(host.orders.set && !host.orders.synchronised);
	assert_int_equal(host.orders.rate_ppb, 20000);
	assert_false(host.sysclock.fast);
}

static void rates_are_what_the_kernel_understands(void **state)
{
	int64_t tick, freq;

	(void)state;
	for (int64_t ppb = -50000000; ppb <= 50000000; ppb += 12345) {
		sysclock_kernel_rate(ppb, &tick, &freq);
		assert_true(llabs(freq) <= 500 << 16);
		assert_true(tick >= 9000 && tick <= 11000);
		assert_true(llabs(sysclock_rate_ppb(tick, freq) - ppb) <= 1);
	}
	sysclock_kernel_rate(100000, &tick, &freq);
	assert_int_equal(tick, 10000);
	assert_int_equal(freq, 100 << 16);
}

/* -- the call -------------------------------------------------------------- */

static struct timex last;
static int refusal;
static int calls;

static int pretend(struct timex *kernel)
{
	calls++;
	if (refusal != 0 && kernel->modes != 0) {
		errno = refusal;
		return -1;
	}
	if (kernel->modes == 0) {
		*kernel = (struct timex){ .tick = 10000, .freq = 7 << 16 };
		return 5;
	}
	last = *kernel;
	return 0;
}

static void the_kernel_is_told_rates_and_errors_and_never_a_time(void **state)
{
	const struct timesync_clock clock = {
		.quality = TIMESYNC_SYNCED,
		.bound_ns = 50000,
		.void_after_ns = INT64_MAX,
	};
	struct steer steer;

	(void)state;
	refusal = 0;
	steer_init(&steer, 500000, (struct story){ 0 }, pretend);
	assert_true(steer.on);
	assert_int_equal(last.modes, ADJ_FREQUENCY);
	assert_int_equal(last.freq, 7 << 16); /* as it was */
	steer_follow(&steer, &clock);
	assert_int_equal(last.modes & ~(ADJ_FREQUENCY | ADJ_TICK | ADJ_STATUS |
					ADJ_MAXERROR | ADJ_ESTERROR),
			 0);
}

static void without_the_privilege_it_goes_on_without(void **state)
{
	const struct timesync_clock clock = { .quality = TIMESYNC_SYNCED };
	struct steer steer;

	(void)state;
	refusal = EPERM;
	steer_init(&steer, 500000, (struct story){ 0 }, pretend);
	assert_false(steer.on);
	calls = 0;
	steer_follow(&steer, &clock);
	assert_int_equal(calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			ten_milliseconds_are_slewed_away_in_a_second),
		cmocka_unit_test(no_slew_is_faster_than_five_percent),
		cmocka_unit_test(a_clock_that_was_set_is_looked_at_at_once),
		cmocka_unit_test(a_late_reading_is_in_the_maxerror),
		cmocka_unit_test(
			a_difference_of_hours_is_left_alone_and_told_once),
		cmocka_unit_test(
			without_a_bound_the_slew_ends_and_the_rate_stays),
		cmocka_unit_test(looks_are_a_second_apart),
		cmocka_unit_test(leaving_takes_the_slew_away),
		cmocka_unit_test(rates_are_what_the_kernel_understands),
		cmocka_unit_test(
			the_kernel_is_told_rates_and_errors_and_never_a_time),
		cmocka_unit_test(without_the_privilege_it_goes_on_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
