/* Static probe points (USDT) of provider "raftfs", for bpftrace and the like.
 *
 * A point is one nop until somebody attaches; arguments are integers and must
 * be at hand anyway. Without <sys/sdt.h> at build time there are none.
 */
#ifndef RAFTFS_COMMON_OS_PROBE_H
#define RAFTFS_COMMON_OS_PROBE_H

#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define PROBE1(name, a)	      DTRACE_PROBE1(raftfs, name, a)
#define PROBE2(name, a, b)    DTRACE_PROBE2(raftfs, name, a, b)
#define PROBE3(name, a, b, c) DTRACE_PROBE3(raftfs, name, a, b, c)
#else
#define PROBE1(name, a)	      ((void)(a))
#define PROBE2(name, a, b)    ((void)(a), (void)(b))
#define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
