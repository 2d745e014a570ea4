/* What is given up stays given up: each promise in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/confine.h"
#include "common/os/process.h"

/* What a child of this test needs to go on and to tell how it went. */
static const char *const few[] = {
	"read",	    "write",  "exit_group",	 "mmap",
	"munmap",   "socket", "close",		 "rt_sigprocmask",
	"futex",    "clone3", "set_robust_list", "rseq",
	"mprotect", "exit",   "madvise",	 "no_such_call",
	NULL,
};

#define OFF_HERE 77 /* no seccomp, or a sanitizer's build */

static bool has(const char *what)
{
	return strstr(confine_text(), what) != NULL;
}

/* Run in a child; the status it ended with. */
static int in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		process_harden();
		_exit(run());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool went_well(int (*run)(void))
{
	int status = in_child(run);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int refused(void)
{
	confine_calls(few);
	if (has("calls: off"))
		return 0;
	return !(mkdir("x", 0700) != 0 && errno == EPERM);
}

static void a_call_that_is_not_listed_fails(void **state)
{
	(void)state;
	assert_true(went_well(refused));
}

static int executes(void)
{
	char *const argv[] = {(char *)"/bin/true", NULL};

	confine_calls(few);
	if (has("calls: off"))
		return OFF_HERE;
	execv(argv[0], argv);
	return 1;
}

static void executing_a_program_is_the_end(void **state)
{
	int status = in_child(executes);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == OFF_HERE)
		skip();
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int sockets_and_memory(void)
{
	confine_calls(few);
	if (has("calls: off"))
		return 0;
	if (socket(AF_INET, SOCK_STREAM, 0) < 0 ||
	    socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 1;
	if (socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || errno != EPERM)
		return 2;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != MAP_FAILED)
		return 3;
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED;
}

static void sockets_are_of_three_families_and_memory_is_data(void **state)
{
	(void)state;
	assert_true(went_well(sockets_and_memory));
}

static int pipe_fds[2];

static void *try_elsewhere(void *unused)
{
	char go;

	(void)unused;
	if (read(pipe_fds[0], &go, 1) != 1)
		return (void *)1;
	return (void *)(intptr_t) !(mkdir("x", 0700) != 0 && errno == EPERM);
}

static int threads(void)
{
	pthread_t thread;
	void *failed;

	if (pipe(pipe_fds) != 0 ||
	    pthread_create(&thread, NULL, try_elsewhere, NULL) != 0)
		return 1;
	confine_calls(few);
	if (has("calls: off"))
		return 0;
	if (write(pipe_fds[1], "g", 1) != 1)
		return 1;
	pthread_join(thread, &failed);
	return failed != NULL;
}

static void calls_are_refused_in_threads_that_were_there_before(void **state)
{
	(void)state;
	assert_true(went_well(threads));
}

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int files(void)
{
	static const char *const dirs[] = {"a", "b", NULL};

	if (!opens("outside", O_CREAT | O_WRONLY))
		return 1;
	confine_files(dirs);
	if (has("files: off"))
		return 0;
	if (!opens("a/f", O_CREAT | O_RDWR) || rename("a/f", "b/f") != 0 ||
	    unlink("b/f") != 0)
		return 2;
	if (opens("outside", O_RDONLY) || errno != EACCES)
		return 3;
	if (opens("new", O_CREAT | O_WRONLY) || unlink("outside") == 0)
		return 4;
	return !opens("/proc/self/status", O_RDONLY) ||
	       opens("/proc/self/comm", O_WRONLY);
}

static void only_what_lies_below_is_opened_and_changed(void **state)
{
	char folder[] = "/tmp/raftfs-confine.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_true(went_well(files));
	(void)!unlink("outside");
	(void)!rmdir("a");
	(void)!rmdir("b");
	assert_int_equal(rmdir(folder), 0);
}

static int with_foreign_code(void)
{
	static const char *const dirs[] = {"/tmp", NULL};

	setenv("LD_PRELOAD", "", 1);
	confine_files(dirs);
	confine_calls(few);
	return !has("system calls: off; files: off");
}

static void nothing_is_confined_beside_a_preloaded_library(void **state)
{
	(void)state;
	assert_true(went_well(with_foreign_code));
}

static void the_text_says_what_is_off(void **state)
{
	(void)state;
	assert_string_equal(confine_text(), "system calls: off; files: off");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_says_what_is_off),
		cmocka_unit_test(a_call_that_is_not_listed_fails),
		cmocka_unit_test(executing_a_program_is_the_end),
		cmocka_unit_test(
			sockets_are_of_three_families_and_memory_is_data),
		cmocka_unit_test(
			calls_are_refused_in_threads_that_were_there_before),
		cmocka_unit_test(
			nothing_is_confined_beside_a_preloaded_library),
		cmocka_unit_test(only_what_lies_below_is_opened_and_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
