/* The control socket: a question and its answer, at once or later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/conn.h"
#include "proto/control_server.h"

struct asker {
	struct conn *conn;
	unsigned int answers;
	uint32_t err;
	char reason[64];
	bool closed;
};

struct fixture {
	struct ev_loop *ev;
	struct control_server *server;
	struct control_question *held;
	bool hold;
	uint32_t asked;
	struct asker asker;
	char dir[40];
	char path[64];
};

static enum rfs_err answer(void *ctx,
			   const DistributedFs__ControlRequest *request,
			   DistributedFs__ControlReply *reply)
{
	struct fixture *f = ctx;

	f->asked = request->node;
	if (f->hold) {
		f->held = control_server_hold(f->server);
		assert_non_null(f->held);
		return RFS_ERR_IO; /* does not count */
	}
	if (request->node == 9)
		return RFS_ERR_NOENT;
	reply->reason = (char *)"at once";
	return RFS_ERR_OK;
}

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct asker *asker = ctx;
	DistributedFs__ControlReply *reply = (void *)frame_unpack(
		frame, &distributed_fs__control_reply__descriptor);

	(void)conn;
	assert_non_null(reply);
	asker->answers++;
	asker->err = reply->err;
	snprintf(asker->reason, sizeof(asker->reason), "%s", reply->reason);
	frame_free(reply);
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct asker *asker = ctx;

	(void)conn;
	(void)why;
	asker->closed = true;
	asker->conn = NULL;
}

static const struct conn_events events = {
	.frame = on_frame,
	.closed = on_closed,
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/raftfs-control-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	f->ev = ev_loop_new(EVFLAG_AUTO);
	f->server = control_server_new(f->ev, f->path, answer, f);
	assert_non_null(f->server);
	f->asker.conn = conn_adopt(f->ev, unix_connect(f->path), 1 << 20,
				   &events, &f->asker);
	assert_non_null(f->asker.conn);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->asker.conn != NULL)
		conn_close(f->asker.conn);
	control_server_free(f->server);
	ev_loop_destroy(f->ev);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 50; i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(200);
	}
}

static void ask(struct fixture *f, uint32_t node)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;

	request.node = node;
	assert_int_equal(conn_send(f->asker.conn, FRAME_CONTROL_REQUEST,
				   &request.base, -1),
			 RFS_ERR_OK);
	turn(f);
	assert_int_equal(f->asked, node);
}

static void answer_held(struct fixture *f, const char *reason)
{
	DistributedFs__ControlReply reply = DISTRIBUTED_FS__CONTROL_REPLY__INIT;

	reply.reason = (char *)reason;
	control_question_answer(f->held, &reply);
	f->held = NULL;
	turn(f);
}

static void a_question_is_answered_at_once(void **state)
{
	struct fixture *f = *state;

	ask(f, 3);
	assert_int_equal(f->asker.answers, 1);
	assert_int_equal(f->asker.err, RFS_ERR_OK);
	assert_string_equal(f->asker.reason, "at once");
}

static void an_error_has_a_reason(void **state)
{
	struct fixture *f = *state;

	ask(f, 9);
	assert_int_equal(f->asker.err, RFS_ERR_NOENT);
	assert_string_equal(f->asker.reason, rfs_err_text(RFS_ERR_NOENT));
}

static void a_question_that_is_held_is_answered_later(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	ask(f, 4);
	assert_int_equal(f->asker.answers, 0);
	answer_held(f, "later");
	assert_int_equal(f->asker.answers, 1);
	assert_int_equal(f->asker.err, RFS_ERR_OK);
	assert_string_equal(f->asker.reason, "later");
	f->hold = false;
	ask(f, 5);
	assert_string_equal(f->asker.reason, "at once");
}

static void who_asked_may_have_gone(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	ask(f, 4);
	conn_close(f->asker.conn);
	f->asker.conn = NULL;
	turn(f);
	answer_held(f, "to nobody");
	assert_int_equal(f->asker.answers, 0);
}

/* The sanitizers would tell of what is left. */
static void what_is_held_goes_with_the_server(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	ask(f, 4);
	assert_non_null(f->held);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_is_answered_at_once),
		TEST(an_error_has_a_reason),
		TEST(a_question_that_is_held_is_answered_later),
		TEST(who_asked_may_have_gone),
		TEST(what_is_held_goes_with_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
