/* raftfs: the command a person uses. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/status.h"
#include "client/cli/usage.h"
#include "common/os/log.h"
#include "common/units.h"

/* Global options, up to the command. -1: go on; else the exit code. */
static int parse_options(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "+s:d:c:t:hV", longs, NULL)) !=
	       -1) {
		switch (letter) {
		case 's':
		case 'd':
		case 'c':
			cli->where = optarg;
			break;
		case 't':
			if (units_parse_duration(optarg, &cli->timeout_ns) !=
			    RFS_ERR_OK)
				return cli_usage(NULL, "-t %s: not a time",
						 optarg);
			break;
		case 'j':
			cli->json = true;
			break;
		case 'h':
			usage_print(NULL, stdout);
			return CLI_OK;
		case 'V':
			printf("raftfs " RAFTFS_VERSION "\n");
			return CLI_OK;
		default:
			usage_print(NULL, stderr);
			return CLI_USAGE;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct cli cli = {
		.timeout_ns = RAFTFS_TIMEOUT_NS,
		.who = {(uint32_t)geteuid(), (uint32_t)getegid()},
	};
	int status = parse_options(&cli, argc, argv);

	if (status >= 0)
		return status;
	log_init("raftfs", NULL);
	signal(SIGPIPE, SIG_IGN);
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		usage_print(NULL, stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[0], "help") == 0) {
		usage_print(argc > 1 ? argv[1] : NULL, stdout);
		return CLI_OK;
	}
	const struct usage_command *command = usage_find(argv[0]);

	if (command == NULL)
		return cli_usage(NULL, "there is no command \"%s\"", argv[0]);
	status = command->run(&cli, argc, argv);
	raftfs_close(cli.fs);
	if (cli_has_timed_out())
		status = status_if_no_quorum(&cli, status);
	if (fflush(stdout) != 0)
		status = cli_worst(status, cli_fail_errno("stdout"));
	return status < 0 ? CLI_OK : status;
}
