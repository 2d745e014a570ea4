/* The socket on which children speak the readiness protocol of sd_notify(3).
 *
 * Every datagram carries the kernel's word on who sent it; only a child's own
 * process is listened to.
 */
#ifndef RAFTFS_SUPERVISOR_NOTIFY_H
#define RAFTFS_SUPERVISOR_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

#define NOTIFY_FILE	  "notify.sock" /* in run_dir */
#define NOTIFY_STATUS_MAX 160

struct notify {
	pid_t pid; /* of the sender, in our namespace */
	bool ready;
	bool stopping;
	bool watchdog;
	uint64_t members_index; /* "X_MEMBERS=7": raftd wrote members.conf as
				 * of this log entry; 0: nothing said */
	bool has_status;
	char status[NOTIFY_STATUS_MAX]; /* printable, one line */
};

/* A non-blocking socket bound to path, for user (may be ""). -1: logged. */
int notify_open(const char *path, const char *user);

/* BUSY: none waiting. INVALID: one was dropped (no credentials, too long). */
RFS_MUST_USE enum rfs_err notify_receive(int fd, struct notify *notify);

/* The text of one datagram; for notify_receive() and tests. */
void notify_parse(char *text, struct notify *notify);

#endif
