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

#define ROUNDS	       4001
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

static void write_sample(struct clockpage *page)
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

	clockpage_write(page, &sample);
}

struct writer {
	struct clockpage *page;
	atomic_bool stop;
};

/* A thousand times what timesyncd does at its busiest. */
static void *rewrite(void *arg)
{
	struct writer *writer = arg;

	while (!atomic_load(&writer->stop)) {
		struct timespec gap = { .tv_nsec = 1000000 };

		write_sample(writer->page);
		nanosleep(&gap, NULL);
	}
	return NULL;
}

static double ns_per_wall_read(void)
{
	struct timespec now;
	int64_t start_ns = clock_raw_ns();

	for (int i = 0; i < READS_PER_ROUND; i++)
		clock_gettime(CLOCK_REALTIME, &now);
	return (double)(clock_raw_ns() - start_ns) / READS_PER_ROUND;
}

static double ns_per_interval_read(struct rfsclock *clock)
{
	struct rfsclock_interval now;
	int64_t start_ns = clock_raw_ns();

	for (int i = 0; i < READS_PER_ROUND; i++)
		if (rfsclock_now(clock, &now) != 0 ||
		    now.quality != RFSCLOCK_SYNCED)
			abort();
	return (double)(clock_raw_ns() - start_ns) / READS_PER_ROUND;
}

/* Alternating, so that whatever else the machine does hits both. */
static void compare_reads(struct rfsclock *clock, const char *name)
{
	static double wall_ns[ROUNDS], interval_ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		wall_ns[i] = ns_per_wall_read();
		interval_ns[i] = ns_per_interval_read(clock);
	}
	double wall = median(wall_ns, ROUNDS);
	double interval = median(interval_ns, ROUNDS);

	printf("figure clock.read.realtime%s %.1f ns\n", name, wall);
	printf("figure clock.read.portable%s %.1f ns\n", name, interval);
	printf("figure clock.read.portable%s.ratio %.2f ratio\n", name,
	       interval / wall);
}

static int bench_reads(void)
{
	char path[] = "/tmp/raftfs-bench-clock.XXXXXX";
	struct rfsclock *clock;
	struct writer writer = { 0 };
	pthread_t thread;
	void *map;
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	if (page_create_file(path, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION, 1,
			     &map) != RFS_ERR_OK ||
	    rfsclock_open(path, &clock) != 0)
		return 1;
	writer.page = map;
	write_sample(writer.page);
	compare_reads(clock, "");
	pthread_create(&thread, NULL, rewrite, &writer);
	compare_reads(clock, ".changing");
	atomic_store(&writer.stop, true);
	pthread_join(thread, NULL);
	rfsclock_close(clock);
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
