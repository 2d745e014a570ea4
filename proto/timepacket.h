/* The datagram of an exchange: a fixed header, one message of time_sync.proto,
 * padding, and a MAC over all of it. Every kind has the same size, so nobody
 * gains by making a node answer.
 *
 *	HELLO    who are you?    -> WELCOME    this is my boot id
 *	REQUEST  what time is it? -> REPLY     T2, T3, my clock
 *	                         or WELCOME    I do not know your boot id (yet)
 *
 * The key of each direction comes from the two nodes' shared secret, the
 * cluster's id, and the ids and boot ids as the header names them (a HELLO has
 * zeros for the boot id it asks for). `nonce` is the asker's, new for each
 * packet, and echoed.
 */
#ifndef RAFTFS_PROTO_TIMEPACKET_H
#define RAFTFS_PROTO_TIMEPACKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define TIMEPACKET_BYTES      256u
#define TIMEPACKET_MAC_BYTES  16u
#define TIMEPACKET_BOOT_BYTES 16u
#define TIMEPACKET_BODY_AT    72u
#define TIMEPACKET_BODY_MAX                                                    \
	(TIMEPACKET_BYTES - TIMEPACKET_BODY_AT - TIMEPACKET_MAC_BYTES)
#define TIMEPACKET_MAGIC   0x52465354u /* "RFST" */
#define TIMEPACKET_VERSION 1u

enum timepacket_kind {
	TIMEPACKET_HELLO = 1,
	TIMEPACKET_WELCOME = 2,
	TIMEPACKET_REQUEST = 3,
	TIMEPACKET_REPLY = 4,
};

/* Offsets in the datagram, little-endian; bpf/ reads the nonce by offset. */
#define TIMEPACKET_NONCE_AT 56u

struct timepacket_head {
	uint8_t kind;	     /*  5; magic is at 0, version at 4 */
	uint16_t body_bytes; /*  6 */
	uint32_t from;	     /*  8: node ids */
	uint32_t to;	     /* 12 */
	uint8_t from_boot[TIMEPACKET_BOOT_BYTES]; /* 16 */
	uint8_t to_boot[TIMEPACKET_BOOT_BYTES];	  /* 32: zeros: not known */
	uint64_t counter;			  /* 48: of the sender's boot */
	uint64_t nonce;				  /* 56 */
	/* 64: eight zero bytes, then the body */
};

void timepacket_head_encode(const struct timepacket_head *head,
			    uint8_t packet[TIMEPACKET_BYTES]);

/* INVALID: not of this magic, kind or size; VERSION: another version. */
RFS_MUST_USE enum rfs_err
timepacket_head_decode(const uint8_t *packet, size_t bytes,
		       struct timepacket_head *head);

#endif
