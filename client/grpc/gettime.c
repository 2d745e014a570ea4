/* GetTime: T2 and T3 on the cluster's clock, with what is certain of them. */
#include <string.h>

#include "client/grpc/services.h"
#include "proto/time_sync.pb-c.h"

static const char *quality_name(uint32_t quality)
{
	static const char *const names[] = {"UNSYNCED", "HOLDOVER", "SYNCED",
					    "DISRUPTED"};

	return quality < sizeof(names) / sizeof(*names) ? names[quality]
							: "UNSYNCED";
}

/* No time rather than a wrong one; timesyncd knows why. */
static void refuse(struct h2_call *call, void *ctx, const void *answer)
{
	const DistributedFs__ControlReply *reply = answer;
	struct rfsclock_status status;

	if (reply == NULL || reply->timesync == NULL) {
		(void)services_clock(ctx, &status);
		h2_call_refuse(call, CODE_UNAVAILABLE,
			       "cluster time is %s; timesyncd does not answer",
			       quality_name(status.now.quality));
		return;
	}
	h2_call_refuse(call, CODE_UNAVAILABLE, "cluster time is %s%s%s",
		       reply->timesync->quality,
		       reply->timesync->why[0] != '\0' ? ": " : "",
		       reply->timesync->why);
}

/* offset = ((T2 - T1) + (T3 - T4)) / 2 with T4 = T1 + RTT + (T3 - T2). */
static void guess_offset(const DistributedFs__TimeRequest *request,
			 DistributedFs__TimeReply *reply)
{
	if (request->client_time == 0 || reply->round_trip_time == 0)
		return;
	reply->offset = ((double)(reply->receive_time - request->client_time) -
			 (double)reply->round_trip_time / 2) /
			1e9;
}

static void fill(DistributedFs__TimeReply *reply,
		 const struct rfsclock_status *status)
{
	int64_t width_ns = status->now.latest_ns - status->now.earliest_ns;

	reply->server_time = status->now.earliest_ns + width_ns / 2;
	reply->server_bound_ns = width_ns - width_ns / 2;
	reply->transmit_raw_ns = status->raw_ns;
	reply->quality = status->now.quality;
	reply->epoch = status->now.epoch;
	reply->disruptions = status->now.disruptions;
	reply->asof_raw_ns = status->raw_ns - status->age_ns;
	reply->offset_ns = status->offset_ns;
	reply->bound_ns = status->bound_ns;
	reply->drift_ppb = status->drift_ppb;
	reply->growth_ppb = status->growth_ppb;
}

void gettime_handle(struct h2_call *call, void *ctx, const uint8_t *body,
		    size_t bytes)
{
	DistributedFs__TimeReply reply = DISTRIBUTED_FS__TIME_REPLY__INIT;
	struct services *services = ctx;
	struct rfsclock_status status;
	DistributedFs__TimeRequest *request =
		distributed_fs__time_request__unpack(NULL, bytes, body);

	if (request == NULL) {
		h2_call_refuse(call, CODE_INTERNAL,
			       "the message is no TimeRequest");
		return;
	}
	if (!services_clock(services, &status)) {
		inquiry_ask(services->timesyncd, call, refuse);
	} else {
		fill(&reply, &status);
		reply.node = services->node;
		reply.receive_raw_ns = h2_call_received_ns(call);
		/* Over microseconds the drift is nothing. */
		reply.receive_time =
			reply.server_time -
			(reply.transmit_raw_ns - reply.receive_raw_ns);
		reply.round_trip_time = h2_call_rtt_ns(call);
		guess_offset(request, &reply);
		services->answered++;
		h2_call_reply(call, &reply.base);
	}
	distributed_fs__time_request__free_unpacked(request, NULL);
}
