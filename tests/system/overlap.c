/* Do the clocks that several nodes of one machine publish agree?
 *
 *	overlap PAGE PPM [PAGE PPM ...]
 *
 * PAGE is a node's clock page file, PPM the rate its raw clock was skewed by
 * (shim/skew.c). For one instant of the machine's own raw clock, each page
 * gives an interval that must contain the same cluster time: so all must
 * overlap. Tried until all pages are of one epoch; then ten times.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "shm/clockpage.h"

#define NODES_MAX 9

static const struct clockpage *pages[NODES_MAX];
static long long ppm[NODES_MAX];
static int count;

/* 1: all overlap; 0: two do not; -1: not all usable, or of one epoch. */
static int compare_once(void)
{
	struct interval all = { INT64_MIN, INT64_MAX };
	int64_t raw_ns = clock_raw_ns();
	uint64_t epoch = 0;

	for (int i = 0; i < count; i++) {
		struct clock_sample sample;
		struct interval at;
		int64_t skewed_ns = raw_ns + raw_ns / 1000000 * ppm[i];

		if (clockpage_read(pages[i], &sample) != RFS_ERR_OK)
			return -1;
		at = clock_sample_at(&sample, skewed_ns);
		if (interval_is_empty(at) || (epoch && sample.epoch != epoch))
			return -1;
		epoch = sample.epoch;
		printf("node %d: %lld .. +%lld ns\n", i + 1,
		       (long long)at.low_ns,
		       (long long)(at.high_ns - at.low_ns));
		all = interval_intersect(all, at);
	}
	return !interval_is_empty(all);
}

int main(int argc, char **argv)
{
	int held = 0;

	for (int i = 1; i + 1 < argc && count < NODES_MAX; i += 2) {
		const void *map;
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || page_map_reader(fd, CLOCKPAGE_MAGIC,
					      CLOCKPAGE_VERSION,
					      &map) != RFS_ERR_OK) {
			fprintf(stderr, "overlap: %s is no clock page\n",
				argv[i]);
			return 1;
		}
		pages[count] = map;
		ppm[count++] = atoll(argv[i + 1]);
	}
	for (int i = 0; i < 300 && held < 10; i++) {
		int result = compare_once();

		if (result == 0) {
			printf("the intervals do not overlap\n");
			return 1;
		}
		held += result == 1;
		usleep(100000);
	}
	printf("%d comparisons, all overlapping\n", held);
	return held < 10;
}
