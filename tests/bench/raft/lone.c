/* One client's writes, in turns with what they cannot beat. */
#include "tests/bench/raft/lone.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/units.h"
#include "tests/bench/raft/driver.h"
#include "tests/bench/raft/figures.h"
#include "tests/bench/raft/floors.h"

#define ROUNDS_MAX    1000
#define LEADER_MS     10000
#define FLOOR_SECONDS 0.15
#define PUT_SECONDS   0.4

struct round {
	struct floors floors;
	int64_t put_ns;
	int64_t ratio_ppm;
};

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The median of the field that lies `offset` into each round. */
static double median(const struct round *rounds, unsigned int count,
		     size_t offset)
{
	int64_t values[ROUNDS_MAX];

	for (unsigned int i = 0; i < count; i++)
		values[i] =
			*(const int64_t *)((const char *)&rounds[i] + offset);
	qsort(values, count, sizeof(values[0]), by_value);
	return (double)values[count / 2];
}

/* A round in which the leader was lost is another's. */
static void run_round(const struct cluster *cluster, const char *dir,
		      uint16_t port, struct round *round)
{
	struct driver_result result;

	for (int tries = 0; tries < 20; tries++) {
		uint32_t leader = cluster_leader(cluster, LEADER_MS);

		CHECK(leader != CLUSTER_NONE);
		floors_measure(dir, port, FLOOR_SECONDS, &round->floors);
		driver_run(&driver_player, cluster->node[leader].client_port, 1,
			   DRIVER_PUT, PUT_SECONDS, &result);
		if (result.failed == 0 && result.done > 0)
			break;
	}
	CHECK(result.failed == 0 && result.done > 0);
	round->put_ns = result.p50_ns;
	round->ratio_ppm = result.p50_ns * 1000000 /
			   (2 * round->floors.echo_ns + round->floors.sync_ns);
}

void lone_run(const struct cluster *cluster, const char *dir, uint16_t port,
	      unsigned int rounds)
{
	static struct round round[ROUNDS_MAX];

	CHECK(rounds > 0 && rounds <= ROUNDS_MAX);
	for (unsigned int i = 0; i < rounds; i++)
		run_round(cluster, dir, port, &round[i]);
	figure("",
	       median(round, rounds, offsetof(struct round, floors.echo_ns)) /
		       NS_PER_US,
	       "floor.echo_us");
	figure("",
	       median(round, rounds, offsetof(struct round, floors.sync_ns)) /
		       NS_PER_US,
	       "floor.sync_us");
	figure("",
	       median(round, rounds, offsetof(struct round, put_ns)) /
		       NS_PER_US,
	       "put.1.p50_us");
	figure("",
	       median(round, rounds, offsetof(struct round, ratio_ppm)) / 1e6,
	       "put.1.ratio_floor");
}
