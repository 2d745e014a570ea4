/* Snapshots as files: hashing, checking, and the note of the newest one. */
#include "raftd/snapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/os/directory.h"
#include "common/os/log.h"

#define MAGIC	   0x54534652u /* "RFST" */
#define VERSION	   3u
#define HEAD_BYTES 84u /* up to the membership */
#define META_BYTES                                                             \
	(HEAD_BYTES + RAFT_MEMBERSHIP_BYTES_MAX + 4u + RAFT_WINDOW_BYTES_MAX + \
	 4u)
#define COPY_BYTES 4096u /* each of the two copies has a page */
#define STEP_BYTES (256u * 1024)

_Static_assert(META_BYTES <= COPY_BYTES, "a note fits its page");

void snapfile_membership(const struct snapfile_meta *meta,
			 struct raft_membership *membership)
{
	memset(membership, 0, sizeof(*membership));
	if (meta->membership_bytes > 0)
		CHECK(raft_membership_decode(meta->membership,
					     meta->membership_bytes,
					     membership) == RFS_ERR_OK);
}

enum rfs_err snapfile_set_membership(struct snapfile_meta *meta,
				     const void *image, size_t bytes)
{
	struct raft_membership membership;
	enum rfs_err err = RFS_ERR_OK;

	if (bytes > sizeof(meta->membership))
		return RFS_ERR_CORRUPT;
	if (bytes > 0)
		err = raft_membership_decode(image, bytes, &membership);
	if (err != RFS_ERR_OK)
		return err;
	memset(meta->membership, 0, sizeof(meta->membership));
	if (bytes > 0)
		memcpy(meta->membership, image, bytes);
	meta->membership_bytes = (uint32_t)bytes;
	return RFS_ERR_OK;
}

static void encode(const struct snapfile_meta *meta,
		   uint8_t image[META_BYTES])
{
	uint8_t window[RAFT_WINDOW_BYTES_MAX];
	uint32_t window_bytes = raft_window_encode(&meta->window, window);
	struct writer w;

	writer_init(&w, image, META_BYTES);
	writer_u32le(&w, MAGIC);
	writer_u32le(&w, VERSION);
	writer_u64le(&w, meta->at.index);
	writer_u64le(&w, meta->at.term);
	writer_u64le(&w, meta->at.stamp.epoch);
	writer_u64le(&w, (uint64_t)meta->at.stamp.ts_ns);
	writer_u64le(&w, meta->bytes);
	writer_put(&w, meta->sha256, sizeof(meta->sha256));
	writer_u32le(&w, meta->membership_bytes);
	writer_put(&w, meta->membership, meta->membership_bytes);
	writer_u32le(&w, window_bytes);
	writer_put(&w, window, window_bytes);
	writer_u32le(&w, crc32c(0, image, writer_bytes(&w)));
	CHECK(!w.bad);
}

static enum rfs_err decode(const uint8_t *image, size_t bytes,
			   struct snapfile_meta *meta)
{
	struct snapfile_meta got = { 0 };
	const uint8_t *part, *window;
	struct reader r;
	uint32_t length, window_length;
	uint32_t sum;

	reader_init(&r, image, bytes);
	if (reader_u32le(&r) != MAGIC || reader_u32le(&r) != VERSION)
		return RFS_ERR_CORRUPT;
	got.at.index = reader_u64le(&r);
	got.at.term = reader_u64le(&r);
	got.at.stamp.epoch = reader_u64le(&r);
	got.at.stamp.ts_ns = (int64_t)reader_u64le(&r);
	got.bytes = reader_u64le(&r);
	part = reader_take(&r, SNAPFILE_HASH_BYTES);
	if (part == NULL)
		return RFS_ERR_CORRUPT;
	memcpy(got.sha256, part, SNAPFILE_HASH_BYTES);
	length = reader_u32le(&r);
	part = reader_take(&r, length);
	window_length = reader_u32le(&r);
	window = reader_take(&r, window_length);
	if (part == NULL || window == NULL)
		return RFS_ERR_CORRUPT;
	sum = crc32c(0, image, (size_t)(r.at - image));
	if (reader_u32le(&r) != sum || r.bad ||
	    snapfile_set_membership(&got, part, length) != RFS_ERR_OK ||
	    raft_window_decode(window, window_length, &got.window) !=
		    RFS_ERR_OK)
		return RFS_ERR_CORRUPT;
	*meta = got;
	return RFS_ERR_OK;
}

enum rfs_err snapfile_save_meta(const char *path,
				const struct snapfile_meta *meta)
{
	char temporary[512];
	uint8_t image[2 * COPY_BYTES] = { 0 };
	enum rfs_err err = RFS_ERR_OK;
	int fd;

	encode(meta, image);
	encode(meta, image + COPY_BYTES);

	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, image, sizeof(image)) != sizeof(image) ||
	    fsync(fd) != 0 || rename(temporary, path) != 0 ||
	    directory_sync_of(path) != 0) {
		err = errno == ENOSPC ? RFS_ERR_NOSPC : RFS_ERR_IO;
		log_errno("snapshot: writing %s", path);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* One good copy is enough; the other is made good again. */
static enum rfs_err decode_copies(const char *path, const uint8_t *image,
				  size_t bytes, struct snapfile_meta *meta)
{
	size_t first = bytes < COPY_BYTES ? bytes : COPY_BYTES;
	bool one = decode(image, first, meta) == RFS_ERR_OK;
	struct snapfile_meta second;
	bool two = decode(image + first, bytes - first, &second) == RFS_ERR_OK;

	if (one && two)
		return RFS_ERR_OK;
	if (!one && !two)
		return RFS_ERR_CORRUPT;
	log_warn("snapshot: %s: copy %d is bad", path, one ? 1 : 0);
	if (!one)
		*meta = second;
	return snapfile_save_meta(path, meta);
}

enum rfs_err snapfile_load_meta(const char *path, struct snapfile_meta *meta)
{
	uint8_t image[2 * COPY_BYTES];
	enum rfs_err err;
	ssize_t bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return RFS_ERR_NOENT;
	if (fd < 0) {
		log_errno("snapshot: opening %s", path);
		return RFS_ERR_IO;
	}
	bytes = read(fd, image, sizeof(image));
	close(fd);
	err = bytes > 0 ? decode_copies(path, image, (size_t)bytes, meta) :
			  RFS_ERR_CORRUPT;
	if (err == RFS_ERR_CORRUPT)
		log_error("snapshot: %s is damaged: see DAMAGE in "
			  "raftfs-raftd(8)",
			  path);
	return err;
}

enum rfs_err snapfile_hash(int fd, uint64_t *bytes,
			   uint8_t sha256[SNAPFILE_HASH_BYTES])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t *step = malloc(STEP_BYTES);
	enum rfs_err err = RFS_ERR_OK;
	unsigned int length;
	ssize_t n;

	CHECK(hash != NULL);
	CHECK(step != NULL);
	CHECK(EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
	*bytes = 0;
	while ((n = pread(fd, step, STEP_BYTES, (off_t)*bytes)) > 0) {
		CHECK(EVP_DigestUpdate(hash, step, (size_t)n) == 1);
		*bytes += (uint64_t)n;
	}
	if (n < 0) {
		log_errno("snapshot: reading at offset %ju",
			  (uintmax_t)*bytes);
		err = RFS_ERR_IO;
	}
	CHECK(EVP_DigestFinal_ex(hash, sha256, &length) == 1);
	CHECK(length == SNAPFILE_HASH_BYTES);
	free(step);
	EVP_MD_CTX_free(hash);
	return err;
}

int snapfile_create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		log_errno("snapshot: creating %s", path);
	return fd;
}

enum rfs_err snapfile_finish(int fd, const struct snapfile_meta *meta)
{
	uint8_t sha256[SNAPFILE_HASH_BYTES];
	uint64_t bytes;
	enum rfs_err err;

	if (fsync(fd) != 0) {
		err = errno == ENOSPC ? RFS_ERR_NOSPC : RFS_ERR_IO;
		log_errno("snapshot: syncing the one received");
		return err;
	}
	err = snapfile_hash(fd, &bytes, sha256);
	if (err != RFS_ERR_OK)
		return err;
	if (bytes != meta->bytes ||
	    memcmp(sha256, meta->sha256, sizeof(sha256)) != 0)
		return RFS_ERR_CORRUPT;
	return RFS_ERR_OK;
}
