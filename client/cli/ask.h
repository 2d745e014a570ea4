/* Ask a daemon's control socket; find whose there are. */
#ifndef RAFTFS_CLIENT_CLI_ASK_H
#define RAFTFS_CLIENT_CLI_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/cli.h"
#include "common/os/config.h"
#include "proto/control.pb-c.h"

/* One request, one reply; waits at most two seconds. CLOSED: nobody listens;
 * TIMEDOUT: no answer; INVALID: not our protocol; or what the daemon answered
 * (reply is set then too, for its reason). *reply is owned by the caller,
 * NULL without an answer. */
RFS_MUST_USE enum rfs_err ask(const char *run_dir, const char *socket,
			      const DistributedFs__ControlRequest *request,
			      DistributedFs__ControlReply **reply);
void ask_free(DistributedFs__ControlReply *reply);

/* A node whose control sockets are on this host, and what its daemons say. */
struct ask_node {
	char name[CONFIG_NAME_MAX]; /* "" when only a socket is known */
	char run_dir[CONFIG_PATH_MAX];
	DistributedFs__ControlReply *supervisor; /* NULL: no answer */
	DistributedFs__ControlReply *timesync;
	DistributedFs__ControlReply *raft;
	DistributedFs__ControlReply *storage;
	enum rfs_err supervisor_err; /* CLOSED: not there; TIMEDOUT: silent */
	int64_t timesync_wall_ns;    /* wall clock when it answered */
};

struct ask_nodes {
	struct ask_node node[CONFIG_NODES_MAX];
	size_t count;
	uint32_t cluster_size; /* by the configuration; 0: not known */
	struct config_node members[CONFIG_NODES_MAX];
};

/* From -s, -d, -c or the default. CLI_OK, or said. */
RFS_MUST_USE int ask_find(const struct cli *cli, struct ask_nodes *nodes);

/* Ask all four daemons of every node, all at once. False when nothing answered
 * at all. */
bool ask_all(struct ask_nodes *nodes);
void ask_nodes_free(struct ask_nodes *nodes);

/* What a node calls itself: from what it answered, else its configuration,
 * else its directory. Never NULL. */
const char *ask_name(const struct ask_node *node);

#endif
