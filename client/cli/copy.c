/* cp: files and trees from one place of the cluster to another. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/listing.h"
#include "client/cli/place.h"
#include "client/cli/store.h"
#include "client/cli/transfer.h"

struct remote_file {
	struct raftfs *fs;
	uint64_t ino;
};

static enum rfs_err read_remote(void *ctx, uint64_t offset, void *data,
				size_t bytes, size_t *got)
{
	const struct remote_file *file = ctx;

	return raftfs_read(file->fs, file->ino, offset, data, bytes, got);
}

static enum rfs_err copy_file(struct transfer *transfer,
			      const struct transfer_task *task,
			      const struct raftfs_new *as)
{
	struct remote_file file = {transfer->cli->fs, task->attr.ino};
	const struct store_source source = {
		.read = read_remote,
		.ctx = &file,
		.size_hint = task->attr.size,
		.done_bytes = &transfer->done_bytes,
	};

	return store_file(transfer->cli->fs, task->parent, task->name, as,
			  &source);
}

static enum rfs_err copy_link(struct transfer *transfer,
			      const struct transfer_task *task,
			      const struct raftfs_new *as)
{
	struct raftfs_attr attr;
	char *target;
	enum rfs_err err =
		raftfs_readlink(transfer->cli->fs, task->attr.ino, &target);

	if (err != RFS_ERR_OK)
		return err;
	err = raftfs_symlink(transfer->cli->fs, task->parent, task->name,
			     target, as, &attr);
	free(target);
	return err;
}

static enum rfs_err add_children(struct transfer *transfer,
				 const struct transfer_task *parent,
				 uint64_t ino)
{
	struct listing listing;
	enum rfs_err err =
		listing_read(transfer->cli->fs, parent->attr.ino, &listing);

	if (err != RFS_ERR_OK)
		return err;
	for (size_t i = 0; i < listing.count; i++) {
		const struct listing_entry *from = &listing.entries[i];
		struct transfer_task *task;

		/* A copy into itself would never end. */
		if (from->attr.ino == ino)
			continue;
		task = transfer_task_new(transfer, parent, from->name);
		if (task == NULL)
			break;
		task->parent = ino;
		task->attr = from->attr;
		if (!S_ISDIR(task->attr.mode)) {
			transfer->found_files++;
			transfer->found_bytes += task->attr.size;
		}
		transfer_add(transfer, task);
	}
	listing_free(&listing);
	return RFS_ERR_OK;
}

/* Takes the task. */
static void copy_dir(struct transfer *transfer, struct transfer_task *task,
		     const struct raftfs_new *as)
{
	struct raftfs_new open_dir = *as;
	struct raftfs_attr attr;

	open_dir.mode = (as->mode & 07777) | 0700;
	enum rfs_err err = place_make_dir(transfer->cli->fs, task->parent,
					  task->name, &open_dir, &attr);

	if (err == RFS_ERR_OK)
		err = add_children(transfer, task, attr.ino);
	if (err != RFS_ERR_OK) {
		transfer_fail(transfer, task->remote, err);
		transfer_task_free(task);
		return;
	}
	transfer_later(transfer, task, attr.ino, as->mode & 07777, as->atime_ns,
		       as->mtime_ns);
}

static void copy_one(struct transfer *transfer, struct transfer_task *task)
{
	const struct raftfs_new as = {
		.who = transfer->cli->who,
		.mode = task->attr.mode,
		.rdev = task->attr.rdev,
		.dated = transfer->recursive,
		.atime_ns = task->attr.atime_ns,
		.mtime_ns = task->attr.mtime_ns,
	};
	struct raftfs_new file = as;
	struct raftfs_attr attr;
	enum rfs_err err;

	file.mode &= 07777;
	if (S_ISDIR(task->attr.mode) && transfer->recursive) {
		copy_dir(transfer, task, &as);
		return;
	}
	if (S_ISDIR(task->attr.mode))
		err = RFS_ERR_ISDIR;
	else if (S_ISREG(task->attr.mode))
		err = copy_file(transfer, task, &file);
	else if (S_ISLNK(task->attr.mode))
		err = copy_link(transfer, task, &as);
	else
		err = raftfs_mknod(transfer->cli->fs, task->parent, task->name,
				   &as, &attr);
	if (err != RFS_ERR_OK)
		transfer_fail(transfer, task->remote, err);
	else
		transfer->done_files++;
	transfer_task_free(task);
}

static void start_one(struct transfer *transfer, const char *from,
		      const char *to)
{
	struct transfer_task *task = transfer_task_new(transfer, NULL, "");

	if (task == NULL)
		return;
	task->remote = strdup(from);
	enum rfs_err err =
		raftfs_walk(transfer->cli->fs, from, true, &task->attr);

	if (err == RFS_ERR_OK)
		err = place_find(transfer->cli->fs, from, to, &task->parent,
				 task->name);
	if (err != RFS_ERR_OK || task->remote == NULL) {
		transfer_fail(transfer, from,
			      err == RFS_ERR_OK ? RFS_ERR_NOMEM : err);
		transfer_task_free(task);
		return;
	}
	if (!S_ISDIR(task->attr.mode))
		transfer->found_files++;
	transfer_add(transfer, task);
}

int command_cp(struct cli *cli, int argc, char **argv)
{
	static const struct place_verb cp = {
		.name = "cp",
		.missing = "cp: from where to where?",
		.start = start_one,
		.one = copy_one,
		.quiet_alone = true,
	};

	return place_into(cli, &cp, argc, argv);
}
