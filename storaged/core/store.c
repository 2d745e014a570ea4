/* One entry: is it next, what is it, may it run, run it, record it. */
#include "storaged/core/store.h"

#include <stdlib.h>
#include <string.h>

#include "storaged/core/apply.h"
#include "storaged/core/chunkmap.h"
#include "storaged/core/content.h"
#include "storaged/core/grants.h"
#include "storaged/core/namespace.h"
#include "storaged/core/orphans.h"
#include "storaged/core/rename.h"
#include "storaged/core/sessions.h"
#include "storaged/core/xattr.h"

struct store {
	struct command command; /* the one being applied */
	struct freed freed;
};

enum rfs_err store_new(struct store **store)
{
	struct store *made = calloc(1, sizeof(*made));

	if (!made)
		return RFS_ERR_NOMEM;
	*store = made;
	return RFS_ERR_OK;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	free(store->freed.chunks);
	free(store);
}

static enum rfs_err run_noop(struct apply *a)
{
	(void)a;
	return RFS_ERR_OK;
}

/* Who carries out what. */
static enum rfs_err (*const runners[])(struct apply *a) = {
	[COMMAND_NOOP] = run_noop,
	[COMMAND_OPEN_SESSION] = sessions_open,
	[COMMAND_RENEW_SESSION] = sessions_renew,
	[COMMAND_CLOSE_SESSION] = sessions_close,
	[COMMAND_EXPIRE_SESSIONS] = sessions_expire,
	[COMMAND_GRANT] = grants_make,
	[COMMAND_EXPIRE_GRANT] = grants_expire,
	[COMMAND_CREATE] = namespace_make,
	[COMMAND_MKDIR] = namespace_make,
	[COMMAND_MKNOD] = namespace_make,
	[COMMAND_SYMLINK] = namespace_make,
	[COMMAND_LINK] = namespace_link,
	[COMMAND_UNLINK] = namespace_unlink,
	[COMMAND_RMDIR] = namespace_rmdir,
	[COMMAND_RENAME] = rename_apply,
	[COMMAND_SETATTR] = content_setattr,
	[COMMAND_WRITE] = content_write,
	[COMMAND_SETXATTR] = xattr_set,
	[COMMAND_REMOVEXATTR] = xattr_remove,
	[COMMAND_OPEN] = orphans_open,
	[COMMAND_RELEASE] = orphans_release,
	[COMMAND_FALLOCATE] = content_fallocate,
	[COMMAND_PUT] = namespace_put,
};

/* A command of a session, once. */
static void run_once(struct apply *a)
{
	struct session session;
	bool answered;
	enum rfs_err err = sessions_begin(a, &session, &answered);

	if (err) {
		if (!answered)
			a->result->err = err;
		return;
	}
	a->result->err = runners[a->command->op](a);
	/* BUSY asks for another try under the same seq: no answer yet. */
	if (a->result->err != RFS_ERR_BUSY && !a->kv->failed)
		sessions_record(a, &session);
}

static void run_command(struct apply *a)
{
	if (command_has_seq(a->command->op))
		run_once(a);
	else
		a->result->err = runners[a->command->op](a);
}

/* Entries follow one another, and so does their time (F6). */
static enum rfs_err check_next(const struct meta *meta,
			       const struct store_entry *entry)
{
	if (entry->index != meta->applied_index + 1)
		return RFS_ERR_INVALID;
	if (meta->applied_index && entry->ts_ns <= meta->ts_ns)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

static void apply_entry(struct apply *a, const struct store_entry *entry,
			enum rfs_err decoded)
{
	if (a->meta.applied_index == 0)
		namespace_make_root(a);
	a->result->op = a->command->op;
	a->result->session = a->command->session;
	a->result->seq = a->command->seq;
	if (entry->members)
		a->meta.stale_below = a->meta.next_chunk;
	if (decoded)
		a->result->err = decoded;
	else
		run_command(a);
	chunkmap_reap(a, a->command->op == COMMAND_NOOP ? CHUNKMAP_REAP_IDLE :
							  CHUNKMAP_REAP_BUSY);

	a->meta.applied_index = entry->index;
	a->meta.term = entry->term;
	a->meta.epoch = entry->epoch;
	a->meta.ts_ns = entry->ts_ns;
	meta_save(a->kv, &a->meta);
}

/* The command of an entry; an entry without one is a NOOP. */
static enum rfs_err entry_decode(const struct store_entry *entry,
				 struct command *command)
{
	if (entry->command.bytes == 0) {
		*command = (struct command){ .op = COMMAND_NOOP };
		return RFS_ERR_OK;
	}
	return command_decode(entry->command.data, entry->command.bytes,
			      command);
}

enum rfs_err store_apply(struct store *store, struct kv *kv,
			 const struct store_entry *entry,
			 struct store_result *result,
			 struct store_effects *effects)
{
	struct apply a = {
		.kv = kv,
		.command = &store->command,
		.index = entry->index,
		.ts_ns = entry->ts_ns,
		.result = result,
		.effects = effects,
		.freed = &store->freed,
	};
	enum rfs_err err;

	memset(result, 0, sizeof(*result));
	memset(effects, 0, sizeof(*effects));
	store->freed.count = 0;
	err = meta_load(kv, &a.meta);
	if (err)
		return err;
	if (entry->index <= a.meta.applied_index) {
		effects->replayed = true;
		return RFS_ERR_OK;
	}
	err = check_next(&a.meta, entry);
	if (err)
		return err;
	err = entry_decode(entry, &store->command);
	if (err == RFS_ERR_VERSION)
		return err;

	result->raft_index = entry->index;
	result->ts_ns = entry->ts_ns;
	apply_entry(&a, entry, err);
	effects->freed = store->freed.chunks;
	effects->freed_count = store->freed.count;
	return kv->failed;
}
