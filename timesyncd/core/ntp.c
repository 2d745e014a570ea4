/* Packets of RFC 5905, figures 8 and 28 to 30. */
#include "timesyncd/core/ntp.h"

#include <string.h>

#include "common/units.h"
#include "timesyncd/core/reference.h"

#define UNIX_EPOCH_S INT64_C(2208988800) /* since 1900 */
#define ERA_S	     (INT64_C(1) << 32)
#define KISS(a, b, c, d)                                                       \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
/* Worse servers are as good as none (MAXDIST of the RFC is 1.5 s). */
#define ROOT_DISTANCE_MAX_NS NS_PER_SEC

/* -- the wire: big-endian -------------------------------------------------- */

static uint32_t get32(const uint8_t *at)
{
	return KISS(at[0], at[1], at[2], at[3]);
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

static void put32(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 24);
	at[1] = (uint8_t)(v >> 16);
	at[2] = (uint8_t)(v >> 8);
	at[3] = (uint8_t)v;
}

static void put64(uint8_t *at, uint64_t v)
{
	put32(at, (uint32_t)(v >> 32));
	put32(at + 4, (uint32_t)v);
}

static int64_t short_to_ns(uint32_t v)
{
	return (int64_t)(((uint64_t)v * NS_PER_SEC + 65535) >> 16);
}

static uint32_t short_from_ns(int64_t ns)
{
	if (ns <= 0)
		return 0;
	if (ns >= 65535 * NS_PER_SEC)
		return UINT32_MAX;
	return (uint32_t)((((uint64_t)ns << 16) + NS_PER_SEC - 1) / NS_PER_SEC);
}

enum rfs_err ntp_decode(const uint8_t *data, size_t bytes,
			struct ntp_packet *packet)
{
	if (bytes < NTP_BYTES)
		return RFS_ERR_INVALID;
	*packet = (struct ntp_packet){
		.leap = data[0] >> 6,
		.version = data[0] >> 3 & 7,
		.mode = data[0] & 7,
		.stratum = data[1],
		.poll = (int8_t)data[2],
		.precision = (int8_t)data[3],
		.root_delay_ns = short_to_ns(get32(data + 4)),
		.root_dispersion_ns = short_to_ns(get32(data + 8)),
		.refid = get32(data + 12),
		.reference = get64(data + 16),
		.origin = get64(data + 24),
		.receive = get64(data + 32),
		.transmit = get64(data + 40),
	};
	return RFS_ERR_OK;
}

void ntp_encode(const struct ntp_packet *packet, uint8_t data[NTP_BYTES])
{
	data[0] = (uint8_t)(packet->leap << 6 | packet->version << 3 |
			    packet->mode);
	data[1] = packet->stratum;
	data[2] = (uint8_t)packet->poll;
	data[3] = (uint8_t)packet->precision;
	put32(data + 4, short_from_ns(packet->root_delay_ns));
	put32(data + 8, short_from_ns(packet->root_dispersion_ns));
	put32(data + 12, packet->refid);
	put64(data + 16, packet->reference);
	put64(data + 24, packet->origin);
	put64(data + 32, packet->receive);
	put64(data + 40, packet->transmit);
}

/* Seconds and the nanoseconds after them, for instants before 1970 too. */
static int64_t floor_seconds(int64_t ns)
{
	int64_t s = ns / NS_PER_SEC;

	return ns % NS_PER_SEC < 0 ? s - 1 : s;
}

uint64_t ntp_stamp(int64_t unix_ns)
{
	int64_t s = floor_seconds(unix_ns);
	uint64_t rest_ns = (uint64_t)(unix_ns - s * NS_PER_SEC);

	return (uint64_t)(s + UNIX_EPOCH_S) << 32 |
	       (rest_ns << 32) / NS_PER_SEC;
}

int64_t ntp_unix_ns(uint64_t stamp, int64_t near_ns)
{
	int64_t s = (int64_t)(stamp >> 32) - UNIX_EPOCH_S;
	int64_t near_s = floor_seconds(near_ns);
	uint64_t rest = stamp & UINT32_MAX;

	while (s - near_s > ERA_S / 2)
		s -= ERA_S;
	while (near_s - s > ERA_S / 2)
		s += ERA_S;
	return s * NS_PER_SEC +
	       (int64_t)((rest * NS_PER_SEC + (UINT64_C(1) << 31)) >> 32);
}

/* -- as a server ----------------------------------------------------------- */

bool ntp_is_question(const struct ntp_packet *packet)
{
	return packet->mode == NTP_MODE_CLIENT && packet->version >= 1 &&
	       packet->version <= 4;
}

static int64_t cluster_ns(const struct timesync_clock *clock, int64_t raw_ns)
{
	return raw_ns + clock->offset_ns +
	       units_scale_ppb(raw_ns - clock->asof_ns, clock->drift_ppb);
}

void ntp_answer(const struct ntp_packet *question,
		const struct timesync_clock *clock,
		const struct ntp_identity *identity, int64_t receive_raw_ns,
		int64_t transmit_raw_ns, int64_t wall_ns,
		struct ntp_packet *answer)
{
	struct interval now = timesync_clock_at(clock, transmit_raw_ns);
	int64_t bound_ns;

	*answer = (struct ntp_packet){
		.leap = NTP_LEAP_UNKNOWN,
		.version = question->version,
		.mode = NTP_MODE_SERVER,
		.poll = question->poll,
		.precision = identity->precision,
		.root_dispersion_ns = 16 * NS_PER_SEC,
		.refid = KISS('I', 'N', 'I', 'T'),
		.origin = question->transmit,
		.receive = ntp_stamp(wall_ns),
		.transmit = ntp_stamp(wall_ns),
	};
	if (interval_is_empty(now))
		return;

	/* A client takes root delay / 2 + root dispersion for our error. */
	bound_ns = (now.high_ns - now.low_ns + 1) / 2;
	answer->leap = NTP_LEAP_NONE;
	answer->stratum = identity->stratum;
	answer->refid = identity->refid;
	answer->root_delay_ns = 2 * clock->part_delay_ns;
	answer->root_dispersion_ns = bound_ns - clock->part_delay_ns;
	answer->reference = ntp_stamp(cluster_ns(clock, clock->asof_ns));
	answer->receive = ntp_stamp(cluster_ns(clock, receive_raw_ns));
	answer->transmit = ntp_stamp(cluster_ns(clock, transmit_raw_ns));
}

/* -- as a client ----------------------------------------------------------- */

void ntp_question(uint64_t nonce, struct ntp_packet *question)
{
	*question = (struct ntp_packet){
		.version = 4,
		.mode = NTP_MODE_CLIENT,
		.transmit = nonce,
	};
}

static enum ntp_verdict kiss(uint32_t code)
{
	if (code == KISS('R', 'A', 'T', 'E'))
		return NTP_TOO_OFTEN;
	if (code == KISS('D', 'E', 'N', 'Y') || code == KISS('R', 'S', 'T', 'R'))
		return NTP_UNWELCOME;
	return NTP_UNUSABLE;
}

enum ntp_verdict ntp_take(const struct ntp_packet *answer, uint64_t nonce,
			  int64_t base_ns, int64_t near_ns,
			  struct timesync_exchange *exchange)
{
	int64_t t2_ns = ntp_unix_ns(answer->receive, near_ns);
	int64_t t3_ns = ntp_unix_ns(answer->transmit, near_ns);
	int64_t bound_ns =
		answer->root_delay_ns / 2 + answer->root_dispersion_ns;

	if (answer->mode != NTP_MODE_SERVER || answer->origin != nonce ||
	    answer->version < 3 || answer->version > 4)
		return NTP_FOREIGN;
	if (answer->stratum == 0)
		return kiss(answer->refid);
	if (answer->leap == NTP_LEAP_UNKNOWN ||
	    answer->stratum > NTP_STRATUM_MAX || answer->transmit == 0 ||
	    t3_ns < t2_ns || bound_ns >= ROOT_DISTANCE_MAX_NS)
		return NTP_UNUSABLE;

	/* Stamps of 0.2 ns, read at a precision that the server states. */
	if (answer->precision < 0 && answer->precision > -32)
		bound_ns += NS_PER_SEC >> -answer->precision;
	exchange->t2_ns = t2_ns - base_ns;
	exchange->t3_ns = t3_ns - base_ns;
	exchange->server_boot = 1;
	exchange->server_hears = 0;
	exchange->server_clock = (struct timesync_clock){
		.quality = TIMESYNC_SYNCED,
		.epoch = REFERENCE_EPOCH,
		.asof_ns = exchange->t3_ns,
		.offset_ns = base_ns,
		.bound_ns = bound_ns + 1,
		.void_after_ns = INT64_MAX,
		.stratum = 1,
	};
	return NTP_TAKEN;
}
