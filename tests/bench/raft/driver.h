/* Load from many sequential clients, each on a connection of its own, over one
 * of two protocols: the player's frames, or etcd's HTTP/JSON gateway.
 *
 * One thread drives them all, so that the load costs little beside what it
 * measures, and the same for both.
 */
#ifndef RAFTFS_TESTS_BENCH_RAFT_DRIVER_H
#define RAFTFS_TESTS_BENCH_RAFT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVER_BUFFER_BYTES 8192
#define DRIVER_CLIENTS_MAX  1024

enum driver_op { DRIVER_PUT, DRIVER_GET };

struct driver_protocol {
	/* Write one request; its length. */
	size_t (*request)(char *to, enum driver_op op, uint64_t key,
			  const uint8_t *value);
	/* Bytes of the whole answer at `from`, 0 if more must come; *ok: it
	 * was done. */
	size_t (*response)(const char *from, size_t bytes, bool *ok);
};

extern const struct driver_protocol driver_player;
extern const struct driver_protocol driver_etcd;

struct driver_result {
	uint64_t done;
	uint64_t failed;
	double seconds;
	int64_t p50_ns;
	int64_t p99_ns;
};

/* `clients` of them, all to 127.0.0.1:port, for about `seconds`. */
void driver_run(const struct driver_protocol *protocol, uint16_t port,
		unsigned int clients, enum driver_op op, double seconds,
		struct driver_result *result);

/* One operation on a connection of its own; -1 when it was refused or did not
 * finish in time, else its duration. Value bytes come into value (a get). */
int64_t driver_once(const struct driver_protocol *protocol, uint16_t port,
		    enum driver_op op, uint64_t key, const uint8_t *value,
		    int timeout_ms);

/* Try to write at each of the ports at once, again and again, until the first
 * write that began now is acknowledged; -1 when timeout_ms passed. */
int64_t driver_first_write(const struct driver_protocol *protocol,
			   const uint16_t *ports, unsigned int port_count,
			   int timeout_ms);

/* Reads that are all asked at one moment, on connections made before. */
struct driver_volley;
struct driver_volley *driver_aim(uint16_t port, unsigned int count);
/* Ask for so many keys, drawn from seed; how many are answered within soon_ns,
 * and within late_ns. Then the volley is spent and freed. */
struct driver_hits {
	unsigned int soon;
	unsigned int late;
};
struct driver_hits driver_fire(struct driver_volley *volley, uint64_t seed,
			       int64_t soon_ns, int64_t late_ns);
void driver_unload(struct driver_volley *volley); /* not fired */

/* A player's digest of its map. False: no answer. */
bool driver_digest(uint16_t port, uint64_t *applied, uint64_t *sum);

#endif
