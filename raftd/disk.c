/* The log's writer thread: two batches, one filling, one being written. */
#include "raftd/disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/latency.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "raftd/wal_format.h"

#define IDLE_BEFORE_MARK_NS (50 * NS_PER_MS)
#define SPARE_RETRY_SEC	    1.0
#define EXIT_DISK_FAILED    74 /* EX_IOERR */

struct batch {
	uint8_t *data;
	size_t bytes;
	size_t capacity;
	/* The last entry appended since the last truncation; index 0: none. */
	uint64_t last_index;
	uint64_t last_term;
	uint64_t generation;
	uint64_t compact_to;
};

struct spare_chore {
	struct chore chore;
	struct disk *disk;
	enum rfs_err err;
	int fd;
};

struct removal_chore {
	struct chore chore;
	struct disk *disk;
	uint64_t seq;
};

struct disk {
	struct ev_loop *ev;
	struct chores *chores;
	char dir[480];
	uint64_t segment_bytes;
	disk_persisted *persisted;
	void *ctx;

	ev_async progress;
	ev_prepare begin; /* active: something was added in this turn */
	ev_timer retry;
	struct spare_chore spare;
	bool spare_wanted; /* a chore is under way */
	bool full;
	uint64_t generation; /* rises with every truncation */

	struct wal *wal; /* the writer's */
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct batch filling;
	size_t writing_bytes;
	int spare_fd; /* on its way to the writer; -1: none */
	bool spare_needed; /* the writer has none */
	bool stop;
	uint64_t room_bytes; /* behind what is being written */
	uint64_t done_index;
	uint64_t done_term;
	uint64_t done_generation;
	uint64_t sync_count;
	uint64_t wal_total_bytes;
	struct latency latency;
	uint64_t *removable; /* segments to unlink */
	size_t removable_count;
	struct wal_extent *extents; /* what is durable, by segment */
	size_t extent_count;
	bool remark;
};

/* ---- the writer thread ---- */

void disk_die(void)
{
	log_error("disk: stopping: a failed write or sync is final");
	_exit(EXIT_DISK_FAILED);
}

/* Give the log the spare that came, and say whether it needs another. */
static void take_spare(struct disk *disk)
{
	if (disk->spare_fd >= 0 && !wal_has_spare(disk->wal)) {
		wal_give_spare(disk->wal, disk->spare_fd);
		disk->spare_fd = -1;
	}
	disk->spare_needed = !wal_has_spare(disk->wal);
}

/* Under the mutex. Segments come and go seldom; the last one grows. */
static void note_extents(struct disk *disk)
{
	const struct wal *wal = disk->wal;
	size_t count = wal_segments(wal);
	struct wal_extent last = wal_extent_of(wal, count - 1);

	if (disk->extent_count != count ||
	    disk->extents[count - 1].seq != last.seq) {
		disk->extents = reallocarray(disk->extents, count,
					     sizeof(*disk->extents));
		CHECK(disk->extents != NULL);
		for (size_t i = 0; i < count; i++)
			disk->extents[i] = wal_extent_of(wal, i);
		disk->extent_count = count;
	}
	disk->extents[count - 1] = last;
}

/* Under the mutex. Note what the last batch achieved. */
static void account(struct disk *disk, const struct batch *batch)
{
	uint64_t seq;

	take_spare(disk);
	disk->room_bytes = wal_room_bytes(disk->wal);
	disk->sync_count = wal_syncs(disk->wal);
	disk->writing_bytes = 0;
	if (batch->last_index > 0) {
		disk->done_index = batch->last_index;
		disk->done_term = batch->last_term;
		disk->done_generation = batch->generation;
	}
	while (batch->compact_to > 0 &&
	       wal_drop_segment(disk->wal, batch->compact_to, &seq)) {
		uint64_t *grown = reallocarray(disk->removable,
					       disk->removable_count + 1,
					       sizeof(*grown));

		CHECK(grown != NULL);
		disk->removable = grown;
		disk->removable[disk->removable_count++] = seq;
	}
	disk->wal_total_bytes = wal_bytes(disk->wal);
	note_extents(disk);
}

/* Write a batch, waiting for space as long as it takes. */
static void write_batch(struct disk *disk, struct batch *batch)
{
	int64_t began_ns = clock_raw_ns();
	size_t at = 0;

	while (at < batch->bytes) {
		size_t done;
		enum rfs_err err = wal_write(disk->wal, batch->data + at,
					     batch->bytes - at, &done);

		at += done;
		if (err == RFS_ERR_OK)
			break;
		if (err != RFS_ERR_FULL)
			disk_die();
		pthread_mutex_lock(&disk->mutex);
		take_spare(disk);
		if (disk->spare_needed && !disk->stop) {
			ev_async_send(disk->ev, &disk->progress);
			pthread_cond_wait(&disk->wake, &disk->mutex);
			take_spare(disk);
		}
		bool hopeless = disk->spare_needed && disk->stop;
		pthread_mutex_unlock(&disk->mutex);
		if (hopeless)
			return; /* nobody was told that it is durable */
	}
	pthread_mutex_lock(&disk->mutex);
	if (batch->bytes > 0)
		latency_add(&disk->latency, clock_raw_ns() - began_ns);
	account(disk, batch);
	pthread_mutex_unlock(&disk->mutex);
	ev_async_send(disk->ev, &disk->progress);
}

static bool has_work(const struct disk *disk)
{
	return disk->filling.bytes > 0 || disk->filling.compact_to > 0 ||
	       (disk->spare_fd >= 0 && disk->spare_needed) || disk->remark ||
	       disk->stop;
}

/* Under the mutex. False when IDLE_BEFORE_MARK_NS passed without work. */
static bool wait_for_work(struct disk *disk, bool marked)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += IDLE_BEFORE_MARK_NS;
	if (until.tv_nsec >= NS_PER_SEC) {
		until.tv_nsec -= NS_PER_SEC;
		until.tv_sec++;
	}
	while (!has_work(disk)) {
		if (marked)
			pthread_cond_wait(&disk->wake, &disk->mutex);
		else if (pthread_cond_timedwait(&disk->wake, &disk->mutex,
						&until) == ETIMEDOUT)
			return has_work(disk);
	}
	return true;
}

static void *run(void *ctx)
{
	struct disk *disk = ctx;
	struct batch batch = { 0 };
	bool marked = false, stop = false;

	while (!stop) {
		pthread_mutex_lock(&disk->mutex);
		bool work = wait_for_work(disk, marked);
		struct batch empty = { .data = batch.data,
				       .capacity = batch.capacity };
		batch = disk->filling;
		disk->filling = empty;
		disk->writing_bytes = batch.bytes;
		stop = disk->stop && batch.bytes == 0;
		bool remark = disk->remark;
		disk->remark = false;
		pthread_mutex_unlock(&disk->mutex);

		if (remark && wal_remark(disk->wal) != RFS_ERR_OK)
			disk_die();
		if (work) {
			marked = marked && batch.bytes == 0;
			write_batch(disk, &batch);
		} else {
			bool synced;

			if (wal_mark(disk->wal, &synced) != RFS_ERR_OK)
				disk_die();
			marked = true;
			/* A burst may have left a batch of many MiB. */
			free(batch.data);
			batch = (struct batch){ 0 };
		}
	}
	free(batch.data);
	return NULL;
}

/* ---- the loop's side ---- */

static void *reserve(struct batch *batch, size_t bytes)
{
	if (batch->bytes + bytes > batch->capacity) {
		size_t capacity = (batch->bytes + bytes) * 2 + 65536;
		uint8_t *grown = realloc(batch->data, capacity);

		CHECK(grown != NULL);
		batch->data = grown;
		batch->capacity = capacity;
	}
	batch->bytes += bytes;
	return batch->data + batch->bytes - bytes;
}

/* Woken inside, the thread would only run into the mutex. */
static void release(struct disk *disk)
{
	pthread_mutex_unlock(&disk->mutex);
	pthread_cond_signal(&disk->wake);
}

void disk_begin(struct disk *disk)
{
	if (!ev_is_active(&disk->begin))
		return;
	ev_prepare_stop(disk->ev, &disk->begin);
	pthread_cond_signal(&disk->wake);
}

/* After the connections that go first. */
static void on_begin(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
	(void)ev;
	(void)revents;
	disk_begin(watcher->data);
}

/* Fed, for one that is started by another of its kind would be late. */
static void begin_soon(struct disk *disk)
{
	pthread_mutex_unlock(&disk->mutex);
	ev_prepare_start(disk->ev, &disk->begin);
	ev_feed_event(disk->ev, &disk->begin, EV_PREPARE);
}

void disk_truncate(struct disk *disk, uint64_t from_index)
{
	disk->generation++;
	pthread_mutex_lock(&disk->mutex);
	wal_encode_truncate(from_index,
			    reserve(&disk->filling, WAL_RECORD_HEAD_BYTES));
	disk->filling.last_index = 0;
	begin_soon(disk);
}

void disk_reset(struct disk *disk, const struct raft_snapshot_meta *meta)
{
	disk->generation++;
	pthread_mutex_lock(&disk->mutex);
	wal_encode_reset(meta, reserve(&disk->filling, WAL_RECORD_HEAD_BYTES));
	disk->filling.last_index = 0;
	begin_soon(disk);
}

void disk_append(struct disk *disk, const struct raft_entry *entries,
		 uint32_t count)
{
	if (count == 0)
		return;
	pthread_mutex_lock(&disk->mutex);
	for (uint32_t i = 0; i < count; i++)
		wal_encode_entry(&entries[i],
				 reserve(&disk->filling,
					 wal_record_bytes(entries[i].bytes)));
	disk->filling.last_index = entries[count - 1].index;
	disk->filling.last_term = entries[count - 1].term;
	disk->filling.generation = disk->generation;
	begin_soon(disk);
}

void disk_compact(struct disk *disk, uint64_t index)
{
	pthread_mutex_lock(&disk->mutex);
	disk->filling.compact_to = index;
	release(disk);
}

static void spare_work(struct chore *chore)
{
	struct spare_chore *spare = (struct spare_chore *)chore;

	spare->err = wal_create_spare(spare->disk->dir,
				      spare->disk->segment_bytes, &spare->fd);
}

static void spare_done(struct chore *chore)
{
	struct disk *disk = ((struct spare_chore *)chore)->disk;

	disk->spare_wanted = false;
	if (disk->spare.err != RFS_ERR_OK) {
		if (!disk->full)
			log_error("disk: no new log segment in %s: %s; "
				  "proposals are refused until there is room",
				  disk->dir,
				  disk->spare.err == RFS_ERR_NOSPC ?
					  "the disk is full" :
					  rfs_err_text(disk->spare.err));
		disk->full = true;
		ev_timer_stop(disk->ev, &disk->retry);
		ev_timer_set(&disk->retry, SPARE_RETRY_SEC, 0.);
		ev_timer_start(disk->ev, &disk->retry);
		return;
	}
	if (disk->full)
		log_notice("disk: room again in %s", disk->dir);
	disk->full = false;
	pthread_mutex_lock(&disk->mutex);
	CHECK(disk->spare_fd < 0);
	disk->spare_fd = disk->spare.fd;
	release(disk);
}

static void want_spare(struct disk *disk)
{
	if (disk->spare_wanted || ev_is_active(&disk->retry))
		return;
	disk->spare_wanted = true;
	disk->spare.disk = disk;
	disk->spare.chore.work = spare_work;
	disk->spare.chore.done = spare_done;
	chores_add(disk->chores, &disk->spare.chore);
}

static void on_retry(struct ev_loop *ev, ev_timer *timer, int revents)
{
	(void)ev;
	(void)revents;
	want_spare(timer->data);
}

static void removal_work(struct chore *chore)
{
	struct removal_chore *removal = (struct removal_chore *)chore;

	/* Logged there; a file that stays is taken up at the next start. */
	if (wal_remove_segment(removal->disk->dir, removal->seq) != RFS_ERR_OK)
		log_warn("disk: segment %016jx stays",
			 (uintmax_t)removal->seq);
}

static void removal_done(struct chore *chore)
{
	free(chore);
}

static void remove_segments(struct disk *disk, const uint64_t *seqs,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct removal_chore *removal = calloc(1, sizeof(*removal));

		CHECK(removal != NULL);
		removal->disk = disk;
		removal->seq = seqs[i];
		removal->chore.work = removal_work;
		removal->chore.done = removal_done;
		chores_add(disk->chores, &removal->chore);
	}
}

static void on_progress(struct ev_loop *ev, ev_async *watcher, int revents)
{
	struct disk *disk = watcher->data;

	(void)ev;
	(void)revents;
	pthread_mutex_lock(&disk->mutex);
	uint64_t index = disk->done_index;
	uint64_t term = disk->done_term;
	bool current = disk->done_generation == disk->generation;
	bool spare_needed = disk->spare_needed && disk->spare_fd < 0;
	uint64_t *removable = disk->removable;
	size_t removable_count = disk->removable_count;
	disk->done_index = 0;
	disk->removable = NULL;
	disk->removable_count = 0;
	pthread_mutex_unlock(&disk->mutex);

	remove_segments(disk, removable, removable_count);
	free(removable);
	if (spare_needed)
		want_spare(disk);
	if (index > 0 && current)
		disk->persisted(disk->ctx, index, term);
}

bool disk_is_full(const struct disk *disk)
{
	return disk->full;
}

uint64_t disk_room_bytes(struct disk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	uint64_t used = disk->writing_bytes + disk->filling.bytes;
	uint64_t room = disk->room_bytes > used ? disk->room_bytes - used : 0;
	pthread_mutex_unlock(&disk->mutex);
	return room;
}

bool disk_extent_after(struct disk *disk, uint64_t seq,
		       struct wal_extent *extent)
{
	bool found = false;

	pthread_mutex_lock(&disk->mutex);
	for (size_t i = 0; i < disk->extent_count && !found; i++) {
		found = disk->extents[i].seq > seq;
		if (found)
			*extent = disk->extents[i];
	}
	pthread_mutex_unlock(&disk->mutex);
	return found;
}

void disk_remark(struct disk *disk)
{
	pthread_mutex_lock(&disk->mutex);
	disk->remark = true;
	release(disk);
}

void disk_get_status(struct disk *disk, struct disk_status *status)
{
	pthread_mutex_lock(&disk->mutex);
	*status = (struct disk_status){
		.sync_count = disk->sync_count,
		.wal_bytes = disk->wal_total_bytes,
		.queued_bytes = disk->writing_bytes + disk->filling.bytes,
		.full = disk->full,
		.sync_p50_ns = latency_percentile_ns(&disk->latency, 500),
		.sync_p99_ns = latency_percentile_ns(&disk->latency, 990),
	};
	pthread_mutex_unlock(&disk->mutex);
}

/* The loop never waits for a writer that waits for its turn on a busy host. */
static void init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

struct disk *disk_new(struct ev_loop *ev, struct chores *chores,
		      struct wal *wal, const char *dir, uint64_t segment_bytes,
		      disk_persisted *persisted, void *ctx)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	pthread_condattr_t attr;

	CHECK(disk != NULL);
	disk->ev = ev;
	disk->chores = chores;
	disk->wal = wal;
	snprintf(disk->dir, sizeof(disk->dir), "%s", dir);
	disk->segment_bytes = segment_bytes;
	disk->persisted = persisted;
	disk->ctx = ctx;
	disk->spare_fd = -1;
	account(disk, &(struct batch){ 0 });

	init_mutex(&disk->mutex);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&disk->wake, &attr);
	pthread_condattr_destroy(&attr);
	ev_async_init(&disk->progress, on_progress);
	disk->progress.data = disk;
	ev_async_start(ev, &disk->progress);
	ev_prepare_init(&disk->begin, on_begin);
	ev_set_priority(&disk->begin, EV_MINPRI + 1);
	disk->begin.data = disk;
	ev_timer_init(&disk->retry, on_retry, SPARE_RETRY_SEC, 0.);
	disk->retry.data = disk;
	if (pthread_create(&disk->thread, NULL, run, disk) != 0) {
		log_error("disk: no writer thread");
		ev_async_stop(ev, &disk->progress);
		wal_close(wal);
		free(disk);
		return NULL;
	}
	if (disk->spare_needed)
		want_spare(disk);
	return disk;
}

void disk_free(struct disk *disk)
{
	if (disk == NULL)
		return;
	pthread_mutex_lock(&disk->mutex);
	disk->stop = true;
	release(disk);
	pthread_join(disk->thread, NULL);
	ev_async_stop(disk->ev, &disk->progress);
	ev_prepare_stop(disk->ev, &disk->begin);
	ev_timer_stop(disk->ev, &disk->retry);
	if (disk->spare_fd >= 0)
		close(disk->spare_fd);
	wal_close(disk->wal);
	free(disk->removable);
	free(disk->extents);
	free(disk->filling.data);
	pthread_cond_destroy(&disk->wake);
	pthread_mutex_destroy(&disk->mutex);
	free(disk);
}
