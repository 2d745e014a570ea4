/* One descriptor per datagram, over SOCK_SEQPACKET. */
#include "proto/handout.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

enum rfs_err handout_send(int channel_fd, const struct handout *handout, int fd)
{
	struct handout copy = *handout;
	struct iovec iov = { &copy, sizeof(copy) };
	union control control;
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd >= 0) {
		struct cmsghdr *head;

		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.space);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	do
		sent = sendmsg(channel_fd, &message,
			       MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)sizeof(copy))
		return RFS_ERR_OK;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
		return RFS_ERR_BUSY;
	return RFS_ERR_CLOSED;
}

/* The one descriptor that came, or -1. */
static int take_descriptor(struct msghdr *message)
{
	struct cmsghdr *head;
	int fd = -1;

	for (head = CMSG_FIRSTHDR(message); head != NULL;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level == SOL_SOCKET &&
		    head->cmsg_type == SCM_RIGHTS &&
		    head->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(head), sizeof(int));
	}
	return fd;
}

enum rfs_err handout_receive(int channel_fd, struct handout *handout, int *fd)
{
	struct handout got;
	struct iovec iov = { &got, sizeof(got) };
	union control control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		/* Not CMSG_SPACE: its padding would take a second one. */
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t bytes;
	int came;

	do
		bytes = recvmsg(channel_fd, &message, MSG_CMSG_CLOEXEC);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return errno == EAGAIN ? RFS_ERR_BUSY : RFS_ERR_CLOSED;
	came = take_descriptor(&message);
	/* A SEQPACKET of no bytes is what end of file looks like. */
	if (bytes == 0 && came < 0)
		return RFS_ERR_CLOSED;
	if (bytes != (ssize_t)sizeof(got) || got.reserved != 0 ||
	    (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		if (came >= 0)
			close(came);
		return RFS_ERR_INVALID;
	}
	*handout = got;
	*fd = came;
	return RFS_ERR_OK;
}
