/* Load and checks for raftd alone: real raftfs-raftd processes on loopback,
 * their neighbours played (tests/bench/raft).
 *
 *	raftload check RAFTD DIR	does it keep what it acknowledged?
 *	raftload bench RAFTD DIR	figures of our own
 *	raftload idle RAFTD DIR		of nodes that nobody asks
 *	raftload pause RAFTD DIR	of leaders that stop without dying
 *	raftload storm RAFTD DIR S	elections in S seconds of a busy host
 *	raftload etcd-load PORT		the same figures of a running etcd
 *	raftload etcd-gap PID PORT...	kill -9 PID; us to the first write
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/keys.h"
#include "common/os/log.h"
#include "common/units.h"
#include "tests/bench/raft/cluster.h"
#include "tests/bench/raft/driver.h"
#include "tests/bench/raft/player.h"

#define BASE_PORT     7600
#define LEADER_MS     10000
#define SECONDS_EACH  4.0
#define KILL_COUNT    20

static struct cluster cluster;
static int passes, failures;

static void expect(bool fact, const char *what)
{
	printf("%s: %s\n", fact ? "ok" : "FAILED", what);
	fflush(stdout);
	passes += fact;
	failures += !fact;
}

static uint16_t port_of(uint32_t i)
{
	return cluster.node[i].client_port;
}

static void value_of(uint64_t number, uint8_t value[PLAYER_VALUE_BYTES])
{
	memset(value, (int)(number % 251), PLAYER_VALUE_BYTES);
	memcpy(value, &number, sizeof(number));
}

static bool put(uint64_t number)
{
	uint8_t value[PLAYER_VALUE_BYTES];
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);

	value_of(number, value);
	return leader != CLUSTER_NONE &&
	       driver_once(&driver_player, port_of(leader), DRIVER_PUT, number,
			   value, 2000) >= 0;
}

/* All players hold the same map at the same index. */
static bool same_everywhere(void)
{
	uint64_t applied[CLUSTER_NODES_MAX], sum[CLUSTER_NODES_MAX];

	if (!cluster_caught_up(&cluster, LEADER_MS))
		return false;
	for (int tries = 0; tries < 200; tries++) {
		bool same = true;

		for (uint32_t i = 0; i < cluster.count; i++) {
			same = driver_digest(port_of(i), &applied[i],
					     &sum[i]) &&
			       same && applied[i] == applied[0] &&
			       sum[i] == sum[0];
		}
		if (same)
			return true;
		usleep(20000);
	}
	for (uint32_t i = 0; i < cluster.count; i++)
		printf("  %s applied %ju sum %jx\n", cluster.node[i].name,
		       (uintmax_t)applied[i], (uintmax_t)sum[i]);
	return false;
}

static void check_kills(void)
{
	bool all = true, reelected = true;

	for (uint64_t round = 0; round < 5; round++) {
		uint32_t leader = cluster_leader(&cluster, LEADER_MS);

		for (uint64_t n = 0; n < 20; n++)
			all = put(100 * round + n) && all;
		reelected = reelected && leader != CLUSTER_NONE;
		if (leader == CLUSTER_NONE)
			break;
		cluster_kill_raftd(&cluster, leader);
		reelected = cluster_leader(&cluster, LEADER_MS) !=
				    CLUSTER_NONE &&
			    reelected;
		for (uint64_t n = 20; n < 30; n++)
			all = put(100 * round + n) && all;
		cluster_start_raftd(&cluster, leader);
		reelected = cluster_caught_up(&cluster, LEADER_MS) && reelected;
	}
	expect(reelected, "a killed leader is replaced, and returns");
	expect(all, "writes go on meanwhile");
	expect(same_everywhere(), "all nodes hold the same afterwards");
}

static void check_restart(void)
{
	uint64_t applied = 0, applied_after = 0, sum = 0, sum_after = 0;
	bool found;

	expect(same_everywhere(), "all agree before the power goes");
	found = driver_digest(port_of(0), &applied, &sum);
	for (uint32_t i = 0; i < cluster.count; i++)
		cluster_kill_raftd(&cluster, i);
	/* What the state machines hold must come back out of the logs. */
	for (uint32_t i = 0; i < cluster.count; i++) {
		cluster_start_raftd(&cluster, i);
		cluster_wipe_player(&cluster, i);
	}
	expect(cluster_caught_up(&cluster, LEADER_MS) && same_everywhere(),
	       "a cluster killed as a whole comes back");
	expect(found && driver_digest(port_of(0), &applied_after, &sum_after) &&
		       applied_after > applied && sum_after == sum,
	       "and has lost nothing");
	expect(put(9999), "and takes writes");
}

static uint64_t sync_count(uint32_t i)
{
	DistributedFs__ControlReply *reply = cluster_status(&cluster, i);
	uint64_t count;

	if (reply == NULL || reply->raft == NULL)
		return 0;
	count = reply->raft->fsyncs;
	distributed_fs__control_reply__free_unpacked(reply, NULL);
	return count;
}

static void check_idle(void)
{
	uint64_t before[CLUSTER_NODES_MAX] = { 0 };
	bool quiet = true;

	expect(cluster_caught_up(&cluster, LEADER_MS), "all is quiet");
	usleep(500000);
	for (uint32_t i = 0; i < cluster.count; i++)
		before[i] = sync_count(i);
	usleep(1500000);
	for (uint32_t i = 0; i < cluster.count; i++)
		quiet = quiet && before[i] > 0 && sync_count(i) == before[i];
	expect(quiet, "an idle cluster syncs nothing");
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	CHECK(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= 1;
	CHECK(pwrite(fd, &byte, 1, at) == 1);
	close(fd);
}

static void check_damage(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	uint32_t victim = (leader + 1) % cluster.count;
	char path[300];
	int status;

	snprintf(path, sizeof(path), "%s/data/raftd/wal/%016x.wal",
		 cluster.node[victim].dir, 1);
	cluster_kill_raftd(&cluster, victim);
	flip(path, 12288 + 1000);
	cluster_start_raftd(&cluster, victim);
	status = cluster_wait_raftd(&cluster, victim, 3000);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 65,
	       "a node with a damaged log does not start");
	expect(put(8888), "the others go on");
	flip(path, 12288 + 1000);
	cluster_start_raftd(&cluster, victim);
	expect(cluster_caught_up(&cluster, LEADER_MS),
	       "nothing was cut away: undamaged, it starts");

	/* The other way out of DAMAGE in raftfs-raftd(8). */
	cluster_kill_raftd(&cluster, victim);
	cluster_leader(&cluster, LEADER_MS);
	DistributedFs__ControlReply *reply = cluster_control(
		&cluster, leader,
		DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER,
		(leader + 2) % cluster.count + 1);
	expect(reply != NULL && reply->err == RFS_ERR_OK &&
		       cluster_leader_is(&cluster, (leader + 2) % cluster.count,
					 LEADER_MS),
	       "leadership goes where the operator wants it");
	distributed_fs__control_reply__free_unpacked(reply, NULL);
	cluster_wipe_disk(&cluster, victim);
	cluster_start_raftd(&cluster, victim);
	cluster_wipe_player(&cluster, victim);
	expect(cluster_caught_up(&cluster, LEADER_MS) && same_everywhere(),
	       "wiped while the others are well, it is filled again");
}

/* What node i says about why node j's raftd is not let in. */
static bool refuses(uint32_t i, uint32_t j)
{
	DistributedFs__ControlReply *reply = cluster_status(&cluster, i);
	bool found = false;

	if (reply == NULL || reply->raft == NULL)
		return false;
	for (size_t n = 0; n < reply->raft->n_peers; n++) {
		const DistributedFs__RaftPeer *peer = reply->raft->peers[n];

		found = found ||
			(peer->node == j + 1 && !peer->connected &&
			 strstr(peer->refused, "configurations differ"));
	}
	distributed_fs__control_reply__free_unpacked(reply, NULL);
	return found;
}

static void check_refusal(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	uint32_t odd = (leader + 1) % cluster.count;

	cluster_kill_raftd(&cluster, odd);
	cluster_edit_config(&cluster, odd, "^raft {", "raft {\\nlease = \"99ms\"");
	cluster_start_raftd(&cluster, odd);
	usleep(1500000);
	expect(refuses(leader, odd) && refuses(odd, leader),
	       "a node with another configuration is refused, both say why");
	cluster_kill_raftd(&cluster, odd);
	cluster_edit_config(&cluster, odd, "^lease = .*", "");
	cluster_start_raftd(&cluster, odd);
	expect(cluster_caught_up(&cluster, LEADER_MS),
	       "with the right one it is let in");
}

static void check_snapshot(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	uint32_t away = (leader + 1) % cluster.count;
	struct driver_result result;

	cluster_kill_raftd(&cluster, away);
	driver_run(&driver_player, port_of(leader), 32, DRIVER_PUT, 3.0,
		   &result);
	expect(result.done > 4000 && result.failed == 0,
	       "two of three nodes carry a load");
	cluster_start_raftd(&cluster, away);
	expect(cluster_caught_up(&cluster, LEADER_MS),
	       "a node that was away longer than the log catches up");
	expect(same_everywhere(), "by a snapshot that holds all there was");

	cluster_wipe_player(&cluster, away);
	expect(same_everywhere(), "a wiped state machine is rebuilt");
	/* The leader's log begins late, the others' snapshots may be older. */
	cluster_wipe_player(&cluster, leader);
	expect(same_everywhere(), "the leader's too");
}

/* A storaged that hangs is not one that is gone: so its process is killed. */
static void check_unserved(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	bool gone = false;

	cluster_kill_player(&cluster, leader);
	for (int ms = 0; ms < 5000 && !gone; ms += 10) {
		uint32_t now = cluster_leader(&cluster, 1);

		gone = now != CLUSTER_NONE && now != leader;
		usleep(10000);
	}
	expect(gone, "a leader without storaged hands over");
	expect(put(7777), "and writes go on");
	cluster_start_player(&cluster, leader);
	expect(same_everywhere(), "its storaged catches up when it is back");
}

static void check_term(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	struct cons_sample before, after;
	int status;

	CHECK(leader != CLUSTER_NONE);
	cluster_sample(&cluster, leader, &before);
	status = cluster_term_raftd(&cluster, leader);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	       "a leader that is told to stop exits with 0");
	uint32_t next = cluster_leader(&cluster, LEADER_MS);
	expect(next != CLUSTER_NONE &&
		       cluster_sample(&cluster, next, &after) &&
		       after.term == before.term + 1,
	       "after handing over: one term later, no vote was split");
	cluster_start_raftd(&cluster, leader);
	expect(cluster_caught_up(&cluster, LEADER_MS), "and comes back");
}

static int run_check(void)
{
	expect(cluster_leader(&cluster, LEADER_MS) != CLUSTER_NONE,
	       "three fresh nodes elect a leader");
	expect(put(1), "it takes a write");
	check_kills();
	check_restart();
	check_idle();
	check_damage();
	check_refusal();
	check_term();
	check_unserved();
	check_snapshot();
	cluster_stop(&cluster);
	printf("%d passed, %d failed\n", passes, failures);
	return failures == 0 ? 0 : 1;
}

/* ---- figures ---- */

static void figure(const char *prefix, const char *name, double value)
{
	printf("figure %sraft.%s %.2f\n", prefix, name, value);
	fflush(stdout);
}

static void load_figures(const char *prefix,
			 const struct driver_protocol *protocol, uint16_t port)
{
	static const unsigned int counts[] = { 1, 16, 64 };
	struct driver_result result;
	char name[64];

	for (unsigned int i = 0; i < 3; i++) {
		driver_run(protocol, port, counts[i], DRIVER_PUT, SECONDS_EACH,
			   &result);
		CHECK(result.failed == 0);
		snprintf(name, sizeof(name), "put.%u.ops_s", counts[i]);
		figure(prefix, name, (double)result.done / result.seconds);
		snprintf(name, sizeof(name), "put.%u.p50_us", counts[i]);
		figure(prefix, name, (double)result.p50_ns / NS_PER_US);
		snprintf(name, sizeof(name), "put.%u.p99_us", counts[i]);
		figure(prefix, name, (double)result.p99_ns / NS_PER_US);
	}
	driver_run(protocol, port, 64, DRIVER_GET, SECONDS_EACH, &result);
	CHECK(result.failed == 0);
	figure(prefix, "lread.64.ops_s", (double)result.done / result.seconds);
	figure(prefix, "lread.64.p50_us", (double)result.p50_ns / NS_PER_US);
	figure(prefix, "lread.64.p99_us", (double)result.p99_ns / NS_PER_US);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void gap_figures(const char *what, int64_t *gaps_ns)
{
	char name[64];

	qsort(gaps_ns, KILL_COUNT, sizeof(*gaps_ns), by_value);
	snprintf(name, sizeof(name), "%s.median_ms", what);
	figure("", name, (double)gaps_ns[KILL_COUNT / 2] / NS_PER_MS);
	snprintf(name, sizeof(name), "%s.max_ms", what);
	figure("", name, (double)gaps_ns[KILL_COUNT - 1] / NS_PER_MS);
}

/* CPU time of all threads of a process so far. */
static uint64_t cpu_ns_of(pid_t pid)
{
	char path[300], line[128];
	uint64_t total_ns = 0;
	struct dirent *task;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	CHECK(tasks != NULL);
	while ((task = readdir(tasks)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat",
			 pid, task->d_name);
		FILE *in = fopen(path, "r");

		if (in == NULL)
			continue;
		if (fgets(line, sizeof(line), in) != NULL)
			total_ns += strtoull(line, NULL, 10);
		fclose(in);
	}
	closedir(tasks);
	return total_ns;
}

static void idle_figures(void)
{
	const unsigned int seconds = 5;
	uint64_t cpu_ns[CLUSTER_NODES_MAX], syncs = 0, total_ns = 0;
	uint64_t most_ns = 0;

	CHECK(cluster_caught_up(&cluster, LEADER_MS));
	sleep(1);
	for (uint32_t i = 0; i < cluster.count; i++) {
		cpu_ns[i] = cpu_ns_of(cluster.node[i].raftd);
		syncs -= sync_count(i);
	}
	sleep(seconds);
	for (uint32_t i = 0; i < cluster.count; i++) {
		cpu_ns[i] = cpu_ns_of(cluster.node[i].raftd) - cpu_ns[i];
		syncs += sync_count(i);
		total_ns += cpu_ns[i];
		if (cpu_ns[i] > most_ns)
			most_ns = cpu_ns[i];
	}
	figure("", "idle.cpu_percent",
	       100.0 * (double)total_ns / NS_PER_SEC / seconds / cluster.count);
	figure("", "idle.leader_cpu_percent",
	       100.0 * (double)most_ns / NS_PER_SEC / seconds);
	figure("", "idle.fsyncs_s", (double)syncs / seconds / cluster.count);
}

/* As a supervisor: kill, reap, revoke, tell. */
static void *kill_leader(void *ctx)
{
	cluster_kill_raftd(&cluster, *(const uint32_t *)ctx);
	return NULL;
}

/* It says nothing any more, and nobody says that it is dead. */
static void *pause_leader(void *ctx)
{
	CHECK(kill(cluster.node[*(const uint32_t *)ctx].raftd, SIGSTOP) == 0);
	return NULL;
}

/* From the fault to the first write through one of the others that began after
 * it. The gap begins with the signal, not when its thread is done. */
static int64_t fault_gap_ns(void *fault(void *ctx), uint32_t leader)
{
	uint16_t ports[CLUSTER_NODES_MAX];
	unsigned int count = 0;
	pthread_t thread;
	int64_t gap_ns;

	for (uint32_t i = 0; i < cluster.count; i++) {
		if (i != leader)
			ports[count++] = port_of(i);
	}
	CHECK(pthread_create(&thread, NULL, fault, &leader) == 0);
	gap_ns = driver_first_write(&driver_player, ports, count, LEADER_MS);
	CHECK(gap_ns >= 0);
	CHECK(pthread_join(thread, NULL) == 0);
	return gap_ns;
}

static uint32_t settled_leader(void)
{
	uint32_t leader;

	CHECK(cluster_caught_up(&cluster, LEADER_MS));
	leader = cluster_leader(&cluster, LEADER_MS);
	CHECK(leader != CLUSTER_NONE);
	usleep(300000);
	return leader;
}

static void kill_figures(void)
{
	int64_t gaps_ns[KILL_COUNT];

	for (unsigned int round = 0; round < KILL_COUNT; round++) {
		uint32_t leader = settled_leader();

		gaps_ns[round] = fault_gap_ns(kill_leader, leader);
		cluster_start_raftd(&cluster, leader);
	}
	gap_figures("kill", gaps_ns);
}

static void pause_figures(void)
{
	int64_t gaps_ns[KILL_COUNT];

	for (unsigned int round = 0; round < KILL_COUNT; round++) {
		uint32_t leader = settled_leader();

		usleep(700000); /* the links of the last one are back */
		gaps_ns[round] = fault_gap_ns(pause_leader, leader);
		CHECK(kill(cluster.node[leader].raftd, SIGCONT) == 0);
	}
	gap_figures("pause", gaps_ns);
}

/* The term, which every election raises. */
static uint64_t term_now(void)
{
	struct cons_sample sample;
	uint64_t term = 0;

	for (uint32_t i = 0; i < cluster.count; i++)
		if (cluster_sample(&cluster, i, &sample) && sample.term > term)
			term = sample.term;
	return term;
}

/* Nothing fails, but the host makes everything late: the storm itself is the
 * caller's. */
static void storm_figures(unsigned int seconds)
{
	uint64_t before;
	int64_t writes = 0, slowest_ns = 0;
	int64_t until_ns = clock_raw_ns() + seconds * NS_PER_SEC;

	settled_leader();
	before = term_now();
	while (clock_raw_ns() < until_ns) {
		uint32_t leader = cluster_leader(&cluster, LEADER_MS);
		int64_t took_ns = driver_once(&driver_player, port_of(leader),
					      DRIVER_PUT, 1, NULL, LEADER_MS);

		writes += took_ns >= 0;
		if (took_ns > slowest_ns)
			slowest_ns = took_ns;
		usleep(20000);
	}
	figure("", "storm.elections", (double)(term_now() - before));
	figure("", "storm.writes", (double)writes);
	figure("", "storm.slowest_ms", (double)slowest_ns / NS_PER_MS);
}

static int run_bench(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);

	CHECK(leader != CLUSTER_NONE);
	idle_figures();
	load_figures("", &driver_player, port_of(leader));
	kill_figures();
	pause_figures();
	cluster_stop(&cluster);
	return 0;
}

static int run_one(const char *what, unsigned int seconds)
{
	CHECK(cluster_leader(&cluster, LEADER_MS) != CLUSTER_NONE);
	if (strcmp(what, "idle") == 0)
		idle_figures();
	else if (strcmp(what, "pause") == 0)
		pause_figures();
	else
		storm_figures(seconds);
	cluster_stop(&cluster);
	return 0;
}

static int start_cluster(char **argv, const char *extra)
{
	cluster_start(&cluster, argv[3], argv[2], 3, BASE_PORT, extra);
	return 0;
}

static int run_etcd_load(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	load_figures("etcd.", &driver_etcd, (uint16_t)atoi(argv[2]));
	return 0;
}

/* One gap, in microseconds: the caller kills and restarts etcd. */
static int run_etcd_gap(int argc, char **argv)
{
	uint16_t ports[CLUSTER_NODES_MAX];
	unsigned int count = 0;
	int64_t gap_ns;

	if (argc < 4)
		return 2;
	for (int i = 3; i < argc && count < CLUSTER_NODES_MAX; i++)
		ports[count++] = (uint16_t)atoi(argv[i]);
	CHECK(kill(atoi(argv[2]), SIGKILL) == 0);
	gap_ns = driver_first_write(&driver_etcd, ports, count, 30000);
	printf("%.1f\n", (double)gap_ns / NS_PER_US);
	return gap_ns < 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	log_init("raftload", NULL);
	keys_init();
	if (strcmp(what, "check") == 0 && argc == 4)
		return start_cluster(argv, "snapshot_after_entries = 2000\n"
					   "segment = \"8MiB\"") ||
		       run_check();
	if (strcmp(what, "bench") == 0 && argc == 4)
		return start_cluster(argv, "") || run_bench();
	if ((strcmp(what, "idle") == 0 || strcmp(what, "pause") == 0) &&
	    argc == 4)
		return start_cluster(argv, "") || run_one(what, 0);
	if (strcmp(what, "storm") == 0 && argc == 5)
		return start_cluster(argv, "") ||
		       run_one(what, (unsigned int)atoi(argv[4]));
	if (strcmp(what, "etcd-load") == 0)
		return run_etcd_load(argc, argv);
	if (strcmp(what, "etcd-gap") == 0)
		return run_etcd_gap(argc, argv);
	fprintf(stderr,
		"usage: raftload check|bench|idle|pause RAFTD DIR\n"
		"       raftload storm RAFTD DIR SECONDS\n"
		"       raftload etcd-load PORT\n"
		"       raftload etcd-gap PID PORT...\n");
	return 2;
}
