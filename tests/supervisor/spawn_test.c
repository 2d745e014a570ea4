/* Spawning: what a child inherits, and nothing else. Children are shells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/spawn.h"

/* Run a shell script as a child; its exit status, or -1 for a signal. */
static int run_shell(const char *script, struct spawn spawn)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct pollfd done = { .events = POLLIN };
	siginfo_t info = { 0 };
	pid_t pid;

	spawn.argv = argv;
	assert_int_equal(spawn_child(&spawn, &pid, &done.fd), RFS_ERR_OK);
	assert_true(fcntl(done.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(poll(&done, 1, 10000), 1);
	assert_int_equal(waitid(P_PIDFD, (id_t)done.fd, &info, WEXITED), 0);
	assert_int_equal(info.si_pid, pid);
	close(done.fd);
	return info.si_code == CLD_EXITED ? info.si_status : -1;
}

static const struct spawn plain = {
	.path = "/bin/sh", .user = "", .channel_fd = -1, .cgroup_fd = -1
};

static void its_exit_status_comes_back(void **state)
{
	(void)state;
	assert_int_equal(run_shell("exit 7", plain), 7);
	assert_int_equal(run_shell("kill -9 $$", plain), -1);
}

static void a_program_that_is_not_there_exits_127(void **state)
{
	struct spawn spawn = plain;

	(void)state;
	spawn.path = "/nonexistent/program";
	assert_int_equal(run_shell("exit 0", spawn), 127);
}

static void the_environment_is_ours_but_for_two(void **state)
{
	struct spawn spawn = plain;

	(void)state;
	setenv("NOTIFY_SOCKET", "/of/the/init", 1);
	setenv("WATCHDOG_USEC", "1", 1);
	setenv("RAFTFS_TEST", "kept", 1);
	assert_int_equal(run_shell("test \"$RAFTFS_TEST\" = kept -a -z "
				   "\"$NOTIFY_SOCKET$WATCHDOG_USEC\"",
				   spawn),
			 0);
	spawn.notify_path = "/run/n";
	spawn.watchdog_ns = 5000000000;
	assert_int_equal(run_shell("test $NOTIFY_SOCKET = /run/n -a "
				   "$WATCHDOG_USEC = 5000000",
				   spawn),
			 0);
	assert_string_equal(getenv("NOTIFY_SOCKET"), "/of/the/init");
}

/* Nothing but 0, 1, 2 and the channel, even of what is not close-on-exec.
 * (ls opens the directory it lists as one more.) */
static void only_the_channel_is_handed_down(void **state)
{
	struct spawn spawn = plain;
	int pair[2];
	int leaky = open("/dev/null", O_RDONLY);
	char byte = 0;

	(void)state;
	assert_int_equal(fcntl(leaky, F_DUPFD, 40), 40);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(
		run_shell("test \"$(ls /proc/self/fd | wc -l)\" = 4", spawn),
		0);
	spawn.channel_fd = pair[1];
	assert_int_equal(run_shell("test -S /dev/fd/3 && printf x >&3 && "
				   "! test -e /proc/self/fd/40",
				   spawn),
			 0);
	assert_int_equal(recv(pair[0], &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 'x');
	close(pair[0]);
	close(pair[1]);
	close(leaky);
	close(40);
}

static void signals_are_at_their_defaults(void **state)
{
	(void)state;
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(run_shell("kill -TERM $$; exit 0", plain), -1);
	assert_int_equal(run_shell("kill -PIPE $$; exit 0", plain), -1);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
}

static void another_user_runs_it(void **state)
{
	struct spawn spawn = plain;

	(void)state;
	if (geteuid() != 0)
		skip();
	spawn.user = "nobody";
	assert_int_equal(run_shell("test \"$(id -un)\" = nobody", spawn), 0);
	spawn.user = "no-such-user-here";
	assert_int_equal(run_shell("exit 0", spawn), 127);
}

/* Those asked for and no others, through exec; 0 where there is no other user. */
static void another_user_keeps_what_it_was_given(void **state)
{
	struct spawn spawn = plain;

	(void)state;
	if (geteuid() != 0)
		skip();
	spawn.user = "nobody";
	assert_int_equal(run_shell("grep -q 'CapEff:.0*$' /proc/self/status",
				   spawn), 0);
	spawn.capabilities = UINT64_C(1) << CAP_NET_BIND_SERVICE;
	assert_int_equal(run_shell("test \"$(id -un)\" = nobody && for set in "
				   "Inh Prm Eff Amb; do grep -q "
				   "\"Cap$set:.0*400$\" /proc/self/status "
				   "|| exit 1; done",
				   spawn), 0);
}

static void programs_are_found_beside_this_one(void **state)
{
	char path[512];

	(void)state;
	assert_int_equal(spawn_find("spawn_test", path, sizeof(path)),
			 RFS_ERR_OK);
	assert_int_equal(access(path, X_OK), 0);
	assert_int_equal(spawn_find("raftfs-nothing", path, sizeof(path)),
			 RFS_ERR_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_exit_status_comes_back),
		cmocka_unit_test(a_program_that_is_not_there_exits_127),
		cmocka_unit_test(the_environment_is_ours_but_for_two),
		cmocka_unit_test(only_the_channel_is_handed_down),
		cmocka_unit_test(signals_are_at_their_defaults),
		cmocka_unit_test(another_user_runs_it),
		cmocka_unit_test(another_user_keeps_what_it_was_given),
		cmocka_unit_test(programs_are_found_beside_this_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
