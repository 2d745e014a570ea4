/* One control question at a time, on a connection of its own. */
#include "client/grpc/inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "proto/conn.h"
#include "proto/control.pb-c.h"

#define QUEUE_BYTES 4096
#define GAP_NS	    (20 * NS_PER_MS) /* between two questions */

struct inquiry {
	struct ev_loop *loop;
	struct sockaddr_un where;
	struct conn *conn; /* NULL: nothing is under way */
	struct list waiting;
	ev_timer limit; /* of what is under way */
	ev_timer next;	/* when the next may be asked */
	int64_t asked_ns;
};

/* All who wait now. */
static void tell_all(struct inquiry *inquiry,
		     const DistributedFs__ControlReply *reply)
{
	conn_close(inquiry->conn);
	inquiry->conn = NULL;
	ev_timer_stop(inquiry->loop, &inquiry->limit);
	while (h2_call_resume(&inquiry->waiting, reply))
		;
}

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct inquiry *inquiry = ctx;
	ProtobufCMessage *reply = NULL;

	(void)conn;
	if (frame->type == FRAME_CONTROL_REPLY)
		reply = frame_unpack(
			frame, &distributed_fs__control_reply__descriptor);
	tell_all(inquiry, (const void *)reply);
	frame_free(reply);
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct inquiry *inquiry = ctx;

	(void)conn;
	(void)why;
	inquiry->conn = NULL; /* frees itself */
	tell_all(inquiry, NULL);
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell_all(timer->data, NULL);
}

/* -1: nobody listens, or the queue is full because nobody accepts. */
static int reach(const struct inquiry *inquiry)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&inquiry->where,
		    sizeof(inquiry->where)) == 0)
		return fd;
	close(fd);
	return -1;
}

static enum rfs_err ask(struct inquiry *inquiry)
{
	static const struct conn_events events = {.frame = on_frame,
						  .closed = on_closed};
	const DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	int fd = reach(inquiry);
	enum rfs_err err;

	if (fd < 0)
		return RFS_ERR_CLOSED;
	inquiry->conn =
		conn_adopt(inquiry->loop, fd, QUEUE_BYTES, &events, inquiry);
	if (inquiry->conn == NULL)
		return RFS_ERR_NOMEM;
	err = conn_send(inquiry->conn, FRAME_CONTROL_REQUEST, &request.base,
			-1);
	if (err == RFS_ERR_OK)
		return RFS_ERR_OK;
	conn_close(inquiry->conn);
	inquiry->conn = NULL;
	return err;
}

static void start_timer(struct ev_loop *loop, ev_timer *timer, int64_t in_ns)
{
	ev_now_update(loop);
	ev_timer_set(timer, in_ns > 0 ? (double)in_ns / 1e9 : 0., 0.);
	ev_timer_start(loop, timer);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct inquiry *inquiry = timer->data;

	(void)events;
	/* Who asked may be gone. */
	if (list_is_empty(&inquiry->waiting))
		return;
	inquiry->asked_ns = clock_raw_ns();
	if (ask(inquiry) == RFS_ERR_OK)
		start_timer(loop, &inquiry->limit, INQUIRY_NS);
	else
		tell_all(inquiry, NULL);
}

void inquiry_ask(struct inquiry *inquiry, struct h2_call *call,
		 void (*resume)(struct h2_call *call, void *ctx,
				const void *answer))
{
	h2_call_park(call, &inquiry->waiting, resume);
	if (inquiry->conn == NULL && !ev_is_active(&inquiry->next))
		start_timer(inquiry->loop, &inquiry->next,
			    inquiry->asked_ns + GAP_NS - clock_raw_ns());
}

struct inquiry *inquiry_new(struct ev_loop *loop, const char *run_dir,
			    const char *socket)
{
	struct inquiry *inquiry = calloc(1, sizeof(*inquiry));

	if (inquiry == NULL)
		return NULL;
	inquiry->loop = loop;
	inquiry->where.sun_family = AF_UNIX;
	/* run_dir leaves room for it: config_schema.c. */
	snprintf(inquiry->where.sun_path, sizeof(inquiry->where.sun_path),
		 "%.80s/%.20s", run_dir, socket);
	list_init(&inquiry->waiting);
	ev_timer_init(&inquiry->limit, on_limit, 0., 0.);
	inquiry->limit.data = inquiry;
	ev_timer_init(&inquiry->next, on_next, 0., 0.);
	inquiry->next.data = inquiry;
	return inquiry;
}

void inquiry_free(struct inquiry *inquiry)
{
	if (inquiry == NULL)
		return;
	conn_close(inquiry->conn);
	ev_timer_stop(inquiry->loop, &inquiry->limit);
	ev_timer_stop(inquiry->loop, &inquiry->next);
	free(inquiry);
}
