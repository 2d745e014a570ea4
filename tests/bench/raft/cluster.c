/* Real raftfs-raftd processes on loopback. */
#include "tests/bench/raft/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/keys.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/conn.h"
#include "proto/handout.h"
#include "proto/sockets.h"
#include "shm/clockpage.h"
#include "supervisor/deaths.h"
#include "tests/bench/raft/player.h"

static void sleep_ms(int ms)
{
	usleep((useconds_t)ms * 1000);
}

/* ---- the clock ---- */

static void publish_clock(const struct cluster *cluster)
{
	struct cons_sample best = { 0 };
	struct clock_sample sample = {
		.quality = CLOCK_SYNCED,
		.bound_ns = 1000,
		.growth_ppb = 1000,
	};

	for (uint32_t i = 0; i < cluster->count; i++) {
		struct cons_sample cons;

		if (cluster_sample(cluster, i, &cons) &&
		    cons.role == CONSPAGE_LEADER && cons.epoch_raw_ns != 0 &&
		    cons.term > best.term)
			best = cons;
	}
	if (best.term == 0)
		return;
	sample.epoch = best.epoch;
	sample.offset_ns = best.epoch_ts_ns - best.epoch_raw_ns;
	sample.asof_ns = clock_raw_ns();
	sample.void_after_ns = sample.asof_ns + 60 * NS_PER_SEC;
	for (uint32_t i = 0; i < cluster->count; i++)
		clockpage_write(cluster->node[i].clock, &sample);
}

static void *run_clock(void *ctx)
{
	for (;;) {
		publish_clock(ctx);
		sleep_ms(5);
	}
	return NULL;
}

/* ---- files ---- */

static void write_config(const struct cluster *cluster, uint32_t i,
			 const struct node_key *keys, uint16_t base_port,
			 const char *extra)
{
	const struct cluster_node *node = &cluster->node[i];
	FILE *out = fopen(node->config_path, "w");

	CHECK(out != NULL);
	fprintf(out,
		"self = \"%s\"\ndata_dir = \"%s/data\"\nrun_dir = \"%s/run\"\n"
		"key_file = \"%s/node.key\"\ncluster { id = \"bench\" }\n"
		"raft {\n%s\n}\n",
		node->name, node->dir, node->dir, node->dir, extra);
	for (uint32_t j = 0; j < cluster->count; j++) {
		char text[KEY_TEXT_BYTES];

		keys_public_text(keys[j].public_key, text);
		fprintf(out,
			"node \"%s\" {\n\tid = %u\n\taddress = \"127.0.0.1\"\n"
			"\traft_port = %u\n\tstorage_port = %u\n"
			"\ttime_port = %u\n\tkey = \"%s\"\n}\n",
			cluster->node[j].name, j + 1, base_port + j,
			base_port + 20 + j, base_port + 40 + j, text);
	}
	fclose(out);
}

static void make_files(struct cluster *cluster, const char *dir,
		       uint16_t base_port, const char *extra)
{
	struct node_key keys[CLUSTER_NODES_MAX];
	char path[512];

	snprintf(path, sizeof(path), "rm -rf '%s'", dir);
	CHECK(system(path) == 0);
	CHECK(mkdir(dir, 0700) == 0);
	for (uint32_t i = 0; i < cluster->count; i++) {
		struct cluster_node *node = &cluster->node[i];

		snprintf(node->name, sizeof(node->name), "n%u", i + 1);
		snprintf(node->dir, sizeof(node->dir), "%s/n%u", dir, i + 1);
		snprintf(node->config_path, sizeof(node->config_path),
			 "%s/n%u/raftfs.conf", dir, i + 1);
		node->client_port = (uint16_t)(base_port + 60 + i);
		CHECK(mkdir(node->dir, 0700) == 0);
		snprintf(path, sizeof(path), "%s/run", node->dir);
		CHECK(mkdir(path, 0700) == 0);
		snprintf(path, sizeof(path), "%s/node.key", node->dir);
		CHECK(keys_generate(&keys[i]) == RFS_ERR_OK);
		CHECK(keys_save(path, &keys[i]) == RFS_ERR_OK);
	}
	for (uint32_t i = 0; i < cluster->count; i++)
		write_config(cluster, i, keys, base_port, extra);
}

/* ---- processes ---- */

static void hand(int channel_fd, enum handout_kind kind, int fd)
{
	const struct handout handout = { .kind = kind, .generation = 1 };

	CHECK(handout_send(channel_fd, &handout, fd) == RFS_ERR_OK);
}

static void start_player(struct cluster *cluster, uint32_t i)
{
	struct cluster_node *node = &cluster->node[i];
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	node->player = fork();
	CHECK(node->player >= 0);
	if (node->player == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t j = 0; j < cluster->count; j++) {
			if (cluster->node[j].player_channel > 0)
				close(cluster->node[j].player_channel);
			if (cluster->node[j].raftd_channel > 0)
				close(cluster->node[j].raftd_channel);
		}
		close(ends[0]);
		player_run(node->name, node->dir, node->client_port, ends[1]);
	}
	close(ends[1]);
	node->player_channel = ends[0];
	hand(node->player_channel, HANDOUT_CLOCK_READER, node->clock_fd);
}

void cluster_link(struct cluster *cluster, uint32_t i)
{
	struct cluster_node *node = &cluster->node[i];
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			 ends) == 0);
	hand(node->raftd_channel, HANDOUT_LINK, ends[0]);
	hand(node->player_channel, HANDOUT_LINK, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

void cluster_start_raftd(struct cluster *cluster, uint32_t i)
{
	struct cluster_node *node = &cluster->node[i];
	int config_fd = open(node->config_path, O_RDONLY | O_CLOEXEC);
	int ends[2], cons_fd;
	void *cons;

	CHECK(node->raftd == 0);
	CHECK(config_fd >= 0);
	CHECK(page_create("cons", CONSPAGE_MAGIC, CONSPAGE_VERSION,
			  ++node->generation, &cons_fd, &cons) == RFS_ERR_OK);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	node->raftd = fork();
	CHECK(node->raftd >= 0);
	if (node->raftd == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ends[1] == HANDOUT_FD)
			fcntl(HANDOUT_FD, F_SETFD, 0);
		else
			dup2(ends[1], HANDOUT_FD);
		if (cluster->nice != 0 &&
		    setpriority(PRIO_PROCESS, 0, cluster->nice) != 0)
			log_errno("nice %d", cluster->nice);
		execl(cluster->raftd_path, "raftfs-raftd", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	node->raftd_channel = ends[0];
	hand(ends[0], HANDOUT_CONFIG, config_fd);
	hand(ends[0], HANDOUT_CLOCK_READER, node->clock_fd);
	hand(ends[0], HANDOUT_CONS_WRITER, cons_fd);
	hand(ends[0], HANDOUT_START, -1);
	hand(node->player_channel, HANDOUT_CONS_READER, cons_fd);
	cluster_link(cluster, i);
	close(config_fd);
	close(cons_fd);
	/* The old mapping stays: the clock's thread may be reading it. */
	node->cons = cons;
}

static void config_fault(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

/* The supervisor's last duty to a raftd it reaped: first nobody may read by its
 * lease, then the peers may know. */
static void tell_death(const struct cluster_node *node)
{
	const struct config_errors errors = { .line = config_fault };
	struct config config;
	struct node_key key;
	struct cons_sample last = { 0 };
	bool led = conspage_read(node->cons, &last) == RFS_ERR_OK &&
		   last.role == CONSPAGE_LEADER;

	conspage_revoke(node->cons);
	if (!led)
		return;
	CHECK(config_load(node->config_path, &errors, &config) ==
	      RFS_ERR_OK);
	CHECK(keys_load(config.key_file, &key) == RFS_ERR_OK);
	deaths_tell(&config, &key, last.incarnation, last.term);
}

static void forget_raftd(struct cluster_node *node)
{
	node->raftd = 0;
	tell_death(node);
	close(node->raftd_channel);
	node->raftd_channel = -1;
}

void cluster_edit_config(struct cluster *cluster, uint32_t i, const char *from,
			 const char *to)
{
	char command[600];

	snprintf(command, sizeof(command), "sed -i 's/%s/%s/' '%s'", from, to,
		 cluster->node[i].config_path);
	CHECK(system(command) == 0);
}

static int reap_raftd(struct cluster *cluster, uint32_t i, int signal)
{
	struct cluster_node *node = &cluster->node[i];
	int status;

	CHECK(node->raftd > 0);
	kill(node->raftd, signal);
	CHECK(waitpid(node->raftd, &status, 0) == node->raftd);
	forget_raftd(node);
	return status;
}

void cluster_kill_raftd(struct cluster *cluster, uint32_t i)
{
	reap_raftd(cluster, i, SIGKILL);
}

int cluster_term_raftd(struct cluster *cluster, uint32_t i)
{
	return reap_raftd(cluster, i, SIGTERM);
}

void cluster_kill_player(struct cluster *cluster, uint32_t i)
{
	struct cluster_node *node = &cluster->node[i];

	kill(node->player, SIGKILL);
	waitpid(node->player, NULL, 0);
	close(node->player_channel);
	node->player_channel = -1;
}

void cluster_start_player(struct cluster *cluster, uint32_t i)
{
	start_player(cluster, i);
	cluster_link(cluster, i);
}

void cluster_wipe_player(struct cluster *cluster, uint32_t i)
{
	cluster_kill_player(cluster, i);
	cluster_start_player(cluster, i);
}

void cluster_start(struct cluster *cluster, const char *dir,
		   const char *raftd_path, uint32_t count, uint16_t base_port,
		   const char *extra)
{
	pthread_t clock;

	*cluster = (struct cluster){ .raftd_path = raftd_path,
				     .count = count,
				     .nice = cluster->nice };
	make_files(cluster, dir, base_port, extra);
	for (uint32_t i = 0; i < count; i++) {
		struct cluster_node *node = &cluster->node[i];

		CHECK(page_create("clock", CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION,
				  1, &node->clock_fd,
				  &node->clock) == RFS_ERR_OK);
		start_player(cluster, i);
	}
	for (uint32_t i = 0; i < count; i++)
		cluster_start_raftd(cluster, i);
	CHECK(pthread_create(&clock, NULL, run_clock, cluster) == 0);
	pthread_detach(clock);
}

void cluster_stop(struct cluster *cluster)
{
	for (uint32_t i = 0; i < cluster->count; i++) {
		struct cluster_node *node = &cluster->node[i];

		if (node->raftd > 0)
			cluster_kill_raftd(cluster, i);
		kill(node->player, SIGKILL);
		waitpid(node->player, NULL, 0);
	}
}

/* ---- looking ---- */

/* Read exactly so much, within a second each time. */
static bool read_all(int fd, void *to, size_t bytes)
{
	uint8_t *at = to;

	while (bytes > 0) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&poll_fd, 1, 1000) <= 0)
			return false;
		n = read(fd, at, bytes);
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

DistributedFs__ControlReply *
cluster_control(const struct cluster *cluster, uint32_t i,
		DistributedFs__ControlKind kind, uint32_t node)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply = NULL;
	struct frame_head head = { .type = FRAME_CONTROL_REQUEST,
				   .version = FRAME_VERSION };
	uint8_t image[FRAME_HEAD_BYTES + 64];
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/run/" SOCKETS_RAFTD,
		 cluster->node[i].dir);
	fd = unix_connect(path);
	if (fd < 0)
		return NULL;
	request.kind = kind;
	request.node = node;
	head.body_bytes = (uint32_t)distributed_fs__control_request__pack(
		&request, image + FRAME_HEAD_BYTES);
	frame_head_encode(&head, image);
	if (write(fd, image, FRAME_HEAD_BYTES + head.body_bytes) > 0 &&
	    read_all(fd, image, FRAME_HEAD_BYTES) &&
	    frame_head_decode(image, &head) == RFS_ERR_OK) {
		uint8_t *body = malloc(head.body_bytes + 1);

		CHECK(body != NULL);
		if (read_all(fd, body, head.body_bytes))
			reply = distributed_fs__control_reply__unpack(
				NULL, head.body_bytes, body);
		free(body);
	}
	close(fd);
	return reply;
}

DistributedFs__ControlReply *cluster_status(const struct cluster *cluster,
					    uint32_t i)
{
	return cluster_control(cluster, i,
			       DISTRIBUTED_FS__CONTROL_KIND__CONTROL_STATUS, 0);
}

bool cluster_sample(const struct cluster *cluster, uint32_t i,
		    struct cons_sample *sample)
{
	const struct cluster_node *node = &cluster->node[i];

	return node->raftd > 0 && node->cons != NULL &&
	       conspage_read(node->cons, sample) == RFS_ERR_OK &&
	       sample->incarnation != 0;
}

static uint32_t leader_now(const struct cluster *cluster)
{
	uint32_t leader = CLUSTER_NONE, followers = 0, alive = 0;
	struct cons_sample sample;
	uint64_t term = 0;

	for (uint32_t i = 0; i < cluster->count; i++) {
		if (cluster_sample(cluster, i, &sample) &&
		    sample.role == CONSPAGE_LEADER && sample.term > term) {
			leader = i;
			term = sample.term;
		}
	}
	for (uint32_t i = 0; i < cluster->count; i++) {
		alive += cluster->node[i].raftd > 0;
		followers += cluster_sample(cluster, i, &sample) &&
			     sample.leader == leader + 1 && sample.term == term;
	}
	return leader != CLUSTER_NONE && followers == alive ? leader :
							      CLUSTER_NONE;
}

uint32_t cluster_leader(const struct cluster *cluster, int timeout_ms)
{
	uint32_t leader;

	while ((leader = leader_now(cluster)) == CLUSTER_NONE &&
	       timeout_ms-- > 0)
		sleep_ms(1);
	return leader;
}

bool cluster_leader_is(const struct cluster *cluster, uint32_t i,
		       int timeout_ms)
{
	while (leader_now(cluster) != i) {
		if (timeout_ms-- <= 0)
			return false;
		sleep_ms(1);
	}
	return true;
}

static bool caught_up_now(const struct cluster *cluster)
{
	uint32_t leader = leader_now(cluster);
	struct cons_sample first, sample;

	if (leader == CLUSTER_NONE || !cluster_sample(cluster, leader, &first) ||
	    first.commit_index != first.last_index)
		return false;
	for (uint32_t i = 0; i < cluster->count; i++) {
		if (cluster->node[i].raftd > 0 &&
		    (!cluster_sample(cluster, i, &sample) ||
		     sample.commit_index != first.commit_index))
			return false;
	}
	return true;
}

bool cluster_caught_up(const struct cluster *cluster, int timeout_ms)
{
	while (!caught_up_now(cluster)) {
		if (timeout_ms-- <= 0)
			return false;
		sleep_ms(1);
	}
	return true;
}
