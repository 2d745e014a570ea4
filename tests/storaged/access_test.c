/* Who may do what: users who are not root, against permission bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storaged/access.h"
#include "tests/storaged/statedir.h"

static const struct access_who root = { .uid = 0, .gid = 0 };
static const struct access_who ann = { .uid = 1000,
				       .gid = 1000,
				       .groups = { 50 },
				       .group_count = 1 };
static const struct access_who bob = { .uid = 1001, .gid = 1001 };

static struct bytes text(const char *s)
{
	return (struct bytes){ .data = (const uint8_t *)s, .bytes = strlen(s) };
}

static uint64_t make(struct statedir *d, enum command_op op, uint64_t parent,
		     const char *name, uint32_t mode,
		     const struct access_who *who, uint32_t gid)
{
	struct command command = { .op = op,
				   .ino = parent,
				   .name = text(name),
				   .mode = mode,
				   .uid = who->uid,
				   .gid = gid };

	assert_int_equal(statedir_do(d, &command), RFS_ERR_OK);
	return d->result.attr.ino;
}

static enum rfs_err change(struct statedir *d, const struct access_who *who,
			   struct command command)
{
	struct kv kv;

	command.session = d->session;
	assert_int_equal(state_begin_read(d->state, &kv), RFS_ERR_OK);
	enum rfs_err err = access_change(&kv, who, &command);
	state_end_read(d->state, &kv);
	return err;
}

static enum rfs_err look(struct statedir *d, const struct access_who *who,
			 DistributedFs__FileOp op, uint64_t ino)
{
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;
	struct kv kv;

	request.op = op;
	request.ino = ino;
	assert_int_equal(state_begin_read(d->state, &kv), RFS_ERR_OK);
	enum rfs_err err = access_read(&kv, who, &request);
	state_end_read(d->state, &kv);
	return err;
}

/* A session labelled as storaged labels it, for that user. */
static void use_session_of(struct statedir *d, const struct access_who *who)
{
	char label[ACCESS_LABEL_BYTES];
	struct command open = { .op = COMMAND_OPEN_SESSION,
				.lease_ns = 1000000000,
				.node = 1 };

	access_label(who, label);
	open.name = text(label);
	assert_int_equal(statedir_do(d, &open), RFS_ERR_OK);
	d->session = d->result.value;
	d->seq = 0;
}

static void bits_of_owner_group_and_others_decide(void **state)
{
	struct statedir *d = *state;
	uint64_t own = make(d, COMMAND_CREATE, INODE_ROOT, "own", 0600, &ann,
			    1000);
	uint64_t shared = make(d, COMMAND_CREATE, INODE_ROOT, "shared", 0640,
			       &bob, 50);
	const DistributedFs__FileOp read = DISTRIBUTED_FS__FILE_OP__OP_READ;

	assert_int_equal(look(d, &ann, read, own), RFS_ERR_OK);
	assert_int_equal(look(d, &bob, read, own), RFS_ERR_ACCESS);
	assert_int_equal(look(d, &root, read, own), RFS_ERR_OK);
	assert_int_equal(look(d, &ann, read, shared), RFS_ERR_OK);
	use_session_of(d, &ann);
	assert_int_equal(change(d, &ann, (struct command){
						 .op = COMMAND_WRITE,
						 .ino = shared }),
			 RFS_ERR_ACCESS);
	assert_int_equal(change(d, &ann, (struct command){
						 .op = COMMAND_WRITE,
						 .ino = own }),
			 RFS_ERR_OK);
}

static void nobody_makes_files_for_another(void **state)
{
	struct statedir *d = *state;
	uint64_t dir = make(d, COMMAND_MKDIR, INODE_ROOT, "open", 0777, &root,
			    0);
	struct command create = { .op = COMMAND_CREATE,
				  .ino = dir,
				  .name = text("f"),
				  .uid = 1000,
				  .gid = 1000 };

	use_session_of(d, &ann);
	assert_int_equal(change(d, &ann, create), RFS_ERR_OK);
	create.gid = 50; /* a group of hers */
	assert_int_equal(change(d, &ann, create), RFS_ERR_OK);
	create.gid = 51;
	assert_int_equal(change(d, &ann, create), RFS_ERR_DENIED);
	create.gid = 1000;
	create.uid = 1001;
	assert_int_equal(change(d, &ann, create), RFS_ERR_DENIED);
	create.ino = INODE_ROOT; /* 0755, root's */
	create.uid = 1000;
	assert_int_equal(change(d, &ann, create), RFS_ERR_ACCESS);
}

static void a_session_serves_only_who_opened_it(void **state)
{
	struct statedir *d = *state;
	uint64_t own = make(d, COMMAND_CREATE, INODE_ROOT, "own", 0666, &ann,
			    1000);
	const struct command write = { .op = COMMAND_WRITE, .ino = own };

	use_session_of(d, &ann);
	assert_int_equal(change(d, &ann, write), RFS_ERR_OK);
	assert_int_equal(change(d, &bob, write), RFS_ERR_DENIED);
	assert_int_equal(change(d, &root, write), RFS_ERR_OK);
	d->session += 1000;
	assert_int_equal(change(d, &ann, write), RFS_ERR_NO_SESSION);
}

static void in_a_sticky_directory_only_owners_remove(void **state)
{
	struct statedir *d = *state;
	uint64_t dir = make(d, COMMAND_MKDIR, INODE_ROOT, "tmp", 01777, &root,
			    0);
	const struct command unlink_anns = { .op = COMMAND_UNLINK,
					     .ino = dir,
					     .name = text("anns") };

	make(d, COMMAND_CREATE, dir, "anns", 0666, &ann, 1000);
	use_session_of(d, &bob);
	assert_int_equal(change(d, &bob, unlink_anns), RFS_ERR_PERM);
	use_session_of(d, &ann);
	assert_int_equal(change(d, &ann, unlink_anns), RFS_ERR_OK);
}

static void only_the_owner_changes_mode_and_only_root_the_owner(void **state)
{
	struct statedir *d = *state;
	uint64_t own = make(d, COMMAND_CREATE, INODE_ROOT, "own", 0666, &ann,
			    1000);
	struct command chmod_it = { .op = COMMAND_SETATTR,
				    .ino = own,
				    .set_mask = COMMAND_SET_MODE,
				    .mode = 0777 };
	struct command chown_it = { .op = COMMAND_SETATTR,
				    .ino = own,
				    .set_mask = COMMAND_SET_UID,
				    .uid = 1001 };

	use_session_of(d, &ann);
	assert_int_equal(change(d, &ann, chmod_it), RFS_ERR_OK);
	assert_int_equal(change(d, &ann, chown_it), RFS_ERR_PERM);
	use_session_of(d, &bob);
	assert_int_equal(change(d, &bob, chmod_it), RFS_ERR_PERM);
	assert_int_equal(change(d, &root, chown_it), RFS_ERR_OK);
}

static void who_runs_the_daemon_acts_as_root(void **state)
{
	struct access_who who;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(access_identify(pair[0], &who), RFS_ERR_OK);
	assert_int_equal(who.uid, 0); /* we run the daemon */
	assert_int_equal(who.gid, getegid());
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
#define ACCESS_TEST(name) \
	cmocka_unit_test_setup_teardown(name, statedir_setup, statedir_teardown)
	const struct CMUnitTest tests[] = {
		ACCESS_TEST(bits_of_owner_group_and_others_decide),
		ACCESS_TEST(nobody_makes_files_for_another),
		ACCESS_TEST(a_session_serves_only_who_opened_it),
		ACCESS_TEST(in_a_sticky_directory_only_owners_remove),
		ACCESS_TEST(only_the_owner_changes_mode_and_only_root_the_owner),
		cmocka_unit_test(who_runs_the_daemon_acts_as_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
