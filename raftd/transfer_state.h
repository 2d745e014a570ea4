/* The transfer's own state, for transfer.c, transfer_send.c, transfer_receive.c.
 */
#ifndef RAFTFS_RAFTD_TRANSFER_STATE_H
#define RAFTFS_RAFTD_TRANSFER_STATE_H

#include <ev.h>
#include <sys/types.h>

#include "proto/buffer.h"
#include "raftd/transfer.h"

#define TRANSFER_PATH_BYTES 400

/* The stream to one peer. A read under way outlives it: fd and chunk are the
 * thread's until then, and the next stream waits for them. */
struct outgoing {
	struct chore read; /* first: a read is its stream's */
	struct transfer *transfer;
	uint32_t node;
	bool active;
	bool for_raft; /* else it was asked for */
	struct snapfile_meta meta;
	int fd; /* a copy of ours */
	uint8_t *chunk;
	bool reading;
	uint64_t read_offset;
	ssize_t read_bytes;
	uint64_t sent;
	uint64_t acked;
	bool asked_where; /* the first ack tells where to begin */
	int64_t progress_raw_ns;
	int64_t again_raw_ns; /* after a failure: not before */
};

enum incoming_state {
	INCOMING_NONE,
	INCOMING_RECEIVING,
	INCOMING_CHECKING,
	INCOMING_WAITING,
	INCOMING_RESTORING,
	INCOMING_NOTING,
};

struct incoming {
	enum incoming_state state;
	uint32_t from;
	struct snapfile_meta meta;
	int fd;
	uint64_t have; /* in the file */
	uint64_t next; /* has come */
	struct buffer gathered; /* of that: not being written yet */
	bool writing;
	uint64_t stream; /* rises: a write of an older one says nothing */
	int64_t progress_raw_ns;
};

struct check_chore {
	struct chore chore;
	struct transfer *transfer;
	enum rfs_err err;
};

struct transfer {
	struct ev_loop *ev;
	const struct roster *roster;
	char meta_path[TRANSFER_PATH_BYTES + 32];
	char incoming_path[TRANSFER_PATH_BYTES + 32];
	struct chores *chores;
	struct peers *peers;
	struct clients *clients;
	const struct transfer_events *events;
	void *ctx;
	ev_timer tick;
	uint64_t commit_index;
	uint64_t behind_index; /* storaged needs this entry; 0: it does not */
	uint64_t log_first_index; /* meanwhile: what it could go on with */
	uint32_t ask_next;

	/* Our newest checkpoint; fd -1: none at hand. */
	struct snapfile_meta newest;
	int newest_fd;
	bool newest_bad; /* so another one is needed */

	struct outgoing out[ROSTER_NODES_MAX];
	struct incoming in;
	struct check_chore check;
};

/* transfer.c: a snapshot's description on the wire; it borrows from meta, and
 * from window, which is room for that image. */
void transfer_meta_to_wire(const struct snapfile_meta *meta,
			   uint8_t window[RAFT_WINDOW_BYTES_MAX],
			   DistributedFs__SnapshotMeta *wire);
/* False: it lacks what every snapshot has. storaged's own says nothing of
 * members and leases. */
bool transfer_meta_from_wire(const DistributedFs__SnapshotMeta *wire,
			     struct snapfile_meta *meta);
const char *transfer_node_name(const struct transfer *transfer, uint32_t node);

/* transfer.c: meta is noted durably, then what it says is told: `taken` with
 * fd (owned from here), or `installed` with -1. */
void transfer_note(struct transfer *transfer, const struct snapfile_meta *meta,
		   int fd);
/* transfer.c: this one is our newest from now on; fd is owned from here. */
void transfer_take_newest(struct transfer *transfer,
			  const struct snapfile_meta *meta, int fd);

/* transfer_send.c: give up streams without progress; all of them, at the end. */
void transfer_send_tick(struct transfer *transfer, int64_t now_raw_ns);
void transfer_send_fini(struct transfer *transfer);

/* transfer_receive.c */
void transfer_receive_forget(struct transfer *transfer);
void transfer_receive_tick(struct transfer *transfer);
/* The note about what storaged restored: written, or not. */
void transfer_receive_noted(struct transfer *transfer, enum rfs_err err);

#endif
