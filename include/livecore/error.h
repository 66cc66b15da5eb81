/* What can go wrong, as a value. `enum lc_err` is what functions return; `struct lc_error` adds
 * the sentence a person needs (where, what, what to do). Any thread. Never allocates. */
#pragma once

#define LC_ERRORS(X)                             \
	X(LC_OK, "ok")                           \
	X(LC_ERR_NOMEM, "out of memory")         \
	X(LC_ERR_INVALID, "invalid input")       \
	X(LC_ERR_RANGE, "out of range")          \
	X(LC_ERR_NOT_FOUND, "not found")         \
	X(LC_ERR_EXISTS, "already there")        \
	X(LC_ERR_FULL, "full")                   \
	X(LC_ERR_END, "no more")                 \
	X(LC_ERR_AGAIN, "not now")               \
	X(LC_ERR_CLOSED, "closed")               \
	X(LC_ERR_TIMEOUT, "timed out")           \
	X(LC_ERR_REFUSED, "refused")             \
	X(LC_ERR_AUTH, "not authorised")         \
	X(LC_ERR_PROTOCOL, "protocol violation") \
	X(LC_ERR_TOO_LARGE, "too large")         \
	X(LC_ERR_LIMIT, "limit reached")         \
	X(LC_ERR_IO, "input/output error")       \
	X(LC_ERR_UNSUPPORTED, "not supported")   \
	X(LC_ERR_CANCELLED, "cancelled")

enum lc_err {
#define X(name, text) name,
	LC_ERRORS(X)
#undef X
};

struct lc_error {
	enum lc_err code;
	char text[256]; /* one sentence, NUL-terminated; cut, never overrun */
};

/* The fixed text of a code; static storage. */
const char *lc_err_text(enum lc_err code);

/* Fills *err when err is not NULL and returns code, so that `return lc_error_set(err, …)` works. */
enum lc_err lc_error_set(struct lc_error *err, enum lc_err code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
