/* Kills, pauses, inherited leases, idleness. */
#include "tests/bench/raft/faults.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "tests/bench/raft/driver.h"
#include "tests/bench/raft/figures.h"

#define LEADER_MS  10000
#define ROUNDS_MAX 200
#define VOLLEY	   128
#define WRITERS	   8

static uint16_t port_of(const struct cluster *cluster, uint32_t i)
{
	return cluster->node[i].client_port;
}

static uint32_t settled_leader(const struct cluster *cluster)
{
	uint32_t leader;

	CHECK(cluster_caught_up(cluster, LEADER_MS));
	leader = cluster_leader(cluster, LEADER_MS);
	CHECK(leader != CLUSTER_NONE);
	usleep(300000);
	return leader;
}

/* ---- a leader that is gone ---- */

struct fault {
	struct cluster *cluster;
	uint32_t leader;
};

/* As a supervisor: kill, reap, revoke, tell. */
static void *kill_leader(void *ctx)
{
	const struct fault *fault = ctx;

	cluster_kill_raftd(fault->cluster, fault->leader);
	return NULL;
}

static void *pause_leader(void *ctx)
{
	const struct fault *fault = ctx;

	CHECK(kill(fault->cluster->node[fault->leader].raftd, SIGSTOP) == 0);
	return NULL;
}

static int64_t first_write_ns(const struct cluster *cluster, uint32_t without)
{
	uint16_t ports[CLUSTER_NODES_MAX];
	unsigned int count = 0;
	int64_t took_ns;

	for (uint32_t i = 0; i < cluster->count; i++)
		if (i != without)
			ports[count++] = port_of(cluster, i);
	took_ns = driver_first_write(&driver_player, ports, count, LEADER_MS);
	CHECK(took_ns >= 0);
	return took_ns;
}

/* The gap begins with the signal, not when its thread is done. */
static int64_t fault_gap_ns(void *strike(void *ctx), struct fault *fault)
{
	pthread_t thread;
	int64_t gap_ns;

	CHECK(pthread_create(&thread, NULL, strike, fault) == 0);
	gap_ns = first_write_ns(fault->cluster, fault->leader);
	CHECK(pthread_join(thread, NULL) == 0);
	return gap_ns;
}

void faults_run_kills(struct cluster *cluster, unsigned int rounds)
{
	int64_t gaps_ns[ROUNDS_MAX];

	CHECK(rounds <= ROUNDS_MAX);
	for (unsigned int round = 0; round < rounds; round++) {
		struct fault fault = { cluster, settled_leader(cluster) };

		gaps_ns[round] = fault_gap_ns(kill_leader, &fault);
		cluster_start_raftd(cluster, fault.leader);
	}
	figure_gaps("kill", gaps_ns, rounds);
}

static void resume(struct cluster *cluster, uint32_t leader)
{
	CHECK(kill(cluster->node[leader].raftd, SIGCONT) == 0);
}

void faults_run_pauses(struct cluster *cluster, unsigned int rounds)
{
	int64_t gaps_ns[ROUNDS_MAX];

	CHECK(rounds <= ROUNDS_MAX);
	for (unsigned int round = 0; round < rounds; round++) {
		struct fault fault = { cluster, settled_leader(cluster) };

		usleep(700000); /* the links of the last one are back */
		gaps_ns[round] = fault_gap_ns(pause_leader, &fault);
		resume(cluster, fault.leader);
	}
	figure_gaps("pause", gaps_ns, rounds);
}

/* ---- a leader that inherits ---- */

static void *write_on(void *ctx)
{
	const struct fault *fault = ctx;
	struct driver_result result;

	driver_run(&driver_player, port_of(fault->cluster, fault->leader),
		   WRITERS, DRIVER_PUT, 0.4, &result);
	return NULL;
}

/* Another than `old` that leads a later term than `term`. CLUSTER_NONE: `old`
 * led no longer when it was paused. */
static uint32_t wait_successor(const struct cluster *cluster, uint32_t old,
			       uint64_t term, struct cons_sample *sample)
{
	int64_t until_ns = clock_raw_ns() + 3 * NS_PER_SEC;

	while (clock_raw_ns() < until_ns) {
		for (uint32_t i = 0; i < cluster->count; i++)
			if (i != old && cluster_sample(cluster, i, sample) &&
			    sample->role == CONSPAGE_LEADER &&
			    sample->term > term)
				return i;
		usleep(20);
	}
	return CLUSTER_NONE;
}

struct succession {
	struct driver_hits hits; /* of VOLLEY */
	bool inherited;
	int64_t first_write_ns;
};

/* False: somebody else was elected just before, of himself. */
static bool one_succession(struct cluster *cluster, uint64_t seed,
			   struct succession *got)
{
	struct driver_volley *volleys[CLUSTER_NODES_MAX] = { NULL };
	struct fault fault = { cluster, settled_leader(cluster) };
	struct cons_sample sample;
	pthread_t writers;
	uint32_t next;

	usleep(700000);
	CHECK(cluster_sample(cluster, fault.leader, &sample));
	for (uint32_t i = 0; i < cluster->count; i++)
		if (i != fault.leader)
			volleys[i] = driver_aim(port_of(cluster, i), VOLLEY);
	CHECK(pthread_create(&writers, NULL, write_on, &fault) == 0);
	usleep(250000);
	pause_leader(&fault);
	next = wait_successor(cluster, fault.leader, sample.term, &sample);
	if (next != CLUSTER_NONE) {
		got->hits = driver_fire(volleys[next], seed, 5 * NS_PER_MS,
					100 * NS_PER_MS);
		got->inherited = sample.limbo_index > 0;
		got->first_write_ns = first_write_ns(cluster, fault.leader);
	}
	for (uint32_t i = 0; i < cluster->count; i++)
		if (i != next && volleys[i] != NULL)
			driver_unload(volleys[i]);
	CHECK(pthread_join(writers, NULL) == 0);
	resume(cluster, fault.leader);
	return next != CLUSTER_NONE;
}

/* The same volley at a leader that nothing happened to, just before: what is
 * missing there waits for a core. */
static unsigned int fire_at_settled(const struct cluster *cluster,
				    uint64_t seed)
{
	uint32_t leader = settled_leader(cluster);
	struct driver_volley *volley =
		driver_aim(port_of(cluster, leader), VOLLEY);

	usleep(20000);
	return driver_fire(volley, seed, 5 * NS_PER_MS, 100 * NS_PER_MS).soon;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void faults_run_limbo(struct cluster *cluster, const char *prefix,
		      unsigned int rounds)
{
	int64_t writes_ns[ROUNDS_MAX];
	unsigned int soon = 0, late = 0, inherited = 0, settled = 0;

	CHECK(rounds <= ROUNDS_MAX);
	for (unsigned int round = 0; round < rounds; round++) {
		struct succession got = { 0 };

		settled += fire_at_settled(cluster, round + 1);
		while (!one_succession(cluster, round + 1, &got))
			;
		soon += got.hits.soon;
		late += got.hits.late;
		inherited += got.inherited;
		writes_ns[round] = got.first_write_ns;
	}
	qsort(writes_ns, rounds, sizeof(*writes_ns), by_value);
	figure("", 100.0 * soon / (VOLLEY * rounds), "%s.reads_5ms_percent",
	       prefix);
	figure("", 100.0 * settled / (VOLLEY * rounds),
	       "%s.settled_5ms_percent", prefix);
	figure("", 100.0 * late / (VOLLEY * rounds), "%s.reads_100ms_percent",
	       prefix);
	figure("", (double)writes_ns[rounds / 2] / NS_PER_MS,
	       "%s.first_write_ms", prefix);
	figure("", inherited, "%s.inherited", prefix);
}

/* ---- nothing happens ---- */

static uint64_t sync_count(const struct cluster *cluster, uint32_t i)
{
	DistributedFs__ControlReply *reply = cluster_status(cluster, i);
	uint64_t count;

	CHECK(reply != NULL && reply->raft != NULL);
	count = reply->raft->fsyncs;
	distributed_fs__control_reply__free_unpacked(reply, NULL);
	return count;
}

void faults_run_idle(struct cluster *cluster)
{
	const unsigned int seconds = 5;
	uint64_t cpu_ns[CLUSTER_NODES_MAX], syncs = 0, total_ns = 0;
	uint64_t most_ns = 0;

	CHECK(cluster_caught_up(cluster, LEADER_MS));
	sleep(1);
	for (uint32_t i = 0; i < cluster->count; i++) {
		cpu_ns[i] = figure_cpu_ns(&cluster->node[i].raftd, 1);
		syncs -= sync_count(cluster, i);
	}
	sleep(seconds);
	for (uint32_t i = 0; i < cluster->count; i++) {
		cpu_ns[i] = figure_cpu_ns(&cluster->node[i].raftd, 1) -
			    cpu_ns[i];
		syncs += sync_count(cluster, i);
		total_ns += cpu_ns[i];
		if (cpu_ns[i] > most_ns)
			most_ns = cpu_ns[i];
	}
	figure("", figure_percent(total_ns, seconds) / cluster->count,
	       "idle.cpu_percent");
	figure("", figure_percent(most_ns, seconds), "idle.leader_cpu_percent");
	figure("", (double)syncs / seconds / cluster->count, "idle.fsyncs_s");
}
