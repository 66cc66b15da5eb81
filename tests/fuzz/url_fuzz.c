/* Any text through the URL parser: what it accepts has a host, a port and a path that cannot break
 * a request line. */
#include "livecore/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct lc_url *url)
{
	if (url->host[0] == '\0' || url->port == 0 || url->path[0] != '/') {
		abort();
	}
	for (const char *p = url->path; *p; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f) {
			abort();
		}
	}
	if (strpbrk(url->host, "@/?#[] \r\n")) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lc_url url;
	struct lc_error err;
	char *text = malloc(size + 1);
	if (!text) {
		return 0;
	}
	if (size) {
		memcpy(text, data, size);
	}
	text[size] = '\0';
	if (lc_url_parse(text, &url, &err) == LC_OK) {
		check(&url);
	}
	free(text);
	return 0;
}
