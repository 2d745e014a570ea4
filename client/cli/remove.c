/* rm: names, and with -r whole trees: files first, then directories from the
 * deepest up. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/listing.h"
#include "client/cli/place.h"
#include "client/cli/transfer.h"

static bool is_gone_and_fine(const struct transfer *transfer, enum rfs_err err)
{
	return err == RFS_ERR_NOENT && transfer->force;
}

static void add_children(struct transfer *transfer,
			 const struct transfer_task *parent)
{
	struct listing listing;
	enum rfs_err err =
		listing_read(transfer->cli->fs, parent->attr.ino, &listing);

	if (err != RFS_ERR_OK) {
		transfer_fail(transfer, parent->remote, err);
		return;
	}
	for (size_t i = 0; i < listing.count; i++) {
		struct transfer_task *task = transfer_task_new(
			transfer, parent, listing.entries[i].name);

		if (task == NULL)
			break;
		task->parent = parent->attr.ino;
		task->attr = listing.entries[i].attr;
		if (!S_ISDIR(task->attr.mode))
			transfer->found_files++;
		transfer_add(transfer, task);
	}
	listing_free(&listing);
}

static void remove_one(struct transfer *transfer, struct transfer_task *task)
{
	enum rfs_err err = RFS_ERR_ISDIR;

	if (S_ISDIR(task->attr.mode) && transfer->recursive) {
		add_children(transfer, task);
		transfer_later(transfer, task, task->attr.ino, 0, 0, 0);
		return;
	}
	if (!S_ISDIR(task->attr.mode))
		err = raftfs_unlink(transfer->cli->fs, transfer->cli->who,
				    task->parent, task->name);
	if (err == RFS_ERR_OK)
		transfer->done_files++;
	else if (!is_gone_and_fine(transfer, err))
		transfer_fail(transfer, task->remote, err);
	transfer_task_free(task);
}

static void remove_dir(struct transfer *transfer,
		       const struct transfer_dir *dir)
{
	enum rfs_err err = raftfs_rmdir(transfer->cli->fs, transfer->cli->who,
					dir->task->parent, dir->task->name);

	if (err != RFS_ERR_OK && !is_gone_and_fine(transfer, err))
		transfer_fail(transfer, dir->task->remote, err);
}

static void start_one(struct transfer *transfer, const char *path)
{
	struct transfer_task *task = transfer_task_new(transfer, NULL, "");
	struct raftfs_attr parent;

	if (task == NULL)
		return;
	task->remote = strdup(path);
	enum rfs_err err = raftfs_walk_parent(transfer->cli->fs, path, &parent,
					      task->name);

	if (err == RFS_ERR_OK) {
		task->parent = parent.ino;
		err = raftfs_lookup(transfer->cli->fs, parent.ino, task->name,
				    &task->attr);
	}
	if (err == RFS_ERR_OK && task->remote == NULL)
		err = RFS_ERR_NOMEM;
	if (err != RFS_ERR_OK) {
		if (!is_gone_and_fine(transfer, err))
			transfer_fail(transfer, path, err);
		transfer_task_free(task);
		return;
	}
	transfer_add(transfer, task);
}

struct rm_options {
	bool recursive;
	bool force;
};

static bool rm_option(void *ctx, int letter, const char *value)
{
	struct rm_options *options = ctx;

	(void)value;
	if (letter == 'f')
		options->force = true;
	else
		options->recursive = true;
	return true;
}

int command_rm(struct cli *cli, int argc, char **argv)
{
	struct rm_options options = {.force = false};
	struct transfer transfer;
	int status = cli_options(cli, &argc, &argv, "fr", rm_option, &options);

	if (status != CLI_OK)
		return status;
	if (argc == 0 && options.force)
		return CLI_OK;
	if (argc == 0)
		return cli_usage("rm", "rm: which path?");
	status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	if (transfer_init(&transfer, cli, "rm", remove_one) != RFS_ERR_OK)
		return cli_fail("rm", RFS_ERR_NOMEM);
	transfer.recursive = options.recursive;
	transfer.force = options.force;
	transfer.quiet = !options.recursive;
	transfer.finish_dir = remove_dir;
	for (int i = 0; i < argc; i++)
		start_one(&transfer, argv[i]);
	status = transfer_run(&transfer);
	transfer_fini(&transfer);
	return status;
}
