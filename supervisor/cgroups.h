/* One cgroup2 directory per child: <own>/raftfs/<self>/<child>, own being the
 * supervisor's cgroup, which is the mount's root unless an init system gave it
 * another.
 *
 * They are where per-daemon accounting and the network probes attach, and how
 * a stuck child is killed with all it started. Without cgroup2, or the right
 * to it, everything works but these; one line says so.
 */
#ifndef RAFTFS_SUPERVISOR_CGROUPS_H
#define RAFTFS_SUPERVISOR_CGROUPS_H

#include "supervisor/core/order.h"

struct cgroups {
	char path[1024];	/* of the node's directory; "": none */
	int lock_fd;		/* of that directory, flocked: it is ours */
	int fd[ORDER_CHILDREN]; /* of the children's directories; -1: none */
	char warning[256];	/* why there are none; "" */
};

/* Never fails; what is missing is in warning, logged. names: the children's
 * directories. */
void cgroups_open(struct cgroups *groups, const char *self,
		  const char *const names[ORDER_CHILDREN]);

/* SIGKILL to everything in the child's directory; nothing without one. */
void cgroups_kill(const struct cgroups *groups, enum order_child which);

/* Remove the directories; the children must be gone. */
void cgroups_close(struct cgroups *groups,
		   const char *const names[ORDER_CHILDREN]);

#endif
