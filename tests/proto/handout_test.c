/* Handouts: one descriptor per datagram, and what else may arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/handout.h"

static void make_pair(int pair[2])
{
	assert_int_equal(
		socketpair(AF_UNIX,
			   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			   pair),
		0);
}

static void a_descriptor_arrives_as_a_copy(void **state)
{
	const struct handout sent = { .kind = HANDOUT_LINK, .generation = 9 };
	struct handout got;
	int channel[2];
	int pipe_fds[2];
	char byte = 0;
	int fd;

	(void)state;
	make_pair(channel);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(handout_send(channel[0], &sent, pipe_fds[1]),
			 RFS_ERR_OK);
	close(pipe_fds[1]);
	assert_int_equal(handout_receive(channel[1], &got, &fd), RFS_ERR_OK);
	assert_memory_equal(&sent, &got, sizeof(got));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	close(pipe_fds[0]);
	close(channel[0]);
	close(channel[1]);
}

static void order_and_absence_of_descriptors_are_kept(void **state)
{
	struct handout sent = { .kind = HANDOUT_CONFIG };
	struct handout got;
	int channel[2];
	int fd;

	(void)state;
	make_pair(channel);
	for (uint64_t i = 1; i <= 3; i++) {
		sent.generation = i;
		assert_int_equal(handout_send(channel[0], &sent, -1),
				 RFS_ERR_OK);
	}
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(handout_receive(channel[1], &got, &fd),
				 RFS_ERR_OK);
		assert_int_equal(got.generation, i);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(handout_receive(channel[1], &got, &fd), RFS_ERR_BUSY);
	close(channel[0]);
	close(channel[1]);
}

static void the_end_of_the_other_side_is_seen(void **state)
{
	const struct handout sent = { .kind = HANDOUT_START };
	struct handout got;
	int channel[2];
	int fd;

	(void)state;
	make_pair(channel);
	assert_int_equal(handout_send(channel[0], &sent, -1), RFS_ERR_OK);
	close(channel[0]);
	assert_int_equal(handout_receive(channel[1], &got, &fd), RFS_ERR_OK);
	assert_int_equal(handout_receive(channel[1], &got, &fd),
			 RFS_ERR_CLOSED);
	assert_int_equal(handout_send(channel[1], &sent, -1), RFS_ERR_CLOSED);
	close(channel[1]);
}

static void a_full_queue_is_busy(void **state)
{
	const struct handout sent = { .kind = HANDOUT_CONFIG };
	int channel[2];
	enum rfs_err err = RFS_ERR_OK;

	(void)state;
	make_pair(channel);
	for (int i = 0; i < 100000 && err == RFS_ERR_OK; i++)
		err = handout_send(channel[0], &sent, -1);
	assert_int_equal(err, RFS_ERR_BUSY);
	close(channel[0]);
	close(channel[1]);
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* What is no handout is refused, and leaks no descriptor. */
static void wrong_datagrams_are_refused(void **state)
{
	const struct handout reserved = { .kind = 1, .reserved = 1 };
	struct handout got;
	uint8_t big[64] = { 1 };
	int channel[2];
	int before;
	int fd;

	(void)state;
	make_pair(channel);
	before = count_descriptors();
	assert_int_equal(send(channel[0], big, 3, 0), 3);
	assert_int_equal(handout_receive(channel[1], &got, &fd),
			 RFS_ERR_INVALID);
	assert_int_equal(send(channel[0], big, sizeof(big), 0), sizeof(big));
	assert_int_equal(handout_receive(channel[1], &got, &fd),
			 RFS_ERR_INVALID);
	assert_int_equal(handout_send(channel[0], &reserved, channel[0]),
			 RFS_ERR_OK);
	assert_int_equal(handout_receive(channel[1], &got, &fd),
			 RFS_ERR_INVALID);
	assert_int_equal(count_descriptors(), before);
	close(channel[0]);
	close(channel[1]);
}

static void two_descriptors_at_once_are_refused(void **state)
{
	struct handout sent = { .kind = HANDOUT_LINK };
	struct iovec iov = { &sent, sizeof(sent) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control.space) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int channel[2];
	int before;
	int fd;

	(void)state;
	make_pair(channel);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(head), channel, 2 * sizeof(int));
	before = count_descriptors();
	assert_int_equal(sendmsg(channel[0], &message, 0), sizeof(sent));
	assert_int_equal(handout_receive(channel[1], &sent, &fd),
			 RFS_ERR_INVALID);
	assert_int_equal(count_descriptors(), before);
	close(channel[0]);
	close(channel[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_arrives_as_a_copy),
		cmocka_unit_test(order_and_absence_of_descriptors_are_kept),
		cmocka_unit_test(the_end_of_the_other_side_is_seen),
		cmocka_unit_test(a_full_queue_is_busy),
		cmocka_unit_test(wrong_datagrams_are_refused),
		cmocka_unit_test(two_descriptors_at_once_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
