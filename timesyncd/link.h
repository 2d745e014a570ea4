/* One other node and what is under way with it; and all of them with the socket
 * they share. Internal to peers.c and its parts:
 *
 *	sending.c	packets out
 *	receiving.c	packets in, and who may send them
 *	departures.c	when the kernel let ours go
 *	link.c		links made, readdressed and taken away
 */
#ifndef RAFTFS_TIMESYNCD_LINK_H
#define RAFTFS_TIMESYNCD_LINK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "proto/timepacket.h"
#include "timesyncd/auth.h"
#include "timesyncd/core/timesync.h"
#include "timesyncd/peers.h"
#include "timesyncd/stamps.h"
#include "timesyncd/udp.h"

/* Answers of ours that the asker may still tell more of. */
#define LINK_SERVED 8u

struct link_served {
	uint64_t nonce; /* 0: none */
	int64_t t2_ns, t3_ns;
};

/* A question of ours, to be told to who answered it. */
struct link_asked {
	uint64_t nonce; /* 0: none */
	int64_t t1_ns, t4_ns, delay_ns;
	uint32_t disruptions; /* of our clock then */
};

struct peer_link {
	struct peers *peers;
	uint32_t id;
	struct sockaddr_storage address;
	socklen_t address_bytes;
	struct auth auth;
	uint8_t boot[TIMEPACKET_BOOT_BYTES];
	bool boot_known;
	struct replay replay;
	struct bucket bucket;

	bool asked; /* an exchange is under way */
	uint64_t hello_nonce, request_nonce; /* 0: none awaited */
	int64_t hello_ns, t1_ns;
	int64_t departed_wall_ns; /* kernel's stamp of the request; 0: none */
	int64_t rtt_ns;

	/* Our last answer to it, and when the kernel sent that. */
	uint64_t answered_nonce; /* 0: none, or its stamp was told */
	int64_t answered_t3_ns;
	int64_t answered_departed_ns; /* 0: not known (yet) */
	/* Its last answer to us. */
	uint64_t last_nonce; /* 0: none, or nothing better to learn of it */
	struct timesync_exchange last;
	struct link_served served[LINK_SERVED];
	uint32_t served_next;
	struct link_asked told;
	ev_timer timeout, retry;
};

struct peers {
	struct ev_loop *loop;
	struct peers_host host;
	int fd;
	ev_io readable;
	bool kernel_stamps;
	uint32_t departures_due; /* stamps that have not come back yet */
	bool taking_departures;
	struct stamps last; /* cross-reading of the packet before */
	uint32_t self;
	uint8_t boot[TIMEPACKET_BOOT_BYTES];
	uint64_t counter;
	struct peer_link *links[CONFIG_NODES_MAX];
	uint32_t count;
	struct peers_counters counters;
};

/* NOMEM, INVALID (address or key), logged: no link. Its timers have no callbacks
 * yet; peers.c sets them. */
RFS_MUST_USE enum rfs_err link_new(struct peers *peers,
				   const struct config *config,
				   const struct config_node *node,
				   const struct node_key *key,
				   struct peer_link **out);
void link_free(struct peer_link *link); /* may be NULL */

/* Where and who the node of the link is from now on. Another key is another
 * machine's: nothing learnt of the old one holds. A request under way ends by
 * its timeout. */
void link_readdress(struct peer_link *link, const struct peer_link *as);

/* What is known of exchanges past, of another boot or another key, is void. */
void link_forget_exchanges(struct peer_link *link);

/* NULL: a stranger. */
struct peer_link *link_by_id(struct peers *peers, uint32_t id);

/* sending.c */
void sending_hello(struct peer_link *link);
void sending_welcome(struct peer_link *link, const struct timepacket_head *to);
void sending_request(struct peer_link *link);
void sending_reply(struct peer_link *link,
		   const struct timepacket_head *request, int64_t t2_ns);

/* receiving.c: one datagram, just read. */
void receiving_arrival(struct peers *peers,
		       const struct udp_datagram *datagram);
/* The exchange under way is over, answered or not. */
void receiving_end(struct peer_link *link);

/* departures.c: all that have come back so far. */
void departures_take(struct peers *peers);

#endif
