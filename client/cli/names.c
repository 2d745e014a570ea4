/* stat mkdir rm mv ln df: one or a few names at a time. (rm -r: remove.c) */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"
#include "client/cli/json.h"
#include "client/cli/place.h"
#include "client/cli/show.h"
#include "common/units.h"

/* --- stat --- */

static void stat_text(const char *path, const struct raftfs_attr *attr)
{
	char times[3][SHOW_TIME_BYTES];

	printf("%s: %s, inode %" PRIu64 ", mode %04o, %u link%s, "
	       "owner %u:%u\n",
	       path, show_type(attr->mode), attr->ino, attr->mode & 07777,
	       attr->nlink, attr->nlink == 1 ? "" : "s", attr->uid, attr->gid);
	printf("  size %" PRIu64 " bytes, %" PRIu64
	       " blocks, changed at log index %" PRIu64 "\n",
	       attr->size, attr->blocks, attr->version);
	printf("  modified %s\n  changed  %s\n  accessed %s\n",
	       show_time(attr->mtime_ns, times[0]),
	       show_time(attr->ctime_ns, times[1]),
	       show_time(attr->atime_ns, times[2]));
}

int command_stat(struct cli *cli, int argc, char **argv)
{
	struct json json;
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc == 0)
		return cli_usage("stat", "stat: which path?");
	status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	json_init(&json, stdout);
	if (cli->json)
		json_open(&json, NULL, '[');
	for (int i = 0; i < argc; i++) {
		struct raftfs_attr attr;
		enum rfs_err err = raftfs_walk(cli->fs, argv[i], false, &attr);

		if (err != RFS_ERR_OK)
			status = cli_worst(status, cli_fail(argv[i], err));
		else if (cli->json)
			show_attr_json(&json, "path", argv[i], &attr);
		else
			stat_text(argv[i], &attr);
	}
	if (cli->json)
		json_close(&json, ']');
	return status;
}

/* --- mkdir --- */

struct mkdir_options {
	bool parents;
	struct raftfs_new as;
};

static bool mkdir_option(void *ctx, int letter, const char *value)
{
	struct mkdir_options *options = ctx;
	char *end;

	if (letter == 'p') {
		options->parents = true;
		return true;
	}
	options->as.mode = (uint32_t)strtoul(value, &end, 8);
	return *end == '\0' && end != value && options->as.mode <= 07777;
}

static enum rfs_err mkdir_one(struct cli *cli, const char *path,
			      const struct raftfs_new *as)
{
	struct raftfs_attr parent, made;
	char name[RAFTFS_NAME_MAX + 1];
	enum rfs_err err = raftfs_walk_parent(cli->fs, path, &parent, name);

	if (err != RFS_ERR_OK)
		return err;
	return raftfs_mkdir(cli->fs, parent.ino, name, as, &made);
}

/* Each prefix in turn; those that are there already do not matter. */
static enum rfs_err mkdir_parents(struct cli *cli, const char *path,
				  const struct raftfs_new *as)
{
	struct raftfs_attr attr;
	enum rfs_err err = RFS_ERR_OK;
	char *prefix = strdup(path);

	if (prefix == NULL)
		return RFS_ERR_NOMEM;
	for (char *at = prefix; err == RFS_ERR_OK && *at != '\0';) {
		at += strspn(at, "/");
		if (*at == '\0')
			break;
		at += strcspn(at, "/");
		char kept = *at;

		*at = '\0';
		err = raftfs_walk(cli->fs, prefix, true, &attr);
		if (err == RFS_ERR_NOENT)
			err = mkdir_one(cli, prefix, as);
		else if (err == RFS_ERR_OK && !S_ISDIR(attr.mode))
			err = RFS_ERR_NOTDIR;
		/* Another client may have been quicker. */
		if (err == RFS_ERR_EXIST)
			err = RFS_ERR_OK;
		*at = kept;
	}
	free(prefix);
	return err;
}

int command_mkdir(struct cli *cli, int argc, char **argv)
{
	struct mkdir_options options = {.as = {.who = cli->who, .mode = 0755}};
	int status =
		cli_options(cli, &argc, &argv, "pm:", mkdir_option, &options);

	if (status != CLI_OK)
		return status;
	if (argc == 0)
		return cli_usage("mkdir", "mkdir: which path?");
	status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	for (int i = 0; i < argc; i++) {
		enum rfs_err err =
			options.parents
				? mkdir_parents(cli, argv[i], &options.as)
				: mkdir_one(cli, argv[i], &options.as);

		if (err != RFS_ERR_OK)
			status = cli_worst(status, cli_fail(argv[i], err));
	}
	return status;
}

/* --- mv --- */

static enum rfs_err move_one(struct cli *cli, const char *from, const char *to,
			     uint32_t flags)
{
	char name[RAFTFS_NAME_MAX + 1], new_name[RAFTFS_NAME_MAX + 1];
	struct raftfs_attr parent;
	uint64_t new_parent;
	enum rfs_err err = raftfs_walk_parent(cli->fs, from, &parent, name);

	if (err == RFS_ERR_OK)
		err = place_find(cli->fs, from, to, &new_parent, new_name);
	if (err != RFS_ERR_OK)
		return err;
	return raftfs_rename(cli->fs, cli->who, parent.ino, name, new_parent,
			     new_name, flags);
}

static bool set_flag(void *ctx, int letter, const char *value)
{
	(void)letter;
	(void)value;
	*(bool *)ctx = true;
	return true;
}

int command_mv(struct cli *cli, int argc, char **argv)
{
	bool keep = false;
	int status = cli_options(cli, &argc, &argv, "n", set_flag, &keep);

	if (status != CLI_OK)
		return status;
	if (argc < 2)
		return cli_usage("mv", "mv: from where to where?");
	status = cli_open(cli);
	if (status == CLI_OK && argc > 2)
		status = place_must_be_dir(cli->fs, argv[argc - 1]);
	if (status != CLI_OK)
		return status;
	for (int i = 0; i < argc - 1; i++) {
		enum rfs_err err = move_one(cli, argv[i], argv[argc - 1],
					    keep ? RENAME_NOREPLACE : 0);

		if (err != RFS_ERR_OK)
			status = cli_worst(status, cli_fail(argv[i], err));
	}
	return status;
}

/* --- ln --- */

static enum rfs_err link_one(struct cli *cli, const char *target,
			     const char *path, bool symbolic)
{
	const struct raftfs_new as = {.who = cli->who, .mode = 0777};
	char name[RAFTFS_NAME_MAX + 1];
	struct raftfs_attr attr, made;
	uint64_t parent;
	enum rfs_err err = place_find(cli->fs, target, path, &parent, name);

	if (err != RFS_ERR_OK)
		return err;
	if (symbolic)
		return raftfs_symlink(cli->fs, parent, name, target, &as,
				      &made);
	err = raftfs_walk(cli->fs, target, false, &attr);
	if (err != RFS_ERR_OK)
		return err;
	return raftfs_link(cli->fs, cli->who, attr.ino, parent, name, &made);
}

int command_ln(struct cli *cli, int argc, char **argv)
{
	bool symbolic = false;
	int status = cli_options(cli, &argc, &argv, "s", set_flag, &symbolic);

	if (status != CLI_OK)
		return status;
	if (argc != 2)
		return cli_usage("ln", "ln: a target and a path, please");
	status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	enum rfs_err err = link_one(cli, argv[0], argv[1], symbolic);

	return err == RFS_ERR_OK ? CLI_OK : cli_fail(argv[1], err);
}

/* --- df --- */

int command_df(struct cli *cli, int argc, char **argv)
{
	struct raftfs_space space;
	char total[24], free_text[24], used[24];
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0)
		return cli_usage("df", "df: takes no path");
	status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	enum rfs_err err = raftfs_statfs(cli->fs, &space);

	if (err != RFS_ERR_OK)
		return cli_fail("df", err);
	uint64_t used_bytes = space.total_bytes > space.free_bytes
				      ? space.total_bytes - space.free_bytes
				      : 0;

	if (cli->json) {
		struct json json;

		json_init(&json, stdout);
		json_open(&json, NULL, '{');
		json_uint(&json, "total_bytes", space.total_bytes);
		json_uint(&json, "free_bytes", space.free_bytes);
		json_uint(&json, "files", space.files);
		json_close(&json, '}');
		return CLI_OK;
	}
	printf("%s total, %s used, %s free, %" PRIu64 " files\n",
	       units_format_size(space.total_bytes, total, sizeof(total)),
	       units_format_size(used_bytes, used, sizeof(used)),
	       units_format_size(space.free_bytes, free_text,
				 sizeof(free_text)),
	       space.files);
	return CLI_OK;
}
