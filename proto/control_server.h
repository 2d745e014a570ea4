/* The control socket every daemon has: one request, one reply.
 *
 * A daemon gives one function that fills a ControlReply; the server does the
 * socket, the framing and the errors. What must be asked elsewhere first is
 * answered later.
 */
#ifndef RAFTFS_PROTO_CONTROL_SERVER_H
#define RAFTFS_PROTO_CONTROL_SERVER_H

#include <ev.h>

#include "common/err.h"
#include "proto/control.pb-c.h"

struct control_server;
struct control_question;

/* Answer `request` by filling *reply (already initialised); what it points to
 * must stay valid until the next call. An error becomes reply.err. */
typedef enum rfs_err control_answer(void *ctx,
				    const DistributedFs__ControlRequest *request,
				    DistributedFs__ControlReply *reply);

/* Listen at path (mode 0660). NULL: logged. */
struct control_server *control_server_new(struct ev_loop *loop,
					  const char *path,
					  control_answer *answer, void *ctx);
void control_server_free(struct control_server *server);

/* While answering: the reply comes later, and what the function returns does
 * not count. NULL: out of memory, answer now. Freed by control_question_answer()
 * or with the server. */
struct control_question *
control_server_hold(struct control_server *server);

/* Once. Who asked may have gone by now; nothing happens then. */
void control_question_answer(struct control_question *question,
			     const DistributedFs__ControlReply *reply);

/* Complete a reply: err stands in it, and a reason goes with it. */
void control_reply_settle(DistributedFs__ControlReply *reply,
			  enum rfs_err err);

#endif
