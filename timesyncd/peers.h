/* The other nodes' timesyncd, over one UDP socket: asking, answering, and who
 * may do either (proto/timepacket.h, timesyncd/auth.h).
 *
 * Strangers, forged and repeated packets are counted and met with silence. A
 * peer's boot id is learnt from a WELCOME to a nonce of ours, so an old packet
 * can neither pass for a new boot nor reset a replay window.
 */
#ifndef RAFTFS_TIMESYNCD_PEERS_H
#define RAFTFS_TIMESYNCD_PEERS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "timesyncd/core/timesync.h"
#include "timesyncd/stamps.h"

struct peers;

/* What the loop provides. All called on the loop's thread. */
struct peers_host {
	void *ctx;
	/* The clock to tell others; borrowed until the next call. */
	const struct timesync_clock *(*clock)(void *ctx);
	/* Whom this node hears, to be told as well (core/carrier.h). */
	uint32_t (*hears)(void *ctx);
	/* An exchange is complete; borrowed for the call. */
	void (*replied)(void *ctx, const struct timesync_exchange *exchange);
	/* The exchange before, with a later T3: that of the kernel, which came
	 * with the answer that is reported next. May be NULL. */
	void (*refined)(void *ctx, const struct timesync_exchange *exchange);
	/* An exchange that the peer began and we served: T1 and T4 are its,
	 * before the answer that it told it with is reported. May be NULL. */
	void (*served)(void *ctx, const struct timesync_exchange *exchange);
	/* No answer to peers_ask() within the timeout. */
	void (*timed_out)(void *ctx, uint32_t peer);
};

struct peers_counters {
	uint64_t packets_in, packets_out;
	uint64_t refused_mac;	 /* the MAC does not fit */
	uint64_t refused_replay; /* seen before, or an answer nobody awaits */
	uint64_t refused_rate;
	uint64_t refused_other; /* strangers, nonsense, other versions */
};

/* Binds the node's time_port. NULL: logged. config and key are borrowed for
 * the call only. */
struct peers *peers_new(struct ev_loop *loop, const struct config *config,
			const struct node_key *key,
			const struct peers_host *host);
void peers_free(struct peers *peers);

/* Another list of nodes: who is still in it keeps its boot id and a request
 * under way, who is not is a stranger from now on, and of its request under way
 * nothing more is heard. This node's own address stays as it was bound. Errors,
 * logged, with nothing changed: INVALID, NOMEM. */
RFS_MUST_USE enum rfs_err peers_configure(struct peers *peers,
					  const struct config *config,
					  const struct node_key *key);

/* Begin one exchange; exactly one of replied and timed_out follows. */
void peers_ask(struct peers *peers, uint32_t peer, int64_t timeout_ns);

const struct peers_counters *peers_counters(const struct peers *peers);

/* True while the kernel's arrival stamps are used. */
bool peers_kernel_stamps(const struct peers *peers);

#endif
