/* ls: directories, in name order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/json.h"
#include "client/cli/listing.h"
#include "client/cli/show.h"

struct ls_options {
	bool all;
	bool lines;
};

static bool ls_option(void *ctx, int letter, const char *value)
{
	struct ls_options *options = ctx;

	(void)value;
	if (letter == 'a')
		options->all = true;
	else
		options->lines = true;
	return true;
}

static void print_target(struct cli *cli, uint64_t ino)
{
	char *target;

	if (raftfs_readlink(cli->fs, ino, &target) != RFS_ERR_OK)
		return;
	printf(" -> %s", target);
	free(target);
}

static void print_line(struct cli *cli, const char *name,
		       const struct raftfs_attr *attr)
{
	char mode[SHOW_MODE_BYTES];
	char time[SHOW_TIME_BYTES];

	show_time(attr->mtime_ns, time);
	time[16] = '\0'; /* to the minute */
	printf("%s %3u %5u %5u %10" PRIu64 " %s %s",
	       show_mode(attr->mode, mode), attr->nlink, attr->uid, attr->gid,
	       attr->size, time, name);
	if (S_ISLNK(attr->mode))
		print_target(cli, attr->ino);
	printf("\n");
}

static void print_entry(struct cli *cli, const struct ls_options *options,
			struct json *json, const char *name,
			const struct raftfs_attr *attr)
{
	if (cli->json)
		show_attr_json(json, "name", name, attr);
	else if (options->lines)
		print_line(cli, name, attr);
	else
		printf("%s\n", name);
}

static enum rfs_err list_dir(struct cli *cli, const struct ls_options *options,
			     struct json *json, uint64_t ino)
{
	struct listing listing;
	enum rfs_err err = listing_read(cli->fs, ino, &listing);

	if (err != RFS_ERR_OK)
		return err;
	for (size_t i = 0; i < listing.count; i++) {
		const struct listing_entry *entry = &listing.entries[i];

		if (options->all || entry->name[0] != '.')
			print_entry(cli, options, json, entry->name,
				    &entry->attr);
	}
	listing_free(&listing);
	return RFS_ERR_OK;
}

static enum rfs_err list_one(struct cli *cli, const struct ls_options *options,
			     struct json *json, const char *path, bool titled)
{
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_walk(cli->fs, path, true, &attr);

	if (err != RFS_ERR_OK)
		return err;
	if (!S_ISDIR(attr.mode)) {
		print_entry(cli, options, json, path, &attr);
		return RFS_ERR_OK;
	}
	if (titled && !cli->json)
		printf("%s:\n", path);
	return list_dir(cli, options, json, attr.ino);
}

int command_ls(struct cli *cli, int argc, char **argv)
{
	static char *root[] = {(char *)"/"};
	struct ls_options options = {.all = false};
	struct json json;
	int status = cli_options(cli, &argc, &argv, "al", ls_option, &options);

	if (status == CLI_OK)
		status = cli_open(cli);
	if (status != CLI_OK)
		return status;
	if (argc == 0) {
		argv = root;
		argc = 1;
	}
	json_init(&json, stdout);
	if (cli->json)
		json_open(&json, NULL, '[');
	for (int i = 0; i < argc; i++) {
		enum rfs_err err =
			list_one(cli, &options, &json, argv[i], argc > 1);

		if (err != RFS_ERR_OK)
			status = cli_worst(status, cli_fail(argv[i], err));
	}
	if (cli->json)
		json_close(&json, ']');
	return status;
}
