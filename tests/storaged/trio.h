/* A cluster of whole storaged shells in one process and one loop, over a raftd
 * that is pretended: one log in memory, committed as soon as it is proposed to
 * the leader, unless a test says otherwise. Connections, disks, TLS and
 * clients are real.
 */
#ifndef RAFTFS_TESTS_STORAGED_TRIO_H
#define RAFTFS_TESTS_STORAGED_TRIO_H

#include <ev.h>

#include "proto/files.pb-c.h"
#include "proto/local.pb-c.h"
#include "storaged/core/command.h"
#include "storaged/loop.h"

#define TRIO_NODES_MAX	 5
#define TRIO_ENTRIES_MAX 4096

struct trio;

struct trio_node {
	struct trio *trio;
	struct storaged s;
	bool up;
	char dir[64];
	void *cons_page;
	void *clock_page;
	struct conn *link; /* the raftd end */
	bool attached;
	bool filling; /* as it last said */
	uint64_t next_index; /* to be sent to it */
	struct conn *client;
};

struct trio {
	struct ev_loop *loop;
	struct ev_timer limit;
	struct trio_node nodes[TRIO_NODES_MAX];
	uint32_t count;
	uint32_t leader; /* node id */
	const char *roles; /* told to who attaches; NULL: nothing is */
	uint64_t members_index;
	struct {
		uint8_t *data;
		size_t bytes;
	} log[TRIO_ENTRIES_MAX + 1];
	uint64_t last_index;
	/* Faults to order. */
	uint32_t lose_entries; /* so many proposals are accepted, and lost */
	bool refuse_reads;
	/* A command that the leader inherited and cannot settle; it is
	 * committed when raftd was asked for so many more read points, which
	 * are refused until then. */
	struct {
		uint8_t *data;
		size_t bytes;
	} limbo;
	uint32_t reads_before; /* for a test that waits for another one */
	uint32_t limbo_reads;
	bool limbo_on_read; /* then storaged is told, and never answered */
	int64_t lease_left_ns; /* of leases given; 0: an hour */
	uint32_t proposals; /* seen by the leader */
	uint32_t reads;	    /* asked of any raftd */
	/* The last answer a client got. */
	DistributedFs__FileReply *reply;
	uint64_t session;
	uint64_t seq;
	uint64_t next_id;
};

/* count nodes, all up, node 1 leading, a session open. */
struct trio *trio_new(uint32_t count);
void trio_free(struct trio *trio);

void trio_stop(struct trio *trio, uint32_t node);
void trio_start(struct trio *trio, uint32_t node);
/* With or without a lease for the leader. */
void trio_lead(struct trio *trio, uint32_t node, bool lease);

/* Another membership, told to all; a letter for each node: v voter, l learner,
 * - none of them; while two sets rule b votes in the old one only, B in both.
 * roles is kept. */
void trio_set_members(struct trio *trio, const char *roles);

/* Node 1 leads by an inherited lease, with this command in limbo (limbo_reads
 * is to be set by the test); its storaged is told so only by trio_tell_limbo(),
 * as of that term, and that this was all only if whole. */
void trio_inherit(struct trio *trio, const struct command *command);
void trio_tell_limbo(struct trio *trio, uint64_t term, bool whole);

/* Run the loop until done() says so; fails the test after 20 seconds. */
void trio_until(struct trio *trio, bool (*done)(struct trio *trio));
/* Each that is up to each other member, and to nobody else. */
bool trio_all_connected(struct trio *trio);
bool trio_all_applied(struct trio *trio);

/* Send a request to a node as its client, wait for the answer (trio->reply,
 * valid until the next) and return its err. Changes get session and the next
 * seq unless they have one. */
enum rfs_err trio_ask(struct trio *trio, uint32_t node,
		      DistributedFs__FileRequest *request);
enum rfs_err trio_put(struct trio *trio, uint32_t node, const char *name,
		      const void *data, size_t bytes);
/* The inode of a name in the root; 0 when there is none. */
uint64_t trio_find(struct trio *trio, uint32_t node, const char *name);
enum rfs_err trio_read(struct trio *trio, uint32_t node, uint64_t ino,
		       uint64_t offset, uint64_t length);

#endif
