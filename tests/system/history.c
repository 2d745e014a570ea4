/* Clients of registers, and the verdict on what they saw.
 *
 *	history run FILE SECONDS CLIENTS SOCKET...
 *		Clients, spread over the nodes' files sockets, write and read a
 *		few small files until the time is up, then look at each file
 *		through each node, and note everything in FILE. A node whose
 *		SOCKET has a - before it may be gone by then: not through it.
 *	history check FILE
 *		Is it linearizable, and is nothing acknowledged lost? Exit 1
 *		with the faults otherwise.
 *
 * A register is a file. A put replaces it in one step by a state that nobody
 * writes twice, which is in its data and, so that one look tells both state
 * and place in the log, in its modification time. Every third client may use
 * any node and goes where the leader is, the others keep to one. Half of them
 * give up early, so that some outcomes stay unknown.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/raftfs.h"
#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/prng.h"
#include "common/units.h"
#include "tests/system/record/record.h"

#define KEYS	     5u
#define CLIENTS_MAX  64u
#define NODES_MAX    9u
#define VALUE_BYTES  200u
#define PATIENT_NS   (30 * NS_PER_SEC)
#define IMPATIENT_NS (NS_PER_SEC)

struct client {
	pthread_t thread;
	uint32_t id;
	const char *where;
	bool may_go; /* the node, before the end */
	int64_t until_ns;
	struct raftfs *fs;
	struct prng prng;
	uint64_t ino[KEYS];
	uint64_t writes;
	struct record *records;
	size_t count;
	size_t capacity;
	_Atomic int *torn; /* of all clients: contents that are no state */
};

static void name_of(uint32_t key, char name[16])
{
	snprintf(name, 16, "register%" PRIu32, key);
}

static uint64_t next_state(struct client *client)
{
	return (uint64_t)(client->id + 1) << 32 | ++client->writes;
}

/* A value is its state over and over: one glance finds a mixture. */
static void fill(uint64_t state, uint64_t value[VALUE_BYTES / 8])
{
	for (size_t i = 0; i < VALUE_BYTES / 8; i++)
		value[i] = state;
}

static void note(struct client *client, const struct record *record)
{
	if (client->count == client->capacity) {
		client->capacity = client->capacity * 2 + 1024;
		client->records =
			reallocarray(client->records, client->capacity,
				     sizeof(*client->records));
		CHECK(client->records);
	}
	client->records[client->count++] = *record;
}

static enum record_outcome outcome_of(enum rfs_err err)
{
	if (err == RFS_ERR_OK)
		return RECORD_DONE;
	return err == RFS_ERR_UNKNOWN ? RECORD_UNKNOWN : RECORD_NOT;
}

static struct record begin(struct client *client, enum record_kind kind,
			   uint32_t key)
{
	return (struct record){.kind = kind,
			       .client = client->id,
			       .key = key,
			       .begin_ns = clock_raw_ns()};
}

static void end(struct client *client, struct record *record, enum rfs_err err)
{
	record->end_ns = clock_raw_ns();
	record->outcome = outcome_of(err);
	note(client, record);
}

static enum rfs_err put(struct client *client, uint32_t key)
{
	uint64_t state = next_state(client), value[VALUE_BYTES / 8];
	const struct raftfs_new as = {
		.mode = 0644, .dated = true, .mtime_ns = (int64_t)state};
	struct raftfs_attr attr = {0};
	struct record record;
	char name[16];
	enum rfs_err err;

	name_of(key, name);
	fill(state, value);
	record = begin(client, RECORD_PUT, key);
	err = raftfs_put(client->fs, RAFTFS_ROOT_INO, name, value,
			 sizeof(value), &as, &attr);
	record.state = state;
	record.version = attr.version;
	end(client, &record, err);
	return err;
}

static enum rfs_err look(struct client *client, uint32_t key)
{
	struct raftfs_attr attr = {0};
	struct record record;
	char name[16];
	enum rfs_err err;

	name_of(key, name);
	record = begin(client, RECORD_LOOK, key);
	err = raftfs_lookup(client->fs, RAFTFS_ROOT_INO, name, &attr);
	record.state = (uint64_t)attr.mtime_ns;
	record.version = attr.version;
	end(client, &record, err);
	if (err == RFS_ERR_OK)
		client->ino[key] = attr.ino;
	return err;
}

static enum rfs_err read_back(struct client *client, uint32_t key)
{
	uint64_t value[VALUE_BYTES / 8] = {0}, whole[VALUE_BYTES / 8];
	struct record record = begin(client, RECORD_READ, key);
	size_t got = 0;
	enum rfs_err err = raftfs_read(client->fs, client->ino[key], 0, value,
				       sizeof(value), &got);

	record.state = value[0];
	end(client, &record, err);
	fill(value[0], whole);
	if (err == RFS_ERR_OK &&
	    (got != sizeof(value) || memcmp(value, whole, got) != 0)) {
		fprintf(stderr, "history: %zu bytes that nobody wrote\n", got);
		atomic_fetch_add(client->torn, 1);
	}
	return err;
}

static void *live(void *ctx)
{
	struct client *client = ctx;

	while (clock_raw_ns() < client->until_ns) {
		uint32_t key = (uint32_t)prng_below(&client->prng, KEYS);
		uint64_t what = prng_below(&client->prng, 4);
		enum rfs_err err;

		if (what == 0)
			err = put(client, key);
		else if (what < 3 || client->ino[key] == 0)
			err = look(client, key);
		else
			err = read_back(client, key);
		/* A node that is away refuses at once. */
		if (err != RFS_ERR_OK)
			usleep(10000);
	}
	return NULL;
}

static bool set_up(struct client *client)
{
	enum rfs_err err = raftfs_open(client->where, &client->fs);

	if (err != RFS_ERR_OK) {
		fprintf(stderr, "history: %s: %s %s\n", client->where,
			rfs_err_text(err), raftfs_reason());
		return false;
	}
	prng_seed(&client->prng, client->id + 1);
	return true;
}

static bool make_registers(struct client *first)
{
	raftfs_set_timeout(first->fs, PATIENT_NS);
	for (uint32_t key = 0; key < KEYS; key++) {
		if (put(first, key) != RFS_ERR_OK) {
			fprintf(stderr, "history: cannot begin: %s\n",
				raftfs_reason());
			return false;
		}
	}
	return true;
}

/* After all is over every node must show at least what was acknowledged. */
static bool look_everywhere(struct client *clients, uint32_t nodes)
{
	bool all = true;

	for (uint32_t n = 0; n < nodes; n++) {
		if (clients[n].may_go)
			continue;
		raftfs_set_timeout(clients[n].fs, PATIENT_NS);
		for (uint32_t key = 0; key < KEYS; key++) {
			bool seen = look(&clients[n], key) == RFS_ERR_OK &&
				    read_back(&clients[n], key) == RFS_ERR_OK;

			if (!seen)
				fprintf(stderr, "history: %s at the end: %s\n",
					clients[n].where, raftfs_reason());
			all = all && seen;
		}
	}
	return all;
}

static bool save(const char *path, const struct client *clients, uint32_t count)
{
	FILE *to = fopen(path, "w");

	if (!to) {
		perror(path);
		return false;
	}
	for (uint32_t i = 0; i < count; i++)
		for (size_t k = 0; k < clients[i].count; k++)
			record_write(to, &clients[i].records[k]);
	return fclose(to) == 0;
}

static const char *bare(const char *socket)
{
	return *socket == '-' ? socket + 1 : socket;
}

/* The first `nodes` clients keep to one node each, in order. */
static void spread(struct client *clients, uint32_t count, char **sockets,
		   uint32_t nodes, const char *any)
{
	for (uint32_t i = 0; i < count; i++) {
		bool roams = i >= nodes && i % 3 == 2;

		clients[i].id = i;
		clients[i].may_go = !roams && *sockets[i % nodes] == '-';
		clients[i].where = roams ? any : bare(sockets[i % nodes]);
	}
}

static int run(const char *path, double seconds, uint32_t count, char **sockets,
	       uint32_t nodes)
{
	static struct client clients[CLIENTS_MAX];
	static char any[NODES_MAX * 128];
	_Atomic int torn = 0;
	int64_t until_ns;
	bool well = true;

	for (uint32_t n = 0; n < nodes; n++)
		snprintf(any + strlen(any), sizeof(any) - strlen(any), "%s%s",
			 n ? "," : "", bare(sockets[n]));
	spread(clients, count, sockets, nodes, any);
	for (uint32_t i = 0; i < count; i++) {
		clients[i].torn = &torn;
		if (!set_up(&clients[i]))
			return 1;
	}
	if (!make_registers(&clients[0]))
		return 1;
	until_ns = clock_raw_ns() + (int64_t)(seconds * (double)NS_PER_SEC);
	for (uint32_t i = 0; i < count; i++) {
		clients[i].until_ns = until_ns;
		raftfs_set_timeout(clients[i].fs,
				   i % 2 ? IMPATIENT_NS : PATIENT_NS);
		CHECK(pthread_create(&clients[i].thread, NULL, live,
				     &clients[i]) == 0);
	}
	for (uint32_t i = 0; i < count; i++)
		CHECK(pthread_join(clients[i].thread, NULL) == 0);
	well = look_everywhere(clients, nodes) && torn == 0;
	well = save(path, clients, count) && well;
	for (uint32_t i = 0; i < count; i++) {
		raftfs_close(clients[i].fs);
		free(clients[i].records);
	}
	return !well;
}

static int check(const char *path)
{
	struct record *records;
	size_t count;
	unsigned int faults;

	if (record_load(path, &records, &count) != RFS_ERR_OK)
		return 1;
	faults = judge_history(records, count);
	free(records);
	return faults != 0 || count == 0;
}

int main(int argc, char **argv)
{
	bool running = argc >= 6 && strcmp(argv[1], "run") == 0;
	long count = running ? atol(argv[4]) : 0;
	int nodes = argc - 5;

	log_init("history", NULL);
	if (running && nodes <= (int)NODES_MAX && count >= nodes &&
	    count <= (long)CLIENTS_MAX)
		return run(argv[2], atof(argv[3]), (uint32_t)count, argv + 5,
			   (uint32_t)nodes);
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	fprintf(stderr, "usage: history run FILE SECONDS CLIENTS SOCKET...\n"
			"       history check FILE\n");
	return 2;
}
