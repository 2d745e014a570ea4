/* The verdict on a cluster, printed. */
#ifndef RAFTFS_CLIENT_CLI_STATUS_H
#define RAFTFS_CLIENT_CLI_STATUS_H

#include "client/cli/cli.h"

/* Ask every daemon of cli->where, print the verdict, return its exit code. */
int status_show(struct cli *cli);

/* After a request ran into its time limit: if that is for want of a quorum, say
 * so on stderr and return CLI_NO_QUORUM, else `status` as it is. */
int status_if_no_quorum(struct cli *cli, int status);

#endif
