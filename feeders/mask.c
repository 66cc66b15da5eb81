#include "mask.h"

#include <string.h>

#define SECRET_MIN 4 /* of less, so much would be hidden that nothing could be read */

void lc_feeder_mask(char *text, size_t len, const char *secret)
{
	size_t secret_len = secret ? strlen(secret) : 0;
	if (secret_len < SECRET_MIN) {
		return;
	}
	char *end = text + len;
	for (char *at = text; (at = memmem(at, (size_t)(end - at), secret, secret_len));) {
		memset(at, '*', secret_len);
		at += secret_len;
	}
}
