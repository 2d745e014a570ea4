/* Fuzz target: any datagram as an NTP question, and as an answer to one of
 * ours. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>

#include "common/check.h"
#include "common/units.h"
#include "timesyncd/core/ntp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct timesync_clock clock = {
	.quality = TIMESYNC_SYNCED,
	.offset_ns = INT64_C(1790000000000000000),
	.bound_ns = 1000,
	.growth_ppb = 200000,
	.void_after_ns = INT64_MAX,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const struct ntp_identity identity = { .stratum = 10 };
	struct timesync_exchange exchange = { .peer = 1 };
	struct ntp_packet packet, answer;
	uint8_t wire[NTP_BYTES];

	if (ntp_decode(data, bytes, &packet) != RFS_ERR_OK)
		return 0;
	if (ntp_is_question(&packet)) {
		ntp_answer(&packet, &clock, &identity, 5, 6, 7, &answer);
		ntp_encode(&answer, wire);
		CHECK(answer.origin == packet.transmit);
	}
	if (ntp_take(&packet, packet.origin, clock.offset_ns, clock.offset_ns,
		     &exchange) == NTP_TAKEN) {
		CHECK(exchange.t2_ns <= exchange.t3_ns);
		CHECK(exchange.server_clock.bound_ns > 0);
	}
	return 0;
}
