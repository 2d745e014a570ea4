/* A client in a storm, and what it and the nodes saw. */
#include "tests/bench/raft/storm.h"

#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "tests/bench/raft/figures.h"

#define LEADER_MS    10000
#define REST_US	     20000
#define LOOK_EVERY   20 /* writes */

struct written {
	uint64_t done;
	int64_t slowest_ns; /* done or not */
};

static void write_one(const struct driver_protocol *protocol, uint16_t port,
		      struct written *written)
{
	int64_t began_ns = clock_raw_ns();
	int64_t took_ns;

	written->done += driver_once(protocol, port, DRIVER_PUT, 1, NULL,
				     LEADER_MS) >= 0;
	took_ns = clock_raw_ns() - began_ns;
	if (took_ns > written->slowest_ns)
		written->slowest_ns = took_ns;
	usleep(REST_US);
}

static void tell(const char *prefix, const struct written *written,
		 unsigned int seconds)
{
	figure(prefix, (double)written->done / seconds, "storm.writes_s");
	figure(prefix, (double)written->slowest_ns / NS_PER_MS,
	       "storm.slowest_ms");
}

/* The term, which every election raises. */
static uint64_t term_now(const struct cluster *cluster)
{
	struct cons_sample sample;
	uint64_t term = 0;

	for (uint32_t i = 0; i < cluster->count; i++)
		if (cluster_sample(cluster, i, &sample) && sample.term > term)
			term = sample.term;
	return term;
}

struct seen {
	int64_t silence_ns; /* longest, of a leader that was followed then */
	int64_t stall_ns;   /* longest turn of a loop */
	uint64_t hurried;   /* turns, of all */
};

static void rise(int64_t *most_ns, int64_t ns)
{
	if (ns > *most_ns)
		*most_ns = ns;
}

static void look(const struct cluster *cluster, struct seen *seen)
{
	seen->hurried = 0;
	for (uint32_t i = 0; i < cluster->count; i++) {
		DistributedFs__ControlReply *reply = cluster_status(cluster, i);

		if (reply == NULL || reply->raft == NULL)
			continue;
		rise(&seen->silence_ns, reply->raft->leader_silence_max_ns);
		rise(&seen->stall_ns, reply->raft->loop_stall_max_ns);
		seen->hurried += reply->raft->loop_hurried;
		distributed_fs__control_reply__free_unpacked(reply, NULL);
	}
}

void storm_run(const struct cluster *cluster, unsigned int seconds)
{
	struct written written = { 0 };
	struct seen seen = { 0 };
	int64_t until_ns;
	uint64_t before;

	CHECK(cluster_caught_up(cluster, LEADER_MS));
	before = term_now(cluster);
	until_ns = clock_raw_ns() + seconds * NS_PER_SEC;
	for (uint64_t n = 0; clock_raw_ns() < until_ns; n++) {
		uint32_t leader = cluster_leader(cluster, LEADER_MS);

		CHECK(leader != CLUSTER_NONE);
		write_one(&driver_player, cluster->node[leader].client_port,
			  &written);
		if (n % LOOK_EVERY == 0)
			look(cluster, &seen);
	}
	figure("", (double)(term_now(cluster) - before), "storm.elections");
	figure("", (double)seen.silence_ns / NS_PER_MS, "storm.silence_max_ms");
	figure("", (double)seen.stall_ns / NS_PER_MS, "storm.stall_max_ms");
	figure("", (double)seen.hurried / seconds, "storm.hurried_s");
	tell("", &written, seconds);
}

void storm_write(const char *prefix, const struct driver_protocol *protocol,
		 uint16_t port, unsigned int seconds)
{
	struct written written = { 0 };
	int64_t until_ns = clock_raw_ns() + seconds * NS_PER_SEC;

	while (clock_raw_ns() < until_ns)
		write_one(protocol, port, &written);
	tell(prefix, &written, seconds);
}
