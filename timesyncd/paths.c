/* Rows of a mapped BPF array. */
#include "timesyncd/paths.h"

#include <stddef.h>
#include <sys/mman.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "timesyncd/core/guard.h"

#define PATHS_BYTES (PATH_RTT_ROWS * sizeof(struct path_rtt))
/* Longer is no round trip; and so products stay in range. */
#define RTT_MOST_US (INT64_C(1) << 40)

void paths_take(struct paths *paths, int fd)
{
	void *map = mmap(NULL, PATHS_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED) {
		log_errno("map TCP's round trips");
		return;
	}
	paths_fini(paths);
	paths->rows = map;
}

void paths_fini(struct paths *paths)
{
	if (paths->rows != NULL)
		munmap((void *)(uintptr_t)paths->rows, PATHS_BYTES);
	paths->rows = NULL;
}

void paths_least(const struct paths *paths, uint32_t node, int64_t *rtt_ns,
		 int64_t *age_ns)
{
	int64_t now_ns = clock_boot_ns();

	*rtt_ns = 0;
	*age_ns = 0;
	for (uint32_t i = 0; paths->rows != NULL && i < PATH_RTT_ROWS; i++) {
		const struct path_rtt *row = &paths->rows[i];
		int64_t least_us =
			(int64_t)__atomic_load_n(&row->least_us,
						 __ATOMIC_RELAXED);
		int64_t old_ns = now_ns -
				 (int64_t)__atomic_load_n(&row->at_ns,
							  __ATOMIC_RELAXED);

		if (row->node != node || least_us <= 0 ||
		    least_us > RTT_MOST_US || old_ns > GUARD_TCP_AGE_MAX_NS ||
		    (*rtt_ns != 0 && least_us * NS_PER_US >= *rtt_ns))
			continue;
		*rtt_ns = least_us * NS_PER_US;
		*age_ns = old_ns > 0 ? old_ns : 0;
	}
}
