/* Control sockets from the asking side. */
#include "client/lib/control.h"

#include <stdio.h>
#include <string.h>

#include "client/lib/link.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/frame.h"
#include "proto/sockets.h"

/* Short: it is only a preference. */
#define LEADER_LIMIT_NS (50 * NS_PER_MS)

static enum rfs_err send_request(struct link *link,
				 const DistributedFs__ControlRequest *request,
				 int64_t until_ns)
{
	uint8_t image[FRAME_HEAD_BYTES + 64];
	const struct frame_head head = {
		.body_bytes = (uint32_t)
			distributed_fs__control_request__get_packed_size(
				request),
		.type = FRAME_CONTROL_REQUEST,
		.version = FRAME_VERSION,
	};
	const struct iovec part = {image, FRAME_HEAD_BYTES + head.body_bytes};
	size_t offset = 0;

	frame_head_encode(&head, image);
	distributed_fs__control_request__pack(request,
					      image + FRAME_HEAD_BYTES);
	for (;;) {
		enum rfs_err err = link_send(link, &part, 1, &offset);
		int64_t left_ns = until_ns - clock_raw_ns();

		if (err != RFS_ERR_BUSY)
			return err;
		if (left_ns <= 0)
			return RFS_ERR_TIMEDOUT;
		link_wait(link->fd, true, -1, left_ns);
	}
}

static enum rfs_err receive_reply(struct link *link, int64_t until_ns,
				  DistributedFs__ControlReply **reply)
{
	uint16_t type;
	uint8_t *body;
	size_t bytes;

	for (;;) {
		enum rfs_err err = link_frame(link, &type, &body, &bytes);
		int64_t left_ns = until_ns - clock_raw_ns();

		if (err == RFS_ERR_OK)
			break;
		if (err != RFS_ERR_BUSY)
			return err;
		if (left_ns <= 0)
			return RFS_ERR_TIMEDOUT;
		link_wait(link->fd, false, -1, left_ns);
		err = link_receive(link);
		if (err != RFS_ERR_OK && err != RFS_ERR_BUSY)
			return err;
	}
	if (type != FRAME_CONTROL_REPLY)
		return RFS_ERR_INVALID;
	*reply = distributed_fs__control_reply__unpack(NULL, bytes, body);
	if (*reply == NULL)
		return RFS_ERR_INVALID;
	return (enum rfs_err)(*reply)->err;
}

enum rfs_err control_ask(const char *run_dir, const char *socket,
			 const DistributedFs__ControlRequest *request,
			 int64_t limit_ns, DistributedFs__ControlReply **reply)
{
	char path[CONFIG_PATH_MAX + 32];
	int64_t until_ns = clock_raw_ns() + limit_ns;
	struct link link;

	*reply = NULL;
	snprintf(path, sizeof(path), "%s/%s", run_dir, socket);
	if (strlen(path) >= ENDPOINTS_PATH_MAX)
		return RFS_ERR_RANGE;
	link_init(&link);
	enum rfs_err err = link_connect(&link, path);

	if (err == RFS_ERR_OK)
		err = send_request(&link, request, until_ns);
	if (err == RFS_ERR_OK)
		err = receive_reply(&link, until_ns, reply);
	link_fini(&link);
	return err;
}

static bool leads(const char *files_socket)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply;
	const char *slash = strrchr(files_socket, '/');
	char run_dir[ENDPOINTS_PATH_MAX];
	bool leader = false;

	if (slash == NULL)
		snprintf(run_dir, sizeof(run_dir), ".");
	else
		snprintf(run_dir, sizeof(run_dir), "%.*s",
			 (int)(slash - files_socket), files_socket);
	if (control_ask(run_dir, SOCKETS_RAFTD, &request, LEADER_LIMIT_NS,
			&reply) == RFS_ERR_OK)
		leader = reply->raft != NULL &&
			 strcmp(reply->raft->role, "leader") == 0;
	if (reply != NULL)
		distributed_fs__control_reply__free_unpacked(reply, NULL);
	return leader;
}

size_t control_leader(const struct endpoints *endpoints)
{
	size_t i = 0;

	while (i < endpoints->count && !leads(endpoints->path[i]))
		i++;
	return i;
}
