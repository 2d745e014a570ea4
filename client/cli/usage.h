/* The table of commands: name, function, how to call it. */
#ifndef RAFTFS_CLIENT_CLI_USAGE_H
#define RAFTFS_CLIENT_CLI_USAGE_H

#include <stdio.h>

#include "client/cli/cli.h"

struct usage_command {
	const char *name;
	cli_command *run;
	const char *operands;
	const char *purpose;
};

/* NULL when there is none of that name. */
const struct usage_command *usage_find(const char *name);

/* One command's lines, or with NULL all of them. */
void usage_print(const char *name, FILE *out);

#endif
