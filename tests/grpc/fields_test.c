/* grpc-timeout, content-type, grpc-message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/grpc/fields.h"

static void a_timeout_has_digits_and_a_unit(void **state)
{
	const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{"1n", 1},
		{"0n", 0},
		{"20u", 20000},
		{"250m", 250000000},
		{"3S", INT64_C(3000000000)},
		{"2M", INT64_C(120000000000)},
		{"1H", INT64_C(3600000000000)},
		{"99999999S", INT64_C(99999999000000000)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t ns = -1;

		assert_int_equal(fields_timeout(cases[i].text, &ns),
				 RFS_ERR_OK);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void a_timeout_of_millennia_is_for_ever(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_int_equal(fields_timeout("99999999H", &ns), RFS_ERR_OK);
	assert_int_equal(ns, INT64_MAX);
}

static void anything_else_is_no_timeout(void **state)
{
	static const char *const cases[] = {
		"",    "1",   "S",  "-1S",	  "1.5S", " 1S",
		"1 S", "1Sx", "1s", "123456789S", "+1S",  "0x1S",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t ns = 7;

		assert_int_equal(fields_timeout(cases[i], &ns),
				 RFS_ERR_INVALID);
		assert_int_equal(ns, 7);
	}
}

static void grpc_with_protobuf_is_taken(void **state)
{
	(void)state;
	assert_true(fields_is_grpc("application/grpc"));
	assert_true(fields_is_grpc("application/grpc+proto"));
	assert_true(fields_is_grpc("application/grpc; charset=utf-8"));
	assert_true(fields_is_grpc("Application/GRPC"));
}

static void other_content_is_not(void **state)
{
	(void)state;
	assert_false(fields_is_grpc(""));
	assert_false(fields_is_grpc("application/grpc-web"));
	assert_false(fields_is_grpc("application/grpc+json"));
	assert_false(fields_is_grpc("application/grpc+protox"));
	assert_false(fields_is_grpc("application/json"));
	assert_false(fields_is_grpc("application/grp"));
}

static void what_is_not_printable_is_encoded(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(fields_percent("no leader; 50%", out, sizeof(out)),
			 16);
	assert_string_equal(out, "no leader; 50%25");
	fields_percent("a\nb\x7f\xc2\xb5s", out, sizeof(out));
	assert_string_equal(out, "a%0Ab%7F%C2%B5s");
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(fields_percent("abcdefghij", out, sizeof(out)), 7);
	assert_string_equal(out, "abcdefg");
	assert_int_equal(fields_percent("abcde%", out, sizeof(out)), 5);
	assert_string_equal(out, "abcde");
	assert_int_equal(fields_percent("abcd%", out, sizeof(out)), 7);
	assert_string_equal(out, "abcd%25");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timeout_has_digits_and_a_unit),
		cmocka_unit_test(a_timeout_of_millennia_is_for_ever),
		cmocka_unit_test(anything_else_is_no_timeout),
		cmocka_unit_test(grpc_with_protobuf_is_taken),
		cmocka_unit_test(other_content_is_not),
		cmocka_unit_test(what_is_not_printable_is_encoded),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
