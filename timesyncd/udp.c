/* UDP with SO_TIMESTAMPING, one socket for asking and answering. */
#include "timesyncd/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/os/log.h"
#include "common/units.h"
#include "proto/address.h"

/* Expedited forwarding: queues are what time packets suffer from. */
#define DSCP_EF 0xb8

static bool ask_for_stamps(int fd)
{
	int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags,
			  sizeof(flags)) == 0;
}

/* Best effort: a path that refuses these still carries time. */
static void tune(int fd, int family)
{
	int discover = IP_PMTUDISC_DO;
	int service = DSCP_EF;

	if (family == AF_INET6) {
		discover = IPV6_PMTUDISC_DO;
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover,
				 sizeof(discover));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &service,
				 sizeof(service));
	} else {
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover,
				 sizeof(discover));
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &service,
				 sizeof(service));
	}
}

/* By fcntl: simulated networks know no flags in a socket's type. */
int udp_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0) {
		log_errno("time socket");
		return -1;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
		log_errno("time socket: fcntl");
		close(fd);
		return -1;
	}
	return fd;
}

int udp_open(const char *address, uint16_t port, bool *kernel_stamps)
{
	struct sockaddr_storage where;
	socklen_t where_bytes;

	if (!address_parse(address, port, &where, &where_bytes)) {
		log_error("time socket: %s is not an address", address);
		return -1;
	}
	int fd = udp_socket(where.ss_family);

	if (fd < 0)
		return -1;
	tune(fd, where.ss_family);
	*kernel_stamps = ask_for_stamps(fd);
	if (bind(fd, (struct sockaddr *)&where, where_bytes) != 0) {
		log_errno("time socket: bind %s port %u", address, port);
		close(fd);
		return -1;
	}
	return fd;
}

static int64_t find_stamp(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
	     head = CMSG_NXTHDR(message, head)) {
		struct timespec stamp[3];

		if (head->cmsg_level != SOL_SOCKET ||
		    head->cmsg_type != SCM_TIMESTAMPING ||
		    head->cmsg_len < CMSG_LEN(sizeof(stamp)))
			continue;
		memcpy(stamp, CMSG_DATA(head), sizeof(stamp));
		return stamp[0].tv_sec * NS_PER_SEC + stamp[0].tv_nsec;
	}
	return 0;
}

static enum rfs_err receive(int fd, struct udp_datagram *datagram, int flags)
{
	union {
		struct cmsghdr align;
		char space[256];
	} control;
	struct iovec iov = { datagram->data, sizeof(datagram->data) };
	struct msghdr message = {
		.msg_name = &datagram->from,
		.msg_namelen = sizeof(datagram->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t bytes = recvmsg(fd, &message, flags);

	if (bytes < 0)
		return errno == EAGAIN || errno == EINTR ? RFS_ERR_BUSY :
							   RFS_ERR_IO;
	datagram->bytes = (size_t)bytes;
	datagram->from_bytes = message.msg_namelen;
	datagram->wall_stamp_ns = find_stamp(&message);
	datagram->departed = (message.msg_flags & MSG_ERRQUEUE) != 0;
	return RFS_ERR_OK;
}

enum rfs_err udp_receive(int fd, struct udp_datagram *datagram)
{
	return receive(fd, datagram, 0);
}

enum rfs_err udp_departure(int fd, struct udp_datagram *datagram)
{
	return receive(fd, datagram, MSG_ERRQUEUE);
}

static bool send_stamped(int fd, struct msghdr message)
{
	const uint32_t wanted = SOF_TIMESTAMPING_TX_SOFTWARE;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(wanted))];
	} control = { 0 };
	struct cmsghdr *head;

	message.msg_control = &control;
	message.msg_controllen = sizeof(control.space);
	head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SO_TIMESTAMPING;
	head->cmsg_len = CMSG_LEN(sizeof(wanted));
	memcpy(CMSG_DATA(head), &wanted, sizeof(wanted));
	return sendmsg(fd, &message, 0) >= 0;
}

bool udp_send(int fd, const void *data, size_t bytes,
	      const struct sockaddr_storage *to, socklen_t to_bytes,
	      bool stamped)
{
	struct iovec iov = { (void *)(uintptr_t)data, bytes };
	struct msghdr message = {
		.msg_name = (void *)(uintptr_t)to,
		.msg_namelen = to_bytes,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	if (stamped && send_stamped(fd, message))
		return true;
	return sendmsg(fd, &message, 0) >= 0;
}

bool udp_same_address(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *x = (const void *)a;
		const struct sockaddr_in *y = (const void *)b;

		return x->sin_port == y->sin_port &&
		       x->sin_addr.s_addr == y->sin_addr.s_addr;
	}

	const struct sockaddr_in6 *x = (const void *)a;
	const struct sockaddr_in6 *y = (const void *)b;

	return x->sin6_port == y->sin6_port &&
	       memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
}
