#include "ring.h"

#include <stdlib.h>

#define FIRST_ROOM 1024

void *sim_ring_add(struct sim_ring *ring)
{
	if (ring->count == ring->most) {
		ring->oldest = (ring->oldest + 1) % ring->count;
		return sim_ring_at(ring, ring->count - 1);
	}
	if (ring->count == ring->room) {
		size_t room = ring->room > 0 ? ring->room * 2 : FIRST_ROOM;
		room = room < ring->most ? room : ring->most;
		void *items = realloc(ring->items, room * ring->item_bytes);
		if (items == NULL) {
			return NULL;
		}
		ring->items = items;
		ring->room = room;
	}
	ring->count++;
	return sim_ring_at(ring, ring->count - 1);
}

void *sim_ring_at(const struct sim_ring *ring, size_t index)
{
	return (char *)ring->items + (ring->oldest + index) % ring->count * ring->item_bytes;
}

void sim_ring_finish(struct sim_ring *ring)
{
	free(ring->items);
	ring->items = NULL;
	ring->count = ring->room = ring->oldest = 0;
}
