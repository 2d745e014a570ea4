/* Clients: the mount, the command, any program with libraftfs, on the unix
 * socket <run_dir>/files.sock. Anyone may connect; SO_PEERCRED says who it is.
 */
#ifndef RAFTFS_STORAGED_SERVE_H
#define RAFTFS_STORAGED_SERVE_H

#include <stdint.h>

#include "storaged/storaged.h"

struct serve;

/* NULL: logged. */
struct serve *serve_new(struct storaged *s);
void serve_free(struct serve *serve);

/* This node's raftd is gone: clients that wait for an answer are hung up on.
 * Their library asks another node at once if it knows one, else this one
 * again, under the same ids. Not from inside a client's request. */
void serve_hang_up(struct serve *serve);

uint32_t serve_clients(const struct serve *serve);

#endif
