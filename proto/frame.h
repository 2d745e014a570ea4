/* Framing: how messages follow one another on a stream.
 *
 *	u32 body length | u16 type | u16 protocol version	little-endian
 *	body: one protobuf message of that type (or none)
 *
 * Sizes are checked before a byte of the body is parsed or stored.
 */
#ifndef RAFTFS_PROTO_FRAME_H
#define RAFTFS_PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define FRAME_HEAD_BYTES     8u
#define FRAME_BODY_BYTES_MAX (4u * 1024 * 1024)
#define FRAME_VERSION	     1u
#define FRAME_WITH_FD	     0x8000u /* or-ed into version: a descriptor came */

/* Every type of every protocol, so that a message on the wrong socket is seen
 * for what it is. Blocks of 100 per .proto file. */
enum frame_type {
	/* peer.proto: raftd to raftd */
	FRAME_PEER_HELLO = 100,
	FRAME_PEER_HELLO_REPLY,
	FRAME_PEER_RAFT,
	FRAME_PEER_SNAPSHOT_CHUNK,
	FRAME_PEER_SNAPSHOT_ACK,
	FRAME_PEER_PING,
	FRAME_PEER_PONG,
	FRAME_PEER_MEMBERS,
	FRAME_PEER_CONTROL, /* control.proto: a question for the leader */
	FRAME_PEER_CONTROL_DONE,
	/* local.proto: storaged to raftd and back */
	FRAME_LOCAL_ATTACH = 200,
	FRAME_LOCAL_PROPOSE,
	FRAME_LOCAL_PROPOSE_DONE,
	FRAME_LOCAL_READ,
	FRAME_LOCAL_READ_DONE,
	FRAME_LOCAL_COMMITTED,
	FRAME_LOCAL_APPLIED,
	FRAME_LOCAL_SNAPSHOT_WANTED,
	FRAME_LOCAL_SNAPSHOT_TAKEN, /* + descriptor of the file */
	FRAME_LOCAL_RESTORE,	    /* + descriptor of the file */
	FRAME_LOCAL_RESTORE_DONE,
	FRAME_LOCAL_LIMBO,
	FRAME_LOCAL_MEMBERS,
	FRAME_LOCAL_PING, /* peer.proto: Ping. Does storaged answer? */
	FRAME_LOCAL_PONG,
	FRAME_LOCAL_FILLING,
	/* storage.proto: storaged to storaged */
	FRAME_STORE_HELLO = 300,
	FRAME_STORE_HELLO_REPLY,
	FRAME_STORE_FORWARD,
	FRAME_STORE_FORWARD_DONE,
	FRAME_STORE_CHUNK_PUT,
	FRAME_STORE_CHUNK_PUT_DONE,
	FRAME_STORE_CHUNK_GET,
	FRAME_STORE_CHUNK_GET_DONE,
	/* files.proto: clients to storaged */
	FRAME_FILES_REQUEST = 400,
	FRAME_FILES_REPLY,
	/* control.proto: raftfs(1) to any daemon */
	FRAME_CONTROL_REQUEST = 500,
	FRAME_CONTROL_REPLY,
};

struct frame_head {
	uint32_t body_bytes;
	uint16_t type;
	uint16_t version;
};

void frame_head_encode(const struct frame_head *head,
		       uint8_t image[FRAME_HEAD_BYTES]);

/* VERSION: another protocol version; INVALID: body larger than allowed. */
RFS_MUST_USE enum rfs_err
frame_head_decode(const uint8_t image[FRAME_HEAD_BYTES],
		  struct frame_head *head);

#endif
