/* Node identity by libsodium. The key file, mode 0400, is three lines:
 *
 *	raftfs-node-key 1
 *	seed <base64 of 32 bytes>		secret
 *	public <base64 of 32 bytes>		follows from it; checked on load
 */
#include "common/os/keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/check.h"
#include "common/os/directory.h"
#include "common/os/log.h"

#define FILE_HEAD  "raftfs-node-key 1\n"
#define FILE_BYTES 256

_Static_assert(KEY_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(KEY_SEED_BYTES == crypto_sign_SEEDBYTES, "Ed25519");
_Static_assert(KEY_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");
_Static_assert(KEY_TEXT_BYTES >= sodium_base64_ENCODED_LEN(
					 32, sodium_base64_VARIANT_ORIGINAL),
	       "text fits");

void keys_init(void)
{
	CHECK(sodium_init() >= 0);
}

static void from_seed(struct node_key *key)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(key->public_key, secret, key->seed);
	sodium_memzero(secret, sizeof(secret));
}

enum rfs_err keys_generate(struct node_key *key)
{
	randombytes_buf(key->seed, sizeof(key->seed));
	from_seed(key);
	return RFS_ERR_OK;
}

static void to_text(const uint8_t raw[32], char text[KEY_TEXT_BYTES])
{
	sodium_bin2base64(text, KEY_TEXT_BYTES, raw, 32,
			  sodium_base64_VARIANT_ORIGINAL);
}

static bool from_text(const char *text, size_t length, uint8_t raw[32])
{
	size_t got = 0;
	const char *end = NULL;

	return sodium_base642bin(raw, 32, text, length, NULL, &got, &end,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       got == 32 && end == text + length;
}

void keys_public_text(const uint8_t public_key[KEY_PUBLIC_BYTES],
		      char text[KEY_TEXT_BYTES])
{
	to_text(public_key, text);
}

enum rfs_err keys_public_parse(const char *text,
			       uint8_t public_key[KEY_PUBLIC_BYTES])
{
	uint8_t raw[KEY_PUBLIC_BYTES];

	if (!from_text(text, strlen(text), raw))
		return RFS_ERR_INVALID;
	memcpy(public_key, raw, sizeof(raw));
	return RFS_ERR_OK;
}

enum rfs_err keys_save(const char *path, const struct node_key *key)
{
	char text[FILE_BYTES];
	char seed[KEY_TEXT_BYTES];
	char public_text[KEY_TEXT_BYTES];
	enum rfs_err err = RFS_ERR_OK;
	int length;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

	if (fd < 0) {
		err = errno == EEXIST ? RFS_ERR_EXIST : RFS_ERR_IO;
		log_errno("key file %s: create", path);
		return err;
	}
	to_text(key->seed, seed);
	to_text(key->public_key, public_text);
	length = snprintf(text, sizeof(text), FILE_HEAD "seed %s\npublic %s\n",
			  seed, public_text);
	if (write(fd, text, (size_t)length) != length || fsync(fd) != 0 ||
	    directory_sync_of(path) != 0) {
		log_errno("key file %s: write", path);
		unlink(path);
		err = RFS_ERR_IO;
	}
	sodium_memzero(text, sizeof(text));
	sodium_memzero(seed, sizeof(seed));
	close(fd);
	return err;
}

/* Whether text is a key file, exactly; fills key. */
static bool parse_file(const char *text, struct node_key *key)
{
	const size_t base64 = 44;
	const size_t head = strlen(FILE_HEAD);
	uint8_t claimed[KEY_PUBLIC_BYTES];
	const char *at = text + head;

	if (strncmp(text, FILE_HEAD, head) != 0 ||
	    strncmp(at, "seed ", 5) != 0 || strlen(at) < 5 + base64 + 1 ||
	    !from_text(at + 5, base64, key->seed))
		return false;
	at += 5 + base64;
	if (strncmp(at, "\npublic ", 8) != 0 || strlen(at) != 8 + base64 + 1 ||
	    at[8 + base64] != '\n' || !from_text(at + 8, base64, claimed))
		return false;
	from_seed(key);
	return memcmp(claimed, key->public_key, sizeof(claimed)) == 0;
}

static enum rfs_err read_file(int fd, const char *path, struct node_key *key)
{
	char text[FILE_BYTES];
	struct stat st;
	ssize_t got;
	enum rfs_err err = RFS_ERR_OK;

	if (fstat(fd, &st) != 0 ||
	    (got = read(fd, text, sizeof(text) - 1)) < 0) {
		log_errno("key file %s: read", path);
		return RFS_ERR_IO;
	}
	text[got] = '\0';
	if ((st.st_mode & 077) != 0) {
		log_error("key file %s: others may read it; run: chmod 400 %s",
			  path, path);
		err = RFS_ERR_DENIED;
	} else if (!parse_file(text, key)) {
		log_error("key file %s: not a node key; run: raftfs keygen",
			  path);
		err = RFS_ERR_CORRUPT;
	}
	sodium_memzero(text, sizeof(text));
	if (err != RFS_ERR_OK)
		keys_wipe(key);
	return err;
}

enum rfs_err keys_load(const char *path, struct node_key *key)
{
	enum rfs_err err;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		err = errno == ENOENT ? RFS_ERR_NOENT : RFS_ERR_DENIED;
		log_errno("key file %s: open (raftfs keygen makes one)", path);
		return err;
	}
	err = read_file(fd, path, key);
	close(fd);
	return err;
}

enum rfs_err keys_load_own(const char *path,
			   const uint8_t expected[KEY_PUBLIC_BYTES],
			   struct node_key *key)
{
	char text[KEY_TEXT_BYTES];
	enum rfs_err err = keys_load(path, key);

	if (err != RFS_ERR_OK)
		return err;
	if (memcmp(key->public_key, expected, KEY_PUBLIC_BYTES) == 0)
		return RFS_ERR_OK;
	keys_public_text(key->public_key, text);
	log_error("key file %s: not the key that the configuration gives for "
		  "this node; its line is: key = \"%s\"",
		  path, text);
	keys_wipe(key);
	return RFS_ERR_DENIED;
}

void keys_wipe(struct node_key *key)
{
	sodium_memzero(key, sizeof(*key));
}

void keys_sign(const struct node_key *key, const void *message, size_t bytes,
	       uint8_t signature[KEY_SIGNATURE_BYTES])
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	uint8_t secret[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(public_key, secret, key->seed);
	crypto_sign_detached(signature, NULL, message, bytes, secret);
	sodium_memzero(secret, sizeof(secret));
}

enum rfs_err keys_verify(const uint8_t public_key[KEY_PUBLIC_BYTES],
			 const void *message, size_t bytes,
			 const uint8_t signature[KEY_SIGNATURE_BYTES])
{
	if (crypto_sign_verify_detached(signature, message, bytes,
					public_key) != 0)
		return RFS_ERR_DENIED;
	return RFS_ERR_OK;
}

enum rfs_err keys_shared_secret(const struct node_key *key,
				const uint8_t peer_public[KEY_PUBLIC_BYTES],
				uint8_t secret[32])
{
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	uint8_t ed_secret[crypto_sign_SECRETKEYBYTES];
	uint8_t x_secret[crypto_scalarmult_SCALARBYTES];
	uint8_t x_public[crypto_scalarmult_BYTES];
	uint8_t shared[crypto_scalarmult_BYTES];
	enum rfs_err err = RFS_ERR_INVALID;

	crypto_sign_seed_keypair(public_key, ed_secret, key->seed);
	if (crypto_sign_ed25519_pk_to_curve25519(x_public, peer_public) == 0 &&
	    crypto_sign_ed25519_sk_to_curve25519(x_secret, ed_secret) == 0 &&
	    crypto_scalarmult(shared, x_secret, x_public) == 0) {
		memcpy(secret, shared, sizeof(shared));
		err = RFS_ERR_OK;
	}
	sodium_memzero(ed_secret, sizeof(ed_secret));
	sodium_memzero(x_secret, sizeof(x_secret));
	sodium_memzero(shared, sizeof(shared));
	return err;
}
