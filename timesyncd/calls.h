/* The system calls that raftfs-timesyncd needs once it runs. */
#ifndef RAFTFS_TIMESYNCD_CALLS_H
#define RAFTFS_TIMESYNCD_CALLS_H

#include <stdbool.h>

/* Have all others refused. steers: it turns the host's clock, too. */
void calls_confine(bool steers);

#endif
