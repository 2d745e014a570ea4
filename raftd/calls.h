/* The system calls that raftfs-raftd needs once it runs. */
#ifndef RAFTFS_RAFTD_CALLS_H
#define RAFTFS_RAFTD_CALLS_H

/* Have all others refused. */
void calls_confine(void);

#endif
