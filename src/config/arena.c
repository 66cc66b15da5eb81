#include "config/config_priv.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 16 * 1024 };

struct lc_config_chunk {
	struct lc_config_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

void lc_config_arena_init(struct lc_config_arena *arena, size_t limit_bytes)
{
	*arena = (struct lc_config_arena){.limit = limit_bytes};
}

void lc_config_arena_finish(struct lc_config_arena *arena)
{
	while (arena->chunks) {
		struct lc_config_chunk *chunk = arena->chunks;
		arena->chunks = chunk->next;
		explicit_bzero(chunk->data, chunk->used);
		free(chunk);
	}
}

static struct lc_config_chunk *add_chunk(struct lc_config_arena *arena, size_t size)
{
	size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
	struct lc_config_chunk *chunk = calloc(1, sizeof *chunk + room);
	if (chunk) {
		chunk->size = room;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	return chunk;
}

void *lc_config_alloc(struct lc_config_arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	if (arena->failed || size > arena->limit - arena->total) {
		arena->failed = true;
		return NULL;
	}
	size_t padded = (size + align - 1) / align * align;
	struct lc_config_chunk *chunk = arena->chunks;
	if (!chunk || padded > chunk->size - chunk->used) {
		chunk = add_chunk(arena, padded);
	}
	if (!chunk) {
		arena->failed = true;
		return NULL;
	}
	void *memory = chunk->data + chunk->used;
	chunk->used += padded;
	arena->total += size;
	return memory;
}

char *lc_config_copy(struct lc_config_arena *arena, const char *text, size_t len)
{
	char *copy = lc_config_alloc(arena, len + 1);
	if (copy && len > 0) {
		memcpy(copy, text, len);
	}
	return copy;
}

char *lc_config_take(struct lc_config_arena *arena, struct lc_buf *buf)
{
	char *copy = NULL;
	if (buf->failed) {
		arena->failed = true;
	} else {
		copy = lc_config_copy(arena, buf->data, buf->len);
	}
	lc_buf_finish(buf);
	return copy;
}
