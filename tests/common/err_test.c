/* The one list of errors: every row consistent, wire codes unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/err.h"

static const struct {
	const char *name;
	int code;
	int eno;
} rows[] = {
#define X(name, code, eno, text) { #name, code, eno },
	RFS_ERR_MAP(X)
#undef X
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static void wire_codes_are_dense_and_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		assert_int_equal(rows[i].code, i);
	/* For ever: */
	assert_int_equal(RFS_ERR_NOT_LEADER, 7);
	assert_int_equal(RFS_ERR_UNKNOWN, 8);
	assert_int_equal(RFS_ERR_DENIED, 28);
	assert_int_equal(RFS_ERR_NO_SESSION, 30);
}

static void every_error_has_a_name_a_text_and_an_errno(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		assert_string_equal(rfs_err_name(rows[i].code), rows[i].name);
		assert_true(strlen(rfs_err_text(rows[i].code)) > 3);
		assert_int_equal(rfs_err_errno(rows[i].code), rows[i].eno);
		assert_true((rows[i].eno == 0) == (i == 0));
	}
}

static void a_code_from_nowhere_is_answered(void **state)
{
	(void)state;
	assert_string_equal(rfs_err_text((enum rfs_err)9999), "unknown error");
	assert_string_equal(rfs_err_name((enum rfs_err)9999), "?");
	assert_int_equal(rfs_err_errno((enum rfs_err)9999), EIO);
}

static void an_errno_becomes_the_nearest_error(void **state)
{
	(void)state;
	assert_int_equal(rfs_err_from_errno(0), RFS_ERR_OK);
	assert_int_equal(rfs_err_from_errno(ENOENT), RFS_ERR_NOENT);
	assert_int_equal(rfs_err_from_errno(ENOSPC), RFS_ERR_NOSPC);
	assert_int_equal(rfs_err_from_errno(EDQUOT), RFS_ERR_NOSPC);
	assert_int_equal(rfs_err_from_errno(EACCES), RFS_ERR_ACCESS);
	assert_int_equal(rfs_err_from_errno(EXDEV), RFS_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_codes_are_dense_and_in_order),
		cmocka_unit_test(every_error_has_a_name_a_text_and_an_errno),
		cmocka_unit_test(a_code_from_nowhere_is_answered),
		cmocka_unit_test(an_errno_becomes_the_nearest_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
