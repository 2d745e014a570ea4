/* The first lines of a daemon: readiness, directories, privileges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/process.h"

static char dir[32];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/raftfs-proc-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void a_notice_reaches_the_socket(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/n", dir);
	assert_int_equal(bind(fd, (void *)&un, sizeof(un)), 0);
	process_notify("READY=1"); /* to nobody: no variable, no harm */
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	process_notify("READY=1\nSTATUS=x");
	assert_int_equal(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 16);
	assert_string_equal(text, "READY=1\nSTATUS=x");
	close(fd);
	process_notify("READY=1"); /* nobody listens: no harm */
}

static void an_abstract_socket_is_reached_too(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char name[64];
	char text[16] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(name, sizeof(name), "@raftfs-test-%d", (int)getpid());
	memcpy(un.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(
		bind(fd, (void *)&un,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				 strlen(name))),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	process_notify("READY=1");
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	close(fd);
}

static void a_full_queue_does_not_block(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/n", dir);
	assert_int_equal(bind(fd, (void *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	for (int i = 0; i < 10000; i++)
		process_notify("WATCHDOG=1");
	close(fd);
}

/* The queue is full of heartbeats that are read only after READY=1 was said. */
static void ready_is_not_lost_to_a_full_queue(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fds[2];
	pid_t pid;

	(void)state;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/n", dir);
	assert_int_equal(bind(fd, (void *)&un, sizeof(un)), 0);
	assert_int_equal(pipe(fds), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 10000; i++)
			process_notify("WATCHDOG=1");
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		process_notify("READY=1");
		_exit(0);
	}
	assert_int_equal(read(fds[0], text, 1), 1);
	usleep(20000);
	while (strcmp(text, "READY=1") != 0) {
		ssize_t got = recv(fd, text, sizeof(text) - 1, 0);

		assert_true(got > 0);
		text[got] = '\0';
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

static void directories_are_made_all_the_way(void **state)
{
	char path[64];
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	assert_int_equal(process_make_dir(path), RFS_ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(process_make_dir(path), RFS_ERR_OK); /* again */
	assert_int_equal(process_make_dir(""), RFS_ERR_IO);
	assert_int_equal(process_make_dir("/dev/null"), RFS_ERR_IO);
	assert_int_equal(process_make_dir("/dev/null/x"), RFS_ERR_IO);
}

/* In a child: hardening and a change of user cannot be taken back. */
static int in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int hardened(void)
{
	struct sigaction action;

	unsetenv("RAFTFS_DUMPABLE");
	process_harden();
	if (umask(0) != 077 || prctl(PR_GET_DUMPABLE) != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	if (sigaction(SIGPIPE, NULL, &action) != 0 ||
	    action.sa_handler != SIG_IGN)
		return 2;
	return 0;
}

static void hardening_takes(void **state)
{
	(void)state;
	assert_int_equal(in_child(hardened), 0);
}

static int become_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	gid_t groups[8];

	if (process_become("nobody") != RFS_ERR_OK)
		return 1;
	if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid ||
	    getegid() != nobody->pw_gid || getgroups(8, groups) != 0)
		return 2;
	if (setuid(0) == 0 || seteuid(0) == 0)
		return 3; /* there was a way back */
	return process_become("nobody") == RFS_ERR_OK ? 0 : 4;
}

static void another_user_is_for_good(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(become_nobody), 0);
}

static void an_unknown_user_is_refused(void **state)
{
	(void)state;
	assert_int_equal(process_become("no-such-user-here"), RFS_ERR_NOENT);
	assert_int_equal(process_become(""), RFS_ERR_OK);
}

int main(void)
{
	alarm(60); /* a lost READY=1 would wait for ever */
#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		PLACED(a_notice_reaches_the_socket),
		PLACED(an_abstract_socket_is_reached_too),
		PLACED(a_full_queue_does_not_block),
		PLACED(ready_is_not_lost_to_a_full_queue),
		PLACED(directories_are_made_all_the_way),
		cmocka_unit_test(hardening_takes),
		cmocka_unit_test(another_user_is_for_good),
		cmocka_unit_test(an_unknown_user_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
