/* The newest items of one size, at most so many: an array that grows up to its limit, and is then
 * written over from its oldest item on. Pure: no I/O, no clock. */
#pragma once

#include <stddef.h>

struct sim_ring {
	size_t item_bytes, most;
	void *items; /* owned */
	size_t count, room, oldest;
};

/* Where a new item goes, behind all others; NULL: no memory. It is valid until the next call. */
void *sim_ring_add(struct sim_ring *ring);
/* The oldest is 0, the newest count - 1. */
void *sim_ring_at(const struct sim_ring *ring, size_t index);
void sim_ring_finish(struct sim_ring *ring);
