/* Node keys: their file, their text, signatures and shared secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/keys.h"

struct place {
	char dir[32];
	char path[64];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->dir, "/tmp/raftfs-keys-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/node.key", place->dir);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	assert_int_equal(rmdir(place->dir), 0);
	free(place);
	return 0;
}

static void rewrite(const char *path, const char *text)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0400), 0);
}

static void a_saved_key_loads_the_same(void **state)
{
	const struct place *place = *state;
	struct node_key key;
	struct node_key again;
	struct stat st;

	assert_int_equal(keys_generate(&key), RFS_ERR_OK);
	assert_int_equal(keys_save(place->path, &key), RFS_ERR_OK);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(keys_load(place->path, &again), RFS_ERR_OK);
	assert_memory_equal(&key, &again, sizeof(key));
	keys_wipe(&again);
	assert_memory_not_equal(&key, &again, sizeof(key));
}

static void a_key_is_never_overwritten(void **state)
{
	const struct place *place = *state;
	struct node_key a;
	struct node_key b;
	struct node_key found;

	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	assert_int_equal(keys_generate(&b), RFS_ERR_OK);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_equal(keys_save(place->path, &a), RFS_ERR_OK);
	assert_int_equal(keys_save(place->path, &b), RFS_ERR_EXIST);
	assert_int_equal(keys_load(place->path, &found), RFS_ERR_OK);
	assert_memory_equal(&a, &found, sizeof(a));
}

static void another_nodes_key_is_not_ones_own(void **state)
{
	const struct place *place = *state;
	struct node_key key, other, got;

	assert_int_equal(keys_generate(&key), RFS_ERR_OK);
	assert_int_equal(keys_generate(&other), RFS_ERR_OK);
	assert_int_equal(keys_save(place->path, &key), RFS_ERR_OK);
	assert_int_equal(keys_load_own(place->path, key.public_key, &got),
			 RFS_ERR_OK);
	assert_memory_equal(&key, &got, sizeof(key));
	assert_int_equal(keys_load_own(place->path, other.public_key, &got),
			 RFS_ERR_DENIED);
	assert_memory_not_equal(&key, &got, sizeof(key));
}

static void a_key_others_may_read_is_refused(void **state)
{
	const struct place *place = *state;
	struct node_key key;

	assert_int_equal(keys_generate(&key), RFS_ERR_OK);
	assert_int_equal(keys_save(place->path, &key), RFS_ERR_OK);
	assert_int_equal(chmod(place->path, 0440), 0);
	assert_int_equal(keys_load(place->path, &key), RFS_ERR_DENIED);
	assert_int_equal(chmod(place->path, 0404), 0);
	assert_int_equal(keys_load(place->path, &key), RFS_ERR_DENIED);
}

static void what_is_no_key_file_is_refused(void **state)
{
	const struct place *place = *state;
	struct node_key key;
	char good[256] = "";
	char bad[256];
	FILE *file;
	size_t length;

	assert_int_equal(keys_load(place->path, &key), RFS_ERR_NOENT);
	assert_int_equal(keys_generate(&key), RFS_ERR_OK);
	assert_int_equal(keys_save(place->path, &key), RFS_ERR_OK);
	file = fopen(place->path, "r");
	assert_non_null(file);
	length = fread(good, 1, sizeof(good) - 1, file);
	fclose(file);

	/* Cut anywhere, or with any one character changed. */
	for (size_t i = 0; i < length; i++) {
		snprintf(bad, sizeof(bad), "%.*s", (int)i, good);
		rewrite(place->path, bad);
		assert_int_equal(keys_load(place->path, &key), RFS_ERR_CORRUPT);
		strcpy(bad, good);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		rewrite(place->path, bad);
		assert_int_equal(keys_load(place->path, &key), RFS_ERR_CORRUPT);
	}
	rewrite(place->path, good);
	assert_int_equal(keys_load(place->path, &key), RFS_ERR_OK);
}

static void public_text_reads_back(void **state)
{
	struct node_key key;
	uint8_t raw[KEY_PUBLIC_BYTES];
	char text[KEY_TEXT_BYTES];

	(void)state;
	assert_int_equal(keys_generate(&key), RFS_ERR_OK);
	keys_public_text(key.public_key, text);
	assert_int_equal(strlen(text), 44);
	assert_int_equal(keys_public_parse(text, raw), RFS_ERR_OK);
	assert_memory_equal(raw, key.public_key, sizeof(raw));
	text[43] = '\0';
	assert_int_equal(keys_public_parse(text, raw), RFS_ERR_INVALID);
	assert_int_equal(keys_public_parse("", raw), RFS_ERR_INVALID);
	assert_int_equal(
		keys_public_parse(
			"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", raw),
		RFS_ERR_INVALID); /* 33 bytes */
}

static void only_the_key_that_signed_verifies(void **state)
{
	struct node_key a;
	struct node_key b;
	uint8_t signature[KEY_SIGNATURE_BYTES];

	(void)state;
	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	assert_int_equal(keys_generate(&b), RFS_ERR_OK);
	keys_sign(&a, "message", 7, signature);
	assert_int_equal(keys_verify(a.public_key, "message", 7, signature),
			 RFS_ERR_OK);
	assert_int_equal(keys_verify(b.public_key, "message", 7, signature),
			 RFS_ERR_DENIED);
	assert_int_equal(keys_verify(a.public_key, "messagE", 7, signature),
			 RFS_ERR_DENIED);
	signature[0] ^= 1;
	assert_int_equal(keys_verify(a.public_key, "message", 7, signature),
			 RFS_ERR_DENIED);
}

static void two_nodes_share_a_secret_no_third_has(void **state)
{
	struct node_key a;
	struct node_key b;
	struct node_key c;
	uint8_t ab[32];
	uint8_t ba[32];
	uint8_t ac[32];
	const uint8_t not_a_point[KEY_PUBLIC_BYTES] = { 1 };

	(void)state;
	assert_int_equal(keys_generate(&a), RFS_ERR_OK);
	assert_int_equal(keys_generate(&b), RFS_ERR_OK);
	assert_int_equal(keys_generate(&c), RFS_ERR_OK);
	assert_int_equal(keys_shared_secret(&a, b.public_key, ab), RFS_ERR_OK);
	assert_int_equal(keys_shared_secret(&b, a.public_key, ba), RFS_ERR_OK);
	assert_int_equal(keys_shared_secret(&a, c.public_key, ac), RFS_ERR_OK);
	assert_memory_equal(ab, ba, sizeof(ab));
	assert_memory_not_equal(ab, ac, sizeof(ab));
	assert_int_equal(keys_shared_secret(&a, not_a_point, ab),
			 RFS_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_saved_key_loads_the_same,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_key_is_never_overwritten,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			another_nodes_key_is_not_ones_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_key_others_may_read_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_key_file_is_refused,
						set_up, tear_down),
		cmocka_unit_test(public_text_reads_back),
		cmocka_unit_test(only_the_key_that_signed_verifies),
		cmocka_unit_test(two_nodes_share_a_secret_no_third_has),
	};

	keys_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
