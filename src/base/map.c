#include "livecore/map.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16
#define NO_ENTRY UINT32_MAX

/* Entries lie densely in the order they came; the table holds only their numbers. So a walk is a
 * walk of an array, and taking one out moves the last one into its place. */
struct entry {
	char *key; /* owned */
	size_t len;
	void *value; /* the caller's */
	uint32_t hash;
};

struct slot {
	uint32_t hash;
	uint32_t entry; /* NO_ENTRY: empty */
};

struct lc_map {
	uint64_t key[2];
	struct entry *entries; /* room for 3/4 of the slots */
	struct slot *slots;
	size_t count;
	size_t slot_count; /* a power of two */
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein; the variant of Rust's and Python's tables). */
static uint32_t hash_key(const struct lc_map *map, const void *key, size_t len)
{
	uint64_t v[4] = {map->key[0] ^ UINT64_C(0x736f6d6570736575),
		map->key[1] ^ UINT64_C(0x646f72616e646f6d),
		map->key[0] ^ UINT64_C(0x6c7967656e657261),
		map->key[1] ^ UINT64_C(0x7465646279746573)};
	const unsigned char *p = key;
	size_t left = len;
	uint64_t word;
	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (size_t i = 0; i < left; i++) {
		word |= (uint64_t)p[i] << (8 * i);
	}
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(hash ^ hash >> 32);
}

/* splitmix64: one seed becomes both halves of the key. */
static uint64_t next_seed(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static size_t room(size_t slot_count)
{
	return slot_count / 4 * 3;
}

/* The key's slot, or the empty one where it would go. */
static size_t find_slot(const struct lc_map *map, uint32_t hash, const void *key, size_t len)
{
	size_t mask = map->slot_count - 1;
	size_t i = hash & mask;
	for (; map->slots[i].entry != NO_ENTRY; i = (i + 1) & mask) {
		if (map->slots[i].hash == hash) {
			const struct entry *entry = &map->entries[map->slots[i].entry];
			if (entry->len == len && (len == 0 || memcmp(entry->key, key, len) == 0)) {
				return i;
			}
		}
	}
	return i;
}

static size_t slot_of_entry(const struct lc_map *map, uint32_t number)
{
	size_t mask = map->slot_count - 1;
	size_t i = map->entries[number].hash & mask;
	while (map->slots[i].entry != number) {
		i = (i + 1) & mask;
	}
	return i;
}

static enum lc_err resize(struct lc_map *map, size_t slot_count)
{
	if (room(slot_count) >= NO_ENTRY) {
		return LC_ERR_NOMEM;
	}
	struct slot *slots = malloc(slot_count * sizeof *slots);
	struct entry *entries = slots ? realloc(map->entries, room(slot_count) * sizeof *entries)
				      : NULL;
	if (!entries) {
		free(slots);
		return LC_ERR_NOMEM;
	}
	memset(slots, 0xff, slot_count * sizeof *slots); /* NO_ENTRY everywhere */
	for (size_t n = 0; n < map->count; n++) {
		size_t i = entries[n].hash & (slot_count - 1);
		while (slots[i].entry != NO_ENTRY) {
			i = (i + 1) & (slot_count - 1);
		}
		slots[i] = (struct slot){.hash = entries[n].hash, .entry = (uint32_t)n};
	}
	free(map->slots);
	map->slots = slots;
	map->entries = entries;
	map->slot_count = slot_count;
	return LC_OK;
}

/* Backward shift: what follows moves up, unless it already is where its hash wants it. No
 * tombstones. */
static void empty_slot(struct lc_map *map, size_t hole)
{
	size_t mask = map->slot_count - 1;
	for (size_t i = (hole + 1) & mask; map->slots[i].entry != NO_ENTRY; i = (i + 1) & mask) {
		size_t home = map->slots[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole].entry = NO_ENTRY;
}

enum lc_err lc_map_create(uint64_t seed, struct lc_map **out)
{
	struct lc_map *map = calloc(1, sizeof *map);
	if (!map || resize(map, FIRST_SLOTS) != LC_OK) {
		free(map);
		return LC_ERR_NOMEM;
	}
	map->key[0] = next_seed(&seed);
	map->key[1] = next_seed(&seed);
	*out = map;
	return LC_OK;
}

void lc_map_destroy(struct lc_map *map, void (*release)(void *value))
{
	if (!map) {
		return;
	}
	for (size_t n = 0; n < map->count; n++) {
		free(map->entries[n].key);
		if (release) {
			release(map->entries[n].value);
		}
	}
	free(map->entries);
	free(map->slots);
	free(map);
}

size_t lc_map_count(const struct lc_map *map)
{
	return map->count;
}

void *lc_map_get(const struct lc_map *map, const void *key, size_t len)
{
	uint32_t number = map->slots[find_slot(map, hash_key(map, key, len), key, len)].entry;
	return number == NO_ENTRY ? NULL : map->entries[number].value;
}

enum lc_err lc_map_put(struct lc_map *map, const void *key, size_t len, void *value)
{
	assert(value);
	uint32_t hash = hash_key(map, key, len);
	size_t i = find_slot(map, hash, key, len);
	if (map->slots[i].entry != NO_ENTRY) {
		map->entries[map->slots[i].entry].value = value;
		return LC_OK;
	}
	if (map->count == room(map->slot_count)) {
		if (resize(map, map->slot_count * 2) != LC_OK) {
			return LC_ERR_NOMEM;
		}
		i = find_slot(map, hash, key, len);
	}
	/* One more and a NUL, so that a key that is text can be used as such. */
	char *copy = malloc(len + 1);
	if (!copy) {
		return LC_ERR_NOMEM;
	}
	if (len) {
		memcpy(copy, key, len);
	}
	copy[len] = '\0';
	map->slots[i] = (struct slot){.hash = hash, .entry = (uint32_t)map->count};
	map->entries[map->count++] = (struct entry){
		.key = copy, .len = len, .value = value, .hash = hash};
	return LC_OK;
}

void *lc_map_remove(struct lc_map *map, const void *key, size_t len)
{
	size_t i = find_slot(map, hash_key(map, key, len), key, len);
	uint32_t number = map->slots[i].entry;
	if (number == NO_ENTRY) {
		return NULL;
	}
	void *value = map->entries[number].value;
	free(map->entries[number].key);
	uint32_t last = (uint32_t)map->count - 1;
	if (number != last) {
		map->slots[slot_of_entry(map, last)].entry = number;
	}
	map->entries[number] = map->entries[last];
	map->count--;
	empty_slot(map, i);
	return value;
}

/* From the last entry to the first: what a removal moves into the current place was seen already.
 * *cursor is the number of the entry last returned, plus one. */
void *lc_map_next(const struct lc_map *map, size_t *cursor, const char **key, size_t *len)
{
	size_t left = *cursor == 0 || *cursor - 1 > map->count ? map->count : *cursor - 1;
	if (left == 0) {
		*cursor = 1;
		return NULL;
	}
	*cursor = left;
	const struct entry *entry = &map->entries[left - 1];
	if (key) {
		*key = entry->key;
	}
	if (len) {
		*len = entry->len;
	}
	return entry->value;
}
