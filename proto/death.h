/* The death notice: a supervisor tells the peers' raftd that its own is dead.
 *
 * Sent by UDP to each peer's raft_port, once raftd has been reaped and its
 * consensus page revoked: from then on no thread of that incarnation can act
 * as leader, nor its storaged answer by its lease. It is a hint that may be
 * lost, repeated or come late. A receiver compares node and incarnation with
 * those of the peer it knows; a notice of another incarnation says nothing
 * about the one that lives now, so a replay is harmless.
 *
 * Wire, little-endian, DEATH_BYTES in all:
 *
 *	 0  u32 magic "RFSX"		16  u64 incarnation
 *	 4  u32 node			24  u64 term_led
 *	 8  8 bytes cluster digest	32  i64 wall_ns
 *	40  64 bytes Ed25519 signature of the 40 bytes before, by node's key
 */
#ifndef RAFTFS_PROTO_DEATH_H
#define RAFTFS_PROTO_DEATH_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/keys.h"

#define DEATH_MAGIC	   0x58534652u /* "RFSX" */
#define DEATH_DIGEST_BYTES 8
#define DEATH_BYTES	   (40 + KEY_SIGNATURE_BYTES)

struct death {
	uint32_t node;			    /* id of the sender's node */
	uint8_t digest[DEATH_DIGEST_BYTES]; /* front of config's digest */
	uint64_t incarnation; /* of the dead raftd; 0: it never published one */
	uint64_t term_led;    /* it led this term when it died; 0: none */
	int64_t wall_ns;      /* when it was reaped, for humans */
};

void death_encode(const struct death *death, const struct node_key *key,
		  uint8_t image[DEATH_BYTES]);

/* The node a notice claims to come from, to choose the key; INVALID when this
 * is no death notice. Nothing of it may be believed yet. */
RFS_MUST_USE enum rfs_err death_peek(const void *image, size_t bytes,
				     uint32_t *node);

/* INVALID: not a death notice; DENIED: not signed by that key; *death is
 * written only on RFS_ERR_OK. The caller still compares digest and
 * incarnation. */
RFS_MUST_USE enum rfs_err
death_decode(const void *image, size_t bytes,
	     const uint8_t public_key[KEY_PUBLIC_BYTES], struct death *death);

#endif
