/* The first words between two raftds: who may stay, and what the others are
 * told. Pure but for the names it looks up. */
#ifndef RAFTFS_RAFTD_GREETING_H
#define RAFTFS_RAFTD_GREETING_H

#include "peer.pb-c.h"
#include "raftd/roster.h"

#define GREETING_WHY_MAX 192

struct greeting {
	enum rfs_err err; /* OK: welcome */
	const struct config_node *node; /* who it is; NULL: none of ours */
	/* It was a member once and is none as of this log entry; 0: not so. */
	uint64_t removed_index;
	bool forgotten; /* a voter that has lost its log, and its promises */
	char why[GREETING_WHY_MAX]; /* "" when welcome */
};

/* What we say of ourselves. *hello borrows from config. */
void greeting_hello(const struct config *config, const struct roster *roster,
		    uint64_t incarnation, DistributedFs__PeerHello *hello);

/* A voter cannot have promised nothing: it has forgotten. Its votes must never
 * count again, so nobody talks to it under this id. False: all is well. */
bool greeting_has_forgotten(const struct roster *roster, uint32_t node,
			    bool fresh, char why[GREETING_WHY_MAX]);

/* What another says of itself, whose key TLS has proved. */
void greeting_judge(const struct config *config, const struct roster *roster,
		    const DistributedFs__PeerHello *hello,
		    const uint8_t key[CONFIG_KEY_BYTES],
		    struct greeting *greeting);

#endif
