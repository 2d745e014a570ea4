/* A non-blocking unix stream with a receive buffer. */
#include "client/lib/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/check.h"
#include "common/units.h"
#include "proto/frame.h"

#define BUFFER_BYTES (64u * 1024)
#define SOCKET_BYTES (2 * 1024 * 1024)
#define PARTS_MAX    4

void link_init(struct link *link)
{
	*link = (struct link){.fd = -1};
}

void link_fini(struct link *link)
{
	link_close(link);
	free(link->buffer);
	link->buffer = NULL;
	link->capacity = 0;
}

enum rfs_err link_connect(struct link *link, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const int bytes = SOCKET_BYTES;

	CHECK(link->fd < 0);
	CHECK(strlen(path) < sizeof(to.sun_path));
	strcpy(to.sun_path, path);

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return RFS_ERR_CLOSED;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return RFS_ERR_CLOSED;
	}
	/* A window fits whole; smaller (no privilege) only costs turns. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) !=
	    0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes,
				 sizeof(bytes));
	link->fd = fd;
	link->start = 0;
	link->end = 0;
	return RFS_ERR_OK;
}

void link_close(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

enum rfs_err link_send(struct link *link, const struct iovec *parts,
		       size_t count, size_t *offset)
{
	for (;;) {
		struct iovec left[PARTS_MAX];
		size_t skip = *offset;
		size_t used = 0;

		CHECK(count <= PARTS_MAX);
		for (size_t i = 0; i < count; i++) {
			if (skip >= parts[i].iov_len) {
				skip -= parts[i].iov_len;
				continue;
			}
			left[used].iov_base =
				(uint8_t *)parts[i].iov_base + skip;
			left[used++].iov_len = parts[i].iov_len - skip;
			skip = 0;
		}
		if (used == 0)
			return RFS_ERR_OK;

		const struct msghdr message = {.msg_iov = left,
					       .msg_iovlen = used};
		ssize_t sent = sendmsg(link->fd, &message,
				       MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent >= 0)
			*offset += (size_t)sent;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return RFS_ERR_BUSY;
		else if (errno != EINTR)
			return RFS_ERR_CLOSED;
	}
}

/* How much of the frame at start is still to come; a guess before its head. */
static size_t wanted(const struct link *link)
{
	struct frame_head head;
	size_t have = link->end - link->start;

	if (have < FRAME_HEAD_BYTES ||
	    frame_head_decode(link->buffer + link->start, &head) != RFS_ERR_OK)
		return BUFFER_BYTES;

	size_t whole = FRAME_HEAD_BYTES + head.body_bytes;

	return whole > have ? whole - have : BUFFER_BYTES;
}

static enum rfs_err make_room(struct link *link)
{
	size_t want = wanted(link);
	size_t have = link->end - link->start;

	if (link->start > 0 && have > 0 && link->capacity - link->end < want)
		memmove(link->buffer, link->buffer + link->start, have);
	if (have == 0 || link->capacity - link->end < want) {
		link->start = 0;
		link->end = have;
	}
	if (link->capacity - link->end >= want)
		return RFS_ERR_OK;

	uint8_t *bigger = realloc(link->buffer, link->end + want);

	if (bigger == NULL)
		return RFS_ERR_NOMEM;
	link->buffer = bigger;
	link->capacity = link->end + want;
	return RFS_ERR_OK;
}

enum rfs_err link_receive(struct link *link)
{
	enum rfs_err err = make_room(link);

	if (err != RFS_ERR_OK)
		return err;
	for (;;) {
		ssize_t got = recv(link->fd, link->buffer + link->end,
				   link->capacity - link->end, MSG_DONTWAIT);

		if (got > 0) {
			link->end += (size_t)got;
			return RFS_ERR_OK;
		}
		if (got == 0)
			return RFS_ERR_CLOSED;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return RFS_ERR_BUSY;
		if (errno != EINTR)
			return RFS_ERR_CLOSED;
	}
}

enum rfs_err link_frame(struct link *link, uint16_t *type, uint8_t **body,
			size_t *bytes)
{
	struct frame_head head;
	size_t have = link->end - link->start;

	if (have < FRAME_HEAD_BYTES)
		return RFS_ERR_BUSY;
	enum rfs_err err = frame_head_decode(link->buffer + link->start, &head);

	if (err != RFS_ERR_OK)
		return err;
	if (have < FRAME_HEAD_BYTES + head.body_bytes)
		return RFS_ERR_BUSY;
	*type = head.type;
	*body = link->buffer + link->start + FRAME_HEAD_BYTES;
	*bytes = head.body_bytes;
	link->start += FRAME_HEAD_BYTES + head.body_bytes;
	return RFS_ERR_OK;
}

void link_wait(int fd, bool writable, int wake_fd, int64_t timeout_ns)
{
	struct pollfd fds[2] = {
		{.fd = wake_fd, .events = POLLIN},
		{.fd = fd, .events = writable ? POLLIN | POLLOUT : POLLIN},
	};
	uint64_t count;

	if (timeout_ns < 0)
		timeout_ns = 0;
	if (timeout_ns > 60 * NS_PER_SEC)
		timeout_ns = 60 * NS_PER_SEC;
	(void)poll(fds, 2, (int)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS));
	if (fds[0].revents & POLLIN)
		(void)!read(wake_fd, &count, sizeof(count));
}
