/* Reads what clients say: small JSON or msgpack messages of strings in lists and objects. Pure; it
 * never allocates, and bounds the nesting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* key: of the nearest object. text is NUL-terminated, cut to 255 bytes. */
typedef void (*sim_control_cb)(void *arg, const char *key, const char *text);

/* Calls value() for each string; false when the message is not one whole, well-formed value. */
bool sim_control_json(const char *data, size_t len, sim_control_cb value, void *arg);
bool sim_control_msgpack(const unsigned char *data, size_t len, sim_control_cb value, void *arg);
