/* A storaged for tests: a thread behind a unix socket that answers each request
 * by a function of the test, and may hang up or stay silent instead. */
#ifndef RAFTFS_TESTS_CLIENT_FAKE_SERVER_H
#define RAFTFS_TESTS_CLIENT_FAKE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/files.pb-c.h"
#include "proto/frame.h"

enum fake_verdict { FAKE_ANSWER, FAKE_SILENT, FAKE_HANG_UP };

typedef enum fake_verdict fake_answer(void *ctx,
				      const DistributedFs__FileRequest *request,
				      DistributedFs__FileReply *reply);

struct fake_server {
	char dir[64];
	char path[96];
	int listener;
	pthread_t thread;
	fake_answer *answer;
	void *ctx;
	_Atomic int connections;
	_Atomic int current; /* fd, to cut it from outside */
	_Atomic bool stopping;
};

static inline bool fake_read(int fd, uint8_t *to, size_t bytes)
{
	while (bytes > 0) {
		ssize_t got = recv(fd, to, bytes, 0);

		if (got <= 0)
			return false;
		to += got;
		bytes -= (size_t)got;
	}
	return true;
}

static inline bool fake_send(int fd, const DistributedFs__FileReply *reply)
{
	size_t bytes = distributed_fs__file_reply__get_packed_size(reply);
	uint8_t *image = malloc(FRAME_HEAD_BYTES + bytes);
	const struct frame_head head = {(uint32_t)bytes, FRAME_FILES_REPLY,
					FRAME_VERSION};

	frame_head_encode(&head, image);
	distributed_fs__file_reply__pack(reply, image + FRAME_HEAD_BYTES);
	size_t left = FRAME_HEAD_BYTES + bytes;
	uint8_t *at = image;

	while (left > 0) {
		ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);

		if (sent <= 0)
			break;
		at += sent;
		left -= (size_t)sent;
	}
	free(image);
	return left == 0;
}

static inline bool fake_one(struct fake_server *fake, int fd)
{
	uint8_t image[FRAME_HEAD_BYTES];
	struct frame_head head;

	if (!fake_read(fd, image, sizeof(image)) ||
	    frame_head_decode(image, &head) != RFS_ERR_OK)
		return false;
	uint8_t *body = malloc(head.body_bytes + 1);
	DistributedFs__FileRequest *request = NULL;

	if (fake_read(fd, body, head.body_bytes))
		request = distributed_fs__file_request__unpack(
			NULL, head.body_bytes, body);
	free(body);
	if (request == NULL)
		return false;

	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;

	reply.id = request->id;
	enum fake_verdict verdict = fake->answer(fake->ctx, request, &reply);
	bool go_on = verdict != FAKE_HANG_UP;

	if (verdict == FAKE_ANSWER)
		go_on = fake_send(fd, &reply);
	distributed_fs__file_request__free_unpacked(request, NULL);
	return go_on;
}

static inline void *fake_serve(void *arg)
{
	struct fake_server *fake = arg;

	while (!fake->stopping) {
		int fd = accept(fake->listener, NULL, NULL);

		if (fd < 0)
			break;
		fake->connections++;
		fake->current = fd;
		while (!fake->stopping && fake_one(fake, fd))
			;
		fake->current = -1;
		close(fd);
	}
	return NULL;
}

static inline void fake_start(struct fake_server *fake, fake_answer *answer,
			      void *ctx)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	memset(fake, 0, sizeof(*fake));
	strcpy(fake->dir, "/tmp/raftfs-fake-XXXXXX");
	if (mkdtemp(fake->dir) == NULL)
		abort();
	snprintf(fake->path, sizeof(fake->path), "%s/files.sock", fake->dir);
	strcpy(at.sun_path, fake->path);
	fake->answer = answer;
	fake->ctx = ctx;
	fake->current = -1;
	fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fake->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(fake->listener, 16) != 0 ||
	    pthread_create(&fake->thread, NULL, fake_serve, fake) != 0)
		abort();
}

static inline void fake_stop(struct fake_server *fake)
{
	fake->stopping = true;
	shutdown(fake->listener, SHUT_RDWR);
	if (fake->current >= 0)
		shutdown(fake->current, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	unlink(fake->path);
	rmdir(fake->dir);
}

#endif
