/* raftfs.conf: the single schema, read by libconfuse, checked in full.
 *
 * One file describes the cluster and this node (`self`); it is the same on all
 * nodes but for `self`, the directories and the key file. Every error names
 * file, line, option and reason; nothing is applied unless all of it is right.
 *
 * Its node sections are the members a cluster starts with, and whom a node that
 * joins one may ask. Once the members were changed, members.conf in data_dir,
 * which raftd writes, stands for them: config_overlay().
 *
 * libconfuse 3.3 accepts some files that are wrong (an unterminated section at
 * end of file, a scalar or untitled section repeated): a pre-check of braces
 * and quotes and a duplicates-and-required pass close these holes.
 */
#ifndef RAFTFS_COMMON_OS_CONFIG_H
#define RAFTFS_COMMON_OS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/log.h"

#define CONFIG_NODES_MAX 9
#define CONFIG_NAME_MAX  32
#define CONFIG_PATH_MAX  256
#define CONFIG_KEY_BYTES 32
#define CONFIG_SERVERS_MAX 4

/* node "n1" { id = 1  address = "127.0.0.1"  raft_port = 7101 ... key = "..." } */
struct config_node {
	char name[CONFIG_NAME_MAX];
	uint32_t id; /* 1.. unique */
	char address[64]; /* numeric IPv4 or IPv6 */
	uint16_t raft_port;    /* TCP, and UDP for death notices */
	uint16_t storage_port; /* TCP */
	uint16_t time_port;    /* UDP */
	uint8_t key[CONFIG_KEY_BYTES]; /* Ed25519 public key */
};

/* What cluster time follows. */
enum config_reference {
	CONFIG_REFERENCE_CLUSTER, /* nothing outside: one node's raw clock */
	CONFIG_REFERENCE_SYSTEM,  /* this host's clock, kept by others */
	CONFIG_REFERENCE_NTP,	  /* `servers` */
};

/* servers = "192.0.2.1 192.0.2.2:1123 [2001:db8::1]:123" */
struct config_servers {
	uint32_t count;
	struct {
		char address[64]; /* numeric, canonical */
		uint16_t port;	  /* 123 where none is given */
	} list[CONFIG_SERVERS_MAX];
};

struct config {
	char path[CONFIG_PATH_MAX]; /* as given, for messages */

	/* this node */
	char self[CONFIG_NAME_MAX];
	uint32_t self_index; /* into nodes[] */
	bool join; /* a cluster that exists takes this node in; until then it
		    * is nobody's member, and nodes[] whom it may ask */
	char data_dir[CONFIG_PATH_MAX]; /* /var/lib/raftfs */
	char run_dir[CONFIG_PATH_MAX];	/* /run/raftfs: sockets, pid file */
	char key_file[CONFIG_PATH_MAX]; /* this node's secret key */

	/* cluster { id = "..." } and node sections, ascending by id */
	char cluster_id[CONFIG_NAME_MAX];
	struct config_node nodes[CONFIG_NODES_MAX];
	uint32_t node_count;

	struct {
		int64_t sync_interval_ns;
		uint32_t min_peers;
		uint32_t max_peers;
		int64_t timeout_ns;
		double drift_threshold;
		double adjustment_rate;
		uint32_t history_size;
		uint32_t burst; /* exchanges in one round */
		double max_rate_ppm;
		double max_slew_ppm;
		int64_t max_correction_ns; /* of all slews in an hour */
		int64_t target_bound_ns;
		int64_t void_after_ns;
		int64_t max_rtt_ns;
		enum config_reference reference;
		struct config_servers servers;
		uint16_t serve_ntp; /* UDP port; 0: off */
		bool discipline_system_clock;
	} time_sync;

	struct {
		int64_t election_timeout_min_ns;
		int64_t election_timeout_max_ns;
		int64_t heartbeat_min_ns;
		int64_t lease_ns; /* what this node sets D to when it
				   * leads; 0: off */
		uint64_t segment_bytes;
		uint64_t snapshot_after_bytes;	 /* of log since the last one */
		uint64_t snapshot_after_entries;
		int64_t scrub_interval_ns; /* of the log; 0: never */
		uint64_t log_bytes_max; /* in memory; beyond it: back-pressure */
	} raft;

	struct {
		uint64_t inline_max_bytes; /* <= 256 KiB ride in the log */
		uint64_t chunk_bytes;	   /* 1 MiB windows */
		uint64_t map_bytes;	   /* LMDB address space */
		uint64_t reserve_bytes;	   /* free disk below this: NOSPC */
		int64_t session_timeout_ns;
	} storage;

	/* The gRPC face. PEM files; client_ca: who may connect. */
	struct {
		char address[64];
		uint16_t port; /* TCP; 0: off */
		char certificate[CONFIG_PATH_MAX]; /* empty: one of its own */
		char key[CONFIG_PATH_MAX];
		char client_ca[CONFIG_PATH_MAX]; /* empty: everybody */
	} grpc;

	struct {
		char user[CONFIG_NAME_MAX]; /* children's; empty: as started */
		bool cgroups;
		bool bpf;
		int64_t watchdog_ns;
		int64_t stop_timeout_ns;
		uint32_t restarts_max;	    /* N in T, then held */
		int64_t restarts_window_ns;
	} supervisor;

	enum log_level log_level;

	/* SHA-256 over what all nodes must agree on: cluster id, lease,
	 * max_rate, chunk sizes. Peers' handshakes compare it. */
	uint8_t digest[32];
	/* And over nodes[], on which nodes agree that start a cluster. */
	uint8_t nodes_digest[32];
};

/* One finding per call, already formatted as "file:line: option: reason". */
struct config_errors {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

/* Read and check. On RFS_ERR_OK *config is filled, defaults included. INVALID:
 * every fault found has been given to errors. IO: unreadable, said there too.
 * fd variant: the same from an open descriptor (rewound first, not closed),
 * `path` only for messages. Not thread-safe (libconfuse). */
RFS_MUST_USE enum rfs_err config_load(const char *path,
				      const struct config_errors *errors,
				      struct config *config);
RFS_MUST_USE enum rfs_err config_load_fd(int fd, const char *path,
					 const struct config_errors *errors,
					 struct config *config);

/* This node's own section. Never NULL for a loaded config. */
const struct config_node *config_self(const struct config *config);

/* By id; NULL when there is none. */
const struct config_node *config_node(const struct config *config,
				      uint32_t id);

/* What may not change while running (self, directories, cluster); NULL if b
 * may replace a by reload, else the name of the first option that differs and
 * needs a restart. Static storage. Nodes come and go: they never block. */
const char *config_reload_blocker(const struct config *a,
				  const struct config *b);

/* The effective configuration as text, parsable again; into stream `out`
 * (a FILE *). Secrets are not in it. */
void config_print(const struct config *config, void *out_file);

/* ---- members.conf: node sections alone, in the syntax of raftfs.conf ---- */

#define CONFIG_MEMBERS_FILE "members.conf" /* in data_dir */

struct config_members {
	struct config_node nodes[CONFIG_NODES_MAX]; /* ascending by id */
	uint32_t count;
};

/* NOENT: there is no such file. INVALID: every fault was given to errors. IO:
 * unreadable, said there. Not thread-safe (libconfuse). */
RFS_MUST_USE enum rfs_err
config_load_members(const char *path, const struct config_errors *errors,
		    struct config_members *members);

/* What members.conf says of this node. */
enum config_standing {
	CONFIG_STANDING_NONE, /* there is no members.conf */
	CONFIG_STANDING_MEMBER,
	CONFIG_STANDING_REMOVED, /* it is not among them any more */
};

/* Let these nodes stand for those of raftfs.conf. This node's own section
 * stays when it is not among them: it still must listen somewhere. */
enum config_standing config_set_members(struct config *config,
					const struct config_members *members);

/* Both, from data_dir. *standing is written only on RFS_ERR_OK, and otherwise
 * config is as it was. Errors as above, but NOENT is none. */
RFS_MUST_USE enum rfs_err config_overlay(struct config *config,
					 const struct config_errors *errors,
					 enum config_standing *standing);

/* Into stream `out` (a FILE *), for config_load_members(). */
void config_print_members(const struct config_node *nodes, uint32_t count,
			  void *out_file);

/* What is wrong with one node's description alone: "address: must be ...";
 * NULL: nothing. Static storage. */
const char *config_node_fault(const struct config_node *node);

/* What keeps two nodes from being in one cluster: "id", "name", "key" or the
 * port of b that a has already; NULL: nothing. Static. */
const char *config_node_clash(const struct config_node *a,
			      const struct config_node *b);

#endif
