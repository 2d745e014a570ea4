/* Readiness datagrams: what they say and who said it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/notify.h"

static char path[64];
static int server_fd;
static int client_fd;
static struct sockaddr_un un = { .sun_family = AF_UNIX };

static int set_up(void **state)
{
	char dir[] = "/tmp/raftfs-notify-XXXXXX";

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	strcpy(un.sun_path, path);
	server_fd = notify_open(path, "");
	client_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return server_fd >= 0 && client_fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	close(server_fd);
	close(client_fd);
	unlink(path);
	*strrchr(path, '/') = '\0';
	return rmdir(path);
}

static void say(const char *text, size_t bytes)
{
	assert_int_equal(
		sendto(client_fd, text, bytes, 0, (void *)&un, sizeof(un)),
		bytes);
}

static void each_word_is_understood(void **state)
{
	struct notify got;
	const char text[] = "READY=1\nSTATUS=leader of term 3\nWATCHDOG=1\n"
			    "MAINPID=7\nnoise";

	(void)state;
	say(text, strlen(text));
	assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_OK);
	assert_true(got.ready);
	assert_true(got.watchdog);
	assert_false(got.stopping);
	assert_true(got.has_status);
	assert_string_equal(got.status, "leader of term 3");
	assert_int_equal(got.members_index, 0);
	assert_int_equal(got.pid, getpid());
	assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_BUSY);
}

static void an_entry_number_is_one_whole_number(void **state)
{
	static const struct {
		const char *text;
		uint64_t index;
	} cases[] = {
		{ "X_MEMBERS=17", 17 },
		{ "X_MEMBERS=18446744073709551615", UINT64_MAX },
		{ "X_MEMBERS=18446744073709551616", 0 },
		{ "X_MEMBERS=", 0 },
		{ "X_MEMBERS=-1", 0 },
		{ "X_MEMBERS=1x", 0 },
	};
	struct notify got;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		say(cases[i].text, strlen(cases[i].text));
		assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_OK);
		assert_int_equal(got.members_index, cases[i].index);
	}
}

static void only_whole_words_count(void **state)
{
	struct notify got;

	(void)state;
	say("XREADY=1\nREADY=10\nREADY=0\nSTOPPING=1", 37);
	assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_OK);
	assert_false(got.ready);
	assert_true(got.stopping);
	assert_false(got.has_status);
	say("", 0);
	assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_OK);
	assert_false(got.ready);
}

static void a_status_is_made_printable_and_cut(void **state)
{
	struct notify got;
	char text[600] = "STATUS=\x1b[31m";

	(void)state;
	memset(text + strlen(text), 'x', 500);
	say(text, strlen(text));
	assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_OK);
	assert_int_equal(strlen(got.status), NOTIFY_STATUS_MAX - 1);
	assert_int_equal(got.status[0], '?');
}

static void what_is_too_long_is_dropped(void **state)
{
	struct notify got;
	static char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "READY=1\n", 8);
	say(text, sizeof(text));
	assert_int_equal(notify_receive(server_fd, &got), RFS_ERR_INVALID);
	assert_false(got.ready);
}

int main(void)
{
#define OPENED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		OPENED(each_word_is_understood),
		OPENED(an_entry_number_is_one_whole_number),
		OPENED(only_whole_words_count),
		OPENED(a_status_is_made_printable_and_cut),
		OPENED(what_is_too_long_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
