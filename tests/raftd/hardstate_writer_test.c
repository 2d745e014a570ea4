/* Term and vote beside the loop: durable when it is told, and told on the loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raftd/hardstate_writer.h"

#define ROUNDS 50

struct fixture {
	struct ev_loop *ev;
	char path[96];
	struct hardstate_file *file;
	struct hardstate_writer *writer;
	struct hardstate state;
	int told;
	uint64_t syncs_before;
};

/* What is in the file now, read by another who opens it. */
static uint64_t term_on_disk(const struct fixture *f)
{
	struct hardstate_file *other;
	struct hardstate state;

	assert_int_equal(hardstate_open(f->path, &other, &state), RFS_ERR_OK);
	hardstate_close(other);
	return state.term;
}

static void on_written(void *ctx)
{
	struct fixture *f = ctx;

	f->told++;
	assert_int_equal(term_on_disk(f), f->state.term);
	assert_int_equal(hardstate_syncs(f->file) - f->syncs_before, f->told);
	if (f->told == ROUNDS) {
		ev_break(f->ev, EVBREAK_ALL);
		return;
	}
	f->state.term++;
	hardstate_writer_begin(f->writer, &f->state);
}

static int setup(void **state)
{
	static struct fixture f;
	char dir[] = "/tmp/raftfs-hard-XXXXXX";

	memset(&f, 0, sizeof(f));
	assert_non_null(mkdtemp(dir));
	snprintf(f.path, sizeof(f.path), "%s/hardstate", dir);
	assert_int_equal(hardstate_open(f.path, &f.file, &f.state),
			 RFS_ERR_OK);
	f.syncs_before = hardstate_syncs(f.file);
	f.ev = ev_loop_new(EVFLAG_AUTO);
	f.writer = hardstate_writer_new(f.ev, f.file, on_written, &f);
	assert_non_null(f.writer);
	f.state = (struct hardstate){ .log_id = 5, .node = 1, .term = 1 };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hardstate_writer_free(f->writer);
	hardstate_close(f->file);
	ev_loop_destroy(f->ev);
	unlink(f->path);
	*strrchr(f->path, '/') = '\0';
	return rmdir(f->path);
}

static void each_is_durable_when_it_is_told(void **state)
{
	struct fixture *f = *state;

	hardstate_writer_begin(f->writer, &f->state);
	assert_int_equal(f->told, 0); /* never from inside begin() */
	ev_run(f->ev, 0);
	assert_int_equal(f->told, ROUNDS);
	assert_int_equal(term_on_disk(f), ROUNDS);
}

static void the_end_waits_for_what_was_begun(void **state)
{
	struct fixture *f = *state;

	f->state.term = 9;
	hardstate_writer_begin(f->writer, &f->state);
	hardstate_writer_free(f->writer);
	f->writer = NULL;
	assert_int_equal(term_on_disk(f), 9);
	assert_int_equal(f->told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_is_durable_when_it_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_end_waits_for_what_was_begun, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
