/* Receiving readiness datagrams, and telling who sent them. */
#include "supervisor/notify.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/os/log.h"

#define DATAGRAM_MAX 2048

int notify_open(const char *path, const char *user)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	const struct passwd *entry = user[0] != '\0' ? getpwnam(user) : NULL;
	const int yes = 1;
	mode_t mask;
	bool bound;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(where.sun_path)) {
		log_errno("notify socket %s", path);
		goto fail;
	}
	strcpy(where.sun_path, path);
	(void)unlink(path); /* nobody else's: the pid file is locked */
	/* The directory may be the children's: never follow a link in it, and
	 * let the umask make the mode. */
	mask = umask(0177);
	bound = bind(fd, (struct sockaddr *)&where, sizeof(where)) == 0;
	umask(mask);
	if (!bound ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) != 0 ||
	    (entry != NULL && entry->pw_uid != geteuid() &&
	     lchown(path, entry->pw_uid, entry->pw_gid) != 0)) {
		log_errno("notify socket %s", path);
		goto fail;
	}
	return fd;

fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

/* 0: not a number, or too large for one. */
static uint64_t number(const char *text)
{
	uint64_t value = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return *text == '\0' ? value : 0;
}

void notify_parse(char *text, struct notify *notify)
{
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strcmp(line, "READY=1") == 0)
			notify->ready = true;
		else if (strcmp(line, "STOPPING=1") == 0)
			notify->stopping = true;
		else if (strcmp(line, "WATCHDOG=1") == 0)
			notify->watchdog = true;
		else if (strncmp(line, "X_MEMBERS=", 10) == 0)
			notify->members_index = number(line + 10);
		if (strncmp(line, "STATUS=", 7) != 0)
			continue;
		notify->has_status = true;
		snprintf(notify->status, sizeof(notify->status), "%s",
			 line + 7);
		for (char *at = notify->status; *at != '\0'; at++) {
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				*at = '?';
		}
	}
}

/* The sender's credentials, as the kernel wrote them. */
static bool take_pid(struct msghdr *message, pid_t *pid)
{
	struct cmsghdr *head;
	struct ucred credentials;

	for (head = CMSG_FIRSTHDR(message); head != NULL;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET ||
		    head->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&credentials, CMSG_DATA(head), sizeof(credentials));
		*pid = credentials.pid;
		return true;
	}
	return false;
}

enum rfs_err notify_receive(int fd, struct notify *notify)
{
	char text[DATAGRAM_MAX + 1];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { text, DATAGRAM_MAX };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	/* Descriptors sent along (FDSTORE, BARRIER) find no room in control:
	 * the kernel closes them and says MSG_CTRUNC, which is no fault. */
	ssize_t bytes = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	memset(notify, 0, sizeof(*notify));
	if (bytes < 0)
		return RFS_ERR_BUSY;
	if ((message.msg_flags & MSG_TRUNC) != 0 ||
	    !take_pid(&message, &notify->pid))
		return RFS_ERR_INVALID;
	text[bytes] = '\0';
	notify_parse(text, notify);
	return RFS_ERR_OK;
}
