/* Load and checks for raftd alone: real raftfs-raftd processes on loopback,
 * their neighbours played (tests/bench/raft).
 *
 *	raftload check RAFTD DIR	does it keep what it acknowledged?
 *	raftload bench RAFTD DIR	figures of our own
 *	raftload idle|load|kill|pause RAFTD DIR		one part of them
 *	raftload allocations RAFTD DIR COUNTS	under shim/allocations.c
 *	raftload put RAFTD DIR N	one client, in turns with its floors
 *	raftload limbo RAFTD DIR	of heirs to a long lease
 *	raftload storm RAFTD DIR S	elections in S seconds of a busy host
 *	raftload etcd-storm PREFIX PORT S	writes through it meanwhile
 *	raftload etcd-load PREFIX PORT PID...	figures of a running etcd
 *	raftload etcd-gap kill|pause PID PORT...	us to the first write
 */
#include <fcntl.h>
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
#include "tests/bench/raft/allocations.h"
#include "tests/bench/raft/cluster.h"
#include "tests/bench/raft/driver.h"
#include "tests/bench/raft/faults.h"
#include "tests/bench/raft/floors.h"
#include "tests/bench/raft/lone.h"
#include "tests/bench/raft/loads.h"
#include "tests/bench/raft/player.h"
#include "tests/bench/raft/storm.h"

#define BASE_PORT     7600
#define LEADER_MS     10000
#define TRIES	      10
#define KILLS	      100
#define PAUSES	      20
#define STORM_NICE    (-10) /* as its supervisor does */

static struct cluster cluster;
static int passes, failures;

static void expect(bool fact, const char *what)
{
	printf("%s: %s\n", fact ? "ok" : "not ok", what);
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

/* True within the time that a busy host may take to elect somebody and to
 * write: asked again, for a leader may have gone since it was looked up. */
static bool put(uint64_t number)
{
	uint8_t value[PLAYER_VALUE_BYTES];

	value_of(number, value);
	for (int tries = 0; tries < TRIES; tries++) {
		uint32_t leader = cluster_leader(&cluster, LEADER_MS);

		if (leader != CLUSTER_NONE &&
		    driver_once(&driver_player, port_of(leader), DRIVER_PUT,
				number, value, 2000) >= 0)
			return true;
	}
	return false;
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

static bool syncs_nothing(int ms)
{
	uint64_t before[CLUSTER_NODES_MAX] = { 0 };
	bool quiet = true;

	for (uint32_t i = 0; i < cluster.count; i++)
		before[i] = sync_count(i);
	usleep((useconds_t)ms * 1000);
	for (uint32_t i = 0; i < cluster.count; i++)
		quiet = quiet && before[i] > 0 && sync_count(i) == before[i];
	return quiet;
}

/* On a host too busy for a heartbeat in time somebody is elected now and then,
 * which is no idleness. */
static void check_idle(void)
{
	bool quiet = false;

	expect(cluster_caught_up(&cluster, LEADER_MS), "all is quiet");
	for (int tries = 0; tries < 10 && !quiet; tries++) {
		usleep(500000);
		quiet = syncs_nothing(1500);
	}
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

/* Asks until it is so, or LEADER_MS have passed. */
static bool comes_true(bool (*fact)(uint32_t i, uint32_t j), uint32_t i,
		       uint32_t j)
{
	for (int ms = 0; ms < LEADER_MS; ms += 20) {
		if (fact(i, j))
			return true;
		usleep(20000);
	}
	return false;
}

/* It lost something, and all that it lost came back. */
static bool is_repaired(uint32_t i, uint32_t unused)
{
	(void)unused;
	DistributedFs__ControlReply *reply = cluster_status(&cluster, i);
	bool repaired = reply != NULL && reply->raft != NULL &&
			reply->raft->repairs > 0 && reply->raft->lost_to == 0;

	distributed_fs__control_reply__free_unpacked(reply, NULL);
	return repaired;
}

static void check_damage(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	uint32_t victim = (leader + 1) % cluster.count;
	char path[300];

	snprintf(path, sizeof(path), "%s/data/raftd/wal/%016x.wal",
		 cluster.node[victim].dir, 1);
	cluster_kill_raftd(&cluster, victim);
	flip(path, 12288 + 1000);
	cluster_start_raftd(&cluster, victim);
	expect(put(8888), "with a node whose log is damaged writes go on");
	expect(cluster_caught_up(&cluster, LEADER_MS) &&
		       comes_true(is_repaired, victim, victim),
	       "it has what it lost back from the others");
	expect(same_everywhere(), "and all hold the same");
}

static bool transfers(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	uint32_t next = (leader + 2) % cluster.count;
	DistributedFs__ControlReply *reply = cluster_control(
		&cluster, leader,
		DISTRIBUTED_FS__CONTROL_KIND__CONTROL_TRANSFER, next + 1);
	bool done = reply != NULL && reply->err == RFS_ERR_OK &&
		    cluster_leader_is(&cluster, next, 1000);

	distributed_fs__control_reply__free_unpacked(reply, NULL);
	return done;
}

/* On a busy host the leader may be another one when it is asked. */
static void check_transfer(void)
{
	bool done = false;

	for (int tries = 0; tries < TRIES && !done; tries++)
		done = transfers();
	expect(done, "leadership goes where the operator wants it");
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
	cluster_edit_config(&cluster, odd, "^raft {",
			    "time_sync { max_rate_ppm = 50 }\\nraft {");
	cluster_start_raftd(&cluster, odd);
	expect(comes_true(refuses, leader, odd) &&
		       comes_true(refuses, odd, leader),
	       "a node with another configuration is refused, both say why");
	cluster_kill_raftd(&cluster, odd);
	cluster_edit_config(&cluster, odd, "^time_sync.*", "");
	cluster_start_raftd(&cluster, odd);
	expect(cluster_caught_up(&cluster, LEADER_MS),
	       "with the right one it is let in");
}

/* Until so many are done, more than the log keeps; none may fail. */
static bool writes_on(uint32_t leader, uint64_t count)
{
	struct driver_result result;
	uint64_t done = 0;

	for (int tries = 0; tries < TRIES && done < count; tries++) {
		driver_run(&driver_player, port_of(leader), 32, DRIVER_PUT, 3.0,
			   &result);
		if (result.failed > 0)
			return false;
		done += result.done;
	}
	return done >= count;
}

static void check_snapshot(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	uint32_t away = (leader + 1) % cluster.count;

	cluster_kill_raftd(&cluster, away);
	expect(writes_on(leader, 4000), "two of three nodes carry a load");
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

/* A storaged that hangs is not one that is gone: so its process is killed. The
 * first story, for each hand-over of a leader's own makes its next one rarer. */
static void check_unserved(void)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	bool gone = false;

	cluster_kill_player(&cluster, leader);
	for (int ms = 0; ms < 20000 && !gone; ms += 10) {
		uint32_t now = cluster_leader(&cluster, 1);

		gone = now != CLUSTER_NONE && now != leader;
		usleep(10000);
	}
	expect(gone, "a leader without storaged hands over");
	expect(put(7777), "and writes go on");
	cluster_start_player(&cluster, leader);
	expect(same_everywhere(), "its storaged catches up when it is back");
}

/* One leader ends as it was told to; is the next one of the very next term? */
static bool hands_over(void)
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
	bool smooth = next != CLUSTER_NONE &&
		      cluster_sample(&cluster, next, &after) &&
		      after.term == before.term + 1;

	cluster_start_raftd(&cluster, leader);
	expect(cluster_caught_up(&cluster, LEADER_MS), "and comes back");
	return smooth;
}

/* On a host too busy for a heartbeat in time an election may come between. */
static void check_term(void)
{
	bool smooth = false;

	for (int tries = 0; tries < TRIES && !smooth; tries++)
		smooth = hands_over();
	expect(smooth, "after handing over: one term later, no vote was split");
}

static int run_check(void)
{
	expect(cluster_leader(&cluster, LEADER_MS) != CLUSTER_NONE,
	       "three fresh nodes elect a leader");
	expect(put(1), "it takes a write");
	check_unserved();
	check_kills();
	check_restart();
	check_idle();
	check_damage();
	check_transfer();
	check_refusal();
	check_term();
	check_snapshot();
	cluster_stop(&cluster);
	printf("%d passed, %d failed\n", passes, failures);
	return failures == 0 ? 0 : 1;
}

/* ---- figures ---- */

static void measure_floors(struct floors *floors, const char *dir)
{
	struct floors now;

	floors_measure(dir, BASE_PORT + 99, 1.0, &now);
	floors_lower(floors, &now);
}

static int run_bench(const char *dir)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);
	struct floors floors = { 0 };

	CHECK(leader != CLUSTER_NONE);
	measure_floors(&floors, dir);
	faults_run_idle(&cluster);
	measure_floors(&floors, dir);
	loads_run_ours(&cluster, leader);
	measure_floors(&floors, dir);
	floors_tell(&floors);
	faults_run_kills(&cluster, KILLS);
	faults_run_pauses(&cluster, PAUSES);
	faults_run_limbo(&cluster, "successor", PAUSES);
	cluster_stop(&cluster);
	return 0;
}

static int run_allocations(const char *dir)
{
	expect(allocations_stay(&cluster, dir),
	       "writes and reads allocate nothing");
	cluster_stop(&cluster);
	printf("%d passed, %d failed\n", passes, failures);
	return failures == 0 ? 0 : 1;
}

static int run_lone(const char *dir, unsigned int rounds)
{
	uint32_t leader;

	lone_run(&cluster, dir, BASE_PORT + 99, rounds);
	leader = cluster_leader(&cluster, LEADER_MS);
	CHECK(leader != CLUSTER_NONE);
	/* For who looks at their calls: tests/bench/put.awk. */
	printf("pids %d %d %d %d,%d\n", getpid(), cluster.node[leader].player,
	       cluster.node[leader].raftd,
	       cluster.node[(leader + 1) % cluster.count].raftd,
	       cluster.node[(leader + 2) % cluster.count].raftd);
	cluster_stop(&cluster);
	return 0;
}

static int run_part(const char *what, unsigned int seconds)
{
	uint32_t leader = cluster_leader(&cluster, LEADER_MS);

	CHECK(leader != CLUSTER_NONE);
	if (strcmp(what, "idle") == 0)
		faults_run_idle(&cluster);
	else if (strcmp(what, "load") == 0)
		loads_run_ours(&cluster, leader);
	else if (strcmp(what, "kill") == 0)
		faults_run_kills(&cluster, KILLS);
	else if (strcmp(what, "pause") == 0)
		faults_run_pauses(&cluster, PAUSES);
	else if (strcmp(what, "limbo") == 0)
		faults_run_limbo(&cluster, "limbo", PAUSES);
	else
		storm_run(&cluster, seconds);
	cluster_stop(&cluster);
	return 0;
}

/* The lease of `limbo` is long, so that its heirs have to wait with writes. */
static void start_part(char **argv)
{
	if (strcmp(argv[1], "storm") == 0 && geteuid() == 0)
		cluster.nice = STORM_NICE;
	cluster_start(&cluster, argv[3], argv[2], 3, BASE_PORT,
		      strcmp(argv[1], "limbo") == 0 ? "lease = \"1s\"" : "");
}

static unsigned int take_pids(int argc, char **argv, pid_t *pids)
{
	unsigned int count = 0;

	while (count < (unsigned int)argc && count < CLUSTER_NODES_MAX) {
		pids[count] = (pid_t)atoi(argv[count]);
		count++;
	}
	return count;
}

static int run_etcd_load(int argc, char **argv)
{
	pid_t pids[CLUSTER_NODES_MAX];
	unsigned int count = take_pids(argc - 4, argv + 4, pids);

	loads_run_idle(argv[2], pids, count);
	loads_run(argv[2], &driver_etcd, (uint16_t)atoi(argv[3]), pids, count);
	return 0;
}

/* One gap, in microseconds: the caller restarts or continues etcd. */
static int run_etcd_gap(int argc, char **argv)
{
	int signal_number = strcmp(argv[2], "kill") == 0 ? SIGKILL : SIGSTOP;
	uint16_t ports[CLUSTER_NODES_MAX];
	unsigned int count = 0;
	int64_t gap_ns;

	for (int i = 4; i < argc && count < CLUSTER_NODES_MAX; i++)
		ports[count++] = (uint16_t)atoi(argv[i]);
	CHECK(kill(atoi(argv[3]), signal_number) == 0);
	gap_ns = driver_first_write(&driver_etcd, ports, count, 30000);
	printf("%.1f\n", (double)gap_ns / NS_PER_US);
	return gap_ns < 0;
}

static bool is_part(const char *what)
{
	static const char *const parts[] = { "idle", "load", "kill", "pause",
					     "limbo" };

	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(what, parts[i]) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	log_init("raftload", NULL);
	keys_init();
	if (strcmp(what, "check") == 0 && argc == 4) {
		cluster_start(&cluster, argv[3], argv[2], 3, BASE_PORT,
			      "snapshot_after_entries = 2000\n"
			      "segment = \"8MiB\"");
		return run_check();
	}
	if (strcmp(what, "bench") == 0 && argc == 4) {
		start_part(argv);
		return run_bench(argv[3]);
	}
	if (strcmp(what, "allocations") == 0 && argc == 5) {
		start_part(argv);
		return run_allocations(argv[4]);
	}
	if (strcmp(what, "put") == 0 && argc == 5) {
		start_part(argv);
		return run_lone(argv[3], (unsigned int)atoi(argv[4]));
	}
	if ((is_part(what) && argc == 4) ||
	    (strcmp(what, "storm") == 0 && argc == 5)) {
		start_part(argv);
		return run_part(what, argc > 4 ? (unsigned int)atoi(argv[4])
					       : 0);
	}
	if (strcmp(what, "etcd-load") == 0 && argc > 4)
		return run_etcd_load(argc, argv);
	if (strcmp(what, "etcd-storm") == 0 && argc == 5) {
		storm_write(argv[2], &driver_etcd, (uint16_t)atoi(argv[3]),
			    (unsigned int)atoi(argv[4]));
		return 0;
	}
	if (strcmp(what, "etcd-gap") == 0 && argc > 4)
		return run_etcd_gap(argc, argv);
	fprintf(stderr,
		"usage: raftload check|bench|idle|load|kill|pause|limbo "
		"RAFTD DIR\n"
		"       raftload allocations RAFTD DIR COUNTS\n"
		"       raftload put RAFTD DIR ROUNDS\n"
		"       raftload storm RAFTD DIR SECONDS\n"
		"       raftload etcd-storm PREFIX PORT SECONDS\n"
		"       raftload etcd-load PREFIX PORT PID...\n"
		"       raftload etcd-gap kill|pause PID PORT...\n");
	return 2;
}
