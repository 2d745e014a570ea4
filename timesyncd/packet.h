/* Bodies of time packets: our structs to protobuf and back.
 *
 * Packing never allocates; unpacking does, and only after the MAC was checked.
 */
#ifndef RAFTFS_TIMESYNCD_PACKET_H
#define RAFTFS_TIMESYNCD_PACKET_H

#include <stdint.h>

#include "common/err.h"
#include "proto/timepacket.h"
#include "timesyncd/core/timesync.h"

/* Write header and request into packet; padded, not sealed. */
void packet_request(uint8_t packet[TIMEPACKET_BYTES],
		    struct timepacket_head *head, int64_t cluster_ns);

/* Likewise a HELLO or WELCOME: no body. */
void packet_bare(uint8_t packet[TIMEPACKET_BYTES],
		 struct timepacket_head *head);

/* Likewise a reply. */
struct packet_answer {
	int64_t t2_ns;
	int64_t t3_ns;
	int64_t cluster_ns; /* 0: unsynced */
	int64_t rtt_ns;	    /* towards the asker; 0: never measured */
	struct timesync_clock clock;
	uint32_t hears; /* core/carrier.h */
	/* T3 by the kernel of the answer to previous_nonce; 0: not known */
	uint64_t previous_nonce;
	int64_t previous_t3_ns;
	/* A question of the server's to the asker: T1 and T4; nonce 0: none */
	uint64_t asked_nonce;
	int64_t asked_t1_ns;
	uint32_t asked_elapsed_ns; /* to T4 */
};
void packet_reply(uint8_t packet[TIMEPACKET_BYTES],
		  struct timepacket_head *head,
		  const struct packet_answer *answer);

/* INVALID: no such message in the body. */
RFS_MUST_USE enum rfs_err packet_parse_request(const uint8_t *packet,
					       const struct timepacket_head *head);
RFS_MUST_USE enum rfs_err packet_parse_reply(const uint8_t *packet,
					     const struct timepacket_head *head,
					     struct packet_answer *answer);

#endif
