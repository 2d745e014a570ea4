/* Threads that put or read, and their percentiles.
 *
 * All threads start at one barrier and stop at one instant; an operation that
 * is under way then is finished but not counted, so that a rate is what was
 * done within the time.
 */
#include "client/bench/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/bench/place.h"
#include "client/lib/raftfs.h"
#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"

struct run;

struct client {
	pthread_t thread;
	struct run *run;
	struct raftfs *fs; /* shared with others */
	uint32_t index;
	uint64_t ino;
	uint8_t *value; /* what its file holds, or is to */
	uint8_t *buffer;
	int64_t *took_ns;
	size_t done;
	size_t capacity;
	uint64_t errors;
	bool wrong; /* read what nobody wrote */
};

struct run {
	const struct load *load;
	struct place place;
	struct raftfs **conversations;
	uint32_t opened;
	struct client *clients;
	pthread_barrier_t start;
	int64_t until_ns; /* raw; set before the barrier opens */
};

/* --- one operation --- */

static enum rfs_err put(struct client *client)
{
	const struct raftfs_new as = {.mode = 0644,
				      .who = {geteuid(), getegid()}};
	struct raftfs_attr attr;
	char name[PLACE_NAME_BYTES];

	place_name(client->index, name);
	memcpy(client->value, &client->done,
	       client->run->load->value_bytes < sizeof(client->done)
		       ? client->run->load->value_bytes
		       : sizeof(client->done));
	return raftfs_put(client->fs, client->run->place.dir, name,
			  client->value, client->run->load->value_bytes, &as,
			  &attr);
}

static enum rfs_err read_back(struct client *client)
{
	size_t bytes = client->run->load->value_bytes, got = 0;
	enum rfs_err err = raftfs_read(client->fs, client->ino, 0,
				       client->buffer, bytes, &got);

	if (err == RFS_ERR_OK &&
	    (got != bytes || memcmp(client->buffer, client->value, bytes) != 0))
		client->wrong = true;
	return err;
}

static void note(struct client *client, int64_t took_ns)
{
	if (client->done == client->capacity) {
		client->capacity = client->capacity * 2 + 4096;
		client->took_ns = reallocarray(
			client->took_ns, client->capacity, sizeof(int64_t));
		CHECK(client->took_ns);
	}
	client->took_ns[client->done++] = took_ns;
}

static void *work(void *ctx)
{
	struct client *client = ctx;
	struct run *run = client->run;
	int64_t from_ns, to_ns;

	pthread_barrier_wait(&run->start);
	from_ns = clock_raw_ns();
	while (from_ns < run->until_ns) {
		enum rfs_err err = run->load->op == LOAD_PUT
					   ? put(client)
					   : read_back(client);

		to_ns = clock_raw_ns();
		if (err != RFS_ERR_OK)
			client->errors++;
		else if (to_ns <= run->until_ns)
			note(client, to_ns - from_ns);
		from_ns = to_ns;
	}
	return NULL;
}

/* --- around it --- */

static bool open_all(struct run *run)
{
	for (; run->opened < run->load->connections; run->opened++) {
		struct raftfs **fs = &run->conversations[run->opened];
		enum rfs_err err = raftfs_open(run->load->endpoints, fs);

		if (err != RFS_ERR_OK)
			return place_failed(run->load->endpoints, err);
		raftfs_set_timeout(*fs, run->load->timeout_ns);
	}
	return true;
}

/* Each client's file; a put through each conversation opens its session. */
static bool prepare(struct run *run)
{
	const struct load *load = run->load;

	if (!open_all(run) || !place_make(&run->place, run->conversations[0]))
		return false;
	for (uint32_t i = 0; i < load->clients; i++) {
		struct client *client = &run->clients[i];

		client->run = run;
		client->index = i;
		client->fs = run->conversations[i % load->connections];
		client->value = malloc(load->value_bytes);
		client->buffer = malloc(load->value_bytes);
		CHECK(client->value && client->buffer);
		memset(client->value, (int)(i % 251), load->value_bytes);
		if (!place_add(&run->place, client->fs, client->value,
			       load->value_bytes, &client->ino))
			return false;
	}
	for (uint32_t i = 0; i < load->connections; i++)
		raftfs_set_staleness(run->conversations[i],
				     load->op == LOAD_SREAD ? load->stale_ns
							    : 0);
	return true;
}

static double cpu_s(void)
{
	struct rusage usage;

	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void percentiles(const struct run *run, struct load_result *result)
{
	int64_t *all = calloc(result->done + 1, sizeof(*all));
	size_t used = 0;

	CHECK(all);
	for (uint32_t i = 0; i < run->load->clients; i++) {
		const struct client *client = &run->clients[i];

		if (client->done == 0)
			continue;
		memcpy(all + used, client->took_ns,
		       client->done * sizeof(*all));
		used += client->done;
	}
	qsort(all, used, sizeof(*all), by_value);
	if (used > 0) {
		result->p50_ns = all[used / 2];
		result->p99_ns = all[used - 1 - used / 100];
	}
	free(all);
}

static bool measure(struct run *run, struct load_result *result)
{
	uint32_t count = run->load->clients;
	double cpu_before_s;
	bool right = true;

	CHECK(pthread_barrier_init(&run->start, NULL, count + 1) == 0);
	for (uint32_t i = 0; i < count; i++)
		CHECK(pthread_create(&run->clients[i].thread, NULL, work,
				     &run->clients[i]) == 0);
	cpu_before_s = cpu_s();
	run->until_ns = clock_raw_ns() + run->load->duration_ns;
	pthread_barrier_wait(&run->start);
	for (uint32_t i = 0; i < count; i++) {
		const struct client *client = &run->clients[i];

		CHECK(pthread_join(client->thread, NULL) == 0);
		result->done += client->done;
		result->errors += client->errors;
		right = right && !client->wrong;
	}
	result->client_cpu_s = cpu_s() - cpu_before_s;
	result->seconds = (double)run->load->duration_ns / (double)NS_PER_SEC;
	pthread_barrier_destroy(&run->start);
	if (!right)
		fprintf(stderr, "raftfs-bench: read what was not written\n");
	return right;
}

static void clean_up(struct run *run)
{
	for (uint32_t i = 0; i < run->opened; i++)
		raftfs_close(run->conversations[i]);
	if (run->place.dir != 0)
		place_remove(&run->place, run->load->endpoints);
	for (uint32_t i = 0; i < run->load->clients; i++) {
		free(run->clients[i].value);
		free(run->clients[i].buffer);
		free(run->clients[i].took_ns);
	}
	free(run->conversations);
	free(run->clients);
}

bool load_run(const struct load *load, struct load_result *result)
{
	struct run run = {.load = load};
	bool well;

	*result = (struct load_result){0};
	run.conversations = calloc(load->connections, sizeof(struct raftfs *));
	run.clients = calloc(load->clients, sizeof(*run.clients));
	CHECK(run.conversations && run.clients);
	well = prepare(&run) && measure(&run, result);
	if (well)
		percentiles(&run, result);
	clean_up(&run);
	return well;
}
