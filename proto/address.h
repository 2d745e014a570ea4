/* Numeric addresses to socket addresses; no resolver is ever asked. */
#ifndef RAFTFS_PROTO_ADDRESS_H
#define RAFTFS_PROTO_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPv4 or IPv6; false when text is neither. */
bool address_parse(const char *text, uint16_t port,
		   struct sockaddr_storage *where, socklen_t *bytes);

#endif
