/* Loads of put and get. */
#include "tests/bench/raft/loads.h"

#include <unistd.h>

#include "common/check.h"
#include "common/units.h"
#include "tests/bench/raft/figures.h"

#define SECONDS_EACH 3.0

struct counted {
	uint64_t messages;
	uint64_t syncs;
};

/* By all raftds so far. */
static struct counted count(const struct cluster *cluster)
{
	struct counted sum = { 0 };

	for (uint32_t i = 0; i < cluster->count; i++) {
		DistributedFs__ControlReply *reply = cluster_status(cluster, i);

		CHECK(reply != NULL && reply->raft != NULL);
		sum.messages += reply->raft->messages_sent;
		sum.syncs += reply->raft->fsyncs;
		distributed_fs__control_reply__free_unpacked(reply, NULL);
	}
	return sum;
}

static void run_one(const char *prefix, const struct driver_protocol *protocol,
		    uint16_t port, unsigned int clients, enum driver_op op,
		    const pid_t *pids, unsigned int pid_count)
{
	const char *name = op == DRIVER_PUT ? "put" : "lread";
	bool account = clients == (op == DRIVER_PUT ? 256 : 64);
	uint64_t cpu_ns = figure_cpu_ns(pids, pid_count);
	struct driver_result result;

	driver_run(protocol, port, clients, op, SECONDS_EACH, &result);
	cpu_ns = figure_cpu_ns(pids, pid_count) - cpu_ns;
	CHECK(result.failed == 0 && result.done > 0);
	figure(prefix, (double)result.done / result.seconds, "%s.%u.ops_s",
	       name, clients);
	figure(prefix, (double)result.p50_ns / NS_PER_US, "%s.%u.p50_us", name,
	       clients);
	figure(prefix, (double)result.p99_ns / NS_PER_US, "%s.%u.p99_us", name,
	       clients);
	if (account)
		figure(prefix,
		       (double)cpu_ns / NS_PER_US / (double)result.done,
		       "%s.%u.cpu_us_per_op", name, clients);
}

void loads_run(const char *prefix, const struct driver_protocol *protocol,
	       uint16_t port, const pid_t *pids, unsigned int pid_count)
{
	static const unsigned int counts[] = { 1, 16, 64, 256 };

	for (unsigned int i = 0; i < 4; i++)
		run_one(prefix, protocol, port, counts[i], DRIVER_PUT, pids,
			pid_count);
	for (unsigned int i = 0; i < 4; i++)
		run_one(prefix, protocol, port, counts[i], DRIVER_GET, pids,
			pid_count);
}

/* A run of its own, so that nothing else is in the count; and as long a time
 * without one before, for what is sent anyway (heartbeats). */
static void count_lease_reads(const struct cluster *cluster, uint32_t leader)
{
	struct counted idle, before, after;
	struct driver_result result;
	double messages;

	CHECK(cluster_caught_up(cluster, 10000));
	idle = count(cluster);
	usleep((useconds_t)(SECONDS_EACH * 1e6));
	before = count(cluster);
	driver_run(&driver_player, cluster->node[leader].client_port, 64,
		   DRIVER_GET, SECONDS_EACH, &result);
	after = count(cluster);
	CHECK(result.failed == 0 && result.done > 0);
	messages = (double)(after.messages - before.messages) -
		   (double)(before.messages - idle.messages);
	figure("", (double)(before.messages - idle.messages) / SECONDS_EACH,
	       "idle.messages_s");
	figure("", messages < 0 ? 0 : messages / (double)result.done,
	       "lread.64.messages_per_op");
	figure("", (double)(after.syncs - before.syncs) / (double)result.done,
	       "lread.64.fsyncs_per_op");
}

void loads_run_ours(const struct cluster *cluster, uint32_t leader)
{
	pid_t pids[2 * CLUSTER_NODES_MAX];

	for (uint32_t i = 0; i < cluster->count; i++) {
		pids[2 * i] = cluster->node[i].raftd;
		pids[2 * i + 1] = cluster->node[i].player;
	}
	loads_run("", &driver_player, cluster->node[leader].client_port, pids,
		  2 * cluster->count);
	count_lease_reads(cluster, leader);
}

void loads_run_idle(const char *prefix, const pid_t *pids,
		    unsigned int pid_count)
{
	const unsigned int seconds = 5;
	uint64_t cpu_ns = figure_cpu_ns(pids, pid_count);

	sleep(seconds);
	cpu_ns = figure_cpu_ns(pids, pid_count) - cpu_ns;
	figure(prefix, figure_percent(cpu_ns, seconds) / pid_count,
	       "idle.cpu_percent");
}
