/* Fuzz target: any bytes on a unix socket of ours, every frame then parsed as
 * the message its type names. The connection must neither hang nor outlive a
 * bad frame. libFuzzer's entry point. */
#include <ev.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/conn.h"
#include "proto/control.pb-c.h"
#include "proto/files.pb-c.h"
#include "proto/local.pb-c.h"
#include "proto/peer.pb-c.h"
#include "proto/storage.pb-c.h"

#define QUEUE_BYTES (1024u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct {
	enum frame_type type;
	const ProtobufCMessageDescriptor *descriptor;
} messages[] = {
	{FRAME_PEER_HELLO, &distributed_fs__peer_hello__descriptor},
	{FRAME_PEER_RAFT, &distributed_fs__raft_message__descriptor},
	{FRAME_PEER_SNAPSHOT_CHUNK,
	 &distributed_fs__snapshot_chunk__descriptor},
	{FRAME_PEER_SNAPSHOT_ACK, &distributed_fs__snapshot_ack__descriptor},
	{FRAME_PEER_PING, &distributed_fs__ping__descriptor},
	{FRAME_LOCAL_ATTACH, &distributed_fs__local_attach__descriptor},
	{FRAME_LOCAL_PROPOSE, &distributed_fs__local_propose__descriptor},
	{FRAME_LOCAL_COMMITTED, &distributed_fs__local_committed__descriptor},
	{FRAME_LOCAL_RESTORE, &distributed_fs__local_restore__descriptor},
	{FRAME_STORE_HELLO, &distributed_fs__store_hello__descriptor},
	{FRAME_STORE_FORWARD, &distributed_fs__store_forward__descriptor},
	{FRAME_STORE_CHUNK_PUT, &distributed_fs__chunk_put__descriptor},
	{FRAME_STORE_CHUNK_GET, &distributed_fs__chunk_get__descriptor},
	{FRAME_STORE_CHUNK_GET_DONE,
	 &distributed_fs__chunk_get_done__descriptor},
	{FRAME_FILES_REQUEST, &distributed_fs__file_request__descriptor},
	{FRAME_FILES_REPLY, &distributed_fs__file_reply__descriptor},
	{FRAME_CONTROL_REQUEST, &distributed_fs__control_request__descriptor},
	{FRAME_CONTROL_REPLY, &distributed_fs__control_reply__descriptor},
};

struct end {
	size_t delivered_bytes;
	bool closed;
};

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct end *end = ctx;

	if (conn_take_fd(conn) >= 0)
		abort(); /* nobody sent one */
	end->delivered_bytes += FRAME_HEAD_BYTES + frame->body_bytes;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		ProtobufCMessage *message;

		if (frame->type != messages[i].type)
			continue;
		message = frame_unpack(frame, messages[i].descriptor);
		if (message == NULL)
			continue;
		if (!protobuf_c_message_check(message))
			abort();
		protobuf_c_message_free_unpacked(message, NULL);
	}
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct end *end = ctx;

	(void)conn;
	if (why == RFS_ERR_OK)
		abort();
	end->closed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct conn_events events = {
		.frame = on_frame,
		.closed = on_closed,
	};
	static struct ev_loop *loop;
	struct end end = {0};
	size_t sent = 0;
	int pair[2];

	if (loop == NULL)
		loop = ev_loop_new(EVFLAG_AUTO);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       pair) != 0)
		abort();
	if (conn_adopt(loop, pair[0], QUEUE_BYTES, &events, &end) == NULL)
		abort();
	while (!end.closed) {
		ssize_t n = sent < bytes ? send(pair[1], data + sent,
						bytes - sent, MSG_NOSIGNAL)
					 : 0;

		sent += n > 0 ? (size_t)n : 0;
		if (sent == bytes)
			shutdown(pair[1], SHUT_WR); /* the end closes it */
		ev_run(loop, EVRUN_NOWAIT);
	}
	if (end.delivered_bytes > bytes)
		abort();
	close(pair[1]);
	return 0;
}
