/* Load from many sequential clients, driven by one thread. */
#include "tests/bench/raft/driver.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/prng.h"
#include "common/units.h"
#include "local.pb-c.h"
#include "proto/address.h"
#include "proto/frame.h"
#include "tests/bench/raft/player.h"

#define REQUEST_TIMEOUT_NS (100 * NS_PER_MS)
#define RETRY_NS	   (NS_PER_MS / 2)

struct client {
	int fd; /* -1: not connected */
	bool waiting;
	int64_t began_ns;
	char in[DRIVER_BUFFER_BYTES];
	size_t in_bytes;
};

static const uint8_t some_value[PLAYER_VALUE_BYTES] = { 1, 2, 3 };

/* ---- the player's protocol ---- */

static size_t player_request_of(char *to, char op, uint64_t key,
				const uint8_t *value)
{
	DistributedFs__LocalPropose propose =
		DISTRIBUTED_FS__LOCAL_PROPOSE__INIT;
	uint8_t data[1 + 8 + PLAYER_VALUE_BYTES];
	struct frame_head head = { .type = FRAME_LOCAL_PROPOSE,
				   .version = FRAME_VERSION };

	data[0] = (uint8_t)op;
	memcpy(data + 1, &key, 8);
	propose.id = 1;
	propose.data.data = data;
	propose.data.len = 9;
	if (value != NULL) {
		memcpy(data + 9, value, PLAYER_VALUE_BYTES);
		propose.data.len = sizeof(data);
	}
	head.body_bytes = (uint32_t)distributed_fs__local_propose__pack(
		&propose, (uint8_t *)to + FRAME_HEAD_BYTES);
	frame_head_encode(&head, (uint8_t *)to);
	return FRAME_HEAD_BYTES + head.body_bytes;
}

static size_t player_request(char *to, enum driver_op op, uint64_t key,
			     const uint8_t *value)
{
	return player_request_of(to, op == DRIVER_PUT ? PLAYER_PUT : PLAYER_GET,
				 key, op == DRIVER_PUT ? value : NULL);
}

static size_t player_response(const char *from, size_t bytes, bool *ok)
{
	DistributedFs__LocalProposeDone *done;
	struct frame_head head;

	if (bytes < FRAME_HEAD_BYTES)
		return 0;
	CHECK(frame_head_decode((const uint8_t *)from, &head) == RFS_ERR_OK);
	if (bytes < FRAME_HEAD_BYTES + head.body_bytes)
		return 0;
	*ok = head.type == FRAME_LOCAL_PROPOSE;
	if (head.type == FRAME_LOCAL_PROPOSE_DONE) {
		done = distributed_fs__local_propose_done__unpack(
			NULL, head.body_bytes,
			(const uint8_t *)from + FRAME_HEAD_BYTES);
		*ok = done != NULL && done->err == RFS_ERR_OK;
		distributed_fs__local_propose_done__free_unpacked(done, NULL);
	}
	return FRAME_HEAD_BYTES + head.body_bytes;
}

const struct driver_protocol driver_player = {
	.request = player_request,
	.response = player_response,
};

/* ---- etcd's HTTP/JSON gateway ---- */

static void base64(const void *data, size_t bytes, char *text, size_t size)
{
	sodium_bin2base64(text, size, data, bytes,
			  sodium_base64_VARIANT_ORIGINAL);
}

static size_t etcd_request(char *to, enum driver_op op, uint64_t key,
			   const uint8_t *value)
{
	char key64[32], value64[PLAYER_VALUE_BYTES * 2], body[1024];

	base64(&key, 8, key64, sizeof(key64));
	if (op == DRIVER_PUT) {
		base64(value, PLAYER_VALUE_BYTES, value64, sizeof(value64));
		snprintf(body, sizeof(body), "{\"key\":\"%s\",\"value\":\"%s\"}",
			 key64, value64);
	} else {
		snprintf(body, sizeof(body), "{\"key\":\"%s\"}", key64);
	}
	return (size_t)snprintf(to, DRIVER_BUFFER_BYTES,
				"POST /v3/kv/%s HTTP/1.1\r\nHost: etcd\r\n"
				"Content-Type: application/json\r\n"
				"Content-Length: %zu\r\n\r\n%s",
				op == DRIVER_PUT ? "put" : "range",
				strlen(body), body);
}

static size_t etcd_response(const char *from, size_t bytes, bool *ok)
{
	char text[DRIVER_BUFFER_BYTES];
	const char *body, *length;
	size_t head_bytes, body_bytes;

	if (bytes >= sizeof(text))
		bytes = sizeof(text) - 1;
	memcpy(text, from, bytes);
	text[bytes] = '\0';
	body = strstr(text, "\r\n\r\n");
	if (body == NULL)
		return 0;
	head_bytes = (size_t)(body + 4 - text);
	length = strcasestr(text, "content-length:");
	CHECK(length != NULL && length < body);
	body_bytes = strtoul(length + 15, NULL, 10);
	*ok = strncmp(text, "HTTP/1.1 200", 12) == 0;
	return bytes >= head_bytes + body_bytes ? head_bytes + body_bytes : 0;
}

const struct driver_protocol driver_etcd = {
	.request = etcd_request,
	.response = etcd_response,
};

/* ---- connections ---- */

static int dial(uint16_t port)
{
	struct sockaddr_storage where;
	socklen_t bytes;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK(address_parse("127.0.0.1", port, &where, &bytes));
	if (connect(fd, (struct sockaddr *)&where, bytes) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void hang_up(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->waiting = false;
	client->in_bytes = 0;
}

static bool ask(struct client *client, const struct driver_protocol *protocol,
		enum driver_op op, uint64_t key, const uint8_t *value)
{
	char request[DRIVER_BUFFER_BYTES];
	size_t bytes = protocol->request(request, op, key, value);

	client->began_ns = clock_raw_ns();
	client->waiting = true;
	return send(client->fd, request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

enum answer { ANSWER_NONE, ANSWER_OK, ANSWER_NO, ANSWER_GONE };

/* Read what there is, without waiting. */
static enum answer hear(struct client *client,
			const struct driver_protocol *protocol)
{
	ssize_t n = recv(client->fd, client->in + client->in_bytes,
			 sizeof(client->in) - client->in_bytes, MSG_DONTWAIT);
	size_t whole;
	bool ok;

	if (n < 0 && errno == EAGAIN)
		return ANSWER_NONE;
	if (n <= 0)
		return ANSWER_GONE;
	client->in_bytes += (size_t)n;
	whole = protocol->response(client->in, client->in_bytes, &ok);
	if (whole == 0)
		return ANSWER_NONE;
	client->in_bytes -= whole;
	client->waiting = false;
	return ok ? ANSWER_OK : ANSWER_NO;
}

/* ---- many clients ---- */

struct run {
	const struct driver_protocol *protocol;
	enum driver_op op;
	int epoll_fd;
	int64_t *latencies_ns;
	size_t capacity;
	uint64_t next_key;
	struct driver_result *result;
};

static void next(struct run *run, struct client *client)
{
	CHECK(ask(client, run->protocol, run->op,
		  run->next_key++ % PLAYER_KEYS, some_value));
}

static void note(struct run *run, int64_t latency_ns)
{
	if (run->result->done == run->capacity) {
		run->capacity = run->capacity * 2 + 4096;
		run->latencies_ns = reallocarray(run->latencies_ns,
						 run->capacity,
						 sizeof(int64_t));
	}
	CHECK(run->latencies_ns != NULL);
	run->latencies_ns[run->result->done++] = latency_ns;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void pump(struct run *run, int64_t until_ns)
{
	struct epoll_event events[64];

	while (clock_raw_ns() < until_ns) {
		int count = epoll_wait(run->epoll_fd, events, 64, 100);

		for (int i = 0; i < count; i++) {
			struct client *client = events[i].data.ptr;
			enum answer answer = hear(client, run->protocol);

			CHECK(answer != ANSWER_GONE);
			if (answer == ANSWER_NONE)
				continue;
			if (answer == ANSWER_OK)
				note(run, clock_raw_ns() - client->began_ns);
			else
				run->result->failed++;
			next(run, client);
		}
	}
}

void driver_run(const struct driver_protocol *protocol, uint16_t port,
		unsigned int client_count, enum driver_op op, double seconds,
		struct driver_result *result)
{
	struct client *clients = calloc(client_count, sizeof(*clients));
	struct run run = { .protocol = protocol, .op = op, .result = result };
	int64_t began_ns;

	CHECK(clients != NULL);
	memset(result, 0, sizeof(*result));
	run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(run.epoll_fd >= 0);
	for (unsigned int i = 0; i < client_count; i++) {
		struct epoll_event event = { .events = EPOLLIN,
					     .data.ptr = &clients[i] };

		clients[i].fd = dial(port);
		CHECK(clients[i].fd >= 0);
		CHECK(epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, clients[i].fd,
				&event) == 0);
	}
	began_ns = clock_raw_ns();
	for (unsigned int i = 0; i < client_count; i++)
		next(&run, &clients[i]);
	pump(&run, began_ns + (int64_t)(seconds * NS_PER_SEC));
	result->seconds = (double)(clock_raw_ns() - began_ns) / NS_PER_SEC;
	if (run.latencies_ns != NULL) {
		qsort(run.latencies_ns, result->done, sizeof(int64_t),
		      by_value);
		result->p50_ns = run.latencies_ns[result->done / 2];
		result->p99_ns = run.latencies_ns[result->done * 99 / 100];
	}
	for (unsigned int i = 0; i < client_count; i++)
		hang_up(&clients[i]);
	close(run.epoll_fd);
	free(run.latencies_ns);
	free(clients);
}

/* ---- single operations ---- */

int64_t driver_once(const struct driver_protocol *protocol, uint16_t port,
		    enum driver_op op, uint64_t key, const uint8_t *value,
		    int timeout_ms)
{
	struct client client = { .fd = dial(port) };
	enum answer answer = ANSWER_NONE;
	int64_t took_ns;

	if (client.fd < 0)
		return -1;
	if (ask(&client, protocol, op, key,
		value != NULL ? value : some_value)) {
		struct pollfd poll_fd = { .fd = client.fd, .events = POLLIN };

		while (answer == ANSWER_NONE &&
		       poll(&poll_fd, 1, timeout_ms) > 0)
			answer = hear(&client, protocol);
	}
	took_ns = clock_raw_ns() - client.began_ns;
	hang_up(&client);
	return answer == ANSWER_OK ? took_ns : -1;
}

bool driver_digest(uint16_t port, uint64_t *applied, uint64_t *sum)
{
	struct client client = { .fd = dial(port) };
	struct pollfd poll_fd = { .fd = client.fd, .events = POLLIN };
	DistributedFs__LocalProposeDone *done = NULL;
	char request[64];
	ssize_t n;

	if (client.fd < 0)
		return false;
	n = (ssize_t)player_request_of(request, PLAYER_DIGEST, 0, NULL);
	if (send(client.fd, request, (size_t)n, MSG_NOSIGNAL) == n &&
	    poll(&poll_fd, 1, 1000) > 0 &&
	    (n = recv(client.fd, client.in, sizeof(client.in), 0)) >
		    (ssize_t)FRAME_HEAD_BYTES)
		done = distributed_fs__local_propose_done__unpack(
			NULL, (size_t)n - FRAME_HEAD_BYTES,
			(const uint8_t *)client.in + FRAME_HEAD_BYTES);
	hang_up(&client);
	if (done == NULL)
		return false;
	*applied = done->index;
	*sum = done->term;
	distributed_fs__local_propose_done__free_unpacked(done, NULL);
	return true;
}

/* One turn of one of the clients that race for the first write. */
static bool race(struct client *client, uint16_t port, int64_t *retry_ns,
		 const struct driver_protocol *protocol)
{
	int64_t now_ns = clock_raw_ns();

	if (client->waiting) {
		enum answer answer = hear(client, protocol);

		if (answer == ANSWER_OK)
			return true;
		if (answer == ANSWER_GONE ||
		    (answer == ANSWER_NONE &&
		     now_ns - client->began_ns > REQUEST_TIMEOUT_NS))
			hang_up(client);
		if (answer != ANSWER_NONE)
			*retry_ns = now_ns + RETRY_NS;
		return false;
	}
	if (now_ns < *retry_ns)
		return false;
	if (client->fd < 0)
		client->fd = dial(port);
	if (client->fd < 0 || !ask(client, protocol, DRIVER_PUT, 7, some_value)) {
		hang_up(client);
		*retry_ns = now_ns + RETRY_NS;
	}
	return false;
}

int64_t driver_first_write(const struct driver_protocol *protocol,
			   const uint16_t *ports, unsigned int port_count,
			   int timeout_ms)
{
	static struct client clients[8];
	int64_t retry_ns[8] = { 0 };
	int64_t began_ns = clock_raw_ns(), took_ns = 0;
	bool won = false;

	for (unsigned int i = 0; i < port_count; i++)
		clients[i].fd = -1;
	while (!won && took_ns < timeout_ms * NS_PER_MS) {
		for (unsigned int i = 0; i < port_count && !won; i++)
			won = race(&clients[i], ports[i], &retry_ns[i],
				   protocol);
		took_ns = clock_raw_ns() - began_ns;
		if (!won)
			usleep(100);
	}
	for (unsigned int i = 0; i < port_count; i++)
		hang_up(&clients[i]);
	return won ? took_ns : -1;
}

/* ---- many reads at one moment ---- */

struct driver_volley {
	unsigned int count;
	int epoll_fd;
	struct client client[];
};

struct driver_volley *driver_aim(uint16_t port, unsigned int count)
{
	struct driver_volley *volley =
		calloc(1, sizeof(*volley) + count * sizeof(struct client));

	CHECK(volley != NULL);
	volley->count = count;
	volley->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(volley->epoll_fd >= 0);
	for (unsigned int i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN,
					     .data.ptr = &volley->client[i] };

		volley->client[i].fd = dial(port);
		CHECK(volley->client[i].fd >= 0);
		CHECK(epoll_ctl(volley->epoll_fd, EPOLL_CTL_ADD,
				volley->client[i].fd, &event) == 0);
	}
	return volley;
}

void driver_unload(struct driver_volley *volley)
{
	for (unsigned int i = 0; i < volley->count; i++)
		hang_up(&volley->client[i]);
	close(volley->epoll_fd);
	free(volley);
}

struct driver_hits driver_fire(struct driver_volley *volley, uint64_t seed,
			       int64_t soon_ns, int64_t late_ns)
{
	int64_t began_ns = clock_raw_ns();
	struct driver_hits hits = { 0 };
	struct epoll_event events[64];
	struct prng prng;

	prng_seed(&prng, seed);
	for (unsigned int i = 0; i < volley->count; i++)
		CHECK(ask(&volley->client[i], &driver_player, DRIVER_GET,
			  prng_below(&prng, PLAYER_KEYS), NULL));
	while (hits.late < volley->count &&
	       clock_raw_ns() - began_ns < late_ns) {
		int count = epoll_wait(volley->epoll_fd, events, 64, 1);

		for (int i = 0; i < count; i++) {
			if (hear(events[i].data.ptr, &driver_player) !=
			    ANSWER_OK)
				continue;
			hits.late++;
			hits.soon += clock_raw_ns() - began_ns <= soon_ns;
		}
	}
	driver_unload(volley);
	return hits;
}
