/* A client in a storm, and what it and the nodes saw. */
#include "tests/bench/raft/storm.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "tests/bench/raft/figures.h"

#define LEADER_MS    10000
#define REST_US	     20000
#define LOOK_EVERY   20 /* writes */
#define CPUS_MAX     64
#define NAP_US	     2000
#define NAP_PRIORITY 50

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

/* ---- what no priority helps against ---- */

/* On each core a thread that nothing but the kernel, and the machine below a
 * virtual one, can keep from it: how late is it at worst? */
struct napper {
	long cpu;
	_Atomic bool *stop;
	_Atomic int64_t *late_ns;
};

static void *nap(void *ctx)
{
	const struct napper *napper = ctx;
	const struct sched_param param = { .sched_priority = NAP_PRIORITY };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)napper->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0 ||
	    sched_setscheduler(0, SCHED_FIFO, &param) != 0)
		return NULL;
	while (!atomic_load(napper->stop)) {
		int64_t began_ns = clock_raw_ns();
		int64_t late_ns;

		usleep(NAP_US);
		late_ns = clock_raw_ns() - began_ns - NAP_US * NS_PER_US;
		if (late_ns > atomic_load(napper->late_ns))
			atomic_store(napper->late_ns, late_ns);
	}
	return NULL;
}

struct nappers {
	struct napper each[CPUS_MAX];
	pthread_t thread[CPUS_MAX];
	long count;
	_Atomic bool stop;
	_Atomic int64_t late_ns; /* 0: they may not */
};

static void nappers_start(struct nappers *nappers)
{
	nappers->count = sysconf(_SC_NPROCESSORS_ONLN);
	if (nappers->count > CPUS_MAX)
		nappers->count = CPUS_MAX;
	for (long i = 0; i < nappers->count; i++) {
		nappers->each[i] = (struct napper){ i, &nappers->stop,
						    &nappers->late_ns };
		CHECK(pthread_create(&nappers->thread[i], NULL, nap,
				     &nappers->each[i]) == 0);
	}
}

static void nappers_stop(struct nappers *nappers)
{
	atomic_store(&nappers->stop, true);
	for (long i = 0; i < nappers->count; i++)
		CHECK(pthread_join(nappers->thread[i], NULL) == 0);
}

/* ---- what the nodes say ---- */

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
	static struct nappers nappers;
	struct seen seen = { 0 };
	int64_t until_ns;
	uint64_t before;

	CHECK(cluster_caught_up(cluster, LEADER_MS));
	nappers_start(&nappers);
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
	nappers_stop(&nappers);
	figure("", (double)atomic_load(&nappers.late_ns) / NS_PER_MS,
	       "storm.host_late_max_ms");
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
