/* Fuzz target: any requests of a kernel at the mount, and any answers of a
 * storaged to what the mount asks it. Each request is answered exactly once;
 * when all handles are closed no file is left. libFuzzer's entry point.
 *
 * The kernel's framing is kept, for libfuse takes it as given: sizes, ends of
 * names, and handles that were given out.
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/mount/mount.h"
#include "common/os/log.h"
#include "tests/client/fake_server.h"

#define REQUEST_BYTES (sizeof(struct fuse_in_header) + 128 + 2 * 256 + 65536)
#define HANDLES	      8
#define ENTRIES	      4

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum handle { HANDLE_NONE = 0, HANDLE_FILE, HANDLE_DIR };

/* A request after its head: a fixed part, names, data whose size is told. */
struct shape {
	uint32_t opcode;
	size_t fixed_bytes;
	size_t names;
	enum handle uses;
	size_t handle_at;  /* in the fixed part */
	enum handle gives; /* in its answer, */
	size_t given_at;   /* there */
	bool is_sized;	   /* of the answer or of the data: */
	size_t size_at;
	bool has_data;
};

#define IN(type)      .fixed_bytes = sizeof(struct type)
#define ON(kind, type)                                                         \
	IN(type), .uses = HANDLE_##kind, .handle_at = offsetof(struct type, fh)
#define SIZED(type)   .is_sized = true, .size_at = offsetof(struct type, size)

static const struct shape shapes[] = {
	{.opcode = FUSE_LOOKUP, .names = 1},
	{.opcode = FUSE_GETATTR, IN(fuse_getattr_in)},
	{.opcode = FUSE_SETATTR, IN(fuse_setattr_in)},
	{.opcode = FUSE_READLINK},
	{.opcode = FUSE_SYMLINK, .names = 2},
	{.opcode = FUSE_MKNOD, IN(fuse_mknod_in), .names = 1},
	{.opcode = FUSE_MKDIR, IN(fuse_mkdir_in), .names = 1},
	{.opcode = FUSE_UNLINK, .names = 1},
	{.opcode = FUSE_RMDIR, .names = 1},
	{.opcode = FUSE_RENAME, IN(fuse_rename_in), .names = 2},
	{.opcode = FUSE_RENAME2, IN(fuse_rename2_in), .names = 2},
	{.opcode = FUSE_LINK, IN(fuse_link_in), .names = 1},
	{.opcode = FUSE_OPEN, IN(fuse_open_in), .gives = HANDLE_FILE},
	{.opcode = FUSE_CREATE, IN(fuse_create_in), .names = 1,
	 .gives = HANDLE_FILE, .given_at = sizeof(struct fuse_entry_out)},
	{.opcode = FUSE_READ, ON(FILE, fuse_read_in), SIZED(fuse_read_in)},
	{.opcode = FUSE_WRITE, ON(FILE, fuse_write_in), SIZED(fuse_write_in),
	 .has_data = true},
	{.opcode = FUSE_FLUSH, ON(FILE, fuse_flush_in)},
	{.opcode = FUSE_FSYNC, ON(FILE, fuse_fsync_in)},
	{.opcode = FUSE_FALLOCATE, ON(FILE, fuse_fallocate_in)},
	{.opcode = FUSE_OPENDIR, IN(fuse_open_in), .gives = HANDLE_DIR},
	{.opcode = FUSE_READDIR, ON(DIR, fuse_read_in), SIZED(fuse_read_in)},
	{.opcode = FUSE_READDIRPLUS, ON(DIR, fuse_read_in),
	 SIZED(fuse_read_in)},
	{.opcode = FUSE_STATFS},
	{.opcode = FUSE_SETXATTR, .fixed_bytes = FUSE_COMPAT_SETXATTR_IN_SIZE,
	 .names = 1, SIZED(fuse_setxattr_in), .has_data = true},
	{.opcode = FUSE_GETXATTR, IN(fuse_getxattr_in), .names = 1,
	 SIZED(fuse_getxattr_in)},
	{.opcode = FUSE_LISTXATTR, IN(fuse_getxattr_in),
	 SIZED(fuse_getxattr_in)},
	{.opcode = FUSE_REMOVEXATTR, .names = 1},
};

/* --- what is left of the input --- */

static struct {
	pthread_mutex_t lock; /* the mount asks on, the storaged answers */
	const uint8_t *at;
	size_t left;
} input = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Zeros when there is no more. */
static void take(void *to, size_t bytes)
{
	pthread_mutex_lock(&input.lock);
	size_t have = bytes < input.left ? bytes : input.left;

	memset(to, 0, bytes);
	if (have > 0)
		memcpy(to, input.at, have);
	input.at += have;
	input.left -= have;
	pthread_mutex_unlock(&input.lock);
}

static uint8_t take_byte(void)
{
	uint8_t byte;

	take(&byte, 1);
	return byte;
}

/* --- the storaged --- */

static DistributedFs__FileAttr *some_attr(DistributedFs__FileAttr *attr)
{
	static const uint32_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO};
	uint32_t size;

	take(&size, sizeof(size));
	distributed_fs__file_attr__init(attr);
	attr->ino = take_byte() % 8;
	attr->mode = types[take_byte() % 4] | 0644;
	attr->nlink = take_byte() % 3;
	attr->size = size;
	attr->version = attr->ino;
	return attr;
}

static void some_entries(DistributedFs__FileReply *reply)
{
	static DistributedFs__DirEntry entry[ENTRIES], *entries[ENTRIES];
	static DistributedFs__FileAttr attr[ENTRIES];
	static char name[ENTRIES][32];

	reply->n_entries = take_byte() % (ENTRIES + 1);
	reply->entries = entries;
	for (size_t i = 0; i < reply->n_entries; i++) {
		take(name[i], sizeof(name[i]) - 1);
		entries[i] = &entry[i];
		distributed_fs__dir_entry__init(entries[i]);
		entry[i].ino = take_byte() % 8;
		entry[i].name = name[i];
		entry[i].cookie = take_byte();
		if (take_byte() & 1)
			entry[i].attr = some_attr(&attr[i]);
	}
	reply->end = take_byte() & 1;
}

static enum fake_verdict answer(void *ctx,
				const DistributedFs__FileRequest *request,
				DistributedFs__FileReply *reply)
{
	/* None that is asked again until the time limit. */
	static const enum rfs_err errs[] = {
		RFS_ERR_NOENT,	 RFS_ERR_EXIST, RFS_ERR_NOTDIR,
		RFS_ERR_INVALID, RFS_ERR_IO,	RFS_ERR_RANGE,
		RFS_ERR_CORRUPT, RFS_ERR_NODATA};
	static DistributedFs__FileAttr attr;
	static ProtobufCBinaryData names[2];
	static uint8_t data[512];
	uint8_t what = take_byte();

	(void)ctx;
	if (request->op == DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION) {
		reply->session = 9;
		return FAKE_ANSWER;
	}
	if (what >= 192) {
		reply->err = errs[what % 8];
		return FAKE_ANSWER;
	}
	if ((what & 3) != 3)
		reply->attr = some_attr(&attr);
	take(data, sizeof(data));
	reply->data.data = data;
	reply->data.len = what % 64 * 8;
	if (request->op == DISTRIBUTED_FS__FILE_OP__OP_READ &&
	    reply->data.len > request->length)
		reply->data.len = request->length;
	if (request->op == DISTRIBUTED_FS__FILE_OP__OP_READDIR)
		some_entries(reply);
	if (request->op == DISTRIBUTED_FS__FILE_OP__OP_LISTXATTR) {
		names[0] = names[1] = reply->data;
		reply->names = names;
		reply->n_names = what % 3;
	}
	return FAKE_ANSWER;
}

/* --- the kernel --- */

static struct mount mount;
static struct fuse_session *session;
static unsigned int answers;
static uint64_t handles[3][HANDLES]; /* by enum handle; 0: free */
static const struct shape *asked;

static void keep_handle(uint64_t handle)
{
	for (size_t i = 0; i < HANDLES; i++)
		if (handles[asked->gives][i] == 0) {
			handles[asked->gives][i] = handle;
			return;
		}
	abort(); /* none was free when it was asked for */
}

static ssize_t on_answer(int fd, struct iovec *parts, int count, void *data)
{
	static uint8_t image[2u << 20];
	const struct fuse_out_header *head = (const void *)image;
	size_t bytes = 0;

	(void)fd;
	(void)data;
	for (int i = 0; i < count; i++) {
		if (parts[i].iov_len > sizeof(image) - bytes)
			abort();
		memcpy(image + bytes, parts[i].iov_base, parts[i].iov_len);
		bytes += parts[i].iov_len;
	}
	if (bytes < sizeof(*head) || head->len != bytes)
		abort();
	answers++;
	if (asked != NULL && asked->gives && head->error == 0)
		keep_handle(((const struct fuse_open_out *)(const void *)(image +
				sizeof(*head) + asked->given_at))->fh);
	return (ssize_t)bytes;
}

static ssize_t no_read(int fd, void *buffer, size_t bytes, void *data)
{
	(void)fd;
	(void)buffer;
	(void)bytes;
	(void)data;
	return 0;
}

static void process(uint8_t *image, size_t bytes)
{
	struct fuse_in_header *head = (void *)image;
	const struct fuse_buf buffer = {.size = bytes, .mem = image};

	head->len = (uint32_t)bytes;
	answers = 0;
	fuse_session_process_buf(session, &buffer);
	if (answers != 1)
		abort();
}

static size_t add_name(uint8_t *to)
{
	size_t bytes = take_byte();

	take(to, bytes);
	for (size_t i = 0; i < bytes; i++)
		if (to[i] == '\0')
			to[i] = 'x';
	to[bytes] = '\0';
	return bytes + 1;
}

/* False: there is none such open, or no room for another. */
static bool pick_handle(const struct shape *shape, uint64_t *handle)
{
	uint8_t first = take_byte();
	bool room = shape->gives == HANDLE_NONE;

	*handle = 0;
	for (size_t i = 0; i < HANDLES; i++) {
		room = room || handles[shape->gives][i] == 0;
		if (handles[shape->uses][(first + i) % HANDLES] != 0)
			*handle = handles[shape->uses][(first + i) % HANDLES];
	}
	return room && (shape->uses == HANDLE_NONE || *handle != 0);
}

static void ask(const struct shape *shape)
{
	static uint8_t image[REQUEST_BYTES] __attribute__((aligned(8)));
	struct fuse_in_header head = {.opcode = shape->opcode, .unique = 7};
	uint8_t *fixed = image + sizeof(head);
	size_t bytes = sizeof(head) + shape->fixed_bytes;
	uint64_t handle;
	uint16_t size;

	head.nodeid = take_byte() % 8;
	memcpy(image, &head, sizeof(head));
	take(fixed, shape->fixed_bytes);
	if (!pick_handle(shape, &handle))
		return;
	if (shape->uses != HANDLE_NONE)
		memcpy(fixed + shape->handle_at, &handle, sizeof(handle));
	for (size_t i = 0; i < shape->names; i++)
		bytes += add_name(image + bytes);
	if (shape->is_sized) {
		take(&size, sizeof(size));
		memcpy(fixed + shape->size_at, &(uint32_t){size},
		       sizeof(uint32_t));
	}
	if (shape->has_data) {
		take(image + bytes, size);
		bytes += size;
	}
	asked = shape;
	process(image, bytes);
}

static void close_handle(enum handle kind, uint64_t handle)
{
	struct {
		struct fuse_in_header head;
		struct fuse_release_in in;
	} request = {.head = {.opcode = kind == HANDLE_FILE ? FUSE_RELEASE :
							      FUSE_RELEASEDIR,
			      .unique = 7,
			      .nodeid = 1},
		     .in = {.fh = handle}};

	asked = NULL;
	process((uint8_t *)&request, sizeof(request));
}

static void close_all(void)
{
	for (int kind = HANDLE_FILE; kind <= HANDLE_DIR; kind++)
		for (size_t i = 0; i < HANDLES; i++) {
			if (handles[kind][i] != 0)
				close_handle((enum handle)kind,
					     handles[kind][i]);
			handles[kind][i] = 0;
		}
	if (mount.files.count != 0)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct fuse_custom_io io = {.writev = on_answer,
						 .read = no_read};
	static struct fake_server fake;
	static char name[] = "fuzz", *words[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, words);
	struct {
		struct fuse_in_header head;
		struct fuse_init_in in;
	} hello = {.head = {.opcode = FUSE_INIT, .unique = 1},
		   .in = {.major = FUSE_KERNEL_VERSION,
			  .minor = FUSE_KERNEL_MINOR_VERSION,
			  .max_readahead = 1u << 20}};

	(void)argc;
	(void)argv;
	log_set_level((enum log_level)-1);
	fake_start(&fake, answer, NULL);
	files_init(&mount.files);
	session = fuse_session_new(&args, &mount_ops, sizeof(mount_ops),
				   &mount);
	fuse_opt_free_args(&args);
	if (raftfs_open(fake.path, &mount.fs) != RFS_ERR_OK ||
	    session == NULL ||
	    fuse_session_custom_io(session, &io,
				   open("/dev/null", O_RDWR | O_CLOEXEC)) != 0)
		abort();
	process((uint8_t *)&hello, sizeof(hello));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	pthread_mutex_lock(&input.lock);
	input.at = data;
	input.left = bytes;
	pthread_mutex_unlock(&input.lock);
	while (input.left > 0)
		ask(&shapes[take_byte() % (sizeof(shapes) /
					   sizeof(shapes[0]))]);
	close_all();
	return 0;
}
