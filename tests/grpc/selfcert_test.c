/* The node's own certificate: made once, shown, renewed under the same key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/grpc/credentials.h"
#include "client/grpc/selfcert.h"

struct place {
	char dir[64];
	struct config config;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct config *config = &place->config;

	strcpy(place->dir, "/tmp/selfcert.XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(config->data_dir, sizeof(config->data_dir), "%s/data",
		 place->dir);
	snprintf(config->run_dir, sizeof(config->run_dir), "%s", place->dir);
	strcpy(config->self, "n1");
	strcpy(config->cluster_id, "test");
	strcpy(config->nodes[0].name, "n1");
	strcpy(config->nodes[0].address, "192.0.2.1");
	config->node_count = 1;
	strcpy(config->grpc.address, "127.0.0.1");
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static void path_of(const struct place *place, const char *name, char *path,
		    size_t size)
{
	snprintf(path, size, "%s/%s", place->dir, name);
}

static void load(const struct place *place, struct selfcert *own)
{
	assert_int_equal(selfcert_load(&place->config, own), RFS_ERR_OK);
	assert_int_equal(X509_check_private_key(own->certificate, own->key), 1);
}

static void it_names_the_node_and_where_it_is_reached(void **state)
{
	struct place *place = *state;
	struct selfcert own;

	load(place, &own);
	assert_int_equal(X509_check_host(own.certificate, "n1", 0, 0, NULL), 1);
	assert_int_equal(
		X509_check_host(own.certificate, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(own.certificate, "192.0.2.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(own.certificate, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_host(own.certificate, "n2", 0, 0, NULL), 0);
	selfcert_fini(&own);
}

/* What BoringSSL, Go and the like take. */
static void it_is_p256_no_authority_and_does_not_expire(void **state)
{
	struct selfcert own;
	char group[32];
	ASN1_TIME *end = ASN1_TIME_new();

	load(*state, &own);
	assert_int_equal(
		EVP_PKEY_get_group_name(own.key, group, sizeof(group), NULL),
		1);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(X509_check_ca(own.certificate), 0);
	assert_int_equal(
		X509_check_purpose(own.certificate, X509_PURPOSE_SSL_SERVER, 0),
		1);
	assert_int_equal(X509_verify(own.certificate, own.key), 1);
	assert_int_equal(ASN1_TIME_set_string(end, "99991231235959Z"), 1);
	assert_int_equal(
		ASN1_TIME_compare(X509_get0_notAfter(own.certificate), end), 0);
	ASN1_TIME_free(end);
	selfcert_fini(&own);
}

static void it_is_made_once(void **state)
{
	struct selfcert first, second;

	load(*state, &first);
	load(*state, &second);
	assert_int_equal(X509_cmp(first.certificate, second.certificate), 0);
	selfcert_fini(&first);
	selfcert_fini(&second);
}

static void another_address_renews_it_under_the_same_key(void **state)
{
	struct place *place = *state;
	struct selfcert first, second;

	load(place, &first);
	strcpy(place->config.nodes[0].address, "2001:db8::7");
	load(place, &second);
	assert_int_not_equal(X509_cmp(first.certificate, second.certificate),
			     0);
	assert_int_equal(EVP_PKEY_eq(first.key, second.key), 1);
	assert_int_equal(
		X509_check_ip_asc(second.certificate, "2001:db8::7", 0), 1);
	selfcert_fini(&first);
	selfcert_fini(&second);
}

static void everybody_may_read_the_certificate_and_nobody_the_key(void **state)
{
	struct place *place = *state;
	struct selfcert own;
	struct stat status;
	char path[128];
	X509 *shown;
	FILE *in;

	load(place, &own);
	path_of(place, "data/grpc/own.pem", path, sizeof(path));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0400);
	path_of(place, CREDENTIALS_FILE, path, sizeof(path));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0444);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_null(PEM_read_PrivateKey(in, NULL, NULL, NULL));
	rewind(in);
	shown = PEM_read_X509(in, NULL, NULL, NULL);
	assert_non_null(shown);
	assert_int_equal(X509_cmp(shown, own.certificate), 0);
	fclose(in);
	X509_free(shown);
	selfcert_fini(&own);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
	struct place *place = *state;
	struct selfcert own;
	char path[128];

	load(place, &own);
	selfcert_fini(&own);
	path_of(place, "data/grpc/own.pem", path, sizeof(path));
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(selfcert_load(&place->config, &own), RFS_ERR_DENIED);
}

static void what_is_no_key_is_not_replaced(void **state)
{
	struct place *place = *state;
	struct selfcert own;
	char path[128];
	FILE *out;

	load(place, &own);
	selfcert_fini(&own);
	path_of(place, "data/grpc/own.pem", path, sizeof(path));
	assert_int_equal(chmod(path, 0600), 0);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs("nothing of the kind\n", out);
	fclose(out);
	assert_int_equal(selfcert_load(&place->config, &own), RFS_ERR_CORRUPT);
	assert_null(own.key);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(it_names_the_node_and_where_it_is_reached),
		IN_PLACE(it_is_p256_no_authority_and_does_not_expire),
		IN_PLACE(it_is_made_once),
		IN_PLACE(another_address_renews_it_under_the_same_key),
		IN_PLACE(everybody_may_read_the_certificate_and_nobody_the_key),
		IN_PLACE(a_key_that_others_may_read_is_refused),
		IN_PLACE(what_is_no_key_is_not_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
