/* The status of daemons as Prometheus reads it. */
#ifndef RAFTFS_CLIENT_CLI_METRICS_H
#define RAFTFS_CLIENT_CLI_METRICS_H

#include <stdio.h>

#include "client/cli/ask.h"

/* All series of what the nodes answered, in the text format 0.0.4. A daemon
 * that did not answer is 0 in raftfs_up and missing in the rest. */
void metrics_print(const struct ask_nodes *nodes, FILE *out);

#endif
