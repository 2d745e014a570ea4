/* Fuzz target: any datagram as a time packet, and the same bytes as what an
 * authenticated liar might tell the clock core. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "timesyncd/auth.h"
#include "timesyncd/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct timesync *new_core(void)
{
	const struct timesync_config config = {
		.self = 1,
		.peers = { 2, 3 },
		.peer_count = 2,
		.sync_interval_ns = 60 * NS_PER_SEC,
		.min_peers = 3,
		.max_peers = 5,
		.timeout_ns = NS_PER_SEC,
		.drift_threshold = 0.1,
		.adjustment_rate = 0.1,
		.history_size = 10,
		.max_rate_ppb = 200000,
		.max_slew_ppb = 500000,
		.max_correction_ns = 250 * NS_PER_MS,
		.target_bound_ns = NS_PER_MS,
		.void_after_ns = 60 * NS_PER_SEC,
		.max_rtt_ns = 500 * NS_PER_MS,
		.precision_ns = 50,
	};

	return timesync_new(&config, 0);
}

static void tell_core(struct timesync *core, const struct packet_answer *answer,
		      uint32_t peer, int64_t *raw_ns)
{
	struct timesync_event event = { .type = TIMESYNC_EV_TICK };
	struct timesync_effects effects;

	*raw_ns += 20 * NS_PER_MS;
	event.raw_ns = *raw_ns;
	timesync_step(core, &event, &effects);
	event.type = TIMESYNC_EV_REPLY;
	event.reply = (struct timesync_exchange){
		.peer = peer,
		.t1_ns = *raw_ns - NS_PER_MS,
		.t2_ns = answer->t2_ns,
		.t3_ns = answer->t3_ns,
		.t4_ns = *raw_ns,
		.server_clock = answer->clock,
		.server_boot = 1,
	};
	timesync_step(core, &event, &effects);
	(void)timesync_clock_at(&effects.clock, *raw_ns + NS_PER_SEC);
}

/* The body of every 112 bytes is one reply. */
static void lie(const uint8_t *data, size_t bytes)
{
	struct timesync *core = new_core();
	struct timesync_event epoch = {
		.type = TIMESYNC_EV_EPOCH,
		.raw_ns = 1,
		.epoch = { .leader = 2, .epoch = 1 },
	};
	struct timesync_effects effects;
	struct packet_answer answer;
	int64_t raw_ns = 1;

	if (core == NULL)
		return;
	timesync_step(core, &epoch, &effects);
	for (size_t at = 0; at + sizeof(answer) <= bytes;
	     at += sizeof(answer)) {
		memcpy(&answer, data + at, sizeof(answer));
		answer.clock.quality = (enum timesync_quality)(data[at] & 3);
		if (data[at] & 4)
			answer.clock.epoch = 1;
		if (data[at] & 8)
			answer.t3_ns = answer.t2_ns;
		tell_core(core, &answer, 2 + (data[at] >> 7), &raw_ns);
	}
	timesync_free(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct timepacket_head head;
	struct packet_answer answer;
	struct auth auth = { .secret = { 1 }, .cluster_id = "fuzz" };

	if (timepacket_head_decode(data, bytes, &head) == RFS_ERR_OK) {
		/* Nobody sealed it. */
		if (auth_check(&auth, &head, data) == RFS_ERR_OK)
			abort();
		(void)!packet_parse_request(data, &head);
		(void)!packet_parse_reply(data, &head, &answer);
	}
	lie(data, bytes);
	return 0;
}
