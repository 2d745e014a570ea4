/* Loads of put and get, and the floors under them. */
#include "tests/bench/raft/loads.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "tests/bench/raft/figures.h"
#include "tests/bench/raft/player.h"

#define SECONDS_EACH 3.0
#define SYNCS	     501
#define SYNC_BYTES   512

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

/* ---- floors ---- */

static int listen_at(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	CHECK(listen(fd, 1) == 0);
	return fd;
}

/* A process that sends back whatever comes. */
static pid_t start_echo(uint16_t port)
{
	int listening = listen_at(port), on = 1, fd;
	char buffer[DRIVER_BUFFER_BYTES];
	pid_t pid = fork();
	ssize_t n;

	CHECK(pid >= 0);
	if (pid > 0) {
		close(listening);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = accept(listening, NULL, NULL);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(fd, buffer, (size_t)n) != n)
			break;
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Into a file that has its blocks, as the log's segments have. */
static int64_t sync_p50_ns(const char *dir)
{
	static uint8_t block[SYNC_BYTES];
	static int64_t took_ns[SYNCS];
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/floor", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	unlink(path);
	for (int i = 0; i < SYNCS; i++)
		CHECK(write(fd, block, sizeof(block)) == sizeof(block));
	CHECK(fsync(fd) == 0);
	for (int i = 0; i < SYNCS; i++) {
		int64_t began_ns = clock_raw_ns();

		memset(block, i, sizeof(block));
		CHECK(pwrite(fd, block, sizeof(block), i * SYNC_BYTES) ==
		      sizeof(block));
		CHECK(fdatasync(fd) == 0);
		took_ns[i] = clock_raw_ns() - began_ns;
	}
	close(fd);
	qsort(took_ns, SYNCS, sizeof(took_ns[0]), by_value);
	return took_ns[SYNCS / 2];
}

static void lower(int64_t *floor_ns, int64_t ns)
{
	if (*floor_ns == 0 || ns < *floor_ns)
		*floor_ns = ns;
}

void loads_measure_floors(struct loads_floors *floors, const char *dir,
			  uint16_t port)
{
	struct driver_result result;
	pid_t pid = start_echo(port);

	usleep(50000);
	/* A put that comes back is taken for the answer to a get. */
	driver_run(&driver_player, port, 1, DRIVER_PUT, 1.0, &result);
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	lower(&floors->echo_ns, result.p50_ns);
	lower(&floors->sync_ns, sync_p50_ns(dir));
}

void loads_tell_floors(const struct loads_floors *floors)
{
	figure("", (double)floors->echo_ns / NS_PER_US, "floor.echo_us");
	figure("", (double)floors->sync_ns / NS_PER_US, "floor.sync_us");
}
