/* The common part of put, get, cp and rm. */
#include "client/cli/transfer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"

#define THREADS 16u

static void run_one(void *ctx, struct pool_task *pool_task)
{
	struct transfer *transfer = ctx;

	transfer->one(transfer, (struct transfer_task *)pool_task);
}

enum rfs_err transfer_init(struct transfer *transfer, struct cli *cli,
			   const char *verb,
			   void (*one)(struct transfer *transfer,
				       struct transfer_task *task))
{
	memset(transfer, 0, sizeof(*transfer));
	transfer->cli = cli;
	transfer->verb = verb;
	transfer->one = one;
	transfer->started_ns = clock_raw_ns();
	transfer->progress = isatty(STDERR_FILENO);
	pthread_mutex_init(&transfer->lock, NULL);
	transfer->pool = pool_new(THREADS, run_one, transfer);
	return transfer->pool == NULL ? RFS_ERR_NOMEM : RFS_ERR_OK;
}

void transfer_fini(struct transfer *transfer)
{
	for (size_t i = 0; i < transfer->dir_count; i++)
		transfer_task_free(transfer->dirs[i].task);
	free(transfer->dirs);
	pthread_mutex_destroy(&transfer->lock);
}

static void count_failure(struct transfer *transfer, int status)
{
	int ok = CLI_OK;

	atomic_compare_exchange_strong(&transfer->status, &ok, status);
}

void transfer_fail(struct transfer *transfer, const char *path,
		   enum rfs_err err)
{
	count_failure(transfer, cli_fail(path, err));
}

void transfer_fail_errno(struct transfer *transfer, const char *path)
{
	count_failure(transfer, cli_fail_errno(path));
}

/* --- tasks --- */

static char *joined(const char *dir, const char *name)
{
	char *path;
	const char *slash =
		dir[0] != '\0' && dir[strlen(dir) - 1] == '/' ? "" : "/";

	if (asprintf(&path, "%s%s%s", dir, slash, name) < 0)
		return NULL;
	return path;
}

struct transfer_task *transfer_task_new(struct transfer *transfer,
					const struct transfer_task *parent,
					const char *name)
{
	struct transfer_task *task = calloc(1, sizeof(*task));

	if (task == NULL)
		goto failed;
	snprintf(task->name, sizeof(task->name), "%s", name);
	if (parent == NULL)
		return task;
	task->depth = parent->depth + 1;
	if (parent->local != NULL) {
		task->local = joined(parent->local, name);
		if (task->local == NULL)
			goto failed;
	}
	if (parent->remote != NULL) {
		task->remote = joined(parent->remote, name);
		if (task->remote == NULL)
			goto failed;
	}
	return task;

failed:
	transfer_task_free(task);
	transfer_fail(transfer, name, RFS_ERR_NOMEM);
	return NULL;
}

void transfer_task_free(struct transfer_task *task)
{
	if (task == NULL)
		return;
	free(task->local);
	free(task->remote);
	free(task);
}

void transfer_add(struct transfer *transfer, struct transfer_task *task)
{
	_Static_assert(offsetof(struct transfer_task, task) == 0,
		       "a pool task is the head of ours");
	pool_add(transfer->pool, &task->task);
}

/* --- what a person sees --- */

static double seconds(const struct transfer *transfer)
{
	int64_t ns = clock_raw_ns() - transfer->started_ns;

	return ns > 0 ? (double)ns / 1e9 : 1e-9;
}

/* By bytes and by files; the slower of the two is the honest guess. */
static double eta_s(uint64_t done, uint64_t found, double spent)
{
	if (done == 0 || found <= done)
		return 0;
	return spent * (double)(found - done) / (double)done;
}

static void show_progress(void *ctx)
{
	const struct transfer *transfer = ctx;
	char done[24], rate[24];
	double spent = seconds(transfer);
	double by_bytes =
		eta_s(transfer->done_bytes, transfer->found_bytes, spent);
	double by_files =
		eta_s(transfer->done_files, transfer->found_files, spent);

	if (!transfer->progress)
		return;
	fprintf(stderr,
		"\r%s: %" PRIu64 " of %" PRIu64 " files, %s, %s/s, "
		"%.0f files/s, ETA %.0f s\033[K",
		transfer->verb, transfer->done_files, transfer->found_files,
		units_format_size(transfer->done_bytes, done, sizeof(done)),
		units_format_size(
			(uint64_t)((double)transfer->done_bytes / spent), rate,
			sizeof(rate)),
		(double)transfer->done_files / spent,
		by_bytes > by_files ? by_bytes : by_files);
}

bool transfer_is_hole(const uint8_t *data, size_t bytes)
{
	return bytes > 0 && data[0] == 0 &&
	       memcmp(data, data + 1, bytes - 1) == 0;
}

static void show_summary(const struct transfer *transfer)
{
	double spent = seconds(transfer);

	if (transfer->progress)
		fprintf(stderr, "\r\033[K");
	if (transfer->quiet)
		return;
	fprintf(stderr, "%s: %" PRIu64 " files", transfer->verb,
		transfer->done_files);
	if (transfer->done_bytes > 0)
		fprintf(stderr, ", %.1f MiB",
			(double)transfer->done_bytes / (double)MIB);
	fprintf(stderr, " in %.2f s (%.0f files/s)\n", spent,
		(double)transfer->done_files / spent);
}

/* --- directories, last --- */

void transfer_later(struct transfer *transfer, struct transfer_task *task,
		    uint64_t ino, uint32_t mode, int64_t atime_ns,
		    int64_t mtime_ns)
{
	pthread_mutex_lock(&transfer->lock);
	if (transfer->dir_count == transfer->dir_room) {
		size_t room = transfer->dir_room * 2 + 64;
		struct transfer_dir *more =
			realloc(transfer->dirs, room * sizeof(*transfer->dirs));

		if (more == NULL) {
			pthread_mutex_unlock(&transfer->lock);
			transfer_fail(transfer, task->name, RFS_ERR_NOMEM);
			transfer_task_free(task);
			return;
		}
		transfer->dirs = more;
		transfer->dir_room = room;
	}
	transfer->dirs[transfer->dir_count++] = (struct transfer_dir){
		.task = task,
		.ino = ino,
		.mode = mode,
		.atime_ns = atime_ns,
		.mtime_ns = mtime_ns,
	};
	pthread_mutex_unlock(&transfer->lock);
}

static int deepest_first(const void *a, const void *b)
{
	const struct transfer_dir *left = a;
	const struct transfer_dir *right = b;

	if (left->task->depth != right->task->depth)
		return left->task->depth > right->task->depth ? -1 : 1;
	return 0;
}

struct dir_task {
	struct pool_task task;
	const struct transfer_dir *dir;
};

static void run_dir(void *ctx, struct pool_task *pool_task)
{
	struct transfer *transfer = ctx;
	struct dir_task *task = (struct dir_task *)pool_task;

	transfer->finish_dir(transfer, task->dir);
	free(task);
}

/* One depth after the other: a parent's turn comes after its children's. */
static void finish_dirs(struct transfer *transfer, struct pool *pool)
{
	size_t i = 0;

	qsort(transfer->dirs, transfer->dir_count, sizeof(*transfer->dirs),
	      deepest_first);
	while (i < transfer->dir_count) {
		uint32_t depth = transfer->dirs[i].task->depth;

		for (; i < transfer->dir_count &&
		       transfer->dirs[i].task->depth == depth;
		     i++) {
			struct dir_task *task = malloc(sizeof(*task));

			if (task == NULL) {
				transfer->finish_dir(transfer,
						     &transfer->dirs[i]);
				continue;
			}
			task->dir = &transfer->dirs[i];
			pool_add(pool, &task->task);
		}
		pool_drain(pool, show_progress);
	}
}

int transfer_run(struct transfer *transfer)
{
	pool_drain(transfer->pool, show_progress);
	pool_free(transfer->pool);
	transfer->pool = NULL;
	if (transfer->dir_count > 0 && transfer->finish_dir != NULL) {
		struct pool *pool = pool_new(THREADS, run_dir, transfer);

		if (pool == NULL)
			transfer_fail(transfer, transfer->verb, RFS_ERR_NOMEM);
		else
			finish_dirs(transfer, pool);
		pool_free(pool);
	}
	show_summary(transfer);
	return transfer->status;
}
