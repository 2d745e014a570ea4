/* The verdict on a cluster, printed. */
#ifndef RAFTFS_CLIENT_CLI_STATUS_H
#define RAFTFS_CLIENT_CLI_STATUS_H

#include "client/cli/cli.h"

/* Ask every daemon of cli->where, print the verdict, return its exit code. */
int status_show(struct cli *cli);

#endif
