/* Append, look up, sync aside, compact. */
#include "storaged/packs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/os/log.h"
#include "storaged/disk.h"
#include "storaged/packindex.h"

#define RECORD_MAGIC	  0x52465052u /* "RFPR" */
#define RECORD_HEAD_BYTES 24u
#define RECORD_ALIGN	  8u
#define OPEN_FILES_MAX	  128u
#define LOOK_BYTES	  256u /* what looking at a record counts */
#define AHEAD_BYTES	  (1024u * 1024)

struct pack {
	uint32_t number;
	int fd; /* -1: closed for now */
	uint64_t used_ticks;
	uint64_t file_bytes;
	uint64_t live_bytes; /* heads and padding included */
	bool dirty;
	enum { PACK_KEPT, PACK_EMPTIED, PACK_DOOMED } fate;
};
/* A pack emptied by compaction goes once its copies are durable: EMPTIED,
 * DOOMED by the next sync that begins, removed when that one succeeded. */

struct packs {
	int dir_fd;
	uint64_t pack_bytes;
	struct pack *list; /* ascending by number; the last one is appended to */
	size_t count;
	size_t capacity;
	size_t open_files;
	uint64_t ticks;
	struct packindex index;
	uint64_t live_bytes; /* data only */
	uint32_t compacting; /* pack number; 0: none */
	uint64_t compact_offset;
	bool syncing;
	bool sealed; /* the last one was here at open: never append to it */
};

struct record_head {
	uint32_t bytes;
	uint64_t id;
	uint32_t data_crc;
};

static uint64_t record_bytes(uint32_t bytes)
{
	uint64_t all = RECORD_HEAD_BYTES + (uint64_t)bytes;

	return (all + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

static uint32_t data_sum(uint64_t id, const void *data, uint32_t bytes)
{
	uint8_t name[8];
	struct writer w;

	writer_init(&w, name, sizeof(name));
	writer_u64le(&w, id);
	return crc32c(crc32c(0, name, sizeof(name)), data, bytes);
}

static void head_encode(const struct record_head *head,
			uint8_t image[RECORD_HEAD_BYTES])
{
	struct writer w;

	writer_init(&w, image, RECORD_HEAD_BYTES);
	writer_u32le(&w, RECORD_MAGIC);
	writer_u32le(&w, head->bytes);
	writer_u64le(&w, head->id);
	writer_u32le(&w, head->data_crc);
	writer_u32le(&w, crc32c(0, image, RECORD_HEAD_BYTES - 4));
	CHECK(!w.bad);
}

static bool head_decode(const uint8_t image[RECORD_HEAD_BYTES],
			struct record_head *head)
{
	struct reader r;

	reader_init(&r, image, RECORD_HEAD_BYTES);
	uint32_t magic = reader_u32le(&r);
	head->bytes = reader_u32le(&r);
	head->id = reader_u64le(&r);
	head->data_crc = reader_u32le(&r);
	return magic == RECORD_MAGIC && head->bytes > 0 &&
	       head->bytes <= PACKS_RECORD_MAX &&
	       reader_u32le(&r) == crc32c(0, image, RECORD_HEAD_BYTES - 4);
}

static void pack_name(uint32_t number, char name[32])
{
	snprintf(name, 32, "%08" PRIx32 ".pack", number);
}

static struct pack *find_pack(struct packs *packs, uint32_t number)
{
	size_t low = 0;
	size_t high = packs->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (packs->list[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == packs->count || packs->list[low].number != number)
		return NULL;
	return &packs->list[low];
}

static void close_coldest(struct packs *packs)
{
	struct pack *coldest = NULL;

	for (size_t i = 0; i < packs->count; i++) {
		struct pack *pack = &packs->list[i];

		if (pack->fd >= 0 &&
		    (!coldest || pack->used_ticks < coldest->used_ticks))
			coldest = pack;
	}
	if (coldest) {
		close(coldest->fd);
		coldest->fd = -1;
		packs->open_files--;
	}
}

static enum rfs_err pack_open(struct packs *packs, struct pack *pack,
			      bool create)
{
	char name[32];

	pack->used_ticks = ++packs->ticks;
	if (pack->fd >= 0)
		return RFS_ERR_OK;
	if (packs->open_files >= OPEN_FILES_MAX)
		close_coldest(packs);
	pack_name(pack->number, name);
	pack->fd = openat(packs->dir_fd, name,
			  O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0),
			  0600);
	if (pack->fd < 0) {
		log_errno("packs: open %s", name);
		return rfs_err_from_errno(errno);
	}
	packs->open_files++;
	return RFS_ERR_OK;
}

static enum rfs_err list_add(struct packs *packs, uint32_t number)
{
	if (packs->count == packs->capacity) {
		size_t capacity = packs->capacity ? packs->capacity * 2 : 64;
		struct pack *list =
			realloc(packs->list, capacity * sizeof(*list));

		if (!list)
			return RFS_ERR_NOMEM;
		packs->list = list;
		packs->capacity = capacity;
	}
	packs->list[packs->count++] = (struct pack){ .number = number,
						     .fd = -1 };
	return RFS_ERR_OK;
}

static void list_remove(struct packs *packs, struct pack *pack)
{
	size_t at = (size_t)(pack - packs->list);

	if (pack->fd >= 0) {
		close(pack->fd);
		packs->open_files--;
	}
	memmove(pack, pack + 1, (packs->count - at - 1) * sizeof(*pack));
	packs->count--;
}

/* Account a record as live, taking the place of an older one of that id. */
static enum rfs_err index_add(struct packs *packs, struct pack *pack,
			      const struct record_head *head, uint64_t offset)
{
	const struct pack_place place = { .id = head->id,
					  .pack = pack->number,
					  .offset = (uint32_t)offset,
					  .bytes = head->bytes };

	packs_delete(packs, head->id);
	enum rfs_err err = packindex_set(&packs->index, &place);
	if (err == RFS_ERR_OK) {
		pack->live_bytes += record_bytes(head->bytes);
		packs->live_bytes += head->bytes;
	}
	return err;
}

/* Rebuild the index from the heads of one pack. Where a head is damaged, go on
 * at the next sound one: records are aligned. */
static enum rfs_err scan_pack(struct packs *packs, struct pack *pack)
{
	uint8_t image[RECORD_HEAD_BYTES];
	struct record_head head;
	struct stat st;
	uint64_t offset = 0;
	uint64_t skipped = 0;

	enum rfs_err err = pack_open(packs, pack, false);
	if (err == RFS_ERR_OK && fstat(pack->fd, &st) != 0)
		err = RFS_ERR_IO;
	if (err != RFS_ERR_OK)
		return err;
	pack->file_bytes = (uint64_t)st.st_size;
	while (offset + RECORD_HEAD_BYTES <= pack->file_bytes) {
		err = disk_read(pack->fd, image, sizeof(image), offset);
		if (err != RFS_ERR_OK)
			return err;
		if (!head_decode(image, &head) ||
		    offset + record_bytes(head.bytes) > pack->file_bytes) {
			offset += RECORD_ALIGN;
			skipped += RECORD_ALIGN;
			continue;
		}
		err = index_add(packs, pack, &head, offset);
		if (err != RFS_ERR_OK)
			return err;
		offset += record_bytes(head.bytes);
	}
	if (skipped > 0)
		log_warn("packs: %08" PRIx32 ".pack: %" PRIu64
			 " bytes are no records",
			 pack->number, skipped);
	return RFS_ERR_OK;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t left = ((const struct pack *)a)->number;
	uint32_t right = ((const struct pack *)b)->number;

	return left < right ? -1 : left > right;
}

static enum rfs_err scan_dir(struct packs *packs)
{
	DIR *dir = fdopendir(dup(packs->dir_fd));
	struct dirent *entry;
	enum rfs_err err = dir ? RFS_ERR_OK : RFS_ERR_IO;

	while (err == RFS_ERR_OK && (entry = readdir(dir))) {
		uint32_t number;
		char end;

		if (sscanf(entry->d_name, "%8" SCNx32 ".pac%c", &number,
			   &end) == 2)
			err = list_add(packs, number);
	}
	if (dir)
		closedir(dir);
	if (packs->count > 0)
		qsort(packs->list, packs->count, sizeof(*packs->list),
		      compare_numbers);
	for (size_t i = 0; err == RFS_ERR_OK && i < packs->count; i++)
		err = scan_pack(packs, &packs->list[i]);
	return err;
}

/* A fresh pack at the end of the list. */
static enum rfs_err start_pack(struct packs *packs)
{
	uint32_t number =
		packs->count ? packs->list[packs->count - 1].number + 1 : 1;
	enum rfs_err err = list_add(packs, number);

	if (err != RFS_ERR_OK)
		return err;
	err = pack_open(packs, &packs->list[packs->count - 1], true);
	if (err != RFS_ERR_OK)
		packs->count--;
	else
		packs->sealed = false;
	return err;
}

/* There is a pack to append to. */
static enum rfs_err have_room(struct packs *packs)
{
	if (packs->count > 0 && !packs->sealed &&
	    packs->list[packs->count - 1].file_bytes < packs->pack_bytes)
		return RFS_ERR_OK;
	return start_pack(packs);
}

enum rfs_err packs_open(const char *dir, uint64_t pack_bytes,
			struct packs **out)
{
	struct packs *packs = calloc(1, sizeof(*packs));

	if (!packs)
		return RFS_ERR_NOMEM;
	CHECK(pack_bytes <= UINT32_MAX - 2 * PACKS_RECORD_MAX);
	packs->pack_bytes = pack_bytes;
	enum rfs_err err = disk_open_dir(AT_FDCWD, dir, &packs->dir_fd);
	if (err != RFS_ERR_OK) {
		free(packs);
		return err;
	}
	err = scan_dir(packs);
	/* What was there may end in a torn record. The next pack is made when
	 * it is needed: opening works on a full disk. */
	packs->sealed = true;
	if (err != RFS_ERR_OK) {
		log_error("packs: open %s: %s", dir, rfs_err_text(err));
		packs_close(packs);
		return err;
	}
	*out = packs;
	return RFS_ERR_OK;
}

void packs_close(struct packs *packs)
{
	if (!packs)
		return;
	while (packs->count > 0)
		list_remove(packs, &packs->list[packs->count - 1]);
	packindex_fini(&packs->index);
	close(packs->dir_fd);
	free(packs->list);
	free(packs);
}

bool packs_has(const struct packs *packs, uint64_t id)
{
	return packindex_find(&packs->index, id) != NULL;
}

/* Is that the record, head and data? */
static bool is_sound(const uint8_t *image, uint64_t id, uint32_t bytes)
{
	struct record_head head;

	return head_decode(image, &head) && head.id == id &&
	       head.bytes == bytes &&
	       head.data_crc ==
		       data_sum(id, image + RECORD_HEAD_BYTES, bytes);
}

/* Only what is in memory; a file system that cannot tell has it all there, or
 * makes us wait. */
static enum rfs_err read_now(int fd, void *data, size_t bytes, uint64_t offset)
{
	const struct iovec iov = { .iov_base = data, .iov_len = bytes };
	ssize_t n = preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT);

	if (n == (ssize_t)bytes)
		return RFS_ERR_OK;
	if (n >= 0 || errno == EAGAIN)
		return RFS_ERR_BUSY;
	return disk_read(fd, data, bytes, offset);
}

static enum rfs_err read_record(struct packs *packs,
				const struct pack_place *place, bool now,
				uint8_t *image)
{
	struct pack *pack = find_pack(packs, place->pack);
	uint32_t bytes = RECORD_HEAD_BYTES + place->bytes;

	CHECK(pack != NULL);
	enum rfs_err err = pack_open(packs, pack, false);
	if (err == RFS_ERR_OK)
		err = now ? read_now(pack->fd, image, bytes, place->offset)
			  : disk_read(pack->fd, image, bytes, place->offset);
	if (err == RFS_ERR_OK && !is_sound(image, place->id, place->bytes))
		err = RFS_ERR_CORRUPT;
	return err;
}

enum rfs_err packs_get(struct packs *packs, uint64_t id, void *data,
		       uint32_t size, uint32_t *bytes)
{
	const struct pack_place *found = packindex_find(&packs->index, id);

	if (!found)
		return RFS_ERR_NOENT;
	if (found->bytes > size)
		return RFS_ERR_CORRUPT;
	uint8_t *image = malloc(RECORD_HEAD_BYTES + found->bytes);
	if (!image)
		return RFS_ERR_NOMEM;
	enum rfs_err err = read_record(packs, found, true, image);
	if (err == RFS_ERR_OK) {
		memcpy(data, image + RECORD_HEAD_BYTES, found->bytes);
		*bytes = found->bytes;
	}
	free(image);
	return err;
}

enum rfs_err packs_find(struct packs *packs, uint64_t id,
			struct packs_record *record)
{
	const struct pack_place *found = packindex_find(&packs->index, id);

	if (!found)
		return RFS_ERR_NOENT;
	struct pack *pack = find_pack(packs, found->pack);
	CHECK(pack != NULL);
	enum rfs_err err = pack_open(packs, pack, false);
	if (err != RFS_ERR_OK)
		return err;
	int fd = fcntl(pack->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return rfs_err_from_errno(errno);
	*record = (struct packs_record){ .id = id,
					 .offset = found->offset,
					 .bytes = found->bytes,
					 .fd = fd };
	return RFS_ERR_OK;
}

enum rfs_err packs_read(struct packs_record *record, void *data)
{
	uint8_t *image = malloc(RECORD_HEAD_BYTES + record->bytes);
	enum rfs_err err = RFS_ERR_NOMEM;

	if (image)
		err = disk_read(record->fd, image,
				RECORD_HEAD_BYTES + record->bytes,
				record->offset);
	if (err == RFS_ERR_OK && !is_sound(image, record->id, record->bytes))
		err = RFS_ERR_CORRUPT;
	if (err == RFS_ERR_OK)
		memcpy(data, image + RECORD_HEAD_BYTES, record->bytes);
	free(image);
	close(record->fd);
	return err;
}

static bool is_here(struct packs *packs, uint64_t id, const void *data,
		    uint32_t bytes)
{
	const struct pack_place *found = packindex_find(&packs->index, id);

	if (!found || found->bytes != bytes)
		return false;
	uint8_t *image = malloc(RECORD_HEAD_BYTES + bytes);
	bool same = image && read_record(packs, found, false, image) == RFS_ERR_OK &&
		    memcmp(image + RECORD_HEAD_BYTES, data, bytes) == 0;
	free(image);
	return same;
}

/* On failure the file may hold a part of a record behind its end; the next
 * append overwrites it. */
static enum rfs_err append(struct packs *packs, uint64_t id, const void *data,
			   uint32_t bytes)
{
	struct pack *pack = &packs->list[packs->count - 1];
	struct record_head head = { .bytes = bytes,
				    .id = id,
				    .data_crc = data_sum(id, data, bytes) };

	enum rfs_err err = pack_open(packs, pack, false);
	if (err != RFS_ERR_OK)
		return err;
	uint64_t all = record_bytes(bytes);
	uint8_t *image = calloc(1, all);
	if (!image)
		return RFS_ERR_NOMEM;
	head_encode(&head, image);
	memcpy(image + RECORD_HEAD_BYTES, data, bytes);
	err = disk_write(pack->fd, image, all, pack->file_bytes);
	free(image);
	if (err != RFS_ERR_OK)
		return err;
	pack->dirty = true;
	err = index_add(packs, pack, &head, pack->file_bytes);
	if (err == RFS_ERR_OK)
		pack->file_bytes += all;
	return err;
}

enum rfs_err packs_put(struct packs *packs, uint64_t id, const void *data,
		       uint32_t bytes)
{
	CHECK(bytes > 0);
	CHECK(bytes <= PACKS_RECORD_MAX);
	if (is_here(packs, id, data, bytes))
		return RFS_ERR_OK;
	enum rfs_err err = have_room(packs);

	return err == RFS_ERR_OK ? append(packs, id, data, bytes) : err;
}

void packs_delete(struct packs *packs, uint64_t id)
{
	const struct pack_place *found = packindex_find(&packs->index, id);

	if (!found)
		return;
	struct pack *pack = find_pack(packs, found->pack);
	CHECK(pack != NULL);
	CHECK(pack->live_bytes >= record_bytes(found->bytes));
	pack->live_bytes -= record_bytes(found->bytes);
	packs->live_bytes -= found->bytes;
	packindex_remove(&packs->index, id);
}

size_t packs_walk(const struct packs *packs, size_t from, size_t slots,
		  void (*call)(void *ctx, uint64_t id), void *ctx)
{
	size_t end = packs->index.slot_count;

	for (; from < end && slots > 0; from++, slots--)
		if (packs->index.slots[from].bytes)
			call(ctx, packs->index.slots[from].id);
	return from < end ? from : 0;
}

struct packs_sync {
	size_t count;
	int *fds; /* own duplicates: a pack may be closed meanwhile */
	uint32_t *numbers;
	int dir_fd;
};

struct packs_sync *packs_sync_begin(struct packs *packs)
{
	struct packs_sync *sync = calloc(1, sizeof(*sync));

	CHECK(!packs->syncing);
	if (!sync)
		return NULL;
	sync->fds = calloc(packs->count + 1, sizeof(*sync->fds));
	sync->numbers = calloc(packs->count + 1, sizeof(*sync->numbers));
	sync->dir_fd = dup(packs->dir_fd);
	packs->syncing = true;
	for (size_t i = 0; i < packs->count; i++) {
		struct pack *pack = &packs->list[i];

		if (pack->fate == PACK_EMPTIED)
			pack->fate = PACK_DOOMED;
		if (!pack->dirty || !sync->fds || !sync->numbers)
			continue;
		if (pack_open(packs, pack, false) != RFS_ERR_OK)
			sync->fds[sync->count] = -1;
		else
			sync->fds[sync->count] = dup(pack->fd);
		sync->numbers[sync->count++] = pack->number;
		pack->dirty = false;
	}
	if (!sync->fds || !sync->numbers) {
		packs_sync_end(packs, sync, RFS_ERR_NOMEM);
		return NULL;
	}
	return sync;
}

enum rfs_err packs_sync_run(struct packs_sync *sync)
{
	for (size_t i = 0; i < sync->count; i++)
		if (sync->fds[i] < 0 || fdatasync(sync->fds[i]) != 0) {
			log_errno("packs: sync %08" PRIx32 ".pack",
				  sync->numbers[i]);
			return RFS_ERR_IO;
		}
	if (fsync(sync->dir_fd) != 0) {
		log_errno("packs: sync directory");
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

static void remove_doomed(struct packs *packs, bool durable)
{
	for (size_t i = packs->count; i-- > 0;) {
		struct pack *pack = &packs->list[i];
		char name[32];

		if (pack->fate != PACK_DOOMED)
			continue;
		if (!durable) {
			pack->fate = PACK_EMPTIED;
			continue;
		}
		pack_name(pack->number, name);
		if (unlinkat(packs->dir_fd, name, 0) != 0)
			log_errno("packs: remove %s", name);
		list_remove(packs, pack);
	}
}

void packs_sync_end(struct packs *packs, struct packs_sync *sync,
		    enum rfs_err err)
{
	for (size_t i = 0; i < sync->count; i++) {
		struct pack *pack = find_pack(packs, sync->numbers[i]);

		if (pack && err != RFS_ERR_OK)
			pack->dirty = true;
		if (sync->fds[i] >= 0)
			close(sync->fds[i]);
	}
	packs->syncing = false;
	remove_doomed(packs, err == RFS_ERR_OK);
	close(sync->dir_fd);
	free(sync->fds);
	free(sync->numbers);
	free(sync);
}

/* The emptiest pack below one half; never the one being appended to. */
static struct pack *pick_victim(struct packs *packs)
{
	struct pack *victim = NULL;

	for (size_t i = 0; i + 1 < packs->count; i++) {
		struct pack *pack = &packs->list[i];

		if (pack->fate != PACK_KEPT || pack->live_bytes * 2 >= pack->file_bytes)
			continue;
		if (!victim || pack->live_bytes < victim->live_bytes)
			victim = pack;
	}
	return victim;
}

/* Copy the record at *offset out if it is the live one of its id; move on. */
static enum rfs_err move_record(struct packs *packs, uint32_t number,
				uint64_t *offset, uint64_t *copied)
{
	uint8_t image[RECORD_HEAD_BYTES];
	struct record_head head;
	struct pack *pack = find_pack(packs, number);

	*copied += LOOK_BYTES;
	enum rfs_err err = pack_open(packs, pack, false);
	if (err == RFS_ERR_OK)
		err = disk_read(pack->fd, image, sizeof(image), *offset);
	if (err != RFS_ERR_OK)
		return err;
	if (!head_decode(image, &head)) {
		*offset += RECORD_ALIGN;
		return RFS_ERR_OK;
	}
	const struct pack_place *found = packindex_find(&packs->index, head.id);
	if (found && found->pack == number && found->offset == *offset) {
		uint8_t *whole = malloc(RECORD_HEAD_BYTES + head.bytes);

		err = whole ? read_record(packs, found, false, whole) : RFS_ERR_NOMEM;
		if (err == RFS_ERR_OK)
			err = append(packs, head.id, whole + RECORD_HEAD_BYTES,
				     head.bytes);
		/* Damaged: gone from here, to be had from a peer. */
		if (err == RFS_ERR_CORRUPT) {
			packs_delete(packs, head.id);
			err = RFS_ERR_OK;
		}
		free(whole);
		*copied += head.bytes;
	}
	*offset += record_bytes(head.bytes);
	return err;
}

/* What is still indexed there has a damaged head: gone from here, to be had
 * from a peer. */
static void drop_rest(struct packs *packs, uint32_t number)
{
	for (size_t i = 0; i < packs->index.slot_count; i++) {
		struct pack_place *slot = &packs->index.slots[i];

		while (slot->bytes && slot->pack == number)
			packs_delete(packs, slot->id);
	}
}

bool packs_compact(struct packs *packs, uint64_t bytes_max)
{
	struct pack *pack = packs->compacting
				    ? find_pack(packs, packs->compacting)
				    : pick_victim(packs);
	uint64_t copied = 0;

	if (!pack)
		return false;
	uint32_t number = pack->number;
	uint64_t end = pack->file_bytes;
	if (packs->compacting == 0)
		packs->compact_offset = 0;
	packs->compacting = number;
	while (copied < bytes_max &&
	       packs->compact_offset + RECORD_HEAD_BYTES <= end) {
		if (have_room(packs) != RFS_ERR_OK)
			return false;
		if (move_record(packs, number, &packs->compact_offset,
				&copied) != RFS_ERR_OK)
			return false;
	}
	pack = find_pack(packs, number);
	if (pack_open(packs, pack, false) == RFS_ERR_OK)
		posix_fadvise(pack->fd, (off_t)packs->compact_offset,
			      AHEAD_BYTES, POSIX_FADV_WILLNEED);
	if (packs->compact_offset + RECORD_HEAD_BYTES > end) {
		drop_rest(packs, number);
		pack->fate = PACK_EMPTIED;
		packs->compacting = 0;
	}
	return true;
}

void packs_usage(const struct packs *packs, struct packs_usage *usage)
{
	*usage = (struct packs_usage){ .packs = packs->count,
				       .records = packs->index.used,
				       .live_bytes = packs->live_bytes };
	for (size_t i = 0; i < packs->count; i++)
		usage->file_bytes += packs->list[i].file_bytes;
}
