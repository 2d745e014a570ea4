/* A request's way: who asks, what class, then looking (look.c) or changing
 * (change.c). A request outlives its connection; its answer is then dropped. */
#include "storaged/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/sockets.h"
#include "storaged/convert.h"
#include "storaged/request.h"

#define QUEUE_BYTES   (64 * MIB)
#define REQUESTS_MAX  1024u /* of one client at a time */
#define BUSY_MAX      (64 * MIB)
#define SOCKET_MODE   0666

struct serve {
	struct storaged *s;
	struct listener *listener;
	struct client *first;
	uint32_t count;
};

static void unref(struct client *client)
{
	if (--client->refs == 0)
		free(client);
}

void request_reply(struct request *request, DistributedFs__FileReply *reply)
{
	struct client *client = request->client;

	reply->id = request->message->id;
	if (client->conn) {
		enum rfs_err err = conn_send(client->conn, FRAME_FILES_REPLY,
					     &reply->base, -1);

		/* It asks faster than it reads. */
		if (err == RFS_ERR_FULL)
			log_warn("client of uid %u does not read its answers",
				 client->who.uid);
	}
	client->requests--;
	client->busy_bytes -= request->bytes;
	unref(client);
	frame_free(request->message);
	free(request);
}

void request_fail(struct request *request, enum rfs_err err,
		  const char *reason)
{
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;

	CHECK(err != RFS_ERR_OK);
	reply.err = err;
	reply.reason = (char *)(reason ? reason : rfs_err_text(err));
	request_reply(request, &reply);
}

static void start(struct request *request)
{
	switch (convert_class_of(request->message->op)) {
	case CONVERT_READ:
		look_start(request);
		return;
	case CONVERT_CHANGE:
		change_start(request);
		return;
	case CONVERT_BAD:
		request_fail(request, RFS_ERR_INVALID, "no such operation");
		return;
	}
}

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct client *client = ctx;
	struct request *request;

	(void)conn;
	if (frame->type != FRAME_FILES_REQUEST)
		return;
	DistributedFs__FileRequest *message =
		(DistributedFs__FileRequest *)frame_unpack(
			frame, &distributed_fs__file_request__descriptor);
	if (!message)
		return;
	request = calloc(1, sizeof(*request));
	CHECK(request != NULL);
	request->s = client->serve->s;
	request->client = client;
	request->message = message;
	request->bytes = frame->body_bytes;
	client->refs++;
	client->requests++;
	client->busy_bytes += request->bytes;
	if (client->requests > REQUESTS_MAX || client->busy_bytes > BUSY_MAX)
		request_fail(request, RFS_ERR_BUSY,
			     "too much at a time from one client");
	else
		start(request);
}

static void forget(struct client *client)
{
	struct client **at = &client->serve->first;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->serve->count--;
	client->conn = NULL;
	unref(client);
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	(void)conn;
	(void)why;
	forget(ctx);
}

static const struct conn_events client_events = {
	.frame = on_frame,
	.closed = on_closed,
};

static void on_accepted(void *ctx, int fd)
{
	struct serve *serve = ctx;
	struct client *client = calloc(1, sizeof(*client));

	CHECK(client != NULL);
	client->serve = serve;
	client->refs = 1;
	if (access_identify(fd, &client->who) != RFS_ERR_OK) {
		close(fd);
		free(client);
		return;
	}
	client->conn = conn_adopt(serve->s->loop, fd, QUEUE_BYTES,
				  &client_events, client);
	if (!client->conn) {
		free(client);
		return;
	}
	client->next = serve->first;
	serve->first = client;
	serve->count++;
}

struct serve *serve_new(struct storaged *s)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	char path[CONFIG_PATH_MAX + 32];

	if (!serve)
		return NULL;
	serve->s = s;
	snprintf(path, sizeof(path), "%s/%s", s->config.run_dir, SOCKETS_FILES);
	serve->listener = listener_unix(s->loop, path, SOCKET_MODE, on_accepted,
					serve);
	if (!serve->listener) {
		free(serve);
		return NULL;
	}
	return serve;
}

void serve_free(struct serve *serve)
{
	if (!serve)
		return;
	for (struct client *client = serve->first; client;) {
		struct client *next = client->next;

		conn_close(client->conn);
		client->conn = NULL;
		unref(client);
		client = next;
	}
	listener_free(serve->listener);
	free(serve);
}

void serve_hang_up(struct serve *serve)
{
	for (struct client *client = serve->first, *next; client;
	     client = next) {
		next = client->next;
		if (client->requests == 0)
			continue;
		conn_close(client->conn);
		forget(client);
	}
}

uint32_t serve_clients(const struct serve *serve)
{
	return serve->count;
}
