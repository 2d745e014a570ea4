/* Targets and directories. */
#include "client/cli/place.h"

#include <string.h>

bool place_base_name(const char *path, char *name)
{
	size_t end = strlen(path);

	while (end > 0 && path[end - 1] == '/')
		end--;
	size_t start = end;

	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end == start || end - start > RAFTFS_NAME_MAX)
		return false;
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

enum rfs_err place_find(struct raftfs *fs, const char *from, const char *to,
			uint64_t *parent, char name[RAFTFS_NAME_MAX + 1])
{
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_walk(fs, to, true, &attr);

	if (err == RFS_ERR_OK && S_ISDIR(attr.mode)) {
		if (strcmp(from, "-") == 0)
			return RFS_ERR_ISDIR;
		*parent = attr.ino;
		return place_base_name(from, name) ? RFS_ERR_OK
						   : RFS_ERR_INVALID;
	}
	if (err != RFS_ERR_OK && err != RFS_ERR_NOENT)
		return err;
	err = raftfs_walk_parent(fs, to, &attr, name);
	*parent = attr.ino;
	return err;
}

int place_must_be_dir(struct raftfs *fs, const char *path)
{
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_walk(fs, path, true, &attr);

	if (err == RFS_ERR_OK && !S_ISDIR(attr.mode))
		err = RFS_ERR_NOTDIR;
	return err == RFS_ERR_OK ? CLI_OK : cli_fail(path, err);
}

enum rfs_err place_make_dir(struct raftfs *fs, uint64_t parent,
			    const char *name, const struct raftfs_new *as,
			    struct raftfs_attr *attr)
{
	enum rfs_err err = raftfs_mkdir(fs, parent, name, as, attr);

	if (err != RFS_ERR_EXIST)
		return err;
	err = raftfs_lookup(fs, parent, name, attr);
	if (err == RFS_ERR_OK && !S_ISDIR(attr->mode))
		return RFS_ERR_NOTDIR;
	return err;
}

void place_finish_dir(struct transfer *transfer, const struct transfer_dir *dir)
{
	const struct raftfs_attr want = {.mode = dir->mode,
					 .atime_ns = dir->atime_ns,
					 .mtime_ns = dir->mtime_ns};
	struct raftfs_attr after;
	enum rfs_err err = raftfs_setattr(
		transfer->cli->fs, transfer->cli->who, dir->ino, &want,
		RAFTFS_SET_MODE | RAFTFS_SET_ATIME | RAFTFS_SET_MTIME, &after);

	if (err != RFS_ERR_OK)
		transfer_fail(transfer, dir->task->remote, err);
}

int place_into(struct cli *cli, const struct place_verb *verb, int argc,
	       char **argv)
{
	struct transfer transfer;
	bool recursive = false;
	int status =
		cli_options(cli, &argc, &argv, "r", cli_flag, &recursive);

	if (status != CLI_OK)
		return status;
	if (argc < 2)
		return cli_usage(verb->name, "%s", verb->missing);
	status = cli_open(cli);
	if (status == CLI_OK && argc > 2)
		status = place_must_be_dir(cli->fs, argv[argc - 1]);
	if (status != CLI_OK)
		return status;
	if (transfer_init(&transfer, cli, verb->name, verb->one) != RFS_ERR_OK)
		return cli_fail(verb->name, RFS_ERR_NOMEM);
	transfer.recursive = recursive;
	transfer.quiet = verb->quiet_alone && !recursive;
	transfer.finish_dir = place_finish_dir;
	for (int i = 0; i < argc - 1; i++)
		verb->start(&transfer, argv[i], argv[argc - 1]);
	status = transfer_run(&transfer);
	transfer_fini(&transfer);
	return status;
}
