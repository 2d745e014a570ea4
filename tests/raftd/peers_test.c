/* Two raftd's peers on one loop, over real TLS on loopback: who is let in, what
 * arrives, and that a broken connection is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raftd/peers.h"

#define BIG_BYTES (1024 * 1024)
#define BIG_COUNT 9

struct side {
	struct config config;
	struct roster roster;
	struct peers *peers;
	unsigned int message_count;
	unsigned int lost_count;
	unsigned int rtt_count, tcp_rtt_count;
	uint64_t removed_index;
	bool forgotten;
	size_t shown_bytes;
	uint8_t shown[RAFT_MEMBERSHIP_BYTES_MAX];
	uint64_t asked_id;
	uint64_t answered_id;
	char answer[32];
	uint64_t entry_count;
	uint64_t last_index;
	struct raft_message last;
};

struct fixture {
	struct ev_loop *ev;
	struct node_key key[3];
	struct side side[2];
};

static void on_message(void *ctx, const struct raft_message *message)
{
	struct side *side = ctx;

	side->message_count++;
	side->last = *message;
	if (message->type != RAFT_MSG_APPEND)
		return;
	/* Each part continues the one before it. */
	assert_int_equal(message->append.previous_index, side->last_index);
	for (uint32_t i = 0; i < message->append.count; i++) {
		assert_int_equal(message->append.entries[i].index,
				 ++side->last_index);
		assert_int_equal(message->append.entries[i].bytes, BIG_BYTES);
		side->entry_count++;
	}
}

static void on_lost(void *ctx, uint32_t node)
{
	struct side *side = ctx;

	(void)node;
	side->lost_count++;
}

static void on_rtt(void *ctx, uint32_t node, enum raft_rtt_from from,
		   int64_t rtt_ns)
{
	struct side *side = ctx;

	(void)node;
	assert_true(rtt_ns > 0);
	side->rtt_count += from == RAFT_RTT_ANSWERS;
	side->tcp_rtt_count += from == RAFT_RTT_TCP;
}

static void on_members(void *ctx, uint32_t node, const void *image,
		       size_t bytes)
{
	struct side *side = ctx;

	assert_int_equal(node, side->config.self_index == 0 ? 2 : 1);
	assert_true(bytes <= sizeof(side->shown));
	memcpy(side->shown, image, bytes);
	side->shown_bytes = bytes;
}

static void on_removed(void *ctx, uint32_t node, uint64_t index)
{
	struct side *side = ctx;

	(void)node;
	side->removed_index = index;
}

static void on_forgotten(void *ctx, uint32_t node)
{
	struct side *side = ctx;

	(void)node;
	side->forgotten = true;
}

static void on_control(void *ctx, struct peers_question *question,
		       const DistributedFs__PeerControl *control)
{
	DistributedFs__PeerControlDone done =
		DISTRIBUTED_FS__PEER_CONTROL_DONE__INIT;
	DistributedFs__ControlReply reply = DISTRIBUTED_FS__CONTROL_REPLY__INIT;
	struct side *side = ctx;

	side->asked_id = control->request->node;
	reply.reason = (char *)"because";
	done.id = control->id;
	done.reply = &reply;
	peers_answer(question, &done);
}

static void on_control_done(void *ctx, uint32_t node,
			    const DistributedFs__PeerControlDone *done)
{
	struct side *side = ctx;

	(void)node;
	side->answered_id = done->id;
	strcpy(side->answer, done->reply->reason);
}

static const struct peers_events events = {
	.message = on_message,
	.lost = on_lost,
	.rtt = on_rtt,
	.members = on_members,
	.removed = on_removed,
	.forgotten = on_forgotten,
	.control = on_control,
	.control_done = on_control_done,
};

/* A port nobody has, as far as one can know. */
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

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	keys_init();
	f->ev = ev_loop_new(EVFLAG_AUTO);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(keys_generate(&f->key[i]), RFS_ERR_OK);
	f->side[0].config.node_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct config_node *node = &f->side[0].config.nodes[i];

		node->id = i + 1;
		strcpy(node->name, i == 0 ? "n1" : "n2");
		strcpy(node->address, "127.0.0.1");
		node->raft_port = free_port();
		memcpy(node->key, f->key[i].public_key, sizeof(node->key));
	}
	f->side[1].config = f->side[0].config;
	f->side[1].config.self_index = 1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	peers_free(f->side[0].peers);
	peers_free(f->side[1].peers);
	ev_loop_destroy(f->ev);
	free(f);
	return 0;
}

static void start(struct fixture *f, unsigned int i, const struct node_key *key)
{
	roster_init(&f->side[i].roster, &f->side[i].config);
	f->side[i].peers =
		peers_new(f->ev, &f->side[i].config, &f->side[i].roster, key,
			  1000 + i, &events, &f->side[i]);
	assert_non_null(f->side[i].peers);
}

static void turn_until(struct fixture *f, bool (*done)(struct fixture *f))
{
	for (int i = 0; i < 4000 && !done(f); i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_true(done(f));
}

static bool is_connected(struct fixture *f, unsigned int i)
{
	const char *refused;
	bool connected;

	peers_get_status(f->side[i].peers, 2 - i, &connected, &refused);
	return connected;
}

static bool both_connected(struct fixture *f)
{
	return is_connected(f, 0) && is_connected(f, 1);
}

static const char *why_refused(struct fixture *f, unsigned int i)
{
	const char *refused;
	bool connected;

	peers_get_status(f->side[i].peers, 2 - i, &connected, &refused);
	return refused;
}

static bool one_message(struct fixture *f)
{
	return f->side[1].message_count == 1 && f->side[0].rtt_count > 0;
}

static void a_message_arrives_from_who_sent_it(void **state)
{
	struct fixture *f = *state;
	const struct raft_message vote = {
		.type = RAFT_MSG_VOTE,
		.from = 99, /* what it claims does not matter: its key does */
		.to = 2,
		.term = 7,
		.vote = { .last_index = 5, .last_term = 6 },
	};

	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
	peers_send(f->side[0].peers, &vote);
	turn_until(f, one_message);
	assert_int_equal(f->side[1].last.from, 1);
	assert_int_equal(f->side[1].last.to, 2);
	assert_int_equal(f->side[1].last.term, 7);
	assert_int_equal(f->side[1].last.vote.last_index, 5);
}

static bool all_big(struct fixture *f)
{
	return f->side[1].entry_count == BIG_COUNT;
}

static void an_append_too_large_for_a_frame_goes_in_parts(void **state)
{
	struct fixture *f = *state;
	uint8_t *body = calloc(1, BIG_BYTES);
	struct raft_entry entries[BIG_COUNT];
	const struct raft_message append = {
		.type = RAFT_MSG_APPEND,
		.to = 2,
		.term = 3,
		.append = { .entries = entries, .count = BIG_COUNT },
	};

	for (uint64_t i = 0; i < BIG_COUNT; i++)
		entries[i] = (struct raft_entry){ .index = i + 1,
						  .term = 3,
						  .kind = RAFT_ENTRY_COMMAND,
						  .data = body,
						  .bytes = BIG_BYTES };
	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
	peers_send(f->side[0].peers, &append);
	turn_until(f, all_big);
	assert_true(f->side[1].message_count > 1);
	free(body);
}

static bool first_lost(struct fixture *f)
{
	return f->side[0].lost_count > 0;
}

static void a_peer_that_goes_is_told_and_dialled_again(void **state)
{
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
	peers_free(f->side[1].peers);
	f->side[1].peers = NULL;
	turn_until(f, first_lost);
	assert_false(is_connected(f, 0));
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
}

static bool both_refused(struct fixture *f)
{
	return why_refused(f, 0)[0] != '\0' && why_refused(f, 1)[0] != '\0';
}

static void another_configuration_is_refused_by_its_digest(void **state)
{
	struct fixture *f = *state;

	f->side[1].config.digest[0] = 0xab;
	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_refused);
	assert_false(is_connected(f, 0));
	assert_false(is_connected(f, 1));
	assert_non_null(strstr(why_refused(f, 0), "ab00000000000000"));
	assert_non_null(strstr(why_refused(f, 0), "0000000000000000"));
	assert_non_null(strstr(why_refused(f, 1), "ab00000000000000"));
}

static void other_nodes_to_start_with_are_refused(void **state)
{
	struct fixture *f = *state;

	f->side[1].config.nodes_digest[0] = 0xab;
	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_refused);
	assert_non_null(strstr(why_refused(f, 0), "start with other nodes"));
}

static void who_joins_need_not_start_with_the_same_nodes(void **state)
{
	struct fixture *f = *state;

	f->side[1].config.nodes_digest[0] = 0xab;
	f->side[1].config.join = true;
	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
}

static bool first_refused(struct fixture *f)
{
	return why_refused(f, 0)[0] != '\0';
}

static void who_has_not_the_key_gets_nowhere(void **state)
{
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[2]); /* says it is n2, with a key of its own */
	turn_until(f, first_refused);
	for (int i = 0; i < 300; i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_false(is_connected(f, 0));
	assert_false(is_connected(f, 1));
	assert_int_equal(f->side[0].message_count, 0);
}

static bool second_was_shown(struct fixture *f)
{
	return f->side[1].shown_bytes == 3;
}

static void a_membership_is_shown_to_who_is_met_and_at_each_change(void **state)
{
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	peers_show(f->side[0].peers, "abc", 3);
	start(f, 1, &f->key[1]);
	turn_until(f, second_was_shown);
	assert_memory_equal(f->side[1].shown, "abc", 3);
	f->side[1].shown_bytes = 0;
	peers_show(f->side[0].peers, "abd", 3);
	turn_until(f, second_was_shown);
	assert_memory_equal(f->side[1].shown, "abd", 3);
}

static bool first_was_answered(struct fixture *f)
{
	return f->side[0].answered_id == 7;
}

static void a_question_is_answered_where_it_was_asked(void **state)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__PeerControl control = DISTRIBUTED_FS__PEER_CONTROL__INIT;
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
	request.node = 5;
	control.id = 7;
	control.request = &request;
	assert_int_equal(peers_send_frame(f->side[0].peers, 2,
					  FRAME_PEER_CONTROL, &control.base),
			 RFS_ERR_OK);
	turn_until(f, first_was_answered);
	assert_int_equal(f->side[1].asked_id, 5);
	assert_string_equal(f->side[0].answer, "because");
}

static bool second_is_out(struct fixture *f)
{
	return f->side[1].removed_index == 44;
}

/* Its link is cut, and when it dials again it is told why. */
static void who_leaves_the_roster_is_let_go_and_told(void **state)
{
	struct fixture *f = *state;
	const char *refused;
	bool connected;

	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
	f->side[0].roster.count = 1;
	f->side[0].roster.index = 44;
	f->side[0].roster.last_id = 2;
	f->side[0].roster.settled = true;
	peers_refresh(f->side[0].peers, false);
	turn_until(f, second_is_out);
	assert_string_equal(why_refused(f, 1), "removed from the cluster "
					       "(membership entry 44)");
	peers_get_status(f->side[0].peers, 2, &connected, &refused);
	assert_false(connected);
}

static bool second_forgot(struct fixture *f)
{
	return f->side[1].forgotten && why_refused(f, 0)[0] != '\0';
}

/* Neither by the link it dials nor by the one dialled to it. */
static void a_voter_without_a_log_gets_no_link(void **state)
{
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	f->side[0].roster.voters[0] = 2;
	f->side[0].roster.voter_count = 1;
	start(f, 1, &f->key[1]);
	f->side[1].roster.fresh = true;
	turn_until(f, second_forgot);
	assert_false(is_connected(f, 0));
	assert_false(is_connected(f, 1));
	assert_non_null(strstr(why_refused(f, 0), "has lost its log"));
	f->side[1].roster.fresh = false;
	turn_until(f, both_connected);
}

static bool second_waits(struct fixture *f)
{
	return strstr(why_refused(f, 1), "raftfs members add") != NULL;
}

/* A node that nobody knows yet asks again and again; then it is known. */
static void who_enters_the_roster_is_let_in(void **state)
{
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	f->side[0].roster.count = 1;
	peers_refresh(f->side[0].peers, false);
	start(f, 1, &f->key[1]);
	turn_until(f, second_waits);
	f->side[0].roster.count = 2;
	peers_refresh(f->side[0].peers, false);
	turn_until(f, both_connected);
	assert_string_equal(why_refused(f, 1), "");
}

static void who_is_out_dials_nobody(void **state)
{
	struct fixture *f = *state;

	start(f, 0, &f->key[0]);
	start(f, 1, &f->key[1]);
	turn_until(f, both_connected);
	peers_refresh(f->side[1].peers, true);
	turn_until(f, first_lost);
	for (int i = 0; i < 200; i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(1000);
	}
	assert_false(is_connected(f, 0));
	assert_false(is_connected(f, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_from_who_sent_it),
		TEST(an_append_too_large_for_a_frame_goes_in_parts),
		TEST(a_peer_that_goes_is_told_and_dialled_again),
		TEST(another_configuration_is_refused_by_its_digest),
		TEST(other_nodes_to_start_with_are_refused),
		TEST(who_joins_need_not_start_with_the_same_nodes),
		TEST(who_has_not_the_key_gets_nowhere),
		TEST(a_membership_is_shown_to_who_is_met_and_at_each_change),
		TEST(a_question_is_answered_where_it_was_asked),
		TEST(who_leaves_the_roster_is_let_go_and_told),
		TEST(who_enters_the_roster_is_let_in),
		TEST(a_voter_without_a_log_gets_no_link),
		TEST(who_is_out_dials_nobody),
	};

	/* As the programs do: proto/conn.h asks for it. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
