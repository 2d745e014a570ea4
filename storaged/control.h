/* The status socket <run_dir>/storaged.ctl. */
#ifndef RAFTFS_STORAGED_CONTROL_H
#define RAFTFS_STORAGED_CONTROL_H

#include "proto/control_server.h"

/* ctx is the struct storaged. */
enum rfs_err control_reply(void *ctx,
			   const DistributedFs__ControlRequest *request,
			   DistributedFs__ControlReply *reply);

#endif
