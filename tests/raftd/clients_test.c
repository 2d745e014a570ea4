/* The link to storaged, over a real socketpair: batches, ids, the window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/units.h"
#include "proto/conn.h"
#include "raftd/clients.h"

#define ENTRY_BYTES 65536
#define ENTRY_COUNT 1000

struct fixture {
	struct ev_loop *ev;
	struct clients *clients;
	struct conn *storaged;
	bool closed;
	/* what raftd's side was told */
	unsigned int batch_count;
	uint32_t last_batch;
	uint64_t read_id;
	uint64_t behind_index;
	char filling[8]; /* y, n: in order */
	unsigned int attached_count;
	/* what storaged's side received */
	uint64_t proposals_answered;
	uint64_t fbig_count;
	uint64_t read_answered;
	uint64_t received_index;
	uint64_t received_bytes;
	uint64_t limbo_commands;
	uint64_t limbo_index;
	unsigned int limbo_frames;
	bool limbo_whole;
};

static void on_attached(void *ctx, uint64_t applied_index)
{
	struct fixture *f = ctx;

	(void)applied_index;
	f->attached_count++;
}

static void on_propose(void *ctx, const struct raft_proposal *proposals,
		       uint32_t count)
{
	struct fixture *f = ctx;

	f->batch_count++;
	f->last_batch = count;
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(proposals[i].bytes, 3);
		assert_memory_equal(proposals[i].data, "abc", 3);
		clients_proposed(f->clients, &(struct raft_proposal_done){
						     .id = proposals[i].id,
						     .index = i + 1,
						     .term = 1 });
	}
}

static void on_read(void *ctx, uint64_t id)
{
	struct fixture *f = ctx;

	f->read_id = id;
}

static void on_snapshot(void *ctx, const DistributedFs__SnapshotMeta *meta,
			int fd)
{
	(void)ctx;
	(void)meta;
	close(fd);
}

static void on_restore_done(void *ctx, uint64_t index, enum rfs_err err)
{
	(void)ctx;
	(void)index;
	(void)err;
}

static void on_filling(void *ctx, bool filling)
{
	struct fixture *f = ctx;

	strcat(f->filling, filling ? "y" : "n");
}

static void on_behind(void *ctx, uint64_t index)
{
	struct fixture *f = ctx;

	f->behind_index = index;
}

static const struct clients_events events = {
	.attached = on_attached,
	.propose = on_propose,
	.read = on_read,
	.snapshot_taken = on_snapshot,
	.restore_done = on_restore_done,
	.behind = on_behind,
	.filling = on_filling,
};

static void take_committed(struct fixture *f, const struct frame *frame)
{
	DistributedFs__LocalCommitted *committed = (void *)frame_unpack(
		frame, &distributed_fs__local_committed__descriptor);

	assert_non_null(committed);
	for (size_t i = 0; i < committed->n_entries; i++) {
		assert_int_equal(committed->entries[i]->index,
				 f->received_index + 1);
		f->received_index++;
		f->received_bytes += committed->entries[i]->data.len;
	}
	frame_free(committed);
}

static void take_limbo(struct fixture *f, const struct frame *frame)
{
	DistributedFs__LocalLimbo *limbo = (void *)frame_unpack(
		frame, &distributed_fs__local_limbo__descriptor);

	assert_non_null(limbo);
	assert_false(f->limbo_whole);
	for (size_t i = 0; i < limbo->n_commands; i++)
		assert_int_equal(limbo->commands[i].len, ENTRY_BYTES);
	f->limbo_commands += limbo->n_commands;
	f->limbo_index = limbo->limbo_index;
	f->limbo_whole = !limbo->more;
	f->limbo_frames++;
	frame_free(limbo);
}

static void storaged_frame(struct conn *conn, void *ctx,
			   const struct frame *frame)
{
	struct fixture *f = ctx;
	DistributedFs__LocalProposeDone *proposed;
	DistributedFs__LocalReadDone *read;

	(void)conn;
	switch (frame->type) {
	case FRAME_LOCAL_PROPOSE_DONE:
		proposed = (void *)frame_unpack(
			frame, &distributed_fs__local_propose_done__descriptor);
		f->proposals_answered += proposed->err == RFS_ERR_OK;
		f->fbig_count += proposed->err == RFS_ERR_FBIG;
		frame_free(proposed);
		break;
	case FRAME_LOCAL_READ_DONE:
		read = (void *)frame_unpack(
			frame, &distributed_fs__local_read_done__descriptor);
		f->read_answered = read->id;
		frame_free(read);
		break;
	case FRAME_LOCAL_COMMITTED:
		take_committed(f, frame);
		break;
	case FRAME_LOCAL_LIMBO:
		take_limbo(f, frame);
		break;
	default:
		fail();
	}
}

static void storaged_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct fixture *f = ctx;

	(void)conn;
	(void)why;
	f->storaged = NULL;
	f->closed = true;
}

static const struct conn_events storaged_events = {
	.frame = storaged_frame,
	.closed = storaged_closed,
};

static void turn(struct fixture *f)
{
	/* Both ends live on one loop: what one sends the other reads later. */
	for (int i = 0; i < 100; i++)
		ev_run(f->ev, EVRUN_NOWAIT);
}

static void tell(struct fixture *f, enum frame_type type, void *message)
{
	assert_int_equal(conn_send(f->storaged, type, message, -1), RFS_ERR_OK);
}

static void attach(struct fixture *f, uint64_t applied)
{
	DistributedFs__LocalAttach attach = DISTRIBUTED_FS__LOCAL_ATTACH__INIT;

	attach.applied_index = applied;
	f->received_index = applied;
	tell(f, FRAME_LOCAL_ATTACH, &attach);
}

static void link_up(struct fixture *f)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				    ends),
			 0);
	clients_link(f->clients, ends[0]);
	f->storaged = conn_adopt(f->ev, ends[1], 64 * MIB, &storaged_events, f);
	assert_non_null(f->storaged);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->ev = ev_loop_new(EVFLAG_AUTO);
	f->clients = clients_new(f->ev, &events, f);
	link_up(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clients_free(f->clients);
	if (f->storaged != NULL)
		conn_close(f->storaged);
	ev_loop_destroy(f->ev);
	free(f);
	return 0;
}

static void propose(struct fixture *f, uint64_t id, const void *data,
		    size_t bytes)
{
	DistributedFs__LocalPropose propose =
		DISTRIBUTED_FS__LOCAL_PROPOSE__INIT;

	propose.id = id;
	propose.data.data = (uint8_t *)data;
	propose.data.len = bytes;
	tell(f, FRAME_LOCAL_PROPOSE, &propose);
}

static void proposals_that_come_together_go_together(void **state)
{
	struct fixture *f = *state;

	attach(f, 0);
	turn(f);
	for (uint64_t id = 1; id <= 200; id++)
		propose(f, id, "abc", 3);
	turn(f);
	assert_int_equal(f->batch_count, 1);
	assert_int_equal(f->last_batch, 200);
	/* Where they stand is told together too, with the next word. */
	for (int ms = 0; ms < 5000 && f->proposals_answered < 200; ms++) {
		usleep(1000);
		turn(f);
	}
	assert_int_equal(f->proposals_answered, 200);
}

static void what_fits_no_frame_is_refused_at_once(void **state)
{
	struct fixture *f = *state;
	static const uint8_t big[3 * 1024 * 1024];

	attach(f, 0);
	propose(f, 1, big, sizeof(big));
	turn(f);
	assert_int_equal(f->batch_count, 0);
	assert_int_equal(f->fbig_count, 1);
}

static void a_read_is_answered_under_its_own_id(void **state)
{
	struct fixture *f = *state;
	DistributedFs__LocalRead read = DISTRIBUTED_FS__LOCAL_READ__INIT;

	attach(f, 0);
	read.id = 4711;
	tell(f, FRAME_LOCAL_READ, &read);
	turn(f);
	assert_int_not_equal(f->read_id, 0);
	clients_read_done(f->clients,
			  &(struct raft_read_done){ .id = f->read_id });
	turn(f);
	assert_int_equal(f->read_answered, 4711);
}

static void a_read_of_an_old_link_is_not_answered_on_the_new(void **state)
{
	struct fixture *f = *state;
	DistributedFs__LocalRead read = DISTRIBUTED_FS__LOCAL_READ__INIT;

	attach(f, 0);
	read.id = 4711;
	tell(f, FRAME_LOCAL_READ, &read);
	turn(f);
	conn_close(f->storaged);
	link_up(f);
	attach(f, 0);
	turn(f);
	assert_int_equal(f->attached_count, 2);
	clients_read_done(f->clients,
			  &(struct raft_read_done){ .id = f->read_id });
	turn(f);
	assert_int_equal(f->read_answered, 0);
}

static void who_does_not_attach_first_is_sent_away(void **state)
{
	struct fixture *f = *state;

	propose(f, 1, "abc", 3);
	turn(f);
	assert_true(f->closed);
	assert_int_equal(f->batch_count, 0);
}

/* A raft whose log holds ENTRY_COUNT entries behind snapshot `base`. */
static struct raft *raft_of(uint64_t base)
{
	static const uint8_t body[ENTRY_BYTES];
	static struct raft_entry entries[ENTRY_COUNT];
	const struct raft_config config = {
		.self = 1,
		.members = { { .id = 1 }, { .id = 2 }, { .id = 3 } },
		.member_count = 3,
		.election_timeout_min_ns = NS_PER_SEC,
		.election_timeout_max_ns = 2 * NS_PER_SEC,
		.heartbeat_min_ns = NS_PER_MS,
		.inflight_entries_max = 64,
		.inflight_bytes_max = MIB,
		.log_entries_max = 2 * ENTRY_COUNT,
		.log_bytes_max = GIB,
	};
	const struct raft_restart restart = {
		.term = 2,
		.snapshot = { .index = base, .term = base > 0 },
		.entries = entries,
		.entry_count = ENTRY_COUNT,
	};
	const struct raft_now now = { .raw_ns = 1 };

	for (uint64_t i = 0; i < ENTRY_COUNT; i++)
		entries[i] = (struct raft_entry){ .index = base + 1 + i,
						  .term = 2,
						  .stamp = { 2, (int64_t)i + 1 },
						  .kind = RAFT_ENTRY_COMMAND,
						  .data = body,
						  .bytes = ENTRY_BYTES };
	return raft_new(&config, &restart, &now);
}

static void acknowledge(struct fixture *f)
{
	DistributedFs__LocalApplied applied =
		DISTRIBUTED_FS__LOCAL_APPLIED__INIT;

	applied.index = f->received_index;
	tell(f, FRAME_LOCAL_APPLIED, &applied);
}

static void entries_come_in_order_and_not_too_many_at_once(void **state)
{
	struct fixture *f = *state;
	struct raft *raft = raft_of(0);
	int rounds = 0;

	attach(f, 5);
	turn(f);
	clients_stream(f->clients, raft, ENTRY_COUNT);
	turn(f);
	while (f->received_index < ENTRY_COUNT) {
		assert_true(rounds++ < ENTRY_COUNT);
		/* A window, and the frame that filled it. */
		assert_in_range(f->received_bytes, 1,
				CLIENTS_WINDOW_BYTES + FRAME_BODY_BYTES_MAX);
		f->received_bytes = 0;
		acknowledge(f);
		turn(f);
	}
	assert_true(rounds > 3);
	raft_free(raft);
}

static void what_data_storaged_lacks_is_told(void **state)
{
	DistributedFs__LocalFilling filling =
		DISTRIBUTED_FS__LOCAL_FILLING__INIT;
	struct fixture *f = *state;

	attach(f, 0);
	filling.filling = true;
	tell(f, FRAME_LOCAL_FILLING, &filling);
	filling.filling = false;
	tell(f, FRAME_LOCAL_FILLING, &filling);
	turn(f);
	assert_string_equal(f->filling, "yn");
}

static void an_entry_the_log_has_dropped_is_reported(void **state)
{
	struct fixture *f = *state;
	struct raft *raft = raft_of(100);

	attach(f, 40);
	turn(f);
	clients_stream(f->clients, raft, 100 + ENTRY_COUNT);
	turn(f);
	assert_int_equal(f->behind_index, 41);
	assert_int_equal(f->received_bytes, 0);
	raft_free(raft);
}

static void commands_in_limbo_come_whole_in_frames_that_fit(void **state)
{
	struct fixture *f = *state;
	struct raft *raft = raft_of(0);
	struct raft_view view = { .term = 3,
				  .commit_index = 10,
				  .limbo_index = 110 };

	clients_limbo(f->clients, raft, &view);
	turn(f);
	assert_int_equal(f->limbo_frames, 0); /* nobody is there */
	attach(f, 0);
	turn(f);
	clients_limbo(f->clients, raft, &view);
	turn(f);
	assert_int_equal(f->limbo_commands, 100);
	assert_int_equal(f->limbo_index, 110);
	assert_in_range(f->limbo_frames, 6, 8); /* 6.5 MB */
	assert_true(f->limbo_whole);
	raft_free(raft);
}

static void a_leader_that_inherits_nothing_says_so(void **state)
{
	struct fixture *f = *state;
	struct raft *raft = raft_of(0);
	const struct raft_view view = { .term = 3, .commit_index = 10 };

	attach(f, 0);
	turn(f);
	clients_limbo(f->clients, raft, &view);
	turn(f);
	assert_int_equal(f->limbo_frames, 1);
	assert_int_equal(f->limbo_commands, 0);
	assert_true(f->limbo_whole);
	raft_free(raft);
}

static void too_much_limbo_is_kept_back(void **state)
{
	struct fixture *f = *state;
	struct raft *raft = raft_of(0);
	const struct raft_view view = { .term = 3, .limbo_index = 257 };

	attach(f, 0);
	turn(f);
	clients_limbo(f->clients, raft, &view);
	turn(f);
	assert_int_equal(f->limbo_frames, 0);
	raft_free(raft);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(proposals_that_come_together_go_together),
		TEST(what_fits_no_frame_is_refused_at_once),
		TEST(a_read_is_answered_under_its_own_id),
		TEST(a_read_of_an_old_link_is_not_answered_on_the_new),
		TEST(who_does_not_attach_first_is_sent_away),
		TEST(entries_come_in_order_and_not_too_many_at_once),
		TEST(what_data_storaged_lacks_is_told),
		TEST(an_entry_the_log_has_dropped_is_reported),
		TEST(commands_in_limbo_come_whole_in_frames_that_fit),
		TEST(a_leader_that_inherits_nothing_says_so),
		TEST(too_much_limbo_is_kept_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
