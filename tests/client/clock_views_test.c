/* What "raftfs clock" concludes from what timesyncd says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/cli/clock.h"

static void the_largest_part_dominates(void **state)
{
	(void)state;
	DistributedFs__TimesyncStatus clock =
		DISTRIBUTED_FS__TIMESYNC_STATUS__INIT;
	int64_t ns;

	assert_string_equal(clock_dominant(&clock, &ns), "-");
	clock.part_delay_ns = 20;
	clock.part_drift_ns = 30;
	clock.part_unslewed_ns = 5;
	assert_string_equal(clock_dominant(&clock, &ns), "drift");
	assert_int_equal(ns, 30);
	clock.part_dispersion_ns = 31;
	assert_string_equal(clock_dominant(&clock, &ns), "dispersion");
}

static void each_source_has_the_mark_of_its_vote(void **state)
{
	(void)state;
	DistributedFs__TimesyncStatus clock =
		DISTRIBUTED_FS__TIMESYNC_STATUS__INIT;
	DistributedFs__TimesyncPeer peer = DISTRIBUTED_FS__TIMESYNC_PEER__INIT;

	clock.leader = 2;
	peer.node = 2;
	peer.truechimer = true;
	assert_int_equal(clock_mark(&clock, &peer), '*');
	peer.node = 3;
	assert_int_equal(clock_mark(&clock, &peer), '+');
	peer.truechimer = false;
	peer.why = "falseticker: disagrees with the majority";
	assert_int_equal(clock_mark(&clock, &peer), 'x');
	peer.why = "does not answer";
	peer.chosen = true;
	assert_int_equal(clock_mark(&clock, &peer), '?');
	peer.chosen = false;
	assert_int_equal(clock_mark(&clock, &peer), '-');
}

static void a_sign_is_always_shown(void **state)
{
	(void)state;
	char text[32];

	assert_int_equal(clock_signed(1500, text)[0], '+');
	assert_int_equal(clock_signed(-1500, text)[0], '-');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_part_dominates),
		cmocka_unit_test(each_source_has_the_mark_of_its_vote),
		cmocka_unit_test(a_sign_is_always_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
