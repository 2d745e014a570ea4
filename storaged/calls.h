/* The system calls that raftfs-storaged needs once it runs. */
#ifndef RAFTFS_STORAGED_CALLS_H
#define RAFTFS_STORAGED_CALLS_H

/* Have all others refused. */
void calls_confine(void);

#endif
