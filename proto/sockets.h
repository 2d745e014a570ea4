/* Names of the unix sockets in a node's run_dir.
 *
 * Every daemon D listens on <run_dir>/D.ctl for control.proto; storaged also on
 * <run_dir>/SOCKETS_FILES for files.proto.
 */
#ifndef RAFTFS_PROTO_SOCKETS_H
#define RAFTFS_PROTO_SOCKETS_H

#define SOCKETS_FILES	   "files.sock"
#define SOCKETS_SUPERVISOR "supervisor.ctl"
#define SOCKETS_TIMESYNCD  "timesyncd.ctl"
#define SOCKETS_RAFTD	   "raftd.ctl"
#define SOCKETS_STORAGED   "storaged.ctl"
#define SOCKETS_PID_FILE   "supervisor.pid" /* flock()ed while it runs */

#endif
