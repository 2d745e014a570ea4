/* Processes of a local cluster. */
#include "client/cli/cluster_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"

#define SUPERVISOR   "raftfs-supervisor"
#define CHILDREN_MAX 16

static void nap(int64_t ns)
{
	const struct timespec time = {.tv_sec = ns / NS_PER_SEC,
				      .tv_nsec = ns % NS_PER_SEC};

	nanosleep(&time, NULL);
}

const char *cluster_process_log(const struct config *config)
{
	static char path[CONFIG_PATH_MAX + 16];
	const char *slash = strrchr(config->path, '/');

	snprintf(path, sizeof(path), "%.*s/log",
		 slash == NULL ? 1 : (int)(slash - config->path),
		 slash == NULL ? "." : config->path);
	return path;
}

/* --- finding --- */

/* Linux shows the name's first 15 bytes. */
static bool is_supervisor(pid_t pid)
{
	char path[48], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return false;
	bool same = fgets(name, sizeof(name), in) != NULL &&
		    strncmp(name, SUPERVISOR, 15) == 0;

	fclose(in);
	return same;
}

pid_t cluster_process_find(const struct config *config)
{
	char path[CONFIG_PATH_MAX + 32], text[32] = "";

	snprintf(path, sizeof(path), "%s/%s", config->run_dir,
		 SOCKETS_PID_FILE);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	/* Whoever can lock it has found a dead one's file. */
	bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	ssize_t bytes = read(fd, text, sizeof(text) - 1);

	close(fd);
	pid_t pid = bytes > 0 ? (pid_t)strtol(text, NULL, 10) : 0;

	return held && pid > 1 && is_supervisor(pid) ? pid : 0;
}

static pid_t parent_of(pid_t pid)
{
	char path[48], line[512];
	pid_t parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return 0;
	if (fgets(line, sizeof(line), in) != NULL) {
		/* "pid (name) state ppid": the name may hold anything. */
		const char *after = strrchr(line, ')');

		if (after != NULL && strlen(after) > 4)
			parent = (pid_t)strtol(after + 4, NULL, 10);
	}
	fclose(in);
	return parent;
}

static size_t children_of(pid_t supervisor, pid_t children[CHILDREN_MAX])
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	if (proc == NULL)
		return 0;
	while ((entry = readdir(proc)) != NULL && count < CHILDREN_MAX) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && parent_of(pid) == supervisor)
			children[count++] = pid;
	}
	closedir(proc);
	return count;
}

int cluster_process_signal_all(pid_t supervisor, int signal)
{
	pid_t children[CHILDREN_MAX];
	size_t count = children_of(supervisor, children);
	int reached = 0;

	if (signal != SIGCONT)
		reached += kill(supervisor, signal) == 0;
	for (size_t i = 0; i < count; i++)
		reached += kill(children[i], signal) == 0;
	if (signal == SIGCONT)
		reached += kill(supervisor, signal) == 0;
	return reached;
}

/* --- starting and stopping --- */

/* Where it may be, seen from here: a build directory, an installation, PATH. */
static void become_supervisor(const char *config_path)
{
	static const char *const places[] = {SUPERVISOR, "../sbin/" SUPERVISOR};
	char self[4096];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 64);
	char *name;

	if (bytes > 0) {
		self[bytes] = '\0';
		name = strrchr(self, '/') + 1;
		for (size_t i = 0; i < 2; i++) {
			strcpy(name, places[i]);
			execl(self, SUPERVISOR, "-c", config_path,
			      (char *)NULL);
		}
	}
	execlp(SUPERVISOR, SUPERVISOR, "-c", config_path, (char *)NULL);
	fprintf(stderr, "raftfs: cannot run " SUPERVISOR ": %s\n",
		strerror(errno));
	_exit(127);
}

static void detach(const struct config *config, int log_fd)
{
	int null = open("/dev/null", O_RDONLY);

	setsid();
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
		_exit(127);
	/* Nothing of whoever called us is kept open: pipes must end. */
	close_range(3, ~0u, 0);
	become_supervisor(config->path);
}

pid_t cluster_process_start(const struct config *config)
{
	const char *path = cluster_process_log(config);
	int log_fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (log_fd < 0) {
		cli_fail_errno(path);
		return -1;
	}
	pid_t pid = fork();

	if (pid == 0)
		detach(config, log_fd);
	if (pid < 0)
		cli_fail_errno("fork");
	close(log_fd);
	return pid;
}

static bool wait_gone(const struct config *config, int64_t limit_ns)
{
	int64_t until_ns = clock_raw_ns() + limit_ns;

	while (cluster_process_find(config) != 0) {
		if (clock_raw_ns() >= until_ns)
			return false;
		nap(20 * NS_PER_MS);
	}
	return true;
}

bool cluster_process_stop(const struct config *config, int64_t limit_ns)
{
	pid_t pid = cluster_process_find(config);

	if (pid == 0)
		return true;
	/* A paused one must run to be able to stop. */
	cluster_process_signal_all(pid, SIGCONT);
	kill(pid, SIGTERM);
	if (wait_gone(config, limit_ns))
		return true;
	cluster_process_signal_all(pid, SIGKILL);
	wait_gone(config, NS_PER_SEC);
	return false;
}
