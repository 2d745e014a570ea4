/* A new leader's storaged: what it answers by an inherited lease at once, and
 * what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "storaged/inherited.h"
#include "tests/storaged/scratch.h"
#include "tests/storaged/trio.h"

/* Two files, "still" and "moving", both of them "old"; a write to the second is
 * in limbo. */
struct fixture {
	struct trio *trio;
	uint64_t still;
	uint64_t moving;
};

/* Some time after its start storaged asks raftd where the log ends and then has
 * chunk ids granted, an entry beside the session and the two files. From then
 * on all questions and entries are the test's. */
static bool is_settled(struct trio *trio)
{
	return trio->last_index >= 4 && trio_all_applied(trio);
}

static int setup(void **state)
{
	static struct fixture f;
	struct command write = { .op = COMMAND_WRITE };

	f.trio = trio_new(1);
	assert_int_equal(trio_put(f.trio, 1, "still", "old", 3), RFS_ERR_OK);
	f.still = f.trio->reply->attr->ino;
	assert_int_equal(trio_put(f.trio, 1, "moving", "old", 3), RFS_ERR_OK);
	f.moving = f.trio->reply->attr->ino;
	trio_until(f.trio, is_settled);
	write.ino = f.moving;
	write.session = f.trio->session;
	write.seq = write.acked_below = ++f.trio->seq;
	write.data = (struct bytes){ (const uint8_t *)"new", 3 };
	crypto_hash_sha256(write.sha256, write.data.data, 3);
	trio_inherit(f.trio, &write);
	f.trio->limbo_reads = 3;
	f.trio->reads = 0;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	trio_free(f->trio);
	return 0;
}

static void assert_content(struct fixture *f, uint64_t ino, const char *text)
{
	assert_int_equal(trio_read(f->trio, 1, ino, 0, 100), RFS_ERR_OK);
	assert_int_equal(f->trio->reply->data.len, strlen(text));
	assert_memory_equal(f->trio->reply->data.data, text, strlen(text));
}

static bool is_told(struct trio *trio)
{
	return inherited_is_held(trio->nodes[0].s.inherited, 1,
				 trio->last_index + 1);
}

static void tell(struct fixture *f)
{
	trio_tell_limbo(f->trio, 1, true);
	trio_until(f->trio, is_told);
}

static void what_the_command_cannot_change_is_answered_at_once(void **state)
{
	struct fixture *f = *state;

	tell(f);
	assert_content(f, f->still, "old");
	assert_int_equal(trio_find(f->trio, 1, "still"), f->still);
	assert_content(f, f->still, "old");
	assert_int_equal(f->trio->reads, 0);
	assert_non_null(f->trio->limbo.data);
}

static void what_it_may_change_waits_until_it_is_settled(void **state)
{
	struct fixture *f = *state;

	tell(f);
	assert_content(f, f->moving, "new");
	assert_int_equal(f->trio->reads, 3);
	assert_null(f->trio->limbo.data);
}

static void so_does_what_depends_on_everything(void **state)
{
	struct fixture *f = *state;
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	tell(f);
	request.op = DISTRIBUTED_FS__FILE_OP__OP_SYNC_POINT;
	assert_int_equal(trio_ask(f->trio, 1, &request), RFS_ERR_OK);
	assert_int_equal(f->trio->reads, 3);
	assert_null(f->trio->limbo.data);
}

static void nothing_passes_before_the_commands_are_here(void **state)
{
	struct fixture *f = *state;

	assert_content(f, f->still, "old");
	assert_int_equal(f->trio->reads, 3);
	assert_null(f->trio->limbo.data);
}

static void commands_of_another_term_do_not_count(void **state)
{
	struct fixture *f = *state;

	trio_tell_limbo(f->trio, 7, true);
	assert_content(f, f->still, "old");
	assert_int_equal(f->trio->reads, 3);
}

static void half_of_the_commands_do_not_count(void **state)
{
	struct fixture *f = *state;

	trio_tell_limbo(f->trio, 1, false);
	assert_content(f, f->still, "old");
	assert_int_equal(f->trio->reads, 3);
}

/* raftd never answers; the commands come while the reader waits for it. */
static void who_waits_goes_on_when_the_commands_come(void **state)
{
	struct fixture *f = *state;

	f->trio->limbo_on_read = true;
	assert_content(f, f->still, "old");
	assert_non_null(f->trio->limbo.data);
}

/* "Everything acknowledged before then" is not what such a read has seen. */
static void a_read_past_limbo_proves_nothing_for_stale_ones(void **state)
{
	struct fixture *f = *state;
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	tell(f);
	usleep(2000); /* longer than the reader below is content with */
	assert_content(f, f->still, "old");
	request.op = DISTRIBUTED_FS__FILE_OP__OP_READ;
	request.ino = f->moving;
	request.length = 100;
	request.stale_ms = 1; /* nobody proved anything so lately */
	assert_int_equal(trio_ask(f->trio, 1, &request), RFS_ERR_OK);
	assert_memory_equal(f->trio->reply->data.data, "new", 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_the_command_cannot_change_is_answered_at_once),
		TEST(what_it_may_change_waits_until_it_is_settled),
		TEST(so_does_what_depends_on_everything),
		TEST(nothing_passes_before_the_commands_are_here),
		TEST(commands_of_another_term_do_not_count),
		TEST(half_of_the_commands_do_not_count),
		TEST(who_waits_goes_on_when_the_commands_come),
		TEST(a_read_past_limbo_proves_nothing_for_stale_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
