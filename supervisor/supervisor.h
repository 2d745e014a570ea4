/* The supervisor's state: its children and what they share. One thread. */
#ifndef RAFTFS_SUPERVISOR_SUPERVISOR_H
#define RAFTFS_SUPERVISOR_SUPERVISOR_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "proto/control.pb-c.h"
#include "proto/control_server.h"
#include "supervisor/cgroups.h"
#include "supervisor/core/order.h"
#include "supervisor/core/supervise.h"
#include "supervisor/notify.h"
#include "supervisor/pages.h"

struct child {
	struct supervisor *supervisor;
	enum order_child which;
	struct supervise life;
	pid_t pid;			/* 0: no process */
	int pidfd;			/* -1 */
	int channel_fd;			/* our end of the handout channel; -1 */
	ev_io exited;			/* on pidfd */
	char status[NOTIFY_STATUS_MAX]; /* its own STATUS= line */
	char last_exit[64];		/* "signal 9 (Killed)", "exit 1", "" */
};

struct supervisor {
	struct ev_loop *loop;
	struct config config;
	struct node_key key; /* signs death notices */
	int config_fd;	     /* sealed memfd of the effective configuration */
	uint64_t config_generation;
	enum config_standing standing; /* what members.conf says of us */
	uint64_t members_index;	       /* of the one in force; 0: not known */
	char members_warning[160];
	struct supervise_policy policy;
	struct child children[ORDER_CHILDREN];
	struct page_slot clock;
	struct page_slot cons;
	uint64_t link_generation;
	struct cgroups cgroups;
	struct control_server *control;
	int notify_fd;
	char notify_path[CONFIG_PATH_MAX + 16];
	bool stopping;
	bool said_ready;	  /* READY=1 went to the init system */
	enum order_health health; /* as last told */
	int64_t started_ns;

	ev_timer deadline; /* the earliest of the children's */
	ev_io notified;
	ev_timer alive; /* WATCHDOG=1 to the init system */
	ev_signal terminated;
	ev_signal interrupted;
	ev_signal reload;
	ev_signal child_died; /* as process 1 only: strangers to reap */

	/* The short-lived probe loader. */
	ev_io probes_exited;
	bool probes_asked; /* it was started: there may be pins */
	pid_t probes_pid;  /* 0: not running */
	int probes_pidfd;
	char probes_warning[160];
	int paths_fd; /* TCP's round trips, for timesyncd; -1: no probe */
};

extern const char *const supervisor_names[ORDER_CHILDREN]; /* "raftd" */

/* Run the node until it has been told to stop and all children are gone.
 *
 *   config   read and checked; run_dir exists and is locked
 *   key      this node's, to sign death notices; copied, the copy wiped
 *   started  called with ctx once all children have been started; NULL: not
 *
 * Returns the process's exit status. Once per process. */
int supervisor_run(const struct config *config, const struct node_key *key,
		   void (*started)(void *ctx), void *ctx);

/* Make this the configuration in force and hand it to the children. IO: told,
 * nothing changed. */
RFS_MUST_USE enum rfs_err supervisor_install(struct supervisor *supervisor,
					     const struct config *fresh);

/* Whether the configuration in force asks for this child. */
bool supervisor_wants(const struct supervisor *supervisor,
		      enum order_child which);

/* The answer to raftfs(1) on the control socket. */
enum rfs_err supervisor_answer(void *ctx,
			       const DistributedFs__ControlRequest *request,
			       DistributedFs__ControlReply *reply);

#endif
