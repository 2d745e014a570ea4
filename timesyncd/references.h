/* References outside the cluster, asked as peers are (core/reference.h): the
 * NTP servers of `servers`, or this host's clock with the kernel's maxerror.
 *
 * NTP is not authenticated here: an answer must come from the server's address
 * and carry the 64 random bits of the question. Servers are believed by
 * majority only.
 */
#ifndef RAFTFS_TIMESYNCD_REFERENCES_H
#define RAFTFS_TIMESYNCD_REFERENCES_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/os/config.h"
#include "timesyncd/core/timesync.h"

struct references;

struct references_host {
	void *ctx;
	/* As of struct peers_host. Never called from within references_ask(). */
	void (*replied)(void *ctx, const struct timesync_exchange *exchange);
	void (*timed_out)(void *ctx, uint32_t id);
};

/* Append the references of a configuration to the core's peers. */
void references_settings(struct timesync_config *settings,
			 const struct config *config);

/* "192.0.2.1" or "system"; NULL: no such reference. Borrowed from config. */
const char *references_name(const struct config *config, uint32_t id);

/* NULL: logged. config is borrowed for the references' life. */
struct references *references_new(struct ev_loop *loop,
				  const struct config *config,
				  const struct references_host *host);
void references_free(struct references *references); /* may be NULL */

/* Begin one exchange; exactly one of replied and timed_out follows. */
void references_ask(struct references *references, uint32_t id,
		    int64_t timeout_ns);

/* What the reference said of itself last. False: never heard, or no server. */
bool references_rank(const struct references *references, uint32_t id,
		     uint8_t *stratum, uint32_t *refid);

#endif
