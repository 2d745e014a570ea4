/* Clock stories: text in, what the nodes tell out, compared exactly.
 *
 * A story (tests/stories/clock/NAME.txt) is blocks of commands, then "----",
 * then the lines the cores tell and how each running node stands at the end of
 * the block. RAFTFS_STORY_WRITE=1 writes what was told into the file instead,
 * for a human to read and judge. Commands:
 *
 *	cluster nodes=3 [min_peers=3]	all started, nobody leads
 *	elect node=1			a new epoch; depose: nobody leads
 *	run ms=500
 *	cut node=3 | heal node=3	both ways, from everybody
 *	stop node=3 | start node=3	the process; its raw clock goes on
 *	jump node=2 ms=100		its raw clock; host=blind: nobody told
 *	drift node=2 ppm=150		how fast its raw clock runs
 *	lie node=3 ms=100		it serves a clock that is off by that
 */
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/units.h"
#include "tests/timesyncd/mesh.h"

#define TEXT_MAX 16384

struct stage {
	struct mesh mesh;
	bool set;
	char told[TEXT_MAX];
	size_t used;
};

static void append(struct stage *stage, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct stage *stage, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	stage->used += (size_t)vsnprintf(stage->told + stage->used,
					 TEXT_MAX - stage->used, format, args);
	va_end(args);
	assert_true(stage->used < TEXT_MAX);
}

static void take_line(void *ctx, uint32_t id, const char *text)
{
	append(ctx, "%u: %s\n", id, text);
}

/* The number behind name= in a command. */
static int64_t number(const char *line, const char *name, int64_t missing)
{
	char pattern[32];
	const char *at;

	snprintf(pattern, sizeof(pattern), " %s=", name);
	at = strstr(line, pattern);
	return at ? strtoll(at + strlen(pattern), NULL, 10) : missing;
}

static bool is(const char *line, const char *command)
{
	size_t bytes = strlen(command);

	return strncmp(line, command, bytes) == 0 &&
	       (line[bytes] == ' ' || line[bytes] == '\0');
}

static void open_stage(struct stage *stage, const char *line)
{
	mesh_init(&stage->mesh, (uint32_t)number(line, "nodes", 3), 77);
	stage->mesh.config.min_peers =
		(uint32_t)number(line, "min_peers", 3);
	/* 20 ppm between one node and the next. */
	for (uint32_t i = 0; i < stage->mesh.count; i++)
		stage->mesh.nodes[i].rate = 1 + (i - 2.0) * 20e-6;
	stage->mesh.quiet = true;
	stage->mesh.told = take_line;
	stage->mesh.told_ctx = stage;
	stage->set = true;
	mesh_start_all(&stage->mesh);
	mesh_run(&stage->mesh, NS_PER_SEC);
}

static void obey(struct stage *stage, const char *line)
{
	struct mesh *mesh = &stage->mesh;
	uint32_t index = (uint32_t)number(line, "node", 1) - 1;
	int64_t by_ns = number(line, "ms", 0) * NS_PER_MS;

	if (is(line, "cluster"))
		open_stage(stage, line);
	else if (is(line, "elect"))
		mesh_elect(mesh, index);
	else if (is(line, "depose"))
		mesh_depose(mesh);
	else if (is(line, "cut"))
		mesh_isolate(mesh, index, true);
	else if (is(line, "heal"))
		mesh_isolate(mesh, index, false);
	else if (is(line, "stop"))
		mesh_stop(mesh, index);
	else if (is(line, "start"))
		mesh_start(mesh, index);
	else if (is(line, "jump"))
		mesh_jump(mesh, index, by_ns, !strstr(line, "host=blind"));
	else if (is(line, "drift"))
		mesh->nodes[index].rate =
			1 + (double)number(line, "ppm", 0) * 1e-6;
	else if (is(line, "lie")) {
		mesh->nodes[index].lies = by_ns != 0;
		mesh->lie_ns = by_ns;
	} else if (is(line, "run"))
		mesh_run(mesh, by_ns);
	else
		fail_msg("no such command: %s", line);
}

/* Figures that do not depend on the last nanosecond: the bound in whole ms. */
static void stand(struct stage *stage)
{
	static const char *const names[] = { "unsynced", "holdover", "synced",
					     "disrupted" };

	for (uint32_t i = 0; i < stage->mesh.count; i++) {
		if (!stage->mesh.nodes[i].up)
			continue;
		const struct timesync_clock *clock =
			mesh_clock(&stage->mesh, i);
		int64_t bound_ns = mesh_bound_ns(&stage->mesh, i);

		append(stage, "%u = %s", i + 1, names[clock->quality]);
		if (bound_ns != INT64_MAX)
			append(stage, ", below %" PRId64 " ms",
			       bound_ns / NS_PER_MS + 1);
		append(stage, "\n");
	}
}

struct script {
	char *text; /* the file */
	char played[TEXT_MAX]; /* the file as it should be */
	size_t used;
};

static void echo(struct script *script, const char *text)
{
	script->used += (size_t)snprintf(script->played + script->used,
					 TEXT_MAX - script->used, "%s", text);
	assert_true(script->used < TEXT_MAX);
}

static char *read_all(const char *path)
{
	char *text = calloc(1, TEXT_MAX);
	FILE *in = fopen(path, "r");

	assert_non_null(text);
	assert_non_null(in);
	assert_true(fread(text, 1, TEXT_MAX - 1, in) > 0);
	fclose(in);
	return text;
}

/* Commands are obeyed as they are met; expectations are replaced by what was
 * told. */
static void play(struct script *script, struct stage *stage)
{
	bool telling = false;
	char *rest = script->text;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		char with_end[512];

		snprintf(with_end, sizeof(with_end), "%s\n", line);
		if (telling && *line != '\0')
			continue; /* an expectation */
		if (telling) {
			telling = false;
			echo(script, "\n");
			continue;
		}
		if (rest == NULL && *line == '\0')
			break;
		echo(script, with_end);
		if (strcmp(line, "----") == 0) {
			telling = true;
			stand(stage);
			echo(script, stage->told);
			stage->used = 0;
			stage->told[0] = '\0';
		} else if (*line != '\0' && *line != '#') {
			obey(stage, line);
		}
	}
}

static void run_story(const char *path)
{
	struct script *script = calloc(1, sizeof(*script));
	struct stage *stage = calloc(1, sizeof(*stage));
	char *original = read_all(path);

	assert_non_null(script);
	assert_non_null(stage);
	script->text = read_all(path);
	play(script, stage);
	/* The last block ends with the file, not with an empty line. */
	if (getenv("RAFTFS_STORY_WRITE")) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		fputs(script->played, out);
		fclose(out);
	} else if (strcmp(original, script->played) != 0) {
		fail_msg("%s: told otherwise:\n%s", path, script->played);
	}
	assert_true(stage->set);
	/* A jump is a broken assumption: until it is known pages are wrong. */
	if (strstr(original, "\njump") == NULL)
		assert_int_equal(stage->mesh.violations, 0);
	mesh_fini(&stage->mesh);
	free(original);
	free(script->text);
	free(script);
	free(stage);
}

static void every_story_is_told_as_written(void **state)
{
	(void)state;
	glob_t found;

	assert_int_equal(glob("tests/stories/clock/*.txt", 0, NULL, &found),
			 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		run_story(found.gl_pathv[i]);
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_story_is_told_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
