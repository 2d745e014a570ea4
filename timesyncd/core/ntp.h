/* RFC 5905 on the wire: the 48-byte header, as a server and as a client use it.
 *
 * Instants are Unix nanoseconds here and 32.32 seconds since 1900 on the wire,
 * which wrap every 136 years: the one nearest to a given instant is meant.
 * Extension fields and MACs of others are ignored. Leap seconds are not
 * handled: the one that is inserted looks like a step of UTC by a second.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_NTP_H
#define RAFTFS_TIMESYNCD_CORE_NTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "timesyncd/core/timesync.h"

#define NTP_BYTES      48u
#define NTP_STRATUM_MAX 15

enum ntp_leap { NTP_LEAP_NONE = 0, NTP_LEAP_UNKNOWN = 3 };
enum ntp_mode { NTP_MODE_CLIENT = 3, NTP_MODE_SERVER = 4 };

struct ntp_packet {
	uint8_t leap, version, mode;
	uint8_t stratum; /* 0: kiss of death, or not synchronised */
	int8_t poll, precision; /* log2 seconds */
	int64_t root_delay_ns, root_dispersion_ns;
	uint32_t refid; /* first byte on the wire is the highest */
	uint64_t reference, origin, receive, transmit; /* as on the wire */
};

/* INVALID: shorter than a header. Any longer packet is cut. */
RFS_MUST_USE enum rfs_err ntp_decode(const uint8_t *data, size_t bytes,
				     struct ntp_packet *packet);
/* Root delay and dispersion are rounded up, and saturate. */
void ntp_encode(const struct ntp_packet *packet, uint8_t data[NTP_BYTES]);

uint64_t ntp_stamp(int64_t unix_ns);
int64_t ntp_unix_ns(uint64_t stamp, int64_t near_ns);

/* -- as a server ----------------------------------------------------------- */

/* What a server says of itself, whoever asks. */
struct ntp_identity {
	uint8_t stratum; /* while the clock is usable */
	uint32_t refid;
	int8_t precision;
};

/* Only clients (mode 3) of versions 1 to 4 are answered. */
bool ntp_is_question(const struct ntp_packet *packet);

/* The answer to a question that arrived at receive_raw_ns, about to leave at
 * transmit_raw_ns: cluster time, its bound as root delay and dispersion. Where
 * there is no bound: leap 3, and wall_ns for a time. */
void ntp_answer(const struct ntp_packet *question,
		const struct timesync_clock *clock,
		const struct ntp_identity *identity, int64_t receive_raw_ns,
		int64_t transmit_raw_ns, int64_t wall_ns,
		struct ntp_packet *answer);

/* -- as a client ----------------------------------------------------------- */

/* A question that tells nothing about us but a random number. */
void ntp_question(uint64_t nonce, struct ntp_packet *question);

enum ntp_verdict {
	NTP_TAKEN,
	NTP_FOREIGN,	/* not an answer to our question */
	NTP_UNUSABLE,	/* not synchronised, or makes no sense */
	NTP_TOO_OFTEN,	/* kiss of death RATE */
	NTP_UNWELCOME,	/* kiss of death DENY, RSTR and others */
};

/* An answer to the question with `nonce`, as an exchange with a peer whose raw
 * clock is UTC minus base_ns and whose published clock is exactly that plus
 * base_ns, within root delay / 2 + root dispersion. peer, t1_ns and t4_ns of
 * *exchange are the caller's; near_ns is any instant of this century. */
enum ntp_verdict ntp_take(const struct ntp_packet *answer, uint64_t nonce,
			  int64_t base_ns, int64_t near_ns,
			  struct timesync_exchange *exchange);

#endif
