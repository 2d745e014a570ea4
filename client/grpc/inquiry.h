/* A question to another daemon of this node, for all who want to know at once.
 *
 * At most one is under way; who asks meanwhile gets the same answer. So however
 * many clients ask, raftd sees one question in 20 ms at the most.
 */
#ifndef RAFTFS_CLIENT_GRPC_INQUIRY_H
#define RAFTFS_CLIENT_GRPC_INQUIRY_H

#include <ev.h>

#include "client/grpc/h2.h"
#include "common/os/config.h"

/* Then who waits is told that there is no answer. */
#define INQUIRY_NS (2 * INT64_C(1000000000))

struct inquiry;

/* To the control socket of that name in run_dir. NULL: out of memory. */
struct inquiry *inquiry_new(struct ev_loop *loop, const char *run_dir,
			    const char *socket);
void inquiry_free(struct inquiry *inquiry); /* may be NULL */

/* Park the call until the daemon has told its status. resume() gets it as
 * `answer`, a DistributedFs__ControlReply borrowed for that call; NULL: it does
 * not answer. resume() must answer the call; never from inside this one. */
void inquiry_ask(struct inquiry *inquiry, struct h2_call *call,
		 void (*resume)(struct h2_call *call, void *ctx,
				const void *answer));

#endif
