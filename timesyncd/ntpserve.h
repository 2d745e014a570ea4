/* NTP server: any NTP client can follow the cluster clock (RFC 5905, UDP).
 *
 * Questions of clients (mode 3) are answered, nothing else is; an answer is
 * never longer than its question. Each address may ask a few times a second,
 * all together a few thousand: beyond that there is silence. No state is kept
 * per client but its share.
 */
#ifndef RAFTFS_TIMESYNCD_NTPSERVE_H
#define RAFTFS_TIMESYNCD_NTPSERVE_H

#include <ev.h>
#include <stdint.h>

#include "timesyncd/core/ntp.h"
#include "timesyncd/core/timesync.h"

struct ntpserve;

struct ntpserve_host {
	void *ctx;
	/* The clock to serve, and as whom; borrowed until the next call. */
	const struct timesync_clock *(*clock)(void *ctx);
	void (*identify)(void *ctx, struct ntp_identity *identity);
};

struct ntpserve_counters {
	uint64_t asked, answered;
	uint64_t refused_rate, refused_other;
};

/* Binds address and port. NULL: logged. */
struct ntpserve *ntpserve_new(struct ev_loop *loop, const char *address,
			      uint16_t port, const struct ntpserve_host *host);
void ntpserve_free(struct ntpserve *serve); /* may be NULL */

const struct ntpserve_counters *ntpserve_counters(const struct ntpserve *serve);

#endif
