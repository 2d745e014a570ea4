/* Targets, failures and options, the same for every command. */
#include "client/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/usage.h"

int cli_open(struct cli *cli)
{
	enum rfs_err err = raftfs_open(cli->where, &cli->fs);

	if (err != RFS_ERR_OK) {
		fprintf(stderr, "raftfs: %s\n",
			raftfs_reason()[0] != '\0' ? raftfs_reason()
						   : rfs_err_text(err));
		return err == RFS_ERR_INVALID ? CLI_FAILED : CLI_UNREACHABLE;
	}
	raftfs_set_timeout(cli->fs, cli->timeout_ns);
	if (raftfs_connect(cli->fs) == RFS_ERR_OK)
		return CLI_OK;
	fprintf(stderr, "raftfs: %s\n", raftfs_reason());
	return CLI_UNREACHABLE;
}

static _Atomic bool has_timed_out;

bool cli_has_timed_out(void)
{
	return has_timed_out;
}

int cli_fail(const char *path, enum rfs_err err)
{
	const char *reason = raftfs_reason();

	if (err == RFS_ERR_TIMEDOUT || err == RFS_ERR_UNKNOWN)
		has_timed_out = true;
	if (reason[0] != '\0' && strcmp(reason, rfs_err_text(err)) != 0)
		fprintf(stderr, "raftfs: %s: %s (%s)\n", path,
			rfs_err_text(err), reason);
	else
		fprintf(stderr, "raftfs: %s: %s\n", path, rfs_err_text(err));
	if (err == RFS_ERR_NO_QUORUM)
		return CLI_NO_QUORUM;
	return err == RFS_ERR_CLOSED ? CLI_UNREACHABLE : CLI_FAILED;
}

int cli_fail_errno(const char *path)
{
	fprintf(stderr, "raftfs: %s: %s\n", path, strerror(errno));
	return CLI_FAILED;
}

int cli_usage(const char *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "raftfs: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	usage_print(command, stderr);
	return CLI_USAGE;
}

int cli_help(const char *command)
{
	usage_print(command, stdout);
	return CLI_OK;
}

bool cli_flag(void *ctx, int letter, const char *value)
{
	(void)letter;
	(void)value;
	*(bool *)ctx = true;
	return true;
}

int cli_options(struct cli *cli, int *argc, char ***argv, const char *letters,
		bool (*take)(void *ctx, int letter, const char *value),
		void *ctx)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"parents", no_argument, NULL, 'p'},
		{"recursive", no_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	const char *command = (*argv)[0];
	char all[64];
	int letter;

	snprintf(all, sizeof(all), "h%s", letters);
	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(*argc, *argv, all, longs, NULL)) != -1) {
		if (letter == 'h') {
			usage_print(command, stdout);
			return -1; /* done, and nothing is wrong */
		}
		if (letter == 'j') {
			cli->json = true;
			continue;
		}
		if (letter == '?' || strchr(letters, letter) == NULL ||
		    take == NULL || !take(ctx, letter, optarg))
			return cli_usage(command, "%s: cannot use %s", command,
					 (*argv)[optind - 1]);
	}
	*argc -= optind;
	*argv += optind;
	return CLI_OK;
}
