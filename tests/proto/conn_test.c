/* Connections, told on socketpairs and on loopback TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/log.h"
#include "proto/conn.h"
#include "proto/peer.pb-c.h"

/* What one end saw. */
struct end {
	struct conn *conn;
	struct ev_loop *loop;
	int opened, frames, drained, closed;
	int want_frames; /* stop the loop then */
	int pause_at;	 /* pause after so many */
	uint64_t last_offset;
	size_t last_bytes;
	int fd_of[8]; /* by offset; -1: none came with that frame */
	bool echo;
	struct end *flood; /* each frame makes this one write another */
	enum rfs_err why;
};

#define FLOOD_BYTES 50000

/* Past the queue: a peer that always has more to say. */
static void write_frame(struct end *end)
{
	static uint8_t bytes[FRAME_HEAD_BYTES + FLOOD_BYTES + 100];
	DistributedFs__SnapshotChunk chunk =
		DISTRIBUTED_FS__SNAPSHOT_CHUNK__INIT;
	static uint8_t data[FLOOD_BYTES];

	chunk.data.data = data;
	chunk.data.len = sizeof(data);
	size_t body = protobuf_c_message_pack(&chunk.base,
					      bytes + FRAME_HEAD_BYTES);
	frame_head_encode(&(struct frame_head){ (uint32_t)body,
						FRAME_PEER_SNAPSHOT_CHUNK,
						FRAME_VERSION },
			  bytes);
	assert_int_equal(write(conn_fd(end->conn), bytes,
			       FRAME_HEAD_BYTES + body),
			 FRAME_HEAD_BYTES + body);
}

static void on_opened(struct conn *conn, void *ctx)
{
	struct end *end = ctx;

	(void)conn;
	end->opened++;
}

static void on_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct end *end = ctx;
	DistributedFs__SnapshotChunk *chunk = (void *)frame_unpack(
		frame, &distributed_fs__snapshot_chunk__descriptor);

	assert_non_null(chunk);
	assert_int_equal(frame->type, FRAME_PEER_SNAPSHOT_CHUNK);
	end->last_offset = chunk->offset;
	end->last_bytes = chunk->data.len;
	if (chunk->offset < 8)
		end->fd_of[chunk->offset] = conn_take_fd(conn);
	if (end->echo)
		assert_int_equal(conn_send(conn, FRAME_PEER_SNAPSHOT_CHUNK,
					   &chunk->base, -1),
				 RFS_ERR_OK);
	frame_free(chunk);
	if (end->flood) {
		write_frame(end->flood);
		assert_true(end->frames < 1000);
	}
	if (++end->frames == end->pause_at)
		conn_pause(conn);
	if (end->frames == end->want_frames)
		ev_break(end->loop, EVBREAK_ALL);
}

static void on_drained(struct conn *conn, void *ctx)
{
	struct end *end = ctx;

	(void)conn;
	end->drained++;
}

static void on_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct end *end = ctx;

	(void)conn;
	end->closed++;
	end->why = why;
	end->conn = NULL;
	ev_break(end->loop, EVBREAK_ALL);
}

static const struct conn_events events = { on_opened, on_frame, on_drained,
					   on_closed };

static enum rfs_err send_chunk(struct end *end, uint64_t offset, size_t bytes,
			       int fd)
{
	DistributedFs__SnapshotChunk chunk =
		DISTRIBUTED_FS__SNAPSHOT_CHUNK__INIT;
	uint8_t *data = calloc(1, bytes ? bytes : 1);
	enum rfs_err err;

	chunk.offset = offset;
	chunk.data.data = data;
	chunk.data.len = bytes;
	err = conn_send(end->conn, FRAME_PEER_SNAPSHOT_CHUNK, &chunk.base, fd);
	free(data);
	return err;
}

static void on_give_up(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* Run until a callback stops the loop; ten seconds only end a broken test. */
static void run(struct ev_loop *loop)
{
	struct ev_timer give_up;

	ev_timer_init(&give_up, on_give_up, 10., 0.);
	ev_timer_start(loop, &give_up);
	ev_run(loop, 0);
	ev_timer_stop(loop, &give_up);
}

struct world {
	struct ev_loop *loop;
	struct end a, b;
};

static int unix_pair(void **state)
{
	static struct world world;
	int fds[2];

	world = (struct world){ .loop = ev_loop_new(EVFLAG_AUTO) };
	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, fds),
			 0);
	world.a.loop = world.b.loop = world.loop;
	world.a.conn = conn_adopt(world.loop, fds[0], 1 << 20, &events,
				  &world.a);
	world.b.conn = conn_adopt(world.loop, fds[1], 1 << 20, &events,
				  &world.b);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	conn_close(world->a.conn);
	conn_close(world->b.conn);
	ev_loop_destroy(world->loop);
	return 0;
}

static void frames_arrive_whole_and_in_order(void **state)
{
	struct world *w = *state;

	w->b.want_frames = 3;
	assert_int_equal(send_chunk(&w->a, 1, 0, -1), RFS_ERR_OK);
	assert_int_equal(send_chunk(&w->a, 2, 300000, -1), RFS_ERR_OK);
	assert_int_equal(send_chunk(&w->a, 3, 5, -1), RFS_ERR_OK);
	run(w->loop);

	assert_int_equal(w->a.opened, 1);
	assert_int_equal(w->b.opened, 1);
	assert_int_equal(w->b.frames, 3);
	assert_int_equal(w->b.last_offset, 3);
	assert_int_equal(w->b.last_bytes, 5);
}

static void on_shortly(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* While it is paused frames come and none is delivered, nor lost. */
static void a_paused_connection_delivers_everything_later(void **state)
{
	struct world *w = *state;
	struct ev_timer shortly;

	w->b.want_frames = 1;
	assert_int_equal(send_chunk(&w->a, 1, 0, -1), RFS_ERR_OK);
	run(w->loop);

	conn_pause(w->b.conn);
	for (uint64_t i = 2; i < 6; i++)
		assert_int_equal(send_chunk(&w->a, i, 100, -1), RFS_ERR_OK);
	assert_int_equal(send_chunk(&w->b, 7, 0, -1), RFS_ERR_OK);
	w->a.want_frames = 1;
	run(w->loop); /* what it sends itself leaves all the same */
	assert_int_equal(w->a.last_offset, 7);
	ev_timer_init(&shortly, on_shortly, 0.02, 0.);
	ev_timer_start(w->loop, &shortly);
	ev_run(w->loop, 0);
	assert_int_equal(w->b.frames, 1);

	conn_resume(w->b.conn);
	w->b.want_frames = 5;
	run(w->loop);
	assert_int_equal(w->b.frames, 5);
	assert_int_equal(w->b.last_offset, 5);
}

/* The frame that pauses it is the last, of many that came at once. */
static void a_frame_may_pause_its_own_connection(void **state)
{
	struct world *w = *state;

	w->b.pause_at = 2;
	w->b.want_frames = 2;
	for (uint64_t i = 1; i < 6; i++)
		assert_int_equal(send_chunk(&w->a, i, 0, -1), RFS_ERR_OK);
	run(w->loop);
	assert_int_equal(w->b.frames, 2);
	ev_run(w->loop, EVRUN_NOWAIT);
	assert_int_equal(w->b.frames, 2);
	conn_resume(w->b.conn);
	w->b.want_frames = 5;
	run(w->loop);
	assert_int_equal(w->b.frames, 5);
}

static void say_lazily(struct end *end, uint64_t offset)
{
	DistributedFs__SnapshotChunk chunk =
		DISTRIBUTED_FS__SNAPSHOT_CHUNK__INIT;

	chunk.offset = offset;
	assert_int_equal(conn_send_lazily(end->conn, FRAME_PEER_SNAPSHOT_CHUNK,
					  &chunk.base),
			 RFS_ERR_OK);
}

static void what_may_wait_leaves_with_what_may_not_and_in_order(void **state)
{
	struct world *w = *state;

	w->b.want_frames = 1;
	assert_int_equal(send_chunk(&w->a, 1, 0, -1), RFS_ERR_OK);
	run(w->loop);

	say_lazily(&w->a, 2);
	assert_int_equal(ev_pending_count(w->loop), 0);
	assert_true(conn_queued_bytes(w->a.conn) > 0);
	assert_int_equal(send_chunk(&w->a, 3, 0, -1), RFS_ERR_OK);
	assert_int_equal(ev_pending_count(w->loop), 1);
	w->b.want_frames = 3;
	run(w->loop);
	assert_int_equal(w->b.frames, 3);
	assert_int_equal(w->b.last_offset, 3);
}

static void what_may_wait_leaves_by_itself_in_the_end(void **state)
{
	struct world *w = *state;

	say_lazily(&w->a, 1); /* still opening */
	w->b.want_frames = 1;
	run(w->loop);
	assert_int_equal(w->b.last_offset, 1);
	for (uint64_t i = 2; i < 5; i++) {
		say_lazily(&w->a, i);
		w->b.want_frames++;
		run(w->loop);
		assert_int_equal(w->b.last_offset, i);
	}
	assert_int_equal(w->b.frames, 4);
}

static void a_descriptor_arrives_with_its_own_frame(void **state)
{
	struct world *w = *state;
	int pipe_fds[2];
	char byte = 0;

	assert_int_equal(pipe(pipe_fds), 0);
	w->b.want_frames = 3;
	assert_int_equal(send_chunk(&w->a, 1, 10, -1), RFS_ERR_OK);
	assert_int_equal(send_chunk(&w->a, 2, 10, pipe_fds[1]), RFS_ERR_OK);
	assert_int_equal(send_chunk(&w->a, 3, 10, -1), RFS_ERR_OK);
	close(pipe_fds[1]);
	run(w->loop);

	assert_int_equal(w->b.frames, 3);
	assert_int_equal(w->b.fd_of[1], -1);
	assert_int_equal(w->b.fd_of[3], -1);
	assert_true(w->b.fd_of[2] >= 0);
	assert_int_equal(write(w->b.fd_of[2], "x", 1), 1);
	close(w->b.fd_of[2]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(pipe_fds[0]);
}

static void a_full_queue_says_so_and_later_that_it_drained(void **state)
{
	struct world *w = *state;
	int sent = 0;

	while (send_chunk(&w->a, 0, 100000, -1) == RFS_ERR_OK)
		sent++;
	assert_in_range(sent, 5, 12);
	w->b.want_frames = sent;
	run(w->loop);
	ev_run(w->loop, EVRUN_NOWAIT);

	assert_int_equal(w->b.frames, sent);
	assert_int_equal(w->a.drained, 1);
	assert_int_equal(send_chunk(&w->a, 0, 100000, -1), RFS_ERR_OK);
}

static void a_peer_that_never_ends_leaves_others_their_turn(void **state)
{
	struct world *w = *state;

	ev_run(w->loop, EVRUN_NOWAIT);
	w->b.flood = &w->a;
	write_frame(&w->a);
	ev_run(w->loop, EVRUN_ONCE);
	assert_in_range(w->b.frames, 1, 10);
	/* And goes on from there, though no new byte comes. */
	int before = w->b.frames;
	ev_run(w->loop, EVRUN_ONCE);
	assert_true(w->b.frames > before);
}

static void the_other_end_closing_is_told_once(void **state)
{
	struct world *w = *state;

	ev_run(w->loop, EVRUN_NOWAIT);
	conn_close(w->b.conn);
	w->b.conn = NULL;
	run(w->loop);

	assert_int_equal(w->a.closed, 1);
	assert_int_equal(w->a.why, RFS_ERR_CLOSED);
	assert_int_equal(w->b.closed, 0);
}

static void another_protocol_version_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t head[FRAME_HEAD_BYTES];

	ev_run(w->loop, EVRUN_NOWAIT);
	frame_head_encode(&(struct frame_head){ 0, 100, 77 }, head);
	assert_int_equal(write(conn_fd(w->a.conn), head, sizeof(head)),
			 sizeof(head));
	run(w->loop);

	assert_int_equal(w->b.closed, 1);
	assert_int_equal(w->b.why, RFS_ERR_VERSION);
}

static void an_oversized_frame_is_refused_before_it_is_read(void **state)
{
	struct world *w = *state;
	uint8_t head[FRAME_HEAD_BYTES];

	ev_run(w->loop, EVRUN_NOWAIT);
	frame_head_encode(&(struct frame_head){ FRAME_BODY_BYTES_MAX + 1, 100,
						FRAME_VERSION },
			  head);
	assert_int_equal(write(conn_fd(w->a.conn), head, sizeof(head)),
			 sizeof(head));
	run(w->loop);

	assert_int_equal(w->b.closed, 1);
	assert_int_equal(w->b.why, RFS_ERR_INVALID);
}

/* ---- TLS ------------------------------------------------------------- */

static struct world *tls_world;
static struct tls *server_tls;
static bool admit = true;

static bool allowed(void *ctx, const uint8_t *key)
{
	(void)ctx;
	(void)key;
	return admit;
}

static void on_accept(void *ctx, int fd)
{
	(void)ctx;
	tls_world->b.conn = conn_accept_tls(tls_world->loop, server_tls, fd,
					    allowed, 1 << 20, &events,
					    &tls_world->b);
}

static uint16_t free_port(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t bytes = sizeof(where);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&where, bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &bytes), 0);
	close(fd);
	return ntohs(where.sin_port);
}

/* Dial b from a, a expecting `expected`; the loop runs until something ends. */
static void tls_meet(struct world *w, const struct node_key *a,
		     const struct node_key *b, const uint8_t *expected)
{
	uint16_t port = free_port();
	struct tls *client_tls = tls_new(a);

	server_tls = tls_new(b);
	tls_world = w;
	w->a.loop = w->b.loop = w->loop = ev_loop_new(EVFLAG_AUTO);
	w->b.echo = true;
	w->a.want_frames = 1;
	struct listener *listener =
		listener_tcp(w->loop, "127.0.0.1", port, on_accept, NULL);

	assert_non_null(listener);
	w->a.conn = conn_dial_tls(w->loop, client_tls, "127.0.0.1", port,
				  expected, 1 << 20, &events, &w->a);
	assert_non_null(w->a.conn);
	assert_int_equal(send_chunk(&w->a, 7, 200000, -1), RFS_ERR_OK);
	run(w->loop);

	conn_close(w->a.conn);
	conn_close(w->b.conn);
	listener_free(listener);
	tls_free(client_tls);
	tls_free(server_tls);
	ev_loop_destroy(w->loop);
}

static void nodes_with_pinned_keys_talk(void **state)
{
	struct world w = { 0 };
	struct node_key a, b;

	(void)state;
	admit = true;
	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	assert_int_equal(keys_generate(&b), RFS_ERR_OK);
	tls_meet(&w, &a, &b, b.public_key);

	assert_int_equal(w.a.opened, 1);
	assert_int_equal(w.a.frames, 1);
	assert_int_equal(w.a.last_offset, 7);
	assert_int_equal(w.a.last_bytes, 200000);
}

static void a_server_with_another_key_is_refused(void **state)
{
	struct world w = { 0 };
	struct node_key a, b, other;

	(void)state;
	admit = true;
	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	assert_int_equal(keys_generate(&b), RFS_ERR_OK);
	assert_int_equal(keys_generate(&other), RFS_ERR_OK);
	tls_meet(&w, &a, &b, other.public_key);

	assert_int_equal(w.a.opened, 0);
	assert_int_equal(w.a.closed, 1);
	assert_int_equal(w.a.why, RFS_ERR_DENIED);
}

static void a_client_with_an_unknown_key_is_refused(void **state)
{
	struct world w = { 0 };
	struct node_key a, b;

	(void)state;
	admit = false;
	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	assert_int_equal(keys_generate(&b), RFS_ERR_OK);
	tls_meet(&w, &a, &b, b.public_key);

	assert_int_equal(w.b.opened, 0);
	assert_int_equal(w.a.frames, 0);
	assert_true(w.a.closed + w.b.closed >= 1);
}

static void dialling_nobody_ends_in_closed(void **state)
{
	struct world w = { 0 };
	struct node_key a;

	(void)state;
	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	struct tls *tls = tls_new(&a);

	w.loop = w.a.loop = ev_loop_new(EVFLAG_AUTO);
	w.a.conn = conn_dial_tls(w.loop, tls, "127.0.0.1", free_port(),
				 a.public_key, 1 << 20, &events, &w.a);
	run(w.loop);
	assert_int_equal(w.a.closed, 1);
	assert_int_equal(w.a.why, RFS_ERR_CLOSED);
	tls_free(tls);
	ev_loop_destroy(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			frames_arrive_whole_and_in_order, unix_pair, tear_down),
		cmocka_unit_test_setup_teardown(
			a_descriptor_arrives_with_its_own_frame, unix_pair,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_full_queue_says_so_and_later_that_it_drained,
			unix_pair, tear_down),
		cmocka_unit_test_setup_teardown(
			a_peer_that_never_ends_leaves_others_their_turn,
			unix_pair, tear_down),
		cmocka_unit_test_setup_teardown(
			the_other_end_closing_is_told_once, unix_pair,
			tear_down),
		cmocka_unit_test_setup_teardown(
			another_protocol_version_is_refused, unix_pair,
			tear_down),
		cmocka_unit_test_setup_teardown(
			an_oversized_frame_is_refused_before_it_is_read,
			unix_pair, tear_down),
		cmocka_unit_test_setup_teardown(
			a_paused_connection_delivers_everything_later,
			unix_pair, tear_down),
		cmocka_unit_test_setup_teardown(
			a_frame_may_pause_its_own_connection, unix_pair,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_may_wait_leaves_with_what_may_not_and_in_order,
			unix_pair, tear_down),
		cmocka_unit_test_setup_teardown(
			what_may_wait_leaves_by_itself_in_the_end, unix_pair,
			tear_down),
		cmocka_unit_test(nodes_with_pinned_keys_talk),
		cmocka_unit_test(a_server_with_another_key_is_refused),
		cmocka_unit_test(a_client_with_an_unknown_key_is_refused),
		cmocka_unit_test(dialling_nobody_ends_in_closed),
	};

	keys_init();
	signal(SIGPIPE, SIG_IGN);
	if (getenv("RAFTFS_TEST_DEBUG"))
		log_set_level(LOG_LEVEL_DEBUG);
	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
