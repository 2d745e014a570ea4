/* A question for the leader, over two raftd's links and a control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "proto/conn.h"
#include "raftd/questions.h"

/* Side 0 is asked by raftfs(1), side 1 leads. */
struct fixture {
	struct ev_loop *ev;
	struct config config[2];
	struct roster roster[2];
	struct node_key key[2];
	struct peers *peers[2];
	struct questions questions;
	struct control_server *server;
	struct conn *person;
	uint32_t leader;
	bool leader_is_mute;
	char path[48];
	unsigned int answers;
	uint32_t err;
	char reason[64];
};

/* ---- the leader ---- */

static void on_control(void *ctx, struct peers_question *question,
		       const DistributedFs__PeerControl *control)
{
	DistributedFs__PeerControlDone done =
		DISTRIBUTED_FS__PEER_CONTROL_DONE__INIT;
	DistributedFs__ControlReply reply = DISTRIBUTED_FS__CONTROL_REPLY__INIT;
	struct fixture *f = ctx;

	assert_int_equal(control->request->node, 42);
	reply.reason = (char *)"the leader's word";
	reply.err = RFS_ERR_EXIST;
	done.id = control->id;
	done.reply = &reply;
	if (!f->leader_is_mute)
		peers_answer(question, &done);
}

static void on_control_done(void *ctx, uint32_t node,
			    const DistributedFs__PeerControlDone *done)
{
	struct fixture *f = ctx;

	questions_done(&f->questions, node, done);
}

static void on_lost(void *ctx, uint32_t node)
{
	struct fixture *f = ctx;

	questions_lost(&f->questions, node);
}

static void on_rtt(void *ctx, uint32_t node, enum raft_rtt_from from,
		   int64_t rtt_ns)
{
	(void)ctx;
	(void)node;
	(void)from;
	(void)rtt_ns;
}

static const struct peers_events peers_events = {
	.lost = on_lost,
	.rtt = on_rtt,
	.control = on_control,
	.control_done = on_control_done,
};

/* ---- who is asked, and the person ---- */

static enum rfs_err on_asked(void *ctx,
			     const DistributedFs__ControlRequest *request,
			     DistributedFs__ControlReply *reply)
{
	struct fixture *f = ctx;
	const char *reason;
	enum rfs_err err = questions_pass_on(&f->questions, f->server,
					     f->peers[0], f->leader, request,
					     &reason);

	reply->reason = (char *)reason;
	return err;
}

static void on_reply(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct fixture *f = ctx;
	DistributedFs__ControlReply *reply = (void *)frame_unpack(
		frame, &distributed_fs__control_reply__descriptor);

	(void)conn;
	f->answers++;
	f->err = reply->err;
	snprintf(f->reason, sizeof(f->reason), "%s", reply->reason);
	frame_free(reply);
}

static const struct conn_events person_events = { .frame = on_reply };

static uint16_t free_port(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &bytes), 0);
	close(fd);
	return ntohs(any.sin_port);
}

static void make_peers(struct fixture *f)
{
	f->config[0].node_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct config_node *node = &f->config[0].nodes[i];

		assert_int_equal(keys_generate(&f->key[i]), RFS_ERR_OK);
		node->id = i + 1;
		snprintf(node->name, sizeof(node->name), "n%u", i + 1);
		strcpy(node->address, "127.0.0.1");
		node->raft_port = free_port();
		memcpy(node->key, f->key[i].public_key, sizeof(node->key));
	}
	f->config[1] = f->config[0];
	f->config[1].self_index = 1;
	for (uint32_t i = 0; i < 2; i++) {
		roster_init(&f->roster[i], &f->config[i]);
		f->peers[i] = peers_new(f->ev, &f->config[i], &f->roster[i],
					&f->key[i], 10 + i, &peers_events, f);
		assert_non_null(f->peers[i]);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	keys_init();
	snprintf(f->path, sizeof(f->path), "/tmp/raftfs-questions-%d",
		 getpid());
	f->ev = ev_loop_new(EVFLAG_AUTO);
	make_peers(f);
	f->server = control_server_new(f->ev, f->path, on_asked, f);
	assert_non_null(f->server);
	f->person = conn_adopt(f->ev, unix_connect(f->path), 1 << 20,
			       &person_events, f);
	f->leader = 2;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	conn_close(f->person);
	control_server_free(f->server);
	peers_free(f->peers[0]);
	peers_free(f->peers[1]);
	ev_loop_destroy(f->ev);
	unlink(f->path);
	free(f);
	return 0;
}

static bool connected(struct fixture *f)
{
	const char *refused;
	bool is;

	peers_get_status(f->peers[0], 2, &is, &refused);
	return is;
}

static bool waits(struct fixture *f)
{
	return f->questions.waiting[0].id != 0;
}

static bool answered(struct fixture *f)
{
	return f->answers == 1;
}

static void turn_until(struct fixture *f, bool (*done)(struct fixture *f))
{
	for (int i = 0; i < 4000 && !done(f); i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_true(done(f));
}

static void ask(struct fixture *f)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;

	request.node = 42;
	assert_int_equal(conn_send(f->person, FRAME_CONTROL_REQUEST,
				   &request.base, -1),
			 RFS_ERR_OK);
}

static void the_leaders_answer_comes_back(void **state)
{
	struct fixture *f = *state;

	turn_until(f, connected);
	ask(f);
	turn_until(f, answered);
	assert_int_equal(f->err, RFS_ERR_EXIST);
	assert_string_equal(f->reason, "the leader's word");
	assert_false(waits(f));
}

static void without_a_leader_that_is_said(void **state)
{
	struct fixture *f = *state;

	turn_until(f, connected);
	f->leader = RAFT_NOBODY;
	ask(f);
	turn_until(f, answered);
	assert_int_equal(f->err, RFS_ERR_NO_QUORUM);
	assert_string_equal(f->reason, "no leader is known");
}

static void a_leader_out_of_reach_is_one_too(void **state)
{
	struct fixture *f = *state;

	f->leader = 7;
	ask(f);
	turn_until(f, answered);
	assert_int_equal(f->err, RFS_ERR_NO_QUORUM);
	assert_string_equal(f->reason, "the leader is not connected");
}

/* It may have done what was asked: that is not known. */
static void a_leader_that_goes_leaves_the_outcome_open(void **state)
{
	struct fixture *f = *state;

	f->leader_is_mute = true;
	turn_until(f, connected);
	ask(f);
	turn_until(f, waits);
	peers_free(f->peers[1]);
	f->peers[1] = NULL;
	turn_until(f, answered);
	assert_int_equal(f->err, RFS_ERR_UNKNOWN);
}

static void nobody_waits_for_ever(void **state)
{
	struct fixture *f = *state;

	f->leader_is_mute = true;
	turn_until(f, connected);
	ask(f);
	turn_until(f, waits);
	questions_expire(&f->questions, clock_raw_ns());
	assert_true(waits(f));
	questions_expire(&f->questions, clock_raw_ns() + QUESTIONS_LIMIT_NS);
	assert_false(waits(f));
	turn_until(f, answered);
	assert_int_equal(f->err, RFS_ERR_UNKNOWN);
	assert_string_equal(f->reason, "the leader did not answer in time");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_leaders_answer_comes_back),
		TEST(without_a_leader_that_is_said),
		TEST(a_leader_out_of_reach_is_one_too),
		TEST(a_leader_that_goes_leaves_the_outcome_open),
		TEST(nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
