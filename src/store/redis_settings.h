/* What the settings say of where a Redis is: HOST, HOST:PORT or [IPV6]:PORT. Pure; any thread. */
#pragma once

#include "livecore/error.h"

#include <stddef.h>

/* Port 6379 where none is given. LC_ERR_INVALID: no address, or longer than host has room for. */
enum lc_err redis_address_parse(const char *text, char *host, size_t size, int *port);
