/* The event queue, chance, digest and trace of one simulated world. */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <math.h>

#include "common/check.h"
#include "tests/sim/events.h"

#define LINES_KEPT 8192

static bool event_before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

/* Both ways by moving a hole: an event is copied once per level. */
static void heap_push(struct world *world, const struct event *event)
{
	uint64_t at = world->heap_count++;

	if (world->heap_count > world->heap_capacity) {
		world->heap_capacity = world->heap_capacity * 2 + 1024;
		world->heap =
			realloc(world->heap,
				world->heap_capacity * sizeof(*world->heap));
		CHECK(world->heap);
	}
	while (at > 0 && event_before(event, &world->heap[(at - 1) / 2])) {
		world->heap[at] = world->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	world->heap[at] = *event;
}

static struct event heap_pop(struct world *world)
{
	struct event top = world->heap[0];
	struct event *heap = world->heap;
	uint64_t at = 0, child, count = --world->heap_count;

	while ((child = 2 * at + 1) < count) {
		if (child + 1 < count &&
		    event_before(&heap[child + 1], &heap[child]))
			child++;
		if (event_before(&heap[count], &heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = heap[count];
	return top;
}

struct world *world_new(const struct sim_options *options,
			struct sim_result *result)
{
	struct world *world = calloc(1, sizeof(*world));

	CHECK(world);
	world->options = *options;
	world->result = result;
	world->digest = 0xcbf29ce484222325u;
	prng_seed(&world->prng, options->seed);
	if (options->tracing) {
		world->lines = calloc(LINES_KEPT, sizeof(*world->lines));
		CHECK(world->lines);
	}
	return world;
}

void world_post(struct world *world, int64_t after_ns, struct event event)
{
	CHECK(after_ns >= 0);
	event.at_ns = world->now_ns + after_ns;
	event.order = world->posted++;
	heap_push(world, &event);
}

void world_drop(struct event *event)
{
	free(event->payload);
	event->payload = NULL;
}

void world_run_until(struct world *world, int64_t until_ns)
{
	while (world->heap_count > 0 && world->heap[0].at_ns <= until_ns) {
		struct event event = heap_pop(world);

		world->now_ns = event.at_ns;
		world_digest(world, (uint64_t)event.at_ns);
		world_digest(world, ((uint64_t)event.kind << 56) ^
					    ((uint64_t)event.node << 48) ^
					    event.a ^ (event.b << 20));
		world_cover(world, COVER_EVENTS);
		events_serve(world, &event);
	}
	world->now_ns = until_ns;
}

bool world_chance(struct world *world, double probability)
{
	return probability > 0 && prng_unit(&world->prng) < probability;
}

int64_t world_between(struct world *world, int64_t low, int64_t high)
{
	CHECK(low <= high);
	return low +
	       (int64_t)prng_below(&world->prng, (uint64_t)(high - low) + 1);
}

int64_t world_exponential(struct world *world, int64_t mean)
{
	return (int64_t)(-log(1.0 - prng_unit(&world->prng)) * (double)mean);
}

void world_digest(struct world *world, uint64_t value)
{
	uint64_t x = (world->digest ^ value) * 0x9e3779b97f4a7c15u;

	world->digest = x ^ (x >> 29);
}

void world_trace_line(struct world *world, uint32_t node, const char *format,
		      ...)
{
	char *line = world->lines[world->line_count++ % LINES_KEPT];
	int used =
		snprintf(line, sizeof(*world->lines), "%12.6f %s%u  ",
			 (double)world->now_ns / 1e9, node ? "n" : "w", node);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, sizeof(*world->lines) - (size_t)used, format,
		  args);
	va_end(args);
	if (world->options.live)
		puts(line);
}

void world_print_tail(const struct world *world)
{
	uint64_t kept =
		world->line_count < LINES_KEPT ? world->line_count : LINES_KEPT;
	uint64_t shown =
		kept < world->options.tail ? kept : world->options.tail;

	for (uint64_t i = world->line_count - shown; i < world->line_count; i++)
		puts(world->lines[i % LINES_KEPT]);
}

void world_violate(struct world *world, uint32_t node, const char *invariant,
		   const char *format, ...)
{
	va_list args;

	if (world->options.skip && strstr(world->options.skip, invariant))
		return;
	if (world->record)
		fflush(world->record);
	world->result->violated = true;
	world->result->digest = world->digest;
	if (world->options.tracing) {
		if (!world->options.live)
			world_print_tail(world);
		printf("seed %llu: violated %s at %.6f s on node %u: ",
		       (unsigned long long)world->options.seed, invariant,
		       (double)world->now_ns / 1e9, node);
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf(" (digest %016llx)\n",
		       (unsigned long long)world->digest);
		fflush(stdout);
	}
	_exit(WORLD_EXIT_VIOLATED);
}
