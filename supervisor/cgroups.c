/* Making, killing and removing the children's cgroup2 directories. */
#include "supervisor/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/log.h"

#define KILL_PASSES 16

static void none(struct cgroups *groups, const char *what)
{
	snprintf(groups->warning, sizeof(groups->warning),
		 "no cgroups (%s%s%s): no accounting, no network probes", what,
		 errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	log_warn("%s", groups->warning);
	groups->path[0] = '\0';
}

/* Where cgroup2 is mounted; false when nowhere. */
static bool find_mount(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	bool found = false;

	if (mounts == NULL)
		return false;
	while (!found && (entry = getmntent(mounts)) != NULL) {
		if (strcmp(entry->mnt_type, "cgroup2") != 0)
			continue;
		found = snprintf(path, size, "%s", entry->mnt_dir) < (int)size;
	}
	endmntent(mounts);
	return found;
}

/* Our own cgroup2 path below the mount: "" at the root, else "/a/b". Under an
 * init system that is the directory it delegated to us. */
static void find_own(char *path, size_t size)
{
	char line[512];
	FILE *file = fopen("/proc/self/cgroup", "re");

	path[0] = '\0';
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0 && line[4] != '\0')
			snprintf(path, size, "%.255s", line + 3);
	}
	fclose(file);
}

static int open_dir(const char *path)
{
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_tree(const char *path, const char *const names[])
{
	char child[1100];

	for (int i = 0; i < ORDER_CHILDREN; i++) {
		snprintf(child, sizeof(child), "%s/%s", path, names[i]);
		/* Busy when a grandchild still lives: left for next time. */
		(void)rmdir(child);
	}
	(void)rmdir(path);
}

/* Remove <self>-<pid> directories that killed supervisors left: that process
 * is gone, and nobody holds the lock. */
static void sweep(const char *base, const char *self,
		  const char *const names[ORDER_CHILDREN])
{
	DIR *dir = opendir(base);
	size_t length = strlen(self);
	const struct dirent *entry;
	char path[1024];
	char *end;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		const char *pid = entry->d_name + length + 1;
		long number;
		int fd;

		if (strncmp(entry->d_name, self, length) != 0 ||
		    entry->d_name[length] != '-')
			continue;
		number = strtol(pid, &end, 10);
		if (*end != '\0' || number <= 0 ||
		    kill((pid_t)number, 0) == 0 || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, entry->d_name);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_tree(path, names);
		if (fd >= 0)
			close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

/* The node's directory, locked, so that two supervisors of nodes named alike
 * on one host never kill each other's children. */
static int open_own(struct cgroups *groups, const char *base, const char *self)
{
	int fd;

	snprintf(groups->path, sizeof(groups->path), "%s/%s", base, self);
	fd = open_dir(groups->path);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	snprintf(groups->path, sizeof(groups->path), "%s/%s-%d", base, self,
		 (int)getpid());
	log_notice("cgroup %s/%s is in use by another node of that name; "
		   "taking %s",
		   base, self, groups->path);
	fd = open_dir(groups->path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
		log_warn("cgroup %s: lock: %s", groups->path, strerror(errno));
	return fd;
}

void cgroups_open(struct cgroups *groups, const char *self,
		  const char *const names[ORDER_CHILDREN])
{
	char mount[256];
	char own[256];
	char base[600];
	char path[1100];
	int base_fd;

	memset(groups, 0, sizeof(*groups));
	for (int i = 0; i < ORDER_CHILDREN; i++)
		groups->fd[i] = -1;
	groups->lock_fd = -1;
	errno = 0;
	if (!find_mount(mount, sizeof(mount))) {
		none(groups, "cgroup2 is not mounted");
		return;
	}
	find_own(own, sizeof(own));
	snprintf(base, sizeof(base), "%s%s/raftfs", mount, own);
	base_fd = open_dir(base);
	if (base_fd >= 0) {
		close(base_fd);
		sweep(base, self, names);
		groups->lock_fd = open_own(groups, base, self);
	}
	if (groups->lock_fd < 0) {
		none(groups, base);
		return;
	}
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		snprintf(path, sizeof(path), "%s/%s", groups->path, names[i]);
		groups->fd[i] = open_dir(path);
		if (groups->fd[i] < 0) {
			none(groups, path);
			return;
		}
	}
}

/* One pass over what is in there now; false: nothing was. */
static bool kill_members(int group_fd)
{
	int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *members = fd < 0 ? NULL : fdopen(fd, "r");
	bool any = false;
	long pid;

	if (members == NULL) {
		log_warn("cgroup.procs: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (fscanf(members, "%ld", &pid) == 1) {
		any = true;
		(void)kill((pid_t)pid, SIGKILL);
	}
	fclose(members);
	return any;
}

/* Not by cgroup.kill: once that was written, Linux 6.18 kills whatever is
 * cloned into the directory with CLONE_INTO_CGROUP, for ever. Whoever forks
 * during one pass is found by the next. */
void cgroups_kill(const struct cgroups *groups, enum order_child which)
{
	if (groups->fd[which] < 0)
		return;
	for (int pass = 0; pass < KILL_PASSES && kill_members(groups->fd[which]);
	     pass++)
		;
}

void cgroups_close(struct cgroups *groups,
		   const char *const names[ORDER_CHILDREN])
{
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		if (groups->fd[i] >= 0)
			close(groups->fd[i]);
		groups->fd[i] = -1;
	}
	if (groups->lock_fd < 0)
		return;
	remove_tree(groups->path, names);
	close(groups->lock_fd);
	groups->lock_fd = -1;
}
