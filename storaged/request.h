/* A client and its request, between serve.c, look.c and change.c. */
#ifndef RAFTFS_STORAGED_REQUEST_H
#define RAFTFS_STORAGED_REQUEST_H

#include "proto/files.pb-c.h"
#include "storaged/access.h"
#include "storaged/core/command.h"
#include "storaged/storaged.h"

struct client {
	struct serve *serve;
	struct client *next;
	struct conn *conn; /* NULL: gone */
	struct access_who who;
	uint32_t refs; /* the connection, and its requests */
	uint32_t requests;
	uint64_t busy_bytes;
};

struct request {
	struct storaged *s;
	struct client *client;
	DistributedFs__FileRequest *message; /* owned */
	size_t bytes;
	struct command *command; /* owned; changes only */
	uint32_t tries;
};

/* Answer and end a request; both free it. reason may be NULL, and like all the
 * reply points to is borrowed. */
void request_reply(struct request *request, DistributedFs__FileReply *reply);
void request_fail(struct request *request, enum rfs_err err,
		  const char *reason);

/* Carry a request through to its answer. */
void look_start(struct request *request);
void change_start(struct request *request);

#endif
