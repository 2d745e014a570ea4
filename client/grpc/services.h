/* What the gRPC face answers, method by method.
 *
 * It reads what any program of the host may read: the file view of the clock
 * page, and what the daemons tell on their control sockets. It changes nothing.
 */
#ifndef RAFTFS_CLIENT_GRPC_SERVICES_H
#define RAFTFS_CLIENT_GRPC_SERVICES_H

#include "client/grpc/h2.h"
#include "client/grpc/inquiry.h"
#include "common/os/config.h"
#include "proto/control.pb-c.h"
#include "shm/rfsclock.h"

struct services {
	uint32_t node; /* our id */
	char clock_path[CONFIG_PATH_MAX + 16];
	struct rfsclock *clock; /* NULL: not there yet */
	struct inquiry *raftd;
	struct inquiry *timesyncd;
	uint64_t answered;
	struct h2_service service; /* its ctx is this struct */
};

/* NOMEM. A clock page that is not there is looked for at each call. */
RFS_MUST_USE enum rfs_err services_init(struct services *services,
					struct ev_loop *loop,
					const struct config *config);
void services_fini(struct services *services);

/* The clock as it is now. False: it has no bound, *status is still filled in,
 * with quality UNSYNCED when there is no page at all. */
bool services_clock(struct services *services, struct rfsclock_status *status);

/* ---- the methods; ctx is the struct services ---- */

/* distributed_fs.TimeSyncService: cluster time, or UNAVAILABLE and why. */
void gettime_handle(struct h2_call *call, void *ctx, const uint8_t *request,
		    size_t bytes);

/* distributed_fs.RaftStatusService. */
void getstatus_handle(struct h2_call *call, void *ctx, const uint8_t *request,
		      size_t bytes);

/* grpc.health.v1.Health: whether the above can answer. */
void health_handle(struct h2_call *call, void *ctx, const uint8_t *request,
		   size_t bytes);

#endif
