/* A transfer of many files: threads, counts, progress, and what is to be done
 * to directories when everything below them is.
 *
 * put, get, cp and rm -r differ only in what they do for one task.
 */
#ifndef RAFTFS_CLIENT_CLI_TRANSFER_H
#define RAFTFS_CLIENT_CLI_TRANSFER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/cli/cli.h"
#include "client/cli/pool.h"

#define TRANSFER_PIECE_BYTES (4u * 1024 * 1024) /* of a large file at a time   \
						 */

struct transfer;

/* Zeros only: nothing needs to be written for them. */
bool transfer_is_hole(const uint8_t *data, size_t bytes);

/* One name to deal with. local is a path of this host, remote one of the
 * cluster (for messages); each NULL where there is none. */
struct transfer_task {
	struct pool_task task;
	char *local;
	char *remote;
	uint64_t parent; /* where it goes, or is */
	char name[RAFTFS_NAME_MAX + 1];
	struct raftfs_attr attr; /* of the source when it is in the cluster */
	uint32_t depth;
};

/* A directory that was made: its mode and times come last. */
struct transfer_dir {
	struct transfer_task *task; /* owned */
	uint64_t ino;
	uint32_t mode;
	int64_t atime_ns;
	int64_t mtime_ns;
};

struct transfer {
	struct cli *cli;
	struct pool *pool;
	const char *verb; /* "put" */
	bool recursive;
	bool force;
	bool quiet; /* no summary: a single stream */
	void (*one)(struct transfer *transfer, struct transfer_task *task);
	void (*finish_dir)(struct transfer *transfer,
			   const struct transfer_dir *dir);

	_Atomic uint64_t found_files;
	_Atomic uint64_t found_bytes;
	_Atomic uint64_t done_files;
	_Atomic uint64_t done_bytes;
	_Atomic int status; /* enum cli_exit, the first that is not OK */
	int64_t started_ns;
	bool progress; /* stderr is a terminal */

	pthread_mutex_t lock; /* dirs */
	struct transfer_dir *dirs;
	size_t dir_count;
	size_t dir_room;
};

/* Everything but recursive, force, quiet and finish_dir is set here. NOMEM: no
 * threads could be started. */
RFS_MUST_USE enum rfs_err transfer_init(
	struct transfer *transfer, struct cli *cli, const char *verb,
	void (*one)(struct transfer *transfer, struct transfer_task *task));

/* A new task below parent; names are joined. NULL: out of memory (said and
 * counted). name is bounded by the caller. */
struct transfer_task *transfer_task_new(struct transfer *transfer,
					const struct transfer_task *parent,
					const char *name);
void transfer_task_free(struct transfer_task *task);
void transfer_add(struct transfer *transfer, struct transfer_task *task);

/* Run all tasks, then finish the directories, deepest first. Returns the exit
 * code. The summary line goes to stderr. */
int transfer_run(struct transfer *transfer);
void transfer_fini(struct transfer *transfer);

/* Say and count a failure; any thread. */
void transfer_fail(struct transfer *transfer, const char *path,
		   enum rfs_err err);
void transfer_fail_errno(struct transfer *transfer, const char *path);

/* Remember a directory for the end; takes the task. */
void transfer_later(struct transfer *transfer, struct transfer_task *task,
		    uint64_t ino, uint32_t mode, int64_t atime_ns,
		    int64_t mtime_ns);

#endif
