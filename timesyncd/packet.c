/* TimeRequest and TimeReply in their padded datagrams. */
#include "timesyncd/packet.h"

#include <string.h>

#include "common/check.h"
#include "common/units.h"
#include "proto/time_sync.pb-c.h"

void packet_bare(uint8_t packet[TIMEPACKET_BYTES], struct timepacket_head *head)
{
	memset(packet, 0, TIMEPACKET_BYTES);
	head->body_bytes = 0;
	timepacket_head_encode(head, packet);
}

static void fill(uint8_t packet[TIMEPACKET_BYTES], struct timepacket_head *head,
		 const ProtobufCMessage *message)
{
	size_t bytes = protobuf_c_message_get_packed_size(message);

	CHECK(bytes <= TIMEPACKET_BODY_MAX);
	memset(packet, 0, TIMEPACKET_BYTES);
	protobuf_c_message_pack(message, packet + TIMEPACKET_BODY_AT);
	head->body_bytes = (uint16_t)bytes;
	timepacket_head_encode(head, packet);
}

void packet_request(uint8_t packet[TIMEPACKET_BYTES],
		    struct timepacket_head *head, int64_t cluster_ns)
{
	DistributedFs__TimeRequest request = DISTRIBUTED_FS__TIME_REQUEST__INIT;

	request.client_time = cluster_ns;
	fill(packet, head, &request.base);
}

void packet_reply(uint8_t packet[TIMEPACKET_BYTES],
		  struct timepacket_head *head,
		  const struct packet_answer *answer)
{
	DistributedFs__TimeReply reply = DISTRIBUTED_FS__TIME_REPLY__INIT;
	const struct timesync_clock *clock = &answer->clock;

	reply.server_time = answer->cluster_ns;
	reply.round_trip_time = answer->rtt_ns;
	reply.offset = (double)clock->offset_ns / 1e9;
	reply.receive_raw_ns = answer->t2_ns;
	reply.transmit_raw_ns = answer->t3_ns;
	reply.quality = (uint32_t)clock->quality;
	reply.epoch = clock->epoch;
	reply.asof_raw_ns = clock->asof_ns;
	reply.offset_ns = clock->offset_ns;
	reply.bound_ns = clock->bound_ns;
	reply.drift_ppb = clock->drift_ppb;
	reply.growth_ppb = clock->growth_ppb;
	reply.stratum = clock->stratum;
	reply.void_after_raw_ns = clock->void_after_ns;
	reply.disruptions = clock->disruptions;
	reply.hears = answer->hears;
	reply.previous_nonce = answer->previous_nonce;
	reply.previous_transmit_raw_ns = answer->previous_t3_ns;
	reply.asked_nonce = answer->asked_nonce;
	reply.asked_transmit_raw_ns = answer->asked_t1_ns;
	reply.asked_elapsed_ns = answer->asked_elapsed_ns;
	fill(packet, head, &reply.base);
}

enum rfs_err packet_parse_request(const uint8_t *packet,
				  const struct timepacket_head *head)
{
	DistributedFs__TimeRequest *request =
		distributed_fs__time_request__unpack(
			NULL, head->body_bytes, packet + TIMEPACKET_BODY_AT);

	if (request == NULL)
		return RFS_ERR_INVALID;
	distributed_fs__time_request__free_unpacked(request, NULL);
	return RFS_ERR_OK;
}

enum rfs_err packet_parse_reply(const uint8_t *packet,
				const struct timepacket_head *head,
				struct packet_answer *answer)
{
	DistributedFs__TimeReply *reply = distributed_fs__time_reply__unpack(
		NULL, head->body_bytes, packet + TIMEPACKET_BODY_AT);

	if (reply == NULL)
		return RFS_ERR_INVALID;
	*answer = (struct packet_answer){
		.t2_ns = reply->receive_raw_ns,
		.t3_ns = reply->transmit_raw_ns,
		.cluster_ns = reply->server_time,
		.rtt_ns = reply->round_trip_time,
		.hears = reply->hears,
		.previous_nonce = reply->previous_nonce,
		.previous_t3_ns = reply->previous_transmit_raw_ns,
		.asked_nonce = reply->asked_nonce,
		.asked_t1_ns = reply->asked_transmit_raw_ns,
		.asked_elapsed_ns = reply->asked_elapsed_ns,
		.clock = {
			.quality = reply->quality <= TIMESYNC_DISRUPTED ?
					   (enum timesync_quality)
						   reply->quality :
					   TIMESYNC_UNSYNCED,
			.epoch = reply->epoch,
			.asof_ns = reply->asof_raw_ns,
			.offset_ns = reply->offset_ns,
			.bound_ns = reply->bound_ns,
			.drift_ppb = reply->drift_ppb,
			.growth_ppb = reply->growth_ppb,
			.stratum = reply->stratum,
			.void_after_ns = reply->void_after_raw_ns,
			.disruptions = reply->disruptions,
		},
	};
	distributed_fs__time_reply__free_unpacked(reply, NULL);
	return RFS_ERR_OK;
}
