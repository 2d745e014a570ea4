/* Health.Check: TimeSyncService serves while cluster time has a bound,
 * RaftStatusService while raftd answers; the node as a whole is its clock. */
#include <string.h>

#include "client/grpc/services.h"
#include "proto/health.pb-c.h"

static void say(struct h2_call *call, struct services *services, bool serves)
{
	Grpc__Health__V1__HealthCheckResponse reply =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	reply.status =
		serves ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
		       : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	services->answered++;
	h2_call_reply(call, &reply.base);
}

static void answer_raftd(struct h2_call *call, void *ctx, const void *answer)
{
	const DistributedFs__ControlReply *reply = answer;

	say(call, ctx, reply != NULL && reply->raft != NULL);
}

void health_handle(struct h2_call *call, void *ctx, const uint8_t *body,
		   size_t bytes)
{
	struct services *services = ctx;
	struct rfsclock_status status;
	Grpc__Health__V1__HealthCheckRequest *request =
		grpc__health__v1__health_check_request__unpack(NULL, bytes,
							       body);

	if (request == NULL)
		h2_call_refuse(call, CODE_INTERNAL,
			       "the message is no HealthCheckRequest");
	else if (strcmp(request->service, "") == 0 ||
		 strcmp(request->service, "distributed_fs.TimeSyncService") ==
			 0)
		say(call, services, services_clock(services, &status));
	else if (strcmp(request->service, "distributed_fs.RaftStatusService") ==
		 0)
		inquiry_ask(services->raftd, call, answer_raftd);
	else
		h2_call_refuse(call, CODE_NOT_FOUND, "no service of that name");
	grpc__health__v1__health_check_request__free_unpacked(request, NULL);
}
