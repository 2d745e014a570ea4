/* One node's description: what is wrong with it alone, and beside another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/os/config.h"

static const struct config_node n1 = {
	.name = "n1",
	.id = 1,
	.address = "192.0.2.1",
	.raft_port = 7101,
	.storage_port = 7102,
	.time_port = 7103,
	.key = { 1 },
};

static void a_good_description_has_no_fault(void **state)
{
	(void)state;
	assert_null(config_node_fault(&n1));
}

static void each_part_of_a_description_is_looked_at(void **state)
{
	struct config_node node = n1;

	(void)state;
	strcpy(node.name, "a b");
	assert_string_equal(config_node_fault(&node),
			    "name: must be 1 to 31 letters, digits, '.', '_' "
			    "and '-'");
	node = n1;
	node.name[0] = '\0';
	assert_non_null(config_node_fault(&node));
	node = n1;
	node.id = 0;
	assert_string_equal(config_node_fault(&node),
			    "id: must be from 1 to 1000000");
	node = n1;
	strcpy(node.address, "host.example");
	assert_string_equal(config_node_fault(&node),
			    "address: must be a numeric IPv4 or IPv6 address");
	node = n1;
	node.time_port = 0;
	assert_string_equal(config_node_fault(&node),
			    "time_port: must be from 1 to 65535");
	node = n1;
	node.storage_port = node.raft_port;
	assert_string_equal(config_node_fault(&node),
			    "raft_port: used for something else too");
}

static void two_nodes_may_share_nothing_but_an_address(void **state)
{
	struct config_node other = {
		.name = "n2",
		.id = 2,
		.address = "192.0.2.1",
		.raft_port = 7201,
		.storage_port = 7202,
		.time_port = 7203,
		.key = { 2 },
	};

	(void)state;
	assert_null(config_node_clash(&n1, &other));
	other.key[0] = 1;
	assert_string_equal(config_node_clash(&n1, &other), "key");
	strcpy(other.name, "n1");
	assert_string_equal(config_node_clash(&n1, &other), "name");
	other.id = 1;
	assert_string_equal(config_node_clash(&n1, &other), "id");
	other.id = 2;
	strcpy(other.name, "n2");
	other.key[0] = 2;
	other.storage_port = 7102;
	assert_string_equal(config_node_clash(&n1, &other), "storage_port");
	strcpy(other.address, "192.0.2.2");
	assert_null(config_node_clash(&n1, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_description_has_no_fault),
		cmocka_unit_test(each_part_of_a_description_is_looked_at),
		cmocka_unit_test(two_nodes_may_share_nothing_but_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
