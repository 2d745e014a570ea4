/* Patterns of drift: one line when it starts, one when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/units.h"
#include "timesyncd/core/patterns.h"

#define LIMIT_PPB 100000.0

static char told[1024];

static void hear(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n",
		 text);
}

static const struct story to = {.line = hear};

static int silence(void **state)
{
	(void)state;
	told[0] = '\0';
	return 0;
}

static struct filter steady(void)
{
	struct filter filter;

	filter_init(&filter, 10, 0);
	filter.drift_known = true;
	return filter;
}

static void look(struct patterns *patterns, const struct filter *filter,
		 int64_t second)
{
	patterns_watch(patterns, filter, LIMIT_PPB, second * NS_PER_SEC, 7,
		       &to);
}

static void a_steady_peer_is_not_talked_about(void **state)
{
	(void)state;
	struct patterns patterns = {0};
	struct filter filter = steady();

	for (int i = 0; i < 10; i++)
		look(&patterns, &filter, i);
	assert_string_equal(told, "");
}

static void a_drift_is_told_once_and_when_it_is_over(void **state)
{
	(void)state;
	struct patterns patterns = {0};
	struct filter filter = steady();
	const double drifts_ppb[] = {120000, 130000, 95000, 120000, 80000};

	for (int i = 0; i < 5; i++) {
		filter.corridor.drift_ppb = drifts_ppb[i];
		look(&patterns, &filter, i);
	}
	assert_string_equal(told, "node 7 drifts by 120.0 ppm, beyond "
				  "drift_threshold\n"
				  "node 7 drifts by 80.0 ppm again\n");
}

static void a_drift_that_is_a_guess_is_not_told(void **state)
{
	(void)state;
	struct patterns patterns = {0};
	struct filter filter = steady();

	filter.drift_known = false;
	filter.corridor.drift_ppb = 500000;
	look(&patterns, &filter, 1);
	assert_string_equal(told, "");
}

static void a_wander_ends_with_a_summary(void **state)
{
	(void)state;
	struct patterns patterns = {0};
	struct filter filter = steady();
	const double wanders_ppb[] = {1, 150, 400, 50, 5};

	for (int i = 0; i < 5; i++) {
		filter.corridor.wander_ppb = wanders_ppb[i];
		look(&patterns, &filter, i);
	}
	assert_string_equal(told,
			    "node 7: its rate wanders by 150 ppb a second\n"
			    "node 7: its rate is steady again; it wandered for "
			    "3 s, by up to 400 ppb a second\n");
}

static void a_step_is_told_once_the_drift_was_known(void **state)
{
	(void)state;
	struct patterns patterns = {0};
	struct filter filter = steady();

	filter.drift_known = false;
	filter.corridor.surprises = 1;
	look(&patterns, &filter, 1);
	assert_string_equal(told, "");
	filter.drift_known = true;
	look(&patterns, &filter, 2);
	filter.corridor.surprises = 2;
	look(&patterns, &filter, 3);
	look(&patterns, &filter, 4);
	assert_string_equal(told,
			    "node 7: its rate or the way to it changed\n");
}

static void look_at_path(struct patterns *patterns, bool doubtful,
			 int64_t delay_us, int64_t second)
{
	patterns_watch_path(patterns, doubtful, delay_us * NS_PER_US,
			    200 * NS_PER_US, second * NS_PER_SEC, 7, &to);
}

static void a_doubt_about_the_way_is_told_and_its_end_too(void **state)
{
	(void)state;
	struct patterns patterns = {0};

	look_at_path(&patterns, false, 210, 1);
	assert_string_equal(told, "");
	look_at_path(&patterns, true, 5200, 2);
	look_at_path(&patterns, true, 6400, 3);
	look_at_path(&patterns, true, 5100, 4);
	look_at_path(&patterns, false, 210, 62);
	look_at_path(&patterns, false, 215, 63);
	assert_string_equal(
		told,
		"node 7: time packets take 5.200 ms, TCP takes 0.200 ms: "
		"somebody delays them, or they queue; in doubt\n"
		"node 7: time packets are no longer far slower than TCP; they "
		"were for 60 s, up to 6.400 ms\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_steady_peer_is_not_talked_about,
				       silence),
		cmocka_unit_test_setup(a_drift_is_told_once_and_when_it_is_over,
				       silence),
		cmocka_unit_test_setup(a_drift_that_is_a_guess_is_not_told,
				       silence),
		cmocka_unit_test_setup(a_wander_ends_with_a_summary, silence),
		cmocka_unit_test_setup(a_step_is_told_once_the_drift_was_known,
				       silence),
		cmocka_unit_test_setup(
			a_doubt_about_the_way_is_told_and_its_end_too, silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
