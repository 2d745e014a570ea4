/* clone3(CLONE_PIDFD | CLONE_INTO_CGROUP), then exec with a clean table. */
#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/os/log.h"
#include "common/os/process.h"
#include "proto/handout.h"

#ifndef RAFTFS_SBINDIR
#define RAFTFS_SBINDIR "/usr/sbin"
#endif

#define EXEC_FAILED 127
#define FILES_MAX   65536u

/* As fork(): its own copy of everything, on the stack it was called on. */
static pid_t clone_into(int cgroup_fd, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* KILL and STOP refuse: fine */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_environment(const struct spawn *spawn)
{
	char number[32];

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (spawn->notify_path != NULL)
		setenv("NOTIFY_SOCKET", spawn->notify_path, 1);
	if (spawn->watchdog_ns > 0) {
		snprintf(number, sizeof(number), "%" PRId64,
			 spawn->watchdog_ns / 1000);
		setenv("WATCHDOG_USEC", number, 1);
	}
}

/* Only 0, 1, 2 and the channel as 3 stay open. */
static int set_descriptors(int channel_fd)
{
	int null_fd = open("/dev/null", O_RDONLY);
	unsigned int first = channel_fd >= 0 ? HANDOUT_FD + 1 : HANDOUT_FD;

	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return -1;
	if (channel_fd == HANDOUT_FD)
		/* dup2 onto itself would leave close-on-exec set */
		fcntl(HANDOUT_FD, F_SETFD, 0);
	else if (channel_fd >= 0 && dup2(channel_fd, HANDOUT_FD) < 0)
		return -1;
	return close_range(first, ~0U, 0);
}

/* Files, chunks and peers: the usual soft limit of 1024 is for select(). */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur =
		limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("cannot raise the limit of open files: %s",
			 strerror(errno));
}

/* The priority, and the right to the least of the real-time ones. */
static void let_hurry(const struct spawn *spawn)
{
	const struct rlimit least = { 1, 1 };

	if (setpriority(PRIO_PROCESS, 0, spawn->nice) != 0)
		log_warn("%s: no priority %d: %s", spawn->path, spawn->nice,
			 strerror(errno));
	if (setrlimit(RLIMIT_RTPRIO, &least) != 0)
		log_warn("%s: no right to real-time priority: %s", spawn->path,
			 strerror(errno));
}

static void run_child(const struct spawn *spawn, pid_t parent)
	__attribute__((noreturn));

static void run_child(const struct spawn *spawn, pid_t parent)
{
	default_signals();
	set_environment(spawn);
	raise_file_limit();
	if (set_descriptors(spawn->channel_fd) != 0) {
		log_errno("%s: descriptors", spawn->argv[0]);
		_exit(EXEC_FAILED);
	}
	if (spawn->nice != 0)
		let_hurry(spawn);
	if (process_become_with(spawn->user, spawn->capabilities) != RFS_ERR_OK)
		_exit(EXEC_FAILED);
	/* After the change of user, which clears it. The parent may be gone
	 * already: then nobody is left to send the signal. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0 ||
	    getppid() != parent)
		_exit(EXEC_FAILED);
	execv(spawn->path, (char *const *)spawn->argv);
	log_errno("exec %s", spawn->path);
	_exit(EXEC_FAILED);
}

enum rfs_err spawn_child(const struct spawn *spawn, pid_t *pid, int *pidfd)
{
	pid_t parent = getpid();
	sigset_t all;
	sigset_t before;
	int fd = -1;
	pid_t child;

	/* No handler of ours may run in the child before exec. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	child = clone_into(spawn->cgroup_fd, &fd);
	if (child < 0 && spawn->cgroup_fd >= 0) {
		log_warn("%s: cannot be born in its cgroup: %s", spawn->argv[0],
			 strerror(errno));
		child = clone_into(-1, &fd);
	}
	if (child == 0)
		run_child(spawn, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0) {
		log_errno("start %s", spawn->argv[0]);
		return RFS_ERR_IO;
	}
	*pid = child;
	*pidfd = fd; /* the kernel makes it close-on-exec */
	return RFS_ERR_OK;
}

enum rfs_err spawn_find(const char *program, char *path, size_t size)
{
	char self[512];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length > 0) {
		self[length] = '\0';
		slash = strrchr(self, '/');
		*slash = '\0';
		snprintf(path, size, "%s/%s", self, program);
		if (access(path, X_OK) == 0)
			return RFS_ERR_OK;
	}
	snprintf(path, size, "%s/%s", RAFTFS_SBINDIR, program);
	return access(path, X_OK) == 0 ? RFS_ERR_OK : RFS_ERR_NOENT;
}
