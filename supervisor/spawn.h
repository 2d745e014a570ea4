/* Starting a program: what a child inherits, listed once, and nothing else. */
#ifndef RAFTFS_SUPERVISOR_SPAWN_H
#define RAFTFS_SUPERVISOR_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct spawn {
	const char *path;	 /* of the program */
	const char *const *argv; /* NULL-terminated */
	const char *user;	 /* to become before exec; "": as we are */
	/* 0: ours; below it root's to give, and with it the right to real-time
	 * priority 1. Its threads inherit it */
	int nice;
	uint64_t capabilities;	 /* kept by it as another user: 1 << CAP_... */
	const char *notify_path; /* its NOTIFY_SOCKET; NULL: none */
	int64_t watchdog_ns;	 /* its WATCHDOG_USEC; 0: none */
	int channel_fd; /* becomes descriptor 3 (HANDOUT_FD); -1: none */
	int cgroup_fd;	/* directory to be born in; -1: ours */
};

/* clone3 and exec. Besides channel_fd the child has stdin from /dev/null, our
 * stdout and stderr; default signals; our environment with the two variables
 * above; and it is sent SIGTERM when we die. *pidfd is the caller's. An exec
 * that fails is logged by the child, which exits with 127. Errors: IO
 * (logged). */
RFS_MUST_USE enum rfs_err spawn_child(const struct spawn *spawn, pid_t *pid,
				      int *pidfd);

/* The path of a program of ours: beside this one, or where it was installed.
 * NOENT when it is in neither place; path then names the first. */
RFS_MUST_USE enum rfs_err spawn_find(const char *program, char *path,
				     size_t size);

#endif
