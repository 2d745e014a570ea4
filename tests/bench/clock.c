/* Clock benchmark: what reading an interval costs beside clock_gettime(2), and
 * how far the published clocks of several nodes on one host are apart.
 *
 *	clock				read cost only
 *	clock PAGE PAGE...		also the pages of running nodes, pairwise
 *
 * All nodes of one host share one raw clock, so the true difference of two
 * published clocks at one raw instant is exactly the difference of what they
 * say, and two intervals of one epoch must overlap.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "shm/clockpage.h"
#include "shm/rfsclock.h"
#include "shm/seqlock.h"
#include "timesyncd/fastline.h"

#define ROUNDS	       2001
#define READS_PER_ROUND 500
#define PAGES_MAX      9
#define LOOKS	       1000
#define LOOK_GAP_NS    (10 * NS_PER_MS)

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

/* -- reading ------------------------------------------------------------- */

/* What timesyncd does at a publication, its fast line included. */
struct writer {
	struct clockpage *page;
	struct fastline fast;
	atomic_bool stop;
};

static bool write_sample(struct writer *writer)
{
	int64_t raw_ns = clock_raw_ns();
	struct clock_sample sample = {
		.quality = CLOCK_SYNCED,
		.epoch = 1,
		.asof_ns = raw_ns,
		.offset_ns = 1000,
		.bound_ns = 1000,
		.growth_ppb = 200000,
		.drift_ppb = 1234,
		.void_after_ns = raw_ns + 600 * NS_PER_SEC,
	};

	fastline_add(&writer->fast, &sample);
	clockpage_write(writer->page, &sample);
	return sample.tsc.life != 0;
}

/* A thousand times what timesyncd does when nothing happens. */
static void *rewrite(void *arg)
{
	struct writer *writer = arg;

	while (!atomic_load(&writer->stop)) {
		struct timespec gap = { .tv_nsec = 1000000 };

		write_sample(writer);
		nanosleep(&gap, NULL);
	}
	return NULL;
}

/* What is compared: each is called READS_PER_ROUND times in a row. */
struct reader {
	struct rfsclock *clock;
	const struct clockpage *page;
	atomic_bool stop;
};

static void read_wall(struct reader *reader)
{
	struct timespec now;

	(void)reader;
	for (int i = 0; i < READS_PER_ROUND; i++)
		clock_gettime(CLOCK_REALTIME, &now);
}

static void read_interval(struct reader *reader)
{
	struct rfsclock_interval now;

	for (int i = 0; i < READS_PER_ROUND; i++)
		if (rfsclock_now(reader->clock, &now) != 0 ||
		    now.quality != RFSCLOCK_SYNCED)
			abort();
}

/* The work of a ClockBound reader: one pass of a seqlock over a few fields,
 * CLOCK_REALTIME, CLOCK_MONOTONIC_COARSE, a bound from the age. Written here;
 * its library is not at hand. */
static __attribute__((noinline)) bool
clockbound_work(const struct clockpage *page, struct rfsclock_interval *now)
{
	struct timespec wall, coarse;
	uint32_t before = SEQLOCK_GET(page->seq);
	int64_t asof_ns = SEQLOCK_GET(page->asof_ns);
	int64_t void_ns = SEQLOCK_GET(page->void_after_ns);
	int64_t bound_ns = SEQLOCK_GET(page->bound_ns);
	int64_t growth_ppb = SEQLOCK_GET(page->growth_ppb);

	now->quality = SEQLOCK_GET(page->quality);
	if ((before & 1) || !seqlock_read_end(&page->seq, before))
		return false;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);

	int64_t coarse_ns = coarse.tv_sec * NS_PER_SEC + coarse.tv_nsec;
	int64_t wall_ns = wall.tv_sec * NS_PER_SEC + wall.tv_nsec;

	bound_ns += (coarse_ns - asof_ns) * growth_ppb / PPB;
	now->earliest_ns = wall_ns - bound_ns;
	now->latest_ns = wall_ns + bound_ns;
	return coarse_ns < void_ns;
}

static void read_like_clockbound(struct reader *reader)
{
	struct rfsclock_interval now;

	for (int i = 0; i < READS_PER_ROUND; i++)
		while (!clockbound_work(reader->page, &now))
			;
}

static double ns_per_read(void (*read)(struct reader *), struct reader *reader)
{
	int64_t start_ns = clock_raw_ns();

	read(reader);
	return (double)(clock_raw_ns() - start_ns) / READS_PER_ROUND;
}

/* Alternating, so that whatever else the machine does hits both. */
static void compare(struct reader *reader, void (*read)(struct reader *),
		    const char *name, const char *how)
{
	static double wall_ns[ROUNDS], read_ns[ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		wall_ns[i] = ns_per_read(read_wall, reader);
		read_ns[i] = ns_per_read(read, reader);
		ratio[i] = read_ns[i] / wall_ns[i];
	}
	double wall = median(wall_ns, ROUNDS);
	double cost = median(read_ns, ROUNDS);

	printf("figure clock.read.%s%s.ns %.1f ns, clock_gettime %.1f ns\n",
	       name, how, cost, wall);
	printf("figure clock.read.%s%s.ratio %.2f ratio\n", name, how,
	       median(ratio, ROUNDS));
}

static void compare_all(struct reader *reader, bool has_tsc, const char *how)
{
	if (has_tsc && rfsclock_use_tsc(reader->clock, true) == 0)
		compare(reader, read_interval, "tsc", how);
	rfsclock_use_tsc(reader->clock, false);
	compare(reader, read_interval, "portable", how);
	compare(reader, read_like_clockbound, "clockbound_work", how);
	rfsclock_use_tsc(reader->clock, true);
}

/* The other thread, reading the same page through the same handle. */
static void *read_on(void *arg)
{
	struct reader *reader = arg;

	while (!atomic_load(&reader->stop))
		read_interval(reader);
	return NULL;
}

static void with_another_thread(struct reader *reader, bool has_tsc,
				const char *how)
{
	pthread_t thread;

	atomic_store(&reader->stop, false);
	pthread_create(&thread, NULL, read_on, reader);
	compare_all(reader, has_tsc, how);
	atomic_store(&reader->stop, true);
	pthread_join(thread, NULL);
}

/* The rate of a fast line takes a second to learn. */
static bool learn_line(struct writer *writer)
{
	struct timespec second = { .tv_sec = 1, .tv_nsec = 50000000 };

	write_sample(writer);
	nanosleep(&second, NULL);
	bool has_tsc = write_sample(writer);

	if (!has_tsc)
		printf("no fast path here: %s\n",
		       !writer->fast.invariant ?
			       "no invariant TSC" :
			       "the kernel's clock is not the TSC");
	return has_tsc;
}

static int bench_reads(void)
{
	char path[] = "/tmp/raftfs-bench-clock.XXXXXX";
	struct writer writer = { 0 };
	struct reader reader = { 0 };
	pthread_t thread;
	void *map;
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	if (page_create_file(path, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION, 1,
			     &map) != RFS_ERR_OK ||
	    rfsclock_open(path, &reader.clock) != 0)
		return 1;
	writer.page = map;
	reader.page = map;
	fastline_init(&writer.fast);

	bool has_tsc = learn_line(&writer);

	/* Nothing is rewritten in these; a line lives longer than they take. */
	compare_all(&reader, has_tsc, "");
	write_sample(&writer);
	with_another_thread(&reader, has_tsc, ".2threads");
	pthread_create(&thread, NULL, rewrite, &writer);
	compare_all(&reader, has_tsc, ".changing");
	with_another_thread(&reader, has_tsc, ".changing.2threads");
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	fastline_fini(&writer.fast);
	rfsclock_close(reader.clock);
	page_unmap(map);
	unlink(path);
	return 0;
}

/* -- nodes of one host --------------------------------------------------- */

struct pairwise {
	double *error_us, *bound_us; /* of the worst pair of each look */
	size_t count;
	uint64_t pairs, violations;
};

static void look(const struct clockpage *const *pages, int count,
		 struct pairwise *result)
{
	struct clock_sample samples[PAGES_MAX];
	double worst_error_us = -1, its_bound_us = 0;

	for (int i = 0; i < count; i++)
		if (clockpage_read(pages[i], &samples[i]) != RFS_ERR_OK)
			return;
	int64_t raw_ns = clock_raw_ns();

	for (int i = 0; i < count; i++) {
		for (int k = i + 1; k < count; k++) {
			struct interval a = clock_sample_at(&samples[i], raw_ns);
			struct interval b = clock_sample_at(&samples[k], raw_ns);

			if (interval_is_empty(a) || interval_is_empty(b) ||
			    samples[i].epoch != samples[k].epoch)
				continue;
			double error_us =
				(double)llabs((a.low_ns + a.high_ns -
					       b.low_ns - b.high_ns) / 2) / 1e3;
			double bound_us = (double)(a.high_ns - a.low_ns +
						   b.high_ns - b.low_ns) / 2e3;

			result->pairs++;
			result->violations +=
				interval_is_empty(interval_intersect(a, b));
			if (error_us > worst_error_us) {
				worst_error_us = error_us;
				its_bound_us = bound_us;
			}
		}
	}
	if (worst_error_us < 0)
		return;
	result->error_us[result->count] = worst_error_us;
	result->bound_us[result->count++] = its_bound_us;
}

static const struct clockpage *map_page(const char *path)
{
	const void *map;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || page_map_reader(fd, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION,
				      &map) != RFS_ERR_OK) {
		fprintf(stderr, "clock: %s: not a clock page\n", path);
		exit(1);
	}
	close(fd);
	return map;
}

static int bench_pairs(char **paths, int count)
{
	static double error_us[LOOKS], bound_us[LOOKS];
	const struct clockpage *pages[PAGES_MAX];
	struct pairwise result = { .error_us = error_us, .bound_us = bound_us };

	if (count > PAGES_MAX)
		count = PAGES_MAX;
	for (int i = 0; i < count; i++)
		pages[i] = map_page(paths[i]);
	for (int i = 0; i < LOOKS; i++) {
		struct timespec gap = { .tv_nsec = LOOK_GAP_NS };

		look(pages, count, &result);
		nanosleep(&gap, NULL);
	}
	if (result.count == 0) {
		fprintf(stderr, "clock: no two nodes had a bound at once\n");
		return 1;
	}
	printf("figure clock.pairwise.error_us %.1f us\n",
	       median(error_us, result.count));
	printf("figure clock.pairwise.error_max_us %.1f us\n",
	       error_us[result.count - 1]);
	printf("figure clock.pairwise.bound_us %.1f us\n",
	       median(bound_us, result.count));
	printf("figure clock.pairwise.violations %llu of %llu pairs\n",
	       (unsigned long long)result.violations,
	       (unsigned long long)result.pairs);
	return result.violations != 0;
}

int main(int argc, char **argv)
{
	if (bench_reads() != 0) {
		fprintf(stderr, "clock: cannot make a page under /tmp\n");
		return 1;
	}
	return argc > 2 ? bench_pairs(argv + 1, argc - 1) : 0;
}
