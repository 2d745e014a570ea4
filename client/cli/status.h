/* The verdict on a cluster, printed. */
#ifndef RAFTFS_CLIENT_CLI_STATUS_H
#define RAFTFS_CLIENT_CLI_STATUS_H

#include "client/cli/ask.h"
#include "client/cli/cli.h"

/* Whom there is to ask, and what they say: CLI_OK, or the exit code after the
 * reason was printed. To be freed by ask_nodes_free(). */
RFS_MUST_USE int status_gather(struct cli *cli, struct ask_nodes *nodes);

/* Ask every daemon of cli->where, print the verdict, return its exit code. */
int status_show(struct cli *cli);

/* After a request ran into its time limit: if that is for want of a quorum, say
 * so on stderr and return CLI_NO_QUORUM, else `status` as it is. */
int status_if_no_quorum(struct cli *cli, int status);

#endif
