/* Ask a daemon's control socket: what is your state. */
#ifndef RAFTFS_CLIENT_LIB_CONTROL_H
#define RAFTFS_CLIENT_LIB_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "client/lib/endpoints.h"
#include "common/err.h"
#include "proto/control.pb-c.h"

/* One request, one reply; blocks for at most limit_ns. CLOSED: nobody listens;
 * TIMEDOUT: no answer; INVALID, VERSION: not our protocol; or what the daemon
 * answered (*reply is set then too, for its reason). *reply is owned by the
 * caller, NULL without an answer. */
RFS_MUST_USE enum rfs_err
control_ask(const char *run_dir, const char *socket,
	    const DistributedFs__ControlRequest *request, int64_t limit_ns,
	    DistributedFs__ControlReply **reply);

/* The endpoint whose node leads by its own word: the nearest to every write,
 * and the one that reads by lease. endpoints->count: none says so. Blocks for
 * at most 50 ms for each that hangs. */
size_t control_leader(const struct endpoints *endpoints);

#endif
