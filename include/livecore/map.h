/* A hash map from byte strings to pointers, with keys copied in. Open addressing, seeded so that
 * a hostile sender cannot choose colliding keys. One thread. Lookups never allocate. */
#pragma once

#include "livecore/error.h"

#include <stddef.h>
#include <stdint.h>

struct lc_map;

/* seed: random in production, fixed in tests. */
enum lc_err lc_map_create(uint64_t seed, struct lc_map **out);
/* release (may be NULL) is called for each value that is still in the map. */
void lc_map_destroy(struct lc_map *map, void (*release)(void *value));

size_t lc_map_count(const struct lc_map *map);
/* The value, or NULL when the key is not there. */
void *lc_map_get(const struct lc_map *map, const void *key, size_t len);
/* Sets or replaces; the value replaced is not released. value is not NULL. LC_ERR_NOMEM. */
enum lc_err lc_map_put(struct lc_map *map, const void *key, size_t len, void *value);
/* Takes a key out and returns its value, or NULL. */
void *lc_map_remove(struct lc_map *map, const void *key, size_t len);

/* Walks all entries in no particular order: start with *cursor = 0; returns NULL at the end. The
 * current entry may be removed during the walk; nothing may be added. */
void *lc_map_next(const struct lc_map *map, size_t *cursor, const char **key, size_t *len);
