/* Threads that try at every endpoint at once, each in a conversation of its
 * own, until one gets through. */
#include "client/bench/failover.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/bench/place.h"
#include "client/lib/raftfs.h"
#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"

/* One operation has this long before it is begun anew. */
#define TRY_NS	   (100 * NS_PER_MS)
#define TRIERS_MAX 64u

struct tries;

struct trier {
	pthread_t thread;
	struct tries *tries;
	struct raftfs *fs;
	bool writes;
	uint32_t index;
	uint64_t ino;
};

struct tries {
	struct place place;
	struct trier trier[TRIERS_MAX];
	uint32_t count;
	int64_t until_ns;	     /* raw */
	_Atomic int64_t first_ns[2]; /* CLOCK_MONOTONIC, of reads, of writes;
				      * 0: none yet */
};

static int64_t mono_ns(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static enum rfs_err once(const struct trier *trier)
{
	const struct raftfs_new as = {.mode = 0644,
				      .who = {geteuid(), getegid()}};
	struct raftfs_attr attr;
	char name[PLACE_NAME_BYTES];
	uint8_t byte;
	size_t got;

	if (!trier->writes)
		return raftfs_read(trier->fs, trier->ino, 0, &byte, 1, &got);
	place_name(trier->index, name);
	return raftfs_put(trier->fs, trier->tries->place.dir, name, "x", 1, &as,
			  &attr);
}

static void *try_on(void *ctx)
{
	const struct trier *trier = ctx;
	_Atomic int64_t *first_ns = &trier->tries->first_ns[trier->writes];

	while (*first_ns == 0 && clock_raw_ns() < trier->tries->until_ns) {
		int64_t none = 0;

		if (once(trier) == RFS_ERR_OK)
			atomic_compare_exchange_strong(first_ns, &none,
						       mono_ns());
	}
	return NULL;
}

static bool open_trier(struct tries *tries, const char *endpoint, bool writes,
		       int64_t timeout_ns)
{
	struct trier *trier = &tries->trier[tries->count];
	enum rfs_err err = raftfs_open(endpoint, &trier->fs);

	if (err != RFS_ERR_OK)
		return place_failed(endpoint, err);
	trier->tries = tries;
	trier->writes = writes;
	trier->index = tries->count++;
	raftfs_set_timeout(trier->fs, timeout_ns);
	if (tries->place.dir == 0 && !place_make(&tries->place, trier->fs))
		return false;
	/* This put also opens the session that the writes will use. */
	if (!place_add(&tries->place, trier->fs, "x", 1, &trier->ino))
		return false;
	raftfs_set_timeout(trier->fs, TRY_NS);
	return true;
}

static bool open_all(struct tries *tries, const char *endpoints,
		     int64_t timeout_ns)
{
	struct raftfs *fs;
	enum rfs_err err = raftfs_open(endpoints, &fs);
	bool well = true;

	if (err != RFS_ERR_OK)
		return place_failed(endpoints, err);
	for (size_t i = 0; i < raftfs_endpoint_count(fs) && well; i++) {
		const char *at = raftfs_endpoint_at(fs, i);

		CHECK(tries->count + 2 <= TRIERS_MAX);
		well = open_trier(tries, at, true, timeout_ns) &&
		       open_trier(tries, at, false, timeout_ns);
	}
	raftfs_close(fs);
	return well;
}

static bool one_round(struct tries *tries, int64_t timeout_ns)
{
	tries->first_ns[0] = 0;
	tries->first_ns[1] = 0;
	tries->until_ns = clock_raw_ns() + timeout_ns;
	for (uint32_t i = 0; i < tries->count; i++)
		CHECK(pthread_create(&tries->trier[i].thread, NULL, try_on,
				     &tries->trier[i]) == 0);
	for (uint32_t i = 0; i < tries->count; i++)
		CHECK(pthread_join(tries->trier[i].thread, NULL) == 0);
	if (tries->first_ns[0] == 0 || tries->first_ns[1] == 0) {
		fprintf(stderr, "raftfs-bench: nothing succeeded in time\n");
		return false;
	}
	printf("%lld %lld\n", (long long)tries->first_ns[1],
	       (long long)tries->first_ns[0]);
	return fflush(stdout) == 0;
}

static bool wait_for_line(void)
{
	int c;

	printf("ready\n");
	fflush(stdout);
	do
		c = getchar();
	while (c != '\n' && c != EOF);
	return c == '\n';
}

bool failover_run(const char *endpoints, uint32_t rounds, int64_t timeout_ns)
{
	struct tries *tries = calloc(1, sizeof(*tries));
	bool well;

	CHECK(tries);
	well = open_all(tries, endpoints, timeout_ns);
	for (uint32_t i = 0; i < rounds && well && wait_for_line(); i++)
		well = one_round(tries, timeout_ns);
	for (uint32_t i = 0; i < tries->count; i++)
		raftfs_close(tries->trier[i].fs);
	if (tries->place.dir != 0)
		place_remove(&tries->place, endpoints);
	free(tries);
	return well;
}
