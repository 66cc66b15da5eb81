/* An intrusive, circular, doubly linked list: the head is a node too. Header only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct lc_list {
	struct lc_list *prev, *next;
};

#define lc_list_each(node, head)                                                             \
	for (struct lc_list *node = (head)->next, *node##_next = node->next; node != (head); \
		node = node##_next, node##_next = node->next)

static inline void lc_list_init(struct lc_list *head)
{
	head->prev = head->next = head;
}

static inline bool lc_list_empty(const struct lc_list *head)
{
	return head->next == head;
}

static inline void lc_list_append(struct lc_list *head, struct lc_list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Takes a node out; taking it out twice is harmless. */
static inline void lc_list_remove(struct lc_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	lc_list_init(node);
}
