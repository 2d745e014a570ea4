/* Breaks that become a habit, and how long one lasts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "timesyncd/core/relapse.h"

#define AT(s) ((s)*NS_PER_SEC)

static void three_breaks_are_pardoned(void **state)
{
	struct relapse relapse = {0};

	(void)state;
	assert_false(relapse_is_habit(&relapse, AT(1000)));
	for (int i = 0; i < 3; i++) {
		assert_false(relapse_note(&relapse, AT(1000) + i));
		assert_false(relapse_is_habit(&relapse, AT(1000) + i));
	}
	assert_true(relapse_note(&relapse, AT(1000) + 3));
	assert_true(relapse_is_habit(&relapse, AT(1000) + 3));
}

static void each_break_doubles_what_has_to_be_quiet(void **state)
{
	static const int64_t quiet_s[] = {3, 6, 12, 24, 48, 96, 96, 96};
	struct relapse relapse = {0};
	int64_t now_ns = AT(1000);

	(void)state;
	for (int i = 0; i < 3; i++)
		relapse_note(&relapse, now_ns);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(relapse_note(&relapse, now_ns), i == 0);
		assert_true(relapse_is_habit(&relapse,
					     now_ns + AT(quiet_s[i]) - 1));
		assert_false(
			relapse_is_habit(&relapse, now_ns + AT(quiet_s[i])));
		now_ns += AT(quiet_s[i]);
	}
}

static void breaks_that_are_far_apart_are_no_habit(void **state)
{
	struct relapse relapse = {0};

	(void)state;
	for (int i = 1; i < 20; i++) {
		assert_false(relapse_note(&relapse, AT(200 * i)));
		assert_false(relapse_is_habit(&relapse, AT(200 * i)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_breaks_are_pardoned),
		cmocka_unit_test(each_break_doubles_what_has_to_be_quiet),
		cmocka_unit_test(breaks_that_are_far_apart_are_no_habit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
