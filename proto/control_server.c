/* One request, one reply, over framed protobuf on a unix socket. */
#include "proto/control_server.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/list.h"
#include "proto/conn.h"

#define CONTROL_QUEUE_BYTES (1024u * 1024)

struct control_server {
	struct ev_loop *loop;
	struct listener *listener;
	control_answer *answer;
	void *ctx;
	struct list clients;
	struct list questions;		    /* held ones */
	struct control_client *answering;   /* whose request is looked at */
	struct control_question *held;	    /* made of it; NULL: it is answered */
};

struct control_client {
	struct list_node node;
	struct control_server *server;
	struct conn *conn;
};

/* A request whose answer is still to come. */
struct control_question {
	struct list_node node;
	struct control_client *client; /* NULL: gone */
};

static void drop(struct control_client *client)
{
	struct list_node *at, *next;

	list_for_each_safe(at, next, &client->server->questions) {
		struct control_question *question =
			list_entry(at, struct control_question, node);

		if (question->client == client)
			question->client = NULL;
	}
	list_remove(&client->node);
	free(client);
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	(void)conn;
	(void)why;
	drop(ctx);
}

static void on_request(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct control_client *client = ctx;
	struct control_server *server = client->server;
	DistributedFs__ControlReply reply = DISTRIBUTED_FS__CONTROL_REPLY__INIT;
	ProtobufCMessage *message = NULL;
	enum rfs_err err = RFS_ERR_INVALID;

	if (frame->type == FRAME_CONTROL_REQUEST)
		message = frame_unpack(
			frame, &distributed_fs__control_request__descriptor);
	server->answering = client;
	server->held = NULL;
	if (message)
		err = server->answer(server->ctx, (void *)message, &reply);
	server->answering = NULL;
	control_reply_settle(&reply, err);
	err = RFS_ERR_OK;
	if (!server->held)
		err = conn_send(conn, FRAME_CONTROL_REPLY, &reply.base, -1);
	frame_free(message);
	if (err != RFS_ERR_OK) {
		conn_close(conn);
		drop(client);
	}
}

void control_reply_settle(DistributedFs__ControlReply *reply, enum rfs_err err)
{
	if (err != RFS_ERR_OK && reply->err == 0)
		reply->err = err;
	if (reply->err && (!reply->reason || !*reply->reason))
		reply->reason = (char *)rfs_err_text((enum rfs_err)reply->err);
}

struct control_question *control_server_hold(struct control_server *server)
{
	struct control_question *question = calloc(1, sizeof(*question));

	CHECK(server->answering != NULL);
	if (!question)
		return NULL;
	question->client = server->answering;
	list_append(&server->questions, &question->node);
	server->held = question;
	return question;
}

void control_question_answer(struct control_question *question,
			     const DistributedFs__ControlReply *reply)
{
	struct control_client *client = question->client;

	list_remove(&question->node);
	free(question);
	if (client &&
	    conn_send(client->conn, FRAME_CONTROL_REPLY, &reply->base, -1) !=
		    RFS_ERR_OK) {
		conn_close(client->conn);
		drop(client);
	}
}

static const struct conn_events events = {
	.frame = on_request,
	.closed = on_closed,
};

static void on_client(void *ctx, int fd)
{
	struct control_server *server = ctx;
	struct control_client *client = calloc(1, sizeof(*client));
	struct conn *conn = conn_adopt(server->loop, fd, CONTROL_QUEUE_BYTES,
				       &events, client);

	if (!client || !conn) {
		conn_close(conn);
		free(client);
		return;
	}
	client->server = server;
	client->conn = conn;
	list_append(&server->clients, &client->node);
}

struct control_server *control_server_new(struct ev_loop *loop,
					  const char *path,
					  control_answer *answer, void *ctx)
{
	struct control_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->loop = loop;
	server->answer = answer;
	server->ctx = ctx;
	list_init(&server->clients);
	list_init(&server->questions);
	server->listener = listener_unix(loop, path, 0660, on_client, server);
	if (!server->listener) {
		free(server);
		return NULL;
	}
	return server;
}

void control_server_free(struct control_server *server)
{
	struct list_node *at, *next;

	if (!server)
		return;
	list_for_each_safe(at, next, &server->clients) {
		struct control_client *client =
			list_entry(at, struct control_client, node);

		conn_close(client->conn);
		drop(client);
	}
	list_for_each_safe(at, next, &server->questions) {
		list_remove(at);
		free(list_entry(at, struct control_question, node));
	}
	listener_free(server->listener);
	free(server);
}
