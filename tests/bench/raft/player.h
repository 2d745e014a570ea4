/* storaged, played: a process that stands where storaged stands, with a map of
 * numbers to values for a state machine.
 *
 * On one side the link to raftd (local.proto) and both pages, on the other TCP
 * clients that speak frames of LocalPropose: data is an operation, a key of 8
 * bytes, a value. It answers a put once its entry was applied here, a get by
 * the lease check of shm/conspage.h or after a LocalRead: as storaged does.
 */
#ifndef RAFTFS_TESTS_BENCH_RAFT_PLAYER_H
#define RAFTFS_TESTS_BENCH_RAFT_PLAYER_H

#include <stdint.h>

#define PLAYER_PUT    'P'
#define PLAYER_GET    'G'
#define PLAYER_DIGEST 'D' /* answer: index = applied, term = sum of the map */

#define PLAYER_KEYS	   16384
#define PLAYER_VALUE_BYTES 256

/* Serve until channel_fd ends; never returns. channel_fd carries handouts:
 * HANDOUT_LINK, _CONS_READER, _CLOCK_READER. dir: for checkpoints. */
void player_run(const char *name, const char *dir, uint16_t port,
		int channel_fd) __attribute__((noreturn));

#endif
