/* Count, load, count again. */
#include "tests/bench/raft/allocations.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/check.h"
#include "tests/bench/raft/driver.h"

#define WARM_SECONDS 1.5
#define SECONDS	     2.0
#define LEADER_MS    10000
/* Of operations, one in so many may be the one that comes with something else:
 * a new segment, a question of the supervisor's. */
#define OPERATIONS_EACH 50

static uint64_t so_far(const struct cluster *cluster, const char *dir)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cluster->count; i++) {
		char path[300];
		uint64_t calls;
		int fd;

		snprintf(path, sizeof(path), "%s/%d", dir,
			 cluster->node[i].raftd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		CHECK(read(fd, &calls, sizeof(calls)) == sizeof(calls));
		close(fd);
		sum += calls;
	}
	return sum;
}

/* Calls while one client is served, so that each operation is a turn of every
 * loop; false when the leader was lost meanwhile. */
static bool measure(const struct cluster *cluster, enum driver_op op,
		    const char *dir, uint64_t *calls, uint64_t *operations)
{
	uint32_t leader = cluster_leader(cluster, LEADER_MS);
	uint32_t via =
		op == DRIVER_PUT ? leader : (leader + 1) % cluster->count;
	uint16_t port = cluster->node[via].client_port;
	struct driver_result result;

	CHECK(leader != CLUSTER_NONE);
	driver_run(&driver_player, port, 64, op, WARM_SECONDS, &result);
	driver_run(&driver_player, port, 1, op, WARM_SECONDS, &result);
	*calls = so_far(cluster, dir);
	driver_run(&driver_player, port, 1, op, SECONDS, &result);
	*calls = so_far(cluster, dir) - *calls;
	*operations = result.done;
	return result.failed == 0 && result.done > 0;
}

static bool stay(const struct cluster *cluster, enum driver_op op,
		 const char *dir)
{
	uint64_t calls = 0, operations = 0;
	bool measured = false;

	for (int tries = 0; tries < 5 && !measured; tries++)
		measured = measure(cluster, op, dir, &calls, &operations);
	printf("  %ju allocations during %ju %s\n", (uintmax_t)calls,
	       (uintmax_t)operations, op == DRIVER_PUT ? "writes" : "reads");
	fflush(stdout);
	return measured && calls <= operations / OPERATIONS_EACH;
}

bool allocations_stay(const struct cluster *cluster, const char *dir)
{
	bool writes = stay(cluster, DRIVER_PUT, dir);
	bool reads = stay(cluster, DRIVER_GET, dir);

	CHECK(so_far(cluster, dir) > 0); /* it does count */
	return writes && reads;
}
