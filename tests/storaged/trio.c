/* The pretended raftd, and clients that wait. */
#include "tests/storaged/trio.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"
#include "storaged/cluster.h"
#include "storaged/consensus.h"
#include "tests/storaged/scratch.h"

#define LIMIT_SEC   20.0
#define QUEUE_BYTES (64 * MIB)

/* --- the pretended raftd --- */

static void send_rest(struct trio_node *node)
{
	struct trio *trio = node->trio;

	while (node->attached && node->next_index <= trio->last_index) {
		uint64_t index = node->next_index++;
		DistributedFs__LocalCommitted committed =
			DISTRIBUTED_FS__LOCAL_COMMITTED__INIT;
		DistributedFs__LogEntry entry = DISTRIBUTED_FS__LOG_ENTRY__INIT;
		DistributedFs__LogEntry *entries[] = { &entry };

		entry.index = index;
		entry.term = 1;
		entry.epoch = 1;
		entry.ts_ns = (int64_t)index * NS_PER_MS;
		entry.kind = 1;
		entry.data.data = trio->log[index].data;
		entry.data.len = trio->log[index].bytes;
		committed.entries = entries;
		committed.n_entries = 1;
		committed.commit_index = trio->last_index;
		assert_int_equal(conn_send(node->link, FRAME_LOCAL_COMMITTED,
					   &committed.base, -1),
				 RFS_ERR_OK);
	}
}

static void write_pages(struct trio *trio, bool lease)
{
	for (uint32_t i = 0; i < trio->count; i++) {
		struct trio_node *node = &trio->nodes[i];
		struct cons_sample cons = {
			.term = 1,
			.node = i + 1,
			.role = trio->leader == i + 1 ? CONSPAGE_LEADER
						      : CONSPAGE_FOLLOWER,
			.leader = trio->leader,
			.lease_valid = lease && trio->leader == i + 1,
			.lease_ns = 100 * NS_PER_SEC,
			.lease_until_raw_ns =
				clock_raw_ns() + (trio->lease_left_ns
							  ? trio->lease_left_ns
							  : 3600 * NS_PER_SEC),
			.commit_index = trio->last_index,
			.limbo_index = trio->limbo.data ? trio->last_index + 1
							: 0,
		};

		conspage_write(node->cons_page, &cons);
	}
}

static bool has_lease(struct trio *trio)
{
	struct cons_sample cons;

	if (trio->leader == 0)
		return false;
	assert_int_equal(
		conspage_read(trio->nodes[trio->leader - 1].cons_page, &cons),
		RFS_ERR_OK);
	return cons.lease_valid;
}

static void append(struct trio *trio, ProtobufCBinaryData data)
{
	assert_true(trio->last_index < TRIO_ENTRIES_MAX);
	trio->last_index++;
	trio->log[trio->last_index].data = malloc(data.len + 1);
	memcpy(trio->log[trio->last_index].data, data.data, data.len);
	trio->log[trio->last_index].bytes = data.len;
	write_pages(trio, has_lease(trio));
}

static void take_propose(struct trio_node *node, const struct frame *frame)
{
	struct trio *trio = node->trio;
	DistributedFs__LocalPropose *propose =
		(DistributedFs__LocalPropose *)frame_unpack(
			frame, &distributed_fs__local_propose__descriptor);
	DistributedFs__LocalProposeDone done =
		DISTRIBUTED_FS__LOCAL_PROPOSE_DONE__INIT;

	done.id = propose->id;
	done.term = 1;
	if (trio->leader != storaged_self(&node->s)) {
		done.err = RFS_ERR_NOT_LEADER;
	} else if (trio->lose_entries > 0) {
		/* Appended under a term that ended: another takes its place. */
		trio->lose_entries--;
		trio->proposals++;
		done.index = trio->last_index + 1;
		done.term = 0;
		append(trio, (ProtobufCBinaryData){ 0, (uint8_t *)"" });
	} else {
		trio->proposals++;
		append(trio, propose->data);
		done.index = trio->last_index;
	}
	assert_int_equal(conn_send(node->link, FRAME_LOCAL_PROPOSE_DONE,
				   &done.base, -1),
			 RFS_ERR_OK);
	frame_free(propose);
	for (uint32_t i = 0; i < trio->count; i++)
		send_rest(&trio->nodes[i]);
}

/* Whoever asks for a read point waits for the term's first commit. */
static void settle_limbo(struct trio *trio)
{
	ProtobufCBinaryData command = { .data = trio->limbo.data,
					.len = trio->limbo.bytes };

	if (!command.data || --trio->limbo_reads > 0)
		return;
	trio->limbo.data = NULL;
	append(trio, command);
	free(command.data);
	for (uint32_t i = 0; i < trio->count; i++)
		send_rest(&trio->nodes[i]);
}

static void take_read(struct trio_node *node, const struct frame *frame)
{
	DistributedFs__LocalRead *read =
		(DistributedFs__LocalRead *)frame_unpack(
			frame, &distributed_fs__local_read__descriptor);
	DistributedFs__LocalReadDone done =
		DISTRIBUTED_FS__LOCAL_READ_DONE__INIT;

	node->trio->reads++;
	if (node->trio->limbo_on_read) {
		trio_tell_limbo(node->trio, 1, true);
		frame_free(read);
		return;
	}
	settle_limbo(node->trio);
	done.id = read->id;
	done.index = node->trio->last_index;
	if (node->trio->refuse_reads || node->trio->limbo.data)
		done.err = RFS_ERR_NOT_LEADER;
	assert_int_equal(conn_send(node->link, FRAME_LOCAL_READ_DONE,
				   &done.base, -1),
			 RFS_ERR_OK);
	frame_free(read);
}

static void make_member(struct trio *trio, uint32_t number,
			DistributedFs__LocalMember *member,
			DistributedFs__Member *about)
{
	char role = trio->roles[number - 1];
	struct config_node *at =
		&trio->nodes[0].s.config.nodes[number - 1];

	distributed_fs__member__init(about);
	about->name = at->name;
	about->address = at->address;
	about->storage_port = at->storage_port;
	about->key.data = at->key;
	about->key.len = sizeof(at->key);
	distributed_fs__local_member__init(member);
	member->id = number;
	member->voter = role == 'v' || role == 'B';
	member->voter_before = role == 'b' || role == 'B';
	member->about = about;
}

static void send_members(struct trio_node *node)
{
	struct trio *trio = node->trio;
	DistributedFs__LocalMembers message =
		DISTRIBUTED_FS__LOCAL_MEMBERS__INIT;
	DistributedFs__LocalMember members[TRIO_NODES_MAX];
	DistributedFs__LocalMember *list[TRIO_NODES_MAX];
	DistributedFs__Member abouts[TRIO_NODES_MAX];

	message.index = trio->members_index;
	message.joint = strpbrk(trio->roles, "bB") != NULL;
	message.members = list;
	for (uint32_t i = 0; i < trio->count; i++) {
		if (trio->roles[i] == '-')
			continue;
		make_member(trio, i + 1, &members[i], &abouts[i]);
		list[message.n_members++] = &members[i];
	}
	assert_int_equal(conn_send(node->link, FRAME_LOCAL_MEMBERS,
				   &message.base, -1),
			 RFS_ERR_OK);
}

void trio_set_members(struct trio *trio, const char *roles)
{
	trio->roles = roles;
	trio->members_index++;
	for (uint32_t i = 0; i < trio->count; i++)
		if (trio->nodes[i].attached)
			send_members(&trio->nodes[i]);
}

static void take_attach(struct trio_node *node, const struct frame *frame)
{
	DistributedFs__LocalAttach *attach =
		(DistributedFs__LocalAttach *)frame_unpack(
			frame, &distributed_fs__local_attach__descriptor);

	node->attached = true;
	node->next_index = attach->applied_index + 1;
	frame_free(attach);
	if (node->trio->roles)
		send_members(node);
	send_rest(node);
}

static void take_filling(struct trio_node *node, const struct frame *frame)
{
	DistributedFs__LocalFilling *said =
		(DistributedFs__LocalFilling *)frame_unpack(
			frame, &distributed_fs__local_filling__descriptor);

	node->filling = said->filling;
	frame_free(said);
}

static void link_frame(struct conn *conn, void *ctx, const struct frame *frame)
{
	struct trio_node *node = ctx;

	(void)conn;
	switch (frame->type) {
	case FRAME_LOCAL_ATTACH:
		take_attach(node, frame);
		return;
	case FRAME_LOCAL_PROPOSE:
		take_propose(node, frame);
		return;
	case FRAME_LOCAL_READ:
		take_read(node, frame);
		return;
	case FRAME_LOCAL_FILLING:
		take_filling(node, frame);
		return;
	default:
		return; /* applied, snapshots: nothing to keep here */
	}
}

static void link_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct trio_node *node = ctx;

	(void)conn;
	(void)why;
	node->link = NULL;
	node->attached = false;
}

static const struct conn_events link_events = {
	.frame = link_frame,
	.closed = link_closed,
};

/* --- clients --- */

static void client_frame(struct conn *conn, void *ctx,
			 const struct frame *frame)
{
	struct trio_node *node = ctx;

	(void)conn;
	assert_int_equal(frame->type, FRAME_FILES_REPLY);
	assert_null(node->trio->reply);
	node->trio->reply = (DistributedFs__FileReply *)frame_unpack(
		frame, &distributed_fs__file_reply__descriptor);
}

static void client_closed(struct conn *conn, void *ctx, enum rfs_err why)
{
	struct trio_node *node = ctx;

	(void)conn;
	(void)why;
	node->client = NULL;
}

static const struct conn_events client_events = {
	.frame = client_frame,
	.closed = client_closed,
};

static bool is_answered(struct trio *trio)
{
	return trio->reply != NULL;
}

static bool is_change(DistributedFs__FileOp op)
{
	return op >= DISTRIBUTED_FS__FILE_OP__OP_CREATE;
}

enum rfs_err trio_ask(struct trio *trio, uint32_t number,
		      DistributedFs__FileRequest *request)
{
	struct trio_node *node = &trio->nodes[number - 1];
	char path[128];

	if (trio->reply)
		frame_free(trio->reply);
	trio->reply = NULL;
	if (!node->client) {
		snprintf(path, sizeof(path), "%s/%s", node->dir, SOCKETS_FILES);
		int fd = unix_connect(path);

		assert_true(fd >= 0);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		node->client = conn_adopt(trio->loop, fd, QUEUE_BYTES,
					  &client_events, node);
		assert_non_null(node->client);
	}
	request->id = ++trio->next_id;
	if (is_change(request->op) && request->session == 0) {
		request->session = trio->session;
		request->seq = ++trio->seq;
	}
	assert_int_equal(conn_send(node->client, FRAME_FILES_REQUEST,
				   &request->base, -1),
			 RFS_ERR_OK);
	trio_until(trio, is_answered);
	assert_int_equal(trio->reply->id, request->id);
	return (enum rfs_err)trio->reply->err;
}

enum rfs_err trio_put(struct trio *trio, uint32_t node, const char *name,
		      const void *data, size_t bytes)
{
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	request.op = DISTRIBUTED_FS__FILE_OP__OP_PUT;
	request.ino = INODE_ROOT;
	request.name.data = (uint8_t *)name;
	request.name.len = strlen(name);
	request.mode = 0644;
	request.data.data = (uint8_t *)data;
	request.data.len = bytes;
	return trio_ask(trio, node, &request);
}

uint64_t trio_find(struct trio *trio, uint32_t node, const char *name)
{
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	request.op = DISTRIBUTED_FS__FILE_OP__OP_LOOKUP;
	request.ino = INODE_ROOT;
	request.name.data = (uint8_t *)name;
	request.name.len = strlen(name);
	if (trio_ask(trio, node, &request) != RFS_ERR_OK)
		return 0;
	return trio->reply->attr->ino;
}

enum rfs_err trio_read(struct trio *trio, uint32_t node, uint64_t ino,
		       uint64_t offset, uint64_t length)
{
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	request.op = DISTRIBUTED_FS__FILE_OP__OP_READ;
	request.ino = ino;
	request.offset = offset;
	request.length = length;
	return trio_ask(trio, node, &request);
}

/* --- life --- */

static void on_limit(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
	fail_msg("nothing came of it in %g seconds", LIMIT_SEC);
}

void trio_until(struct trio *trio, bool (*done)(struct trio *trio))
{
	ev_timer_init(&trio->limit, on_limit, LIMIT_SEC, 0.);
	ev_timer_start(trio->loop, &trio->limit);
	while (!done(trio))
		ev_run(trio->loop, EVRUN_ONCE);
	ev_timer_stop(trio->loop, &trio->limit);
}

static bool is_member(const struct trio *trio, uint32_t index)
{
	return trio->nodes[index].up &&
	       (!trio->roles || trio->roles[index] != '-');
}

bool trio_all_connected(struct trio *trio)
{
	for (uint32_t i = 0; i < trio->count; i++)
		for (uint32_t k = 0; k < trio->count; k++)
			if (k != i && trio->nodes[i].up &&
			    cluster_is_connected(trio->nodes[i].s.cluster,
						 k + 1) !=
				    (is_member(trio, i) && is_member(trio, k)))
				return false;
	return true;
}

bool trio_all_applied(struct trio *trio)
{
	for (uint32_t i = 0; i < trio->count; i++)
		if (trio->nodes[i].up &&
		    state_applied(trio->nodes[i].s.state) != trio->last_index)
			return false;
	return true;
}

/* A port nobody has, most likely for long enough. */
static uint16_t free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr =
					       htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes),
			 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void make_config(struct trio *trio, struct config *config)
{
	config->node_count = trio->count;
	config->raft.lease_ns = 100 * NS_PER_SEC;
	config->storage.inline_max_bytes = 64 * KIB;
	config->storage.chunk_bytes = MIB;
	config->storage.map_bytes = 256 * MIB;
	config->storage.session_timeout_ns = 60 * NS_PER_SEC;
	for (uint32_t i = 0; i < trio->count; i++) {
		struct config_node *node = &config->nodes[i];

		snprintf(node->name, sizeof(node->name), "n%u", i + 1);
		node->id = i + 1;
		snprintf(node->address, sizeof(node->address), "127.0.0.1");
		node->storage_port = free_port();
	}
}

void trio_start(struct trio *trio, uint32_t number)
{
	struct trio_node *node = &trio->nodes[number - 1];
	struct storaged *s = &node->s;
	const struct config config = s->config;
	const struct node_key key = s->key;
	int pair[2];

	memset(s, 0, sizeof(*s));
	s->config = config;
	s->key = key;
	s->loop = trio->loop;
	s->cons = node->cons_page;
	s->clock = node->clock_page;
	assert_int_equal(loop_open(s), RFS_ERR_OK);
	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				    0, pair),
			 0);
	node->link = conn_adopt(trio->loop, pair[0], QUEUE_BYTES, &link_events,
				node);
	consensus_set_link(s->consensus, pair[1]);
	node->filling = true;
	node->up = true;
}

void trio_stop(struct trio *trio, uint32_t number)
{
	struct trio_node *node = &trio->nodes[number - 1];

	(void)trio;
	if (node->client)
		conn_close(node->client);
	node->client = NULL;
	loop_close(&node->s, true);
	if (node->link)
		conn_close(node->link);
	node->link = NULL;
	node->attached = false;
	node->up = false;
}

void trio_lead(struct trio *trio, uint32_t node, bool lease)
{
	trio->leader = node;
	write_pages(trio, lease);
}

void trio_inherit(struct trio *trio, const struct command *command)
{
	static uint8_t image[COMMAND_IMAGE_MAX_BYTES];
	size_t bytes;

	assert_int_equal(command_encode(command, image, sizeof(image), &bytes),
			 RFS_ERR_OK);
	trio->limbo.data = malloc(bytes);
	memcpy(trio->limbo.data, image, bytes);
	trio->limbo.bytes = bytes;
	trio_lead(trio, 1, true);
}

void trio_tell_limbo(struct trio *trio, uint64_t term, bool whole)
{
	DistributedFs__LocalLimbo limbo = DISTRIBUTED_FS__LOCAL_LIMBO__INIT;
	ProtobufCBinaryData command = { .data = trio->limbo.data,
					.len = trio->limbo.bytes };

	limbo.term = term;
	limbo.limbo_index = trio->last_index + 1;
	limbo.commands = &command;
	limbo.more = true;
	limbo.n_commands = 1;
	assert_int_equal(conn_send(trio->nodes[0].link, FRAME_LOCAL_LIMBO,
				   &limbo.base, -1),
			 RFS_ERR_OK);
	if (!whole)
		return;
	limbo.n_commands = 0;
	limbo.more = false;
	assert_int_equal(conn_send(trio->nodes[0].link, FRAME_LOCAL_LIMBO,
				   &limbo.base, -1),
			 RFS_ERR_OK);
}

static void make_node(struct trio *trio, uint32_t number,
		      const struct config *config)
{
	struct trio_node *node = &trio->nodes[number - 1];
	struct config *own = &node->s.config;
	const struct clock_sample clock = { .quality = CLOCK_SYNCED };
	int fd;

	node->trio = trio;
	scratch_make(node->dir);
	*own = *config;
	own->self_index = number - 1;
	snprintf(own->self, sizeof(own->self), "n%u", number);
	memcpy(own->data_dir, node->dir, sizeof(node->dir));
	memcpy(own->run_dir, node->dir, sizeof(node->dir));
	assert_int_equal(page_create("cons", CONSPAGE_MAGIC, CONSPAGE_VERSION,
				     1, &fd, &node->cons_page),
			 RFS_ERR_OK);
	close(fd);
	assert_int_equal(page_create("clock", CLOCKPAGE_MAGIC,
				     CLOCKPAGE_VERSION, 1, &fd,
				     &node->clock_page),
			 RFS_ERR_OK);
	close(fd);
	clockpage_write(node->clock_page, &clock);
}

static void open_session(struct trio *trio)
{
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	request.op = DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION;
	assert_int_equal(trio_ask(trio, 1, &request), RFS_ERR_OK);
	trio->session = trio->reply->session;
	assert_int_equal(trio->reply->session_timeout_ms, 60000);
}

struct trio *trio_new(uint32_t count)
{
	struct trio *trio = calloc(1, sizeof(*trio));
	struct config config = { 0 };

	keys_init();
	trio->loop = ev_loop_new(EVFLAG_AUTO);
	trio->count = count;
	make_config(trio, &config);
	for (uint32_t i = 0; i < count; i++) {
		struct node_key *key = &trio->nodes[i].s.key;

		assert_int_equal(keys_generate(key), RFS_ERR_OK);
		memcpy(config.nodes[i].key, key->public_key, KEY_PUBLIC_BYTES);
	}
	for (uint32_t i = 1; i <= count; i++)
		make_node(trio, i, &config);
	trio_lead(trio, 1, false);
	for (uint32_t i = 1; i <= count; i++)
		trio_start(trio, i);
	trio_until(trio, trio_all_connected);
	open_session(trio);
	return trio;
}

void trio_free(struct trio *trio)
{
	for (uint32_t i = 1; i <= trio->count; i++) {
		struct trio_node *node = &trio->nodes[i - 1];

		if (node->up)
			trio_stop(trio, i);
		page_unmap(node->cons_page);
		page_unmap(node->clock_page);
		scratch_remove(node->dir);
	}
	if (trio->reply)
		frame_free(trio->reply);
	for (uint64_t i = 1; i <= trio->last_index; i++)
		free(trio->log[i].data);
	free(trio->limbo.data);
	ev_loop_destroy(trio->loop);
	free(trio);
}
