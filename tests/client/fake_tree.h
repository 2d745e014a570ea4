/* A small file tree behind fake_server.h: enough of storaged for paths, data
 * and directories. It counts what reaches it and can refuse writes. */
#ifndef RAFTFS_TESTS_CLIENT_FAKE_TREE_H
#define RAFTFS_TESTS_CLIENT_FAKE_TREE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/err.h"
#include "tests/client/fake_server.h"

#define TREE_INODES 64
#define TREE_BYTES  (16u * 1024 * 1024)

struct tree_inode {
	uint64_t parent;
	char name[256];
	uint32_t mode; /* 0: free */
	uint8_t *data;
	uint64_t size;
	int64_t mtime_ns;
};

struct tree {
	struct tree_inode inode[TREE_INODES]; /* by number */
	DistributedFs__FileAttr attr;
	DistributedFs__DirEntry entry[TREE_INODES];
	DistributedFs__DirEntry *entries[TREE_INODES];
	_Atomic int writes;
	_Atomic int pins; /* OPEN less RELEASE */
	_Atomic int setattrs;
	_Atomic int requests;
	_Atomic uint32_t refuse_writes; /* err */
	_Atomic uint64_t largest_write;
	_Atomic bool crossed_window;
};

static inline void tree_init(struct tree *tree)
{
	memset(tree, 0, sizeof(*tree));
	tree->inode[1].mode = S_IFDIR | 0755;
}

static inline void tree_fini(struct tree *tree)
{
	for (int i = 0; i < TREE_INODES; i++)
		free(tree->inode[i].data);
}

static inline uint64_t tree_find(struct tree *tree, uint64_t parent,
				 const char *name, size_t bytes)
{
	for (uint64_t i = 2; i < TREE_INODES; i++)
		if (tree->inode[i].mode != 0 &&
		    tree->inode[i].parent == parent &&
		    strlen(tree->inode[i].name) == bytes &&
		    memcmp(tree->inode[i].name, name, bytes) == 0)
			return i;
	return 0;
}

static inline uint64_t tree_add(struct tree *tree, uint64_t parent,
				const char *name, size_t bytes, uint32_t mode)
{
	for (uint64_t i = 2; i < TREE_INODES; i++) {
		if (tree->inode[i].mode != 0)
			continue;
		tree->inode[i].parent = parent;
		memcpy(tree->inode[i].name, name, bytes);
		tree->inode[i].name[bytes] = '\0';
		tree->inode[i].mode = mode;
		tree->inode[i].data = calloc(1, TREE_BYTES);
		return i;
	}
	abort();
}

static inline void tree_attr(struct tree *tree, uint64_t ino,
			     DistributedFs__FileReply *reply)
{
	distributed_fs__file_attr__init(&tree->attr);
	tree->attr.ino = ino;
	tree->attr.mode = tree->inode[ino].mode;
	tree->attr.nlink = 1;
	tree->attr.size = tree->inode[ino].size;
	tree->attr.mtime_ns = tree->inode[ino].mtime_ns;
	tree->attr.version = 1;
	reply->attr = &tree->attr;
}

static inline void tree_write(struct tree *tree,
			      const DistributedFs__FileRequest *request,
			      DistributedFs__FileReply *reply)
{
	struct tree_inode *inode = &tree->inode[request->ino];
	uint64_t window = 1024 * 1024;
	uint64_t offset = request->offset;

	tree->writes++;
	if (request->data.len > tree->largest_write)
		tree->largest_write = request->data.len;
	if (request->flags & DISTRIBUTED_FS__WRITE_FLAG__WRITE_APPEND)
		offset = inode->size;
	else if (offset / window != (offset + request->data.len - 1) / window)
		tree->crossed_window = true;
	reply->err = tree->refuse_writes;
	if (reply->err != 0)
		return;
	memcpy(inode->data + offset, request->data.data, request->data.len);
	if (offset + request->data.len > inode->size)
		inode->size = offset + request->data.len;
	tree_attr(tree, request->ino, reply);
}

static inline void tree_make(struct tree *tree,
			     const DistributedFs__FileRequest *request,
			     DistributedFs__FileReply *reply, uint32_t type)
{
	uint64_t ino = tree_find(tree, request->ino, (char *)request->name.data,
				 request->name.len);

	if (ino != 0 && request->op != DISTRIBUTED_FS__FILE_OP__OP_PUT) {
		reply->err = RFS_ERR_EXIST;
		return;
	}
	if (ino == 0)
		ino = tree_add(tree, request->ino, (char *)request->name.data,
			       request->name.len,
			       type | (request->mode & 07777));
	if (request->data.len > 0)
		memcpy(tree->inode[ino].data, request->data.data,
		       request->data.len);
	tree->inode[ino].size = request->data.len;
	if (request->attr != NULL)
		tree->inode[ino].mtime_ns = request->attr->mtime_ns;
	tree_attr(tree, ino, reply);
}

static inline void tree_list(struct tree *tree,
			     const DistributedFs__FileRequest *request,
			     DistributedFs__FileReply *reply)
{
	/* Two at a time, so that callers have to come back. */
	for (uint64_t i = request->cookie + 1;
	     i < TREE_INODES && reply->n_entries < 2; i++) {
		DistributedFs__DirEntry *entry = &tree->entry[reply->n_entries];

		if (tree->inode[i].mode == 0 ||
		    tree->inode[i].parent != request->ino)
			continue;
		distributed_fs__dir_entry__init(entry);
		entry->ino = i;
		entry->name = tree->inode[i].name;
		entry->mode = tree->inode[i].mode;
		entry->cookie = i;
		tree->entries[reply->n_entries++] = entry;
	}
	reply->entries = tree->entries;
}

static inline enum fake_verdict
tree_answer(void *ctx, const DistributedFs__FileRequest *request,
	    DistributedFs__FileReply *reply)
{
	struct tree *tree = ctx;
	uint64_t ino;

	tree->requests++;
	switch (request->op) {
	case DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION:
		reply->session = 9;
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_LOOKUP:
		ino = tree_find(tree, request->ino, (char *)request->name.data,
				request->name.len);
		if (ino == 0)
			reply->err = RFS_ERR_NOENT;
		else
			tree_attr(tree, ino, reply);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_GETATTR:
		tree_attr(tree, request->ino, reply);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_READLINK:
	case DISTRIBUTED_FS__FILE_OP__OP_READ:
		reply->data.data =
			tree->inode[request->ino].data + request->offset;
		reply->data.len = 0;
		if (request->offset < tree->inode[request->ino].size)
			reply->data.len = tree->inode[request->ino].size -
					  request->offset;
		if (request->op == DISTRIBUTED_FS__FILE_OP__OP_READ &&
		    reply->data.len > request->length)
			reply->data.len = request->length;
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_WRITE:
		tree_write(tree, request, reply);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_MKDIR:
		tree_make(tree, request, reply, S_IFDIR);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_SYMLINK:
		tree_make(tree, request, reply, S_IFLNK);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_PUT:
	case DISTRIBUTED_FS__FILE_OP__OP_CREATE:
		tree_make(tree, request, reply, S_IFREG);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_OPEN:
		tree->pins++;
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_RELEASE:
		tree->pins--;
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_SETATTR:
		tree->setattrs++;
		if (request->attr_mask & DISTRIBUTED_FS__ATTR_MASK__ATTR_SIZE)
			tree->inode[request->ino].size = request->attr->size;
		if (request->attr_mask & DISTRIBUTED_FS__ATTR_MASK__ATTR_MODE)
			tree->inode[request->ino].mode =
				(tree->inode[request->ino].mode & S_IFMT) |
				request->attr->mode;
		if (request->attr_mask & DISTRIBUTED_FS__ATTR_MASK__ATTR_MTIME)
			tree->inode[request->ino].mtime_ns =
				request->attr->mtime_ns;
		tree_attr(tree, request->ino, reply);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_READDIR:
		tree_list(tree, request, reply);
		break;
	default:
		break;
	}
	return FAKE_ANSWER;
}

#endif
