/* The table of methods, and what they share. */
#include "client/grpc/services.h"

#include <stdio.h>
#include <string.h>

#include "proto/sockets.h"

static const struct h2_method methods[] = {
	{"/distributed_fs.TimeSyncService/GetTime", gettime_handle},
	{"/distributed_fs.RaftStatusService/GetStatus", getstatus_handle},
	{"/grpc.health.v1.Health/Check", health_handle},
};

enum rfs_err services_init(struct services *services, struct ev_loop *loop,
			   const struct config *config)
{
	*services = (struct services){
		.node = config_self(config)->id,
		.raftd = inquiry_new(loop, config->run_dir, SOCKETS_RAFTD),
		.timesyncd =
			inquiry_new(loop, config->run_dir, SOCKETS_TIMESYNCD),
		.service = {methods, sizeof(methods) / sizeof(*methods),
			    services},
	};
	snprintf(services->clock_path, sizeof(services->clock_path),
		 "%s/clock.page", config->run_dir);
	return services->raftd != NULL && services->timesyncd != NULL
		       ? RFS_ERR_OK
		       : RFS_ERR_NOMEM;
}

void services_fini(struct services *services)
{
	inquiry_free(services->raftd);
	inquiry_free(services->timesyncd);
	rfsclock_close(services->clock);
}

bool services_clock(struct services *services, struct rfsclock_status *status)
{
	memset(status, 0, sizeof(*status));
	if (services->clock == NULL &&
	    rfsclock_open(services->clock_path, &services->clock) != 0)
		services->clock = NULL;
	if (services->clock == NULL ||
	    rfsclock_status(services->clock, status) != 0)
		return false;
	return (status->now.quality == RFSCLOCK_SYNCED ||
		status->now.quality == RFSCLOCK_HOLDOVER) &&
	       status->now.earliest_ns > INT64_MIN &&
	       status->now.latest_ns < INT64_MAX;
}
