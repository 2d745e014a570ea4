/* The time socket: datagrams in with the instant they arrived, datagrams out.
 */
#ifndef RAFTFS_TIMESYNCD_UDP_H
#define RAFTFS_TIMESYNCD_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

struct udp_datagram {
	uint8_t data[512];
	size_t bytes;
	struct sockaddr_storage from;
	socklen_t from_bytes;
	int64_t wall_stamp_ns; /* by the kernel, on arrival or departure; 0:
				* none */
	bool departed;	       /* it is one of ours, on its way back with its
				* stamp */
};

/* Close-on-exec and non-blocking, nothing else. -1: logged. */
int udp_socket(int family);

/* Bound, non-blocking, never fragmenting, stamped by the kernel if it can
 * (*kernel_stamps). -1: logged. */
int udp_open(const char *address, uint16_t port, bool *kernel_stamps);

/* BUSY: none waiting. IO: counted by the caller; try again later. */
RFS_MUST_USE enum rfs_err udp_receive(int fd, struct udp_datagram *datagram);

/* Lost like any datagram when the kernel has no room: false. stamped: the
 * kernel is asked for the instant it leaves, see udp_departure(). */
bool udp_send(int fd, const void *data, size_t bytes,
	      const struct sockaddr_storage *to, socklen_t to_bytes,
	      bool stamped);

/* A datagram that was sent stamped, back with its stamp: the last `bytes` of
 * data are what was sent, headers of the kernel's before it. BUSY: none. */
RFS_MUST_USE enum rfs_err udp_departure(int fd, struct udp_datagram *datagram);

/* The same address and port. */
bool udp_same_address(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b);

#endif
