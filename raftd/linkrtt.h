/* What the kernel knows of the way to a peer: TCP's round trips.
 *
 * The least of the last minutes, not the smoothed figure: on a connection that
 * is sent to but seldom answers, that one contains delayed acknowledgements (up
 * to 40 ms). It is known from the handshake of TCP on, before the peer's
 * process has answered anything.
 */
#ifndef RAFTFS_RAFTD_LINKRTT_H
#define RAFTFS_RAFTD_LINKRTT_H

#include <stdint.h>

/* Of a connected socket; 0: not TCP, or nothing measured yet. One system call. */
int64_t linkrtt_least_ns(int fd);

#endif
