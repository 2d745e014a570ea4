/* Open or discard; apply, commit, tell. */
#include "storaged/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "storaged/disk.h"
#include "storaged/hash.h"

#define MARK_BYTES	 96
#define BATCH_ROOM_BYTES (128 * MIB) /* more than any batch can dirty */

/* One line of what a batch has to report. */
struct report {
	enum { REPORT_RESULT, REPORT_NAMED, REPORT_FREED, REPORT_EXPIRED } kind;
	uint64_t index;
	union {
		struct {
			struct store_result result;
			uint64_t term;
		} result;
		struct command_piece piece;
		uint64_t chunk;
		struct {
			uint64_t first;
			uint64_t count;
		} expired;
	};
};

struct state {
	char path[600];
	char staged_path[616];
	int dir_fd;
	uint64_t map_bytes;
	char boot_id[64];
	struct packs *packs;
	struct snapshots *snapshots;
	const struct state_events *events;
	void *ctx;

	struct lmdbkv *env;
	struct store *store;
	uint64_t applied;
	unsigned int deaths; /* in a row, without a clean stop or settling */
	uint64_t unkept;
	bool copying;

	bool batch_open;
	struct kv batch;
	uint64_t batch_applied;
	uint32_t batch_count;
	struct report *reports;
	size_t report_count;
	size_t report_capacity;
};

static void read_boot_id(char boot_id[64])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	/* Without one, every start counts as another boot. */
	boot_id[0] = '\0';
	if (file && fscanf(file, "%63s", boot_id) != 1)
		boot_id[0] = '\0';
	if (file)
		fclose(file);
}

/* Of one length and written in place, so that it needs no room; a torn one
 * says nothing, and so allows nothing. */
static enum rfs_err write_mark(struct state *state, const char *word,
			       unsigned int deaths)
{
	char mark[MARK_BYTES + 1];
	enum rfs_err err;

	snprintf(mark, sizeof(mark), "%s %s %u",
		 state->boot_id[0] ? state->boot_id : "-", word, deaths);
	size_t length = strlen(mark);
	memset(mark + length, ' ', MARK_BYTES - length);
	mark[MARK_BYTES - 1] = '\n';
	int fd = openat(state->dir_fd, "mark", O_WRONLY | O_CREAT | O_CLOEXEC,
			0600);
	if (fd < 0) {
		log_errno("state: open mark");
		return rfs_err_from_errno(errno);
	}
	err = disk_write(fd, mark, MARK_BYTES, 0);
	if (err == RFS_ERR_OK &&
	    (fsync(fd) != 0 || fsync(state->dir_fd) != 0))
		err = rfs_err_from_errno(errno);
	if (err != RFS_ERR_OK)
		log_errno("state: write mark");
	close(fd);
	return err;
}

/* May the environment that lies there be used? */
static bool mark_allows(struct state *state)
{
	char mark[MARK_BYTES + 1] = "";
	char boot_id[64] = "";
	char word[16] = "";
	unsigned int deaths = 0;
	size_t bytes = 0;

	if (disk_load(state->dir_fd, "mark", mark, MARK_BYTES, &bytes) !=
	    RFS_ERR_OK)
		return false;
	mark[bytes] = '\0';
	if (sscanf(mark, "%63s %15s %u", boot_id, word, &deaths) != 3)
		return false;
	if (strcmp(word, "clean") == 0)
		return true;
	state->deaths = deaths + 1;
	return strcmp(word, "running") == 0 && state->boot_id[0] &&
	       strcmp(boot_id, state->boot_id) == 0 &&
	       state->deaths < STATE_DEATHS_MAX;
}

static void discard_env(struct state *state)
{
	unlinkat(state->dir_fd, "state.mdb", 0);
	unlinkat(state->dir_fd, "state.mdb-lock", 0);
}

static enum rfs_err load_applied(struct state *state)
{
	struct query_state at;
	struct kv kv;
	enum rfs_err err = lmdbkv_begin_read(state->env, &kv);

	if (err != RFS_ERR_OK)
		return err;
	err = query_state(&kv, &at);
	lmdbkv_end_read(state->env, &kv);
	if (err == RFS_ERR_OK)
		state->applied = at.applied_index;
	return err;
}

static enum rfs_err open_env(struct state *state)
{
	enum rfs_err err =
		lmdbkv_open(state->path, state->map_bytes, &state->env);

	if (err == RFS_ERR_OK)
		err = load_applied(state);
	if (err != RFS_ERR_OK) {
		lmdbkv_close(state->env);
		state->env = NULL;
	}
	return err;
}

/* Discard what is there; begin from the newest sound snapshot, or from
 * nothing. The mark says "restoring" meanwhile, which allows nothing. */
static enum rfs_err start_over(struct state *state)
{
	struct snapshot_meta meta;
	enum rfs_err err = write_mark(state, "restoring", 0);

	state->deaths = 0;
	if (err != RFS_ERR_OK)
		return err;
	discard_env(state);
	err = snapshots_restore(state->snapshots, state->path, &meta);
	if (err == RFS_ERR_OK)
		log_notice("state: restored from the snapshot at %" PRIu64,
			   meta.index);
	if (err != RFS_ERR_OK && err != RFS_ERR_NOENT)
		return err;
	return open_env(state);
}

static enum rfs_err open_or_start_over(struct state *state)
{
	bool exists = faccessat(state->dir_fd, "state.mdb", F_OK, 0) == 0;
	enum rfs_err err;

	if (exists && mark_allows(state)) {
		err = open_env(state);
		if (err != RFS_ERR_CORRUPT && err != RFS_ERR_VERSION)
			return err;
		log_warn("state: %s: %s; starting over", state->path,
			 rfs_err_text(err));
	} else if (exists) {
		log_notice("state: not stopped cleanly (%s); starting from the "
			   "last snapshot",
			   state->deaths < STATE_DEATHS_MAX
				   ? "before this boot"
				   : "many times in a row");
	}
	return start_over(state);
}

enum rfs_err state_open(const char *dir, uint64_t map_bytes,
			struct packs *packs, struct snapshots *snapshots,
			const struct state_events *events, void *ctx,
			struct state **out)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return RFS_ERR_NOMEM;
	*state = (struct state){ .map_bytes = map_bytes,
				 .packs = packs,
				 .snapshots = snapshots,
				 .events = events,
				 .ctx = ctx,
				 .dir_fd = -1 };
	snprintf(state->path, sizeof(state->path), "%s/state.mdb", dir);
	snprintf(state->staged_path, sizeof(state->staged_path), "%s.staged",
		 state->path);
	unlink(state->staged_path);
	read_boot_id(state->boot_id);
	enum rfs_err err = disk_open_dir(AT_FDCWD, dir, &state->dir_fd);
	if (err == RFS_ERR_OK)
		err = store_new(&state->store);
	if (err == RFS_ERR_OK)
		err = open_or_start_over(state);
	if (err == RFS_ERR_OK)
		err = write_mark(state, "running", state->deaths);
	if (err != RFS_ERR_OK) {
		state_close(state, false);
		return err;
	}
	*out = state;
	return RFS_ERR_OK;
}

void state_close(struct state *state, bool clean)
{
	if (!state)
		return;
	state_abort(state);
	if (clean && lmdbkv_sync(state->env) == RFS_ERR_OK &&
	    write_mark(state, "clean", 0) != RFS_ERR_OK)
		log_warn("state: no clean mark: the next start may replay");
	lmdbkv_close(state->env);
	store_free(state->store);
	if (state->dir_fd >= 0)
		close(state->dir_fd);
	free(state->reports);
	free(state);
}

static struct report *report_add(struct state *state, int kind, uint64_t index)
{
	if (state->report_count == state->report_capacity) {
		size_t capacity = state->report_capacity * 2 + 64;
		struct report *reports =
			realloc(state->reports, capacity * sizeof(*reports));

		CHECK(reports != NULL);
		state->reports = reports;
		state->report_capacity = capacity;
	}
	struct report *report = &state->reports[state->report_count++];

	report->kind = kind;
	report->index = index;
	return report;
}

/* The map can only grow between transactions, and not under a copy: then the
 * batch may still fit, or ends as a failed engine and a restart. */
static enum rfs_err begin_batch(struct state *state)
{
	enum rfs_err err = RFS_ERR_OK;

	if (!state->copying)
		err = lmdbkv_make_room(state->env, BATCH_ROOM_BYTES);
	if (err == RFS_ERR_OK)
		err = lmdbkv_begin_write(state->env, &state->batch);
	if (err != RFS_ERR_OK)
		return err;
	state->batch_open = true;
	state->batch_count = 0;
	state->batch_applied = state->applied;
	state->report_count = 0;
	return RFS_ERR_OK;
}

/* Verify and keep data that rode in the entry. A failure is this replica's
 * alone: the entry is applied all the same, and a peer has the data. */
static void keep_data(struct state *state, const struct store_chunk *stored)
{
	uint8_t hash[HASH_BYTES];
	enum rfs_err err = RFS_ERR_CORRUPT;

	hash_bytes(stored->data.data, stored->data.bytes, hash);
	if (memcmp(hash, stored->sha256, HASH_BYTES) == 0)
		err = packs_put(state->packs, stored->chunk, stored->data.data,
				(uint32_t)stored->data.bytes);
	if (err == RFS_ERR_OK)
		return;
	log_warn("state: data of chunk %016" PRIx64 " not kept: %s",
		 stored->chunk, rfs_err_text(err));
	state->unkept++;
}

static void report_pieces(struct state *state, const struct store_entry *entry)
{
	struct command command;

	if (command_decode(entry->command.data, entry->command.bytes,
			   &command) != RFS_ERR_OK)
		return;
	for (uint32_t i = 0; i < command.piece_count; i++)
		report_add(state, REPORT_NAMED, entry->index)->piece =
			command.pieces[i];
}

static void report_entry(struct state *state, const struct store_entry *entry,
			 const struct store_result *result,
			 const struct store_effects *effects)
{
	for (size_t i = 0; i < effects->freed_count; i++)
		report_add(state, REPORT_FREED, entry->index)->chunk =
			effects->freed[i];
	if (effects->expired_count > 0) {
		struct report *report =
			report_add(state, REPORT_EXPIRED, entry->index);

		report->expired.first = effects->expired_chunk;
		report->expired.count = effects->expired_count;
	}
	if (entry->command.bytes == 0)
		return;
	if (result->err == RFS_ERR_OK && !result->duplicate &&
	    (result->op == COMMAND_WRITE || result->op == COMMAND_PUT))
		report_pieces(state, entry);
	struct report *report = report_add(state, REPORT_RESULT, entry->index);

	report->result.result = *result;
	report->result.term = entry->term;
}

enum rfs_err state_apply(struct state *state, const struct store_entry *entry)
{
	struct store_result result;
	struct store_effects effects;
	enum rfs_err err = RFS_ERR_OK;

	if (!state->batch_open)
		err = begin_batch(state);
	if (err == RFS_ERR_OK)
		err = store_apply(state->store, &state->batch, entry, &result,
				  &effects);
	if (err != RFS_ERR_OK) {
		log_error("state: apply entry %" PRIu64 ": %s", entry->index,
			  rfs_err_text(err));
		return err;
	}
	state->batch_count++;
	if (effects.replayed)
		return RFS_ERR_OK;
	if (effects.has_stored)
		keep_data(state, &effects.stored);
	report_entry(state, entry, &result, &effects);
	state->batch_applied = entry->index;
	return RFS_ERR_OK;
}

uint32_t state_batch_count(const struct state *state)
{
	return state->batch_open ? state->batch_count : 0;
}

static void tell(struct state *state, const struct report *report)
{
	const struct state_events *events = state->events;

	switch (report->kind) {
	case REPORT_RESULT:
		events->result(state->ctx, &report->result.result,
			       report->index, report->result.term);
		return;
	case REPORT_NAMED:
		events->named(state->ctx, &report->piece);
		return;
	case REPORT_FREED:
		events->freed(state->ctx, report->chunk, report->index);
		return;
	case REPORT_EXPIRED:
		events->expired(state->ctx, report->expired.first,
				report->expired.count, report->index);
		return;
	}
}

void state_abort(struct state *state)
{
	if (state->batch_open)
		lmdbkv_abort(state->env, &state->batch);
	state->batch_open = false;
}

enum rfs_err state_commit(struct state *state)
{
	if (!state->batch_open)
		return RFS_ERR_OK;
	state->batch_open = false;
	enum rfs_err err = lmdbkv_commit(state->env, &state->batch);
	if (err != RFS_ERR_OK)
		return err;
	CHECK(state->batch_applied >= state->applied);
	state->applied = state->batch_applied;
	for (size_t i = 0; i < state->report_count; i++)
		tell(state, &state->reports[i]);
	state->events->applied(state->ctx, state->applied);
	return RFS_ERR_OK;
}

uint64_t state_applied(const struct state *state)
{
	return state->applied;
}

enum rfs_err state_begin_read(struct state *state, struct kv *kv)
{
	return lmdbkv_begin_read(state->env, kv);
}

void state_end_read(struct state *state, struct kv *kv)
{
	lmdbkv_end_read(state->env, kv);
}

enum rfs_err state_stage(const struct state *state)
{
	struct snapshot_meta meta;

	return snapshots_restore(state->snapshots, state->staged_path, &meta);
}

enum rfs_err state_restore(struct state *state)
{
	CHECK(!state->batch_open);
	CHECK(!state->copying);
	lmdbkv_close(state->env);
	state->env = NULL;
	unlinkat(state->dir_fd, "state.mdb-lock", 0);
	if (rename(state->staged_path, state->path) != 0) {
		log_errno("state: rename %s", state->staged_path);
		return RFS_ERR_IO;
	}
	return open_env(state);
}

struct lmdbkv *state_env(struct state *state)
{
	return state->env;
}

void state_condemn(struct state *state)
{
	if (write_mark(state, "condemned", 0) != RFS_ERR_OK)
		log_error("state: could not be condemned");
}

void state_settled(struct state *state)
{
	if (state->deaths == 0)
		return;
	state->deaths = 0;
	if (write_mark(state, "running", 0) != RFS_ERR_OK)
		log_warn("state: mark not written");
}

uint64_t state_unkept_count(const struct state *state)
{
	return state->unkept;
}

void state_unkept_reset(struct state *state)
{
	state->unkept = 0;
}

void state_set_copying(struct state *state, bool copying)
{
	state->copying = copying;
}
