/* Commands in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "client/cli/log_words.h"

static struct bytes text_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

static void assert_words(struct command command, const char *expected)
{
	char text[LOG_WORDS_BYTES];

	assert_string_equal(log_words(&command, text), expected);
}

static void names_say_where_they_are(void **state)
{
	struct command c = { .ino = 7,
			     .name = text_of("a b"),
			     .mode = 0640,
			     .uid = 1000,
			     .gid = 100 };

	(void)state;
	c.op = COMMAND_CREATE;
	assert_words(c, "create \"a b\" in 7, mode 0640, owner 1000:100");
	c.op = COMMAND_MKDIR;
	assert_words(c, "mkdir \"a b\" in 7, mode 0640, owner 1000:100");
	c.op = COMMAND_PUT;
	c.data = text_of("12345");
	assert_words(c, "put \"a b\" in 7, mode 0640, owner 1000:100, 5 bytes");
	c.op = COMMAND_SYMLINK;
	assert_words(c, "symlink \"a b\" in 7, target of 5 bytes, "
			"owner 1000:100");
	c.op = COMMAND_UNLINK;
	assert_words(c, "unlink \"a b\" in 7");
	c.op = COMMAND_LINK;
	c.target = 9;
	assert_words(c, "link \"a b\" in 7 to 9");
	c.op = COMMAND_RENAME;
	c.target_name = text_of("c");
	assert_words(c, "rename \"a b\" in 7 -> \"c\" in 9");
	c.flags = COMMAND_EXCHANGE;
	assert_words(c, "rename \"a b\" in 7 <-> \"c\" in 9");
}

static void odd_bytes_of_a_name_are_escaped(void **state)
{
	const struct command c = { .op = COMMAND_RMDIR,
				   .ino = 1,
				   .name = text_of("\"\\\n\xc3\xa9") };

	(void)state;
	assert_words(c, "rmdir \"\\\"\\\\\\x0a\\xc3\\xa9\" in 1");
}

static void the_longest_names_fit(void **state)
{
	char odd[255], text[LOG_WORDS_BYTES];
	struct command c = { .op = COMMAND_RENAME, .ino = UINT64_MAX };

	(void)state;
	memset(odd, 1, sizeof(odd));
	c.name = c.target_name = (struct bytes){ (uint8_t *)odd, sizeof(odd) };
	c.target = UINT64_MAX;
	assert_true(strlen(log_words(&c, text)) > 8 * sizeof(odd));
}

static void changes_say_how_much_and_where(void **state)
{
	struct command c = { .op = COMMAND_WRITE,
			     .ino = 5,
			     .offset = 4096,
			     .data = text_of("abc") };

	(void)state;
	assert_words(c, "write 5: 3 bytes at 4096");
	c.flags = COMMAND_APPEND;
	assert_words(c, "write 5: 3 bytes at the end");
	c = (struct command){ .op = COMMAND_SETATTR,
			      .ino = 5,
			      .set_mask = COMMAND_SET_SIZE | COMMAND_SET_MODE |
					  COMMAND_SET_MTIME_NOW,
			      .mode = 0600,
			      .size_bytes = 10 };
	assert_words(c, "setattr 5: mode 0600 size 10 mtime");
	c = (struct command){ .op = COMMAND_FALLOCATE,
			      .ino = 5,
			      .offset = 1,
			      .length = 2,
			      .flags = COMMAND_PUNCH };
	assert_words(c, "punch 5: 2 bytes at 1");
	c = (struct command){ .op = COMMAND_SETXATTR,
			      .ino = 5,
			      .name = text_of("user.x"),
			      .data = text_of("v") };
	assert_words(c, "setxattr \"user.x\" of 5, 1 bytes");
}

static void sessions_and_grants_have_words_too(void **state)
{
	(void)state;
	assert_words((struct command){ .op = COMMAND_OPEN_SESSION,
				       .name = text_of("uid 0"),
				       .node = 2,
				       .lease_ns = 60000000000 },
		     "open-session \"uid 0\" on node 2, lease 60.00 s");
	assert_words((struct command){ .op = COMMAND_GRANT,
				       .length = 64,
				       .node = 3 },
		     "grant 64 chunk ids to node 3");
	assert_words((struct command){ .op = COMMAND_EXPIRE_SESSIONS },
		     "expire-sessions");
	assert_words((struct command){ .op = COMMAND_EXPIRE_GRANT,
				       .target = 65 },
		     "expire-grant 65");
	assert_words((struct command){ .op = COMMAND_RELEASE, .ino = 4 },
		     "release 4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_say_where_they_are),
		cmocka_unit_test(odd_bytes_of_a_name_are_escaped),
		cmocka_unit_test(the_longest_names_fit),
		cmocka_unit_test(changes_say_how_much_and_where),
		cmocka_unit_test(sessions_and_grants_have_words_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
