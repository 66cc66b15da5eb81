/* Any bytes through the msgpack parser, and every value through every accessor. */
#include "livecore/msgpack.h"

#include "values_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lc_msgpack_reader *reader;
	const struct lc_msgpack_limits limits = {.max_bytes = 1 << 16, .max_values = 1 << 12};
	if (reader == NULL && lc_msgpack_reader_create(&limits, &reader) != LC_OK) {
		abort();
	}
	const struct lc_value *root;
	struct lc_error err;
	if (lc_msgpack_parse(reader, data, size, &root, &err) == LC_OK) {
		walk(root);
	}
	return 0;
}
