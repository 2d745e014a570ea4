/* What libraftfs does when the cluster answers late, twice, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/lib/raftfs.h"
#include "common/units.h"
#include "tests/client/fake_server.h"

#define OP(name) DISTRIBUTED_FS__FILE_OP__OP_##name

static const struct raftfs_new plain = {.mode = 0644};
static const struct raftfs_who root = {0, 0};

/* What one scripted node saw and is to do. */
struct script {
	int unanswered; /* of the first mutations: do `instead` */
	enum fake_verdict instead;
	uint32_t refusal; /* err of the first `refusals` answers */
	int refusals;
	_Atomic int opens;
	_Atomic int mutations; /* requests with a seq seen */
	uint64_t session[64];
	uint64_t seq[64];
	uint64_t acked_below[64];
	int forget_after; /* mutations: then NO_SESSION for session 7 */
	DistributedFs__FileAttr attr;
	uint8_t bytes[16];
};

static enum fake_verdict follow(void *ctx,
				const DistributedFs__FileRequest *request,
				DistributedFs__FileReply *reply)
{
	struct script *script = ctx;

	distributed_fs__file_attr__init(&script->attr);
	reply->attr = &script->attr;
	if (request->op == OP(OPEN_SESSION)) {
		reply->session = 7 + (uint64_t)script->opens++;
		reply->session_timeout_ms = 60000;
		return FAKE_ANSWER;
	}
	if (request->op == OP(CLOSE_SESSION))
		return FAKE_ANSWER;
	if (request->seq != 0) {
		int n = script->mutations++ % 64;

		script->session[n] = request->session;
		script->seq[n] = request->seq;
		script->acked_below[n] = request->acked_below;
		if (script->forget_after > 0 && n >= script->forget_after &&
		    request->session == 7) {
			reply->err = RFS_ERR_NO_SESSION;
			return FAKE_ANSWER;
		}
	}
	if (request->seq != 0 && script->unanswered > 0) {
		script->unanswered--;
		return script->instead;
	}
	if (script->refusals > 0) {
		script->refusals--;
		reply->err = script->refusal;
		reply->reason = (char *)"not now";
	}
	script->attr.ino = request->ino + 100;
	return FAKE_ANSWER;
}

static struct raftfs *open_fake(const struct fake_server *fake)
{
	struct raftfs *fs;

	assert_int_equal(raftfs_open(fake->path, &fs), RFS_ERR_OK);
	return fs;
}

static void a_cut_off_mutation_is_sent_again_under_the_same_seq(void **state)
{
	(void)state;
	struct script script = {.unanswered = 1, .instead = FAKE_HANG_UP};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	assert_int_equal(raftfs_create(fs, 1, "a", &plain, &attr), RFS_ERR_OK);
	assert_int_equal(attr.ino, 101);
	assert_int_equal(fake.connections, 2);
	assert_int_equal(script.mutations, 2);
	assert_int_equal(script.session[0], 7);
	assert_int_equal(script.session[1], 7);
	assert_int_equal(script.seq[0], 1);
	assert_int_equal(script.seq[1], 1);
	raftfs_close(fs);
	fake_stop(&fake);
}

static void an_unknown_outcome_is_asked_again_under_the_same_seq(void **state)
{
	(void)state;
	struct script script = {.refusal = RFS_ERR_UNKNOWN, .refusals = 3};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	assert_int_equal(raftfs_mkdir(fs, 1, "d", &plain, &attr), RFS_ERR_OK);
	assert_int_equal(script.mutations, 4);
	assert_int_equal(script.seq[3], 1);
	assert_int_equal(script.opens, 1);
	raftfs_close(fs);
	fake_stop(&fake);
}

static void silence_ends_a_write_as_unknown(void **state)
{
	(void)state;
	struct script script = {.unanswered = 1000, .instead = FAKE_SILENT};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	raftfs_set_timeout(fs, 50 * NS_PER_MS);
	assert_int_equal(raftfs_create(fs, 1, "a", &plain, &attr),
			 RFS_ERR_UNKNOWN);
	assert_string_not_equal(raftfs_reason(), "");
	raftfs_close(fs);
	fake_stop(&fake);
}

static enum fake_verdict never(void *ctx,
			       const DistributedFs__FileRequest *request,
			       DistributedFs__FileReply *reply)
{
	(void)ctx;
	(void)request;
	(void)reply;
	return FAKE_SILENT;
}

static void silence_ends_a_read_as_timed_out(void **state)
{
	(void)state;
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, never, NULL);
	struct raftfs *fs = open_fake(&fake);

	raftfs_set_timeout(fs, 50 * NS_PER_MS);
	assert_int_equal(raftfs_getattr(fs, 1, &attr), RFS_ERR_TIMEDOUT);
	raftfs_close(fs);
	fake_stop(&fake);
}

static void a_refusal_that_lasts_is_reported_as_what_it_was(void **state)
{
	(void)state;
	struct script script = {.refusal = RFS_ERR_NO_QUORUM,
				.refusals = 1000000};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	raftfs_set_timeout(fs, 100 * NS_PER_MS);
	assert_int_equal(raftfs_create(fs, 1, "a", &plain, &attr),
			 RFS_ERR_NO_QUORUM);
	assert_string_equal(raftfs_reason(), "not now");
	raftfs_close(fs);
	fake_stop(&fake);
}

static void a_plain_error_is_final(void **state)
{
	(void)state;
	struct script script = {.refusal = RFS_ERR_EXIST, .refusals = 1};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	assert_int_equal(raftfs_mkdir(fs, 1, "d", &plain, &attr),
			 RFS_ERR_EXIST);
	assert_int_equal(script.mutations, 1);
	raftfs_close(fs);
	fake_stop(&fake);
}

static void nobody_listening_is_said_as_closed(void **state)
{
	(void)state;
	struct raftfs_attr attr;
	struct raftfs *fs;

	assert_int_equal(raftfs_open("/nonexistent/a.sock", &fs), RFS_ERR_OK);
	assert_int_equal(raftfs_connect(fs), RFS_ERR_CLOSED);
	assert_non_null(strstr(raftfs_reason(), "/nonexistent/a.sock"));
	raftfs_set_timeout(fs, 20 * NS_PER_MS);
	assert_int_equal(raftfs_getattr(fs, 1, &attr), RFS_ERR_CLOSED);
	raftfs_close(fs);
}

static void the_next_node_is_asked_when_the_first_is_gone(void **state)
{
	(void)state;
	struct script script = {.refusals = 0};
	struct fake_server fake;
	struct raftfs_attr attr;
	struct raftfs *fs;
	char both[256];

	fake_start(&fake, follow, &script);
	snprintf(both, sizeof(both), "/nonexistent/a.sock,%s", fake.path);
	assert_int_equal(raftfs_open(both, &fs), RFS_ERR_OK);
	assert_int_equal(raftfs_getattr(fs, 1, &attr), RFS_ERR_OK);
	assert_string_equal(raftfs_endpoint(fs), fake.path);
	raftfs_close(fs);
	fake_stop(&fake);
}

static void a_node_that_only_refuses_is_left_for_another(void **state)
{
	(void)state;
	struct script minority = {.refusal = RFS_ERR_NO_QUORUM,
				  .refusals = 1000000};
	struct script majority = {.refusals = 0};
	struct fake_server a, b;
	struct raftfs_attr attr;
	struct raftfs *fs;
	char both[256];

	fake_start(&a, follow, &minority);
	fake_start(&b, follow, &majority);
	snprintf(both, sizeof(both), "%s,%s", a.path, b.path);
	assert_int_equal(raftfs_open(both, &fs), RFS_ERR_OK);
	assert_int_equal(raftfs_create(fs, 1, "x", &plain, &attr), RFS_ERR_OK);
	assert_string_equal(raftfs_endpoint(fs), b.path);
	assert_int_equal(majority.session[0], minority.session[0]);
	assert_int_equal(majority.seq[0], minority.seq[0]);
	raftfs_close(fs);
	fake_stop(&a);
	fake_stop(&b);
}

static void an_expired_session_is_replaced_without_a_word(void **state)
{
	(void)state;
	struct script script = {.forget_after = 1};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	assert_int_equal(raftfs_mkdir(fs, 1, "a", &plain, &attr), RFS_ERR_OK);
	assert_int_equal(raftfs_mkdir(fs, 1, "b", &plain, &attr), RFS_ERR_OK);
	assert_int_equal(script.opens, 2);
	assert_int_equal(script.mutations, 3);
	assert_int_equal(script.session[1], 7);
	assert_int_equal(script.session[2], 8);
	assert_int_equal(script.seq[2], 1);
	raftfs_close(fs);
	fake_stop(&fake);
}

/* The first attempt may have been done before the session went: then only
 * UNKNOWN is the truth, and doing it again would be wrong. */
static void a_half_heard_mutation_of_an_expired_session_is_unknown(void **s)
{
	(void)s;
	struct script script = {
		.unanswered = 1, .instead = FAKE_HANG_UP, .forget_after = 1};
	struct fake_server fake;
	struct raftfs_attr attr;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	assert_int_equal(raftfs_mkdir(fs, 1, "a", &plain, &attr),
			 RFS_ERR_UNKNOWN);
	assert_int_equal(script.mutations, 2);
	raftfs_close(fs);
	fake_stop(&fake);
}

static void acknowledged_seqs_are_reported_to_the_node(void **state)
{
	(void)state;
	struct script script = {.refusals = 0};
	struct fake_server fake;

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	for (int i = 0; i < 3; i++)
		assert_int_equal(raftfs_unlink(fs, root, 1, "x"), RFS_ERR_OK);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(script.seq[i], i + 1);
		assert_int_equal(script.acked_below[i], i + 1);
	}
	raftfs_close(fs);
	fake_stop(&fake);
}

/* --- many threads --- */

struct worker {
	struct raftfs *fs;
	uint64_t base;
	int wrong;
};

static void *ask_many(void *arg)
{
	struct worker *worker = arg;
	struct raftfs_attr attr;

	for (uint64_t i = 0; i < 200; i++) {
		uint64_t ino = worker->base + i;

		if (raftfs_getattr(worker->fs, ino, &attr) != RFS_ERR_OK ||
		    attr.ino != ino + 100)
			worker->wrong++;
	}
	return NULL;
}

static void each_of_many_threads_gets_its_own_answers(void **state)
{
	(void)state;
	struct script script = {.refusal = RFS_ERR_BUSY, .refusals = 5};
	struct fake_server fake;
	struct worker workers[8];
	pthread_t threads[8];

	fake_start(&fake, follow, &script);
	struct raftfs *fs = open_fake(&fake);

	for (uint64_t i = 0; i < 8; i++) {
		workers[i] = (struct worker){fs, 1000 * i, 0};
		pthread_create(&threads[i], NULL, ask_many, &workers[i]);
	}
	/* Cut the connection under them: they must not notice. */
	if (fake.current >= 0)
		shutdown(fake.current, SHUT_RDWR);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].wrong, 0);
	}
	raftfs_close(fs);
	fake_stop(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_cut_off_mutation_is_sent_again_under_the_same_seq),
		cmocka_unit_test(
			an_unknown_outcome_is_asked_again_under_the_same_seq),
		cmocka_unit_test(silence_ends_a_write_as_unknown),
		cmocka_unit_test(silence_ends_a_read_as_timed_out),
		cmocka_unit_test(
			a_refusal_that_lasts_is_reported_as_what_it_was),
		cmocka_unit_test(a_plain_error_is_final),
		cmocka_unit_test(nobody_listening_is_said_as_closed),
		cmocka_unit_test(the_next_node_is_asked_when_the_first_is_gone),
		cmocka_unit_test(a_node_that_only_refuses_is_left_for_another),
		cmocka_unit_test(an_expired_session_is_replaced_without_a_word),
		cmocka_unit_test(
			a_half_heard_mutation_of_an_expired_session_is_unknown),
		cmocka_unit_test(acknowledged_seqs_are_reported_to_the_node),
		cmocka_unit_test(each_of_many_threads_gets_its_own_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
