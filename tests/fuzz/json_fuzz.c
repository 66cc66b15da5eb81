/* Any bytes through the JSON parser, and every value through every accessor. Beside crashes: a
 * parse in place and a parse of a copy agree, and the array that comes out is well formed. */
#include "livecore/json.h"

#include "values_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lc_json_parser *plain, *padded;
	const struct lc_json_limits limits = {.max_bytes = 1 << 16, .max_values = 1 << 12};
	if (plain == NULL && (lc_json_parser_create(&limits, &plain) != LC_OK ||
				     lc_json_parser_create(&limits, &padded) != LC_OK)) {
		abort();
	}
	char *roomy = malloc(size + LC_JSON_PADDING);
	if (roomy == NULL) {
		return 0;
	}
	memcpy(roomy, data, size);
	memset(roomy + size, 'x', LC_JSON_PADDING);
	const struct lc_value *a = NULL, *b = NULL;
	struct lc_error err;
	enum lc_err rc = lc_json_parse(plain, (const char *)data, size, size, &a, &err);
	if (lc_json_parse(padded, roomy, size, size + LC_JSON_PADDING, &b, NULL) != rc) {
		abort();
	}
	if (rc == LC_OK) {
		walk(a);
		walk(b);
		if (a->len != b->len || a->v.span != b->v.span) {
			abort();
		}
	}
	free(roomy);
	return 0;
}
