/* Readiness, limits, privileges: the first lines of every daemon. */
#include "common/os/process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/os/log.h"

#define READY_WAIT_MS 1000
#define SLICE_NS      100000 /* the shortest there is */

/* A READY=1 lost to a full queue would never be said again: wait for room. */
static void deliver(int fd, const char *state)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	size_t length = strlen(state);
	bool patient = strstr(state, "READY=1") != NULL;

	while (send(fd, state, length, MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || !patient ||
		    poll(&room, 1, READY_WAIT_MS) <= 0) {
			log_debug("notify: not delivered: %s", state);
			return;
		}
	}
}

void process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	length = strlen(path);
	if (length < 2 || length >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, length);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				length)) == 0)
		deliver(fd, state);
	else
		log_debug("notify %s: %s", path, strerror(errno));
	close(fd);
}

void process_harden(void)
{
	int null_fd;

	umask(077);
	if (getenv("RAFTFS_DUMPABLE") == NULL &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_warn("cannot forbid core dumps, going on");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_warn("cannot set no_new_privs, going on");
	signal(SIGPIPE, SIG_IGN);
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		log_warn("cannot take stdin from /dev/null, going on");
	if (null_fd > STDIN_FILENO)
		close(null_fd);
}

/* Leaving uid 0 has emptied the effective set; what was permitted is kept up to
 * here. All sets become `wanted`, as far as permitted, and the ambient one hands
 * it through exec. */
static void keep_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2] = { 0 };

	if (syscall(SYS_capget, &head, sets) != 0)
		log_errno("capabilities");
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(wanted >> (32 * i));
		uint32_t kept = part & sets[i].permitted;

		if (kept != part)
			log_warn("capabilities %#x are missing, going on",
				 part & ~kept);
		sets[i] = (struct __user_cap_data_struct){ kept, kept, kept };
	}
	if (syscall(SYS_capset, &head, sets) != 0)
		log_errno("capabilities");
	for (uint32_t bit = 0; bit < 64; bit++)
		if ((sets[bit / 32].permitted >> bit % 32 & 1) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0) != 0)
			log_errno("capability %u", bit);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
}

/* linux/sched/types.h, which glibc's sched.h clashes with. */
struct sched_attributes {
	uint32_t size;
	uint32_t policy; /* 0: SCHED_OTHER */
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns;
	uint64_t deadline_ns;
	uint64_t period_ns;
};

void process_wake_soon(void)
{
	const struct sched_attributes attributes = {
		.size = sizeof(attributes),
		.nice = getpriority(PRIO_PROCESS, 0),
		.slice_ns = SLICE_NS,
	};

	if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
		log_info("the scheduler gives no short slices: %s",
			 strerror(errno));
}

bool process_go_first(pid_t thread)
{
	const struct sched_param param = { .sched_priority = 1 };

	return sched_setscheduler(thread, SCHED_RR, &param) == 0;
}

enum rfs_err process_become(const char *user)
{
	return process_become_with(user, 0);
}

enum rfs_err process_become_with(const char *user, uint64_t capabilities)
{
	const struct passwd *entry;

	if (user[0] == '\0')
		return RFS_ERR_OK;
	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL) {
		log_error("there is no user \"%s\" on this machine", user);
		return RFS_ERR_NOENT;
	}
	if (entry->pw_uid == geteuid() && entry->pw_uid == getuid())
		return RFS_ERR_OK;
	if (capabilities != 0)
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	/* Groups first: afterwards there is no right to. All ids at once, so
	 * that none can be taken back; leaving uid 0 drops capabilities. */
	if (setgroups(0, NULL) != 0 ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
		log_errno("become user \"%s\"", user);
		return RFS_ERR_DENIED;
	}
	if (capabilities != 0)
		keep_capabilities(capabilities);
	return RFS_ERR_OK;
}

enum rfs_err process_make_dir(const char *path)
{
	char part[4096];
	size_t length = strlen(path);
	struct stat st;

	if (length == 0 || length >= sizeof(part)) {
		log_error("create directory %s: bad length", path);
		return RFS_ERR_IO;
	}
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST) {
			log_errno("create directory %s", part);
			return RFS_ERR_IO;
		}
	}
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		log_errno("create directory %s", path);
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}
