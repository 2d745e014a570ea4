/* One-shot and whole-file SHA-256. */
#include "storaged/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"

#define HASH_PIECE_BYTES (256 * 1024)

void hash_bytes(const void *data, size_t bytes, uint8_t hash[HASH_BYTES])
{
	unsigned int length = 0;
	int ok = EVP_Digest(data, bytes, hash, &length, EVP_sha256(), NULL);

	CHECK(ok == 1);
	CHECK(length == HASH_BYTES);
}

static enum rfs_err hash_pieces(int fd, EVP_MD_CTX *md, uint8_t *piece,
				uint64_t *bytes)
{
	*bytes = 0;
	for (;;) {
		ssize_t n = pread(fd, piece, HASH_PIECE_BYTES, (off_t)*bytes);

		if (n < 0) {
			log_errno("hash: read at %ju", (uintmax_t)*bytes);
			return RFS_ERR_IO;
		}
		if (n == 0)
			return RFS_ERR_OK;
		CHECK(EVP_DigestUpdate(md, piece, (size_t)n) == 1);
		*bytes += (uint64_t)n;
	}
}

enum rfs_err hash_file(int fd, uint64_t *bytes, uint8_t hash[HASH_BYTES])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t *piece = malloc(HASH_PIECE_BYTES);
	unsigned int length = 0;
	enum rfs_err err = RFS_ERR_NOMEM;

	if (md && piece) {
		CHECK(EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
		err = hash_pieces(fd, md, piece, bytes);
		if (err == RFS_ERR_OK)
			CHECK(EVP_DigestFinal_ex(md, hash, &length) == 1);
	}
	free(piece);
	EVP_MD_CTX_free(md);
	return err;
}
