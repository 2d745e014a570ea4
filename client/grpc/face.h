/* raftfs-grpc at work: the loop, reloads, the end. */
#ifndef RAFTFS_CLIENT_GRPC_FACE_H
#define RAFTFS_CLIENT_GRPC_FACE_H

#include "common/os/config.h"

/* Serve until TERM or INT, or until the supervisor is gone; then let the calls
 * end that were taken.
 *
 *   config      read and checked, grpc.port is not 0
 *   channel_fd  to the supervisor, which sends new configurations; -1: alone,
 *		 SIGHUP reads config->path again
 *
 * Either way certificates are read again at each reload. Returns the process's
 * exit status. Once per process. */
int face_run(const struct config *config, int channel_fd);

/* Take one handout; `config` is written when it was one. BUSY: none waits;
 * CLOSED: the supervisor is gone; INVALID: logged. */
RFS_MUST_USE enum rfs_err face_take_handout(int channel_fd,
					    struct config *config,
					    bool *is_config, bool *is_start);

#endif
