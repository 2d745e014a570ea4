/* Round trips as the kernel tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/units.h"
#include "raftd/linkrtt.h"

static void a_connection_knows_its_round_trip_before_it_is_used(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(at);
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	int dialled = socket(AF_INET, SOCK_STREAM, 0);
	int64_t least_ns;

	(void)state;
	assert_int_equal(bind(listening, (struct sockaddr *)&at, bytes), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &bytes),
			 0);
	assert_int_equal(linkrtt_least_ns(dialled), 0);
	assert_int_equal(connect(dialled, (struct sockaddr *)&at, bytes), 0);
	least_ns = linkrtt_least_ns(dialled);
	assert_in_range(least_ns, 1, NS_PER_SEC);
	close(dialled);
	close(listening);
}

static void what_is_not_tcp_has_none(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(linkrtt_least_ns(ends[0]), 0);
	assert_int_equal(linkrtt_least_ns(-1), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_connection_knows_its_round_trip_before_it_is_used),
		cmocka_unit_test(what_is_not_tcp_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
