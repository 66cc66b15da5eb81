/* A growable byte buffer, for building messages and pages. Any one thread at a time. Memory
 * grows by doubling up to the limit given at init and is kept by lc_buf_clear(), so that a
 * buffer used again and again stops allocating. Appending to a buffer that failed does nothing:
 * check `failed` once at the end. */
#pragma once

#include "livecore/decimal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lc_buf {
	char *data; /* owned; not NUL-terminated unless lc_buf_text() says so */
	size_t len;
	size_t capacity;
	size_t limit; /* bytes; an append beyond it fails */
	bool failed;  /* an append did not fit or memory ran out */
};

void lc_buf_init(struct lc_buf *buf, size_t limit_bytes);
void lc_buf_finish(struct lc_buf *buf);
void lc_buf_clear(struct lc_buf *buf);

/* Makes room for `more` bytes and returns where they go, or NULL (and sets failed). The caller
 * adds what it wrote to len. */
char *lc_buf_reserve(struct lc_buf *buf, size_t more);

void lc_buf_append(struct lc_buf *buf, const void *data, size_t len);
void lc_buf_puts(struct lc_buf *buf, const char *text);
void lc_buf_putc(struct lc_buf *buf, char c);
void lc_buf_int(struct lc_buf *buf, int64_t value);
void lc_buf_uint(struct lc_buf *buf, uint64_t value);
void lc_buf_decimal(struct lc_buf *buf, struct lc_decimal value);
void lc_buf_printf(struct lc_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends text as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void lc_buf_json_string(struct lc_buf *buf, const char *text, size_t len);

/* Drops the first len bytes. */
void lc_buf_consume(struct lc_buf *buf, size_t len);

/* The content as a C string, valid until the next change; "" when it failed or is empty. */
const char *lc_buf_text(struct lc_buf *buf);
