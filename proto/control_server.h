/* The control socket every daemon has: one request, one reply, status only.
 *
 * A daemon gives one function that fills a ControlReply; the server does the
 * socket, the framing and the errors.
 */
#ifndef RAFTFS_PROTO_CONTROL_SERVER_H
#define RAFTFS_PROTO_CONTROL_SERVER_H

#include <ev.h>

#include "common/err.h"
#include "proto/control.pb-c.h"

struct control_server;

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

#endif
