/* An intrusive, circular, doubly linked list. */
#ifndef RAFTFS_COMMON_LIST_H
#define RAFTFS_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *next;
	struct list_node *previous;
};

/* The head; its node is not an element. */
struct list {
	struct list_node head;
};

static inline void list_init(struct list *list)
{
	list->head.next = list->head.previous = &list->head;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->head.next == &list->head;
}

static inline void list_append(struct list *list, struct list_node *node)
{
	node->previous = list->head.previous;
	node->next = &list->head;
	node->previous->next = node;
	list->head.previous = node;
}

/* The node may be appended again afterwards. Removing twice is a bug. */
static inline void list_remove(struct list_node *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	node->next = node->previous = NULL;
}

#define list_entry(ptr, type, member)                                          \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define list_for_each(at, list)                                                \
	for ((at) = (list)->head.next; (at) != &(list)->head; (at) = (at)->next)

/* `at` may be removed, and freed, inside the loop. */
#define list_for_each_safe(at, following, list)                                \
	for ((at) = (list)->head.next;                                         \
	     (following) = (at)->next, (at) != &(list)->head; (at) = (following))

#endif
