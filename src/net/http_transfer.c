#include "http_priv.h"

#include <string.h>
#include <strings.h>

/* curl reads a socket up to a hundred times in a call as long as something comes: with its 16 KB a
 * server that sends chunks of one byte held the loop for 60 ms. */
#define READ_BYTES 1024L
#define STAMP_BYTES 16384
/* What a stream may bring in a turn. Only what is compressed can be more than curl reads in one,
 * and so much of it is a bomb. */
#define STREAM_TURN_BYTES ((size_t)1 << 20)

/* Reads the clock for what has come: once a turn, and again for each 16 KB. */
static void touch(struct lc_http_request *request, size_t len)
{
	uint64_t turn = lc_loop_watch(request->http->loop).turns;
	request->unstamped_bytes += len;
	request->turn_bytes = turn == request->stamp_turn ? request->turn_bytes + len : len;
	if (turn == request->stamp_turn && request->received_wall_ns != 0 &&
		request->unstamped_bytes < STAMP_BYTES) {
		return;
	}
	request->stamp_turn = turn;
	request->unstamped_bytes = 0;
	request->received_wall_ns = lc_loop_wall_ns(request->http->loop);
	if (request->idle && !request->paused) {
		lc_timer_start(request->idle, request->idle_timeout_ms, 0);
	}
}

/* Returns where the value of header `name` begins in line, and its length without blanks around it;
 * or NULL. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *value_len)
{
	size_t name_len = strlen(name);
	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0) {
		return NULL;
	}
	const char *at = line + name_len + 1;
	const char *end = line + len;
	while (at < end && (*at == ' ' || *at == '\t')) {
		at++;
	}
	while (end > at && (unsigned char)end[-1] <= ' ') {
		end--;
	}
	*value_len = (size_t)(end - at);
	return at;
}

/* Seconds, -1 for a date (RFC 9110 10.2.3); at most a day, so that nobody is put off for ever. */
static int parse_retry_after(const char *value, size_t len)
{
	int seconds = len ? 0 : -1;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9') {
			return -1;
		}
		seconds = seconds * 10 + (value[i] - '0');
		seconds = seconds > 86400 ? 86400 : seconds;
	}
	return seconds;
}

static void take_header(struct lc_http_answer *answer, const char *line, size_t len)
{
	size_t value_len;
	const char *value = header_value(line, len, "Retry-After", &value_len);
	if (value) {
		answer->retry_after_s = parse_retry_after(value, value_len);
	}
	value = header_value(line, len, "Content-Type", &value_len);
	if (value) {
		if (value_len > sizeof answer->content_type - 1) {
			value_len = sizeof answer->content_type - 1;
		}
		memcpy(answer->content_type, value, value_len);
		answer->content_type[value_len] = '\0';
	}
}

/* The blank line after the headers; those of a 100 Continue do not count. */
static void end_headers(struct lc_http_request *request)
{
	long status = 0;
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) {
		return;
	}
	request->headers_done = true;
	request->answer.status = (int)status;
	if (request->handler.on_headers) {
		request->handler.on_headers(
			request->arg, request, (int)status, request->answer.content_type);
	}
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct lc_http_request *request = arg;
	size_t len = size * count;
	if (request->cancelled || request->ended) {
		return 0;
	}
	request->header_bytes += len;
	if (request->header_bytes > HTTP_MAX_HEADER_BYTES) {
		request->own_err = LC_ERR_TOO_LARGE;
		return 0;
	}
	touch(request, len);
	if (request->headers_done) {
		return len; /* a trailer */
	}
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		request->answer.retry_after_s = -1;
		request->answer.content_type[0] = '\0';
	} else if (len == 2 || len == 1) {
		end_headers(request);
	} else {
		take_header(&request->answer, line, len);
	}
	return request->cancelled ? 0 : len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct lc_http_request *request = arg;
	size_t len = size * count;
	if (request->cancelled || request->ended) {
		return 0;
	}
	if (request->paused) {
		request->curl_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	touch(request, len);
	if (request->stream && request->turn_bytes > STREAM_TURN_BYTES) {
		request->own_err = LC_ERR_TOO_LARGE;
		return 0;
	}
	if (request->stream) {
		request->handler.on_data(
			request->arg, request, data, len, request->received_wall_ns);
		return request->cancelled ? 0 : len;
	}
	/* One byte is kept for the NUL at the end. */
	if (len > request->body.limit - 1 - request->body.len) {
		request->own_err = LC_ERR_TOO_LARGE;
		return 0;
	}
	lc_buf_append(&request->body, data, len);
	if (request->body.failed) {
		request->own_err = LC_ERR_NOMEM;
		return 0;
	}
	return len;
}

static void on_idle(void *arg)
{
	lc_http_end(arg, LC_ERR_TIMEOUT, CURLE_OPERATION_TIMEDOUT);
}

/* OpenSSL has no code of its own for a peer that hangs up during the handshake, only these words.
 */
static bool cut_in_handshake(const struct lc_http_request *request)
{
	return strstr(request->curl_text, "SYSCALL") ||
	       strstr(request->curl_text, "unexpected eof");
}

static enum lc_err error_of(const struct lc_http_request *request, CURLcode result)
{
	if (request->own_err != LC_OK) {
		return request->own_err;
	}
	switch (result) {
	case CURLE_OK:
		return LC_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
		return LC_ERR_NOT_FOUND;
	case CURLE_COULDNT_CONNECT:
		return LC_ERR_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return LC_ERR_TIMEOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		/* curl has tried once more by itself when this was a kept connection that the
		 * server had closed. */
		return request->header_bytes ? LC_ERR_CLOSED : LC_ERR_END;
	case CURLE_PARTIAL_FILE:
		return LC_ERR_CLOSED;
	case CURLE_OUT_OF_MEMORY:
		/* What curl says of a header line over its own limit as well. */
		return request->header_bytes && !request->headers_done ? LC_ERR_TOO_LARGE
								       : LC_ERR_NOMEM;
	case CURLE_SSL_CONNECT_ERROR:
		return cut_in_handshake(request) ? LC_ERR_END : LC_ERR_PROTOCOL;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
		return LC_ERR_PROTOCOL;
	default:
		return LC_ERR_IO;
	}
}

static enum lc_err set_body(CURL *easy, const struct lc_http_options *options)
{
	if (!options->body) {
		return LC_OK;
	}
	/* The size first: it says how much the copy takes. */
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)options->body_len);
	return curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, options->body) ? LC_ERR_NOMEM : LC_OK;
}

static void set_method(CURL *easy, const char *method)
{
	if (!method) {
		return;
	}
	if (strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	}
}

static enum lc_err append_header(struct lc_http_request *request, const char *line)
{
	struct curl_slist *grown = curl_slist_append(request->headers, line);
	if (!grown) {
		return LC_ERR_NOMEM;
	}
	request->headers = grown;
	return LC_OK;
}

static enum lc_err set_headers(
	struct lc_http_request *request, const struct lc_http_options *options)
{
	/* Without this curl would wait up to a second for a 100 Continue before a large body. */
	enum lc_err err = options->body ? append_header(request, "Expect:") : LC_OK;
	for (size_t i = 0; err == LC_OK && options->headers && options->headers[i]; i++) {
		if (strpbrk(options->headers[i], "\r\n")) {
			return LC_ERR_INVALID;
		}
		err = append_header(request, options->headers[i]);
	}
	curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
	return err;
}

static void set_security(struct lc_http_request *request)
{
	CURL *easy = request->easy;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (request->http->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->http->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	} else if (request->http->hashed_authorities) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	}
}

static void set_times(struct lc_http_request *request, const struct lc_http_options *options)
{
	int64_t connect_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 10000;
	int64_t total_ms = options->timeout_ms ? options->timeout_ms : 30000;
	/* curl would wait for its resolver thread when a look-up outlives its transfer, and hold
	 * the loop. */
	curl_easy_setopt(request->easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(request->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, request->stream ? 0L : (long)total_ms);
}

enum lc_err lc_http_transfer_setup(
	struct lc_http_request *request, const struct lc_http_options *options)
{
	CURL *easy = request->easy;
	set_security(request);
	set_times(request, options);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->curl_text);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, request->http->user_agent);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BYTES);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	if (!options->no_gzip) {
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	}
	enum lc_err err = curl_easy_setopt(easy, CURLOPT_URL, options->url) ? LC_ERR_NOMEM : LC_OK;
	if (err == LC_OK) {
		err = set_body(easy, options);
	}
	set_method(easy, options->method);
	if (err == LC_OK) {
		err = set_headers(request, options);
	}
	if (err == LC_OK && request->stream && options->idle_timeout_ms > 0) {
		request->idle_timeout_ms = options->idle_timeout_ms;
		err = lc_timer_create(request->http->loop, on_idle, request, &request->idle);
	}
	return err;
}

static void say_too_large(struct lc_http_request *request)
{
	if (request->stream && request->headers_done) {
		lc_error_set(&request->answer.err, LC_ERR_TOO_LARGE,
			"the stream brought more than %zu bytes at once", STREAM_TURN_BYTES);
		return;
	}
	bool headers = !request->headers_done || request->header_bytes > HTTP_MAX_HEADER_BYTES;
	lc_error_set(&request->answer.err, LC_ERR_TOO_LARGE,
		"the answer's %s longer than the %zu bytes that are read",
		headers ? "headers are" : "body is",
		headers ? (size_t)HTTP_MAX_HEADER_BYTES : request->body.limit - 1);
}

void lc_http_transfer_finish(struct lc_http_request *request, CURLcode result)
{
	struct lc_http_answer *answer = &request->answer;
	CURL *easy = request->easy;
	enum lc_err code = error_of(request, result);
	if (code == LC_OK) {
		answer->err = (struct lc_error){.code = LC_OK};
	} else if (code == LC_ERR_TOO_LARGE) {
		say_too_large(request);
	} else if (request->own_err != LC_OK || result == CURLE_OK) {
		lc_error_set(&answer->err, code, "%s", lc_err_text(code));
	} else if (result == CURLE_PEER_FAILED_VERIFICATION) {
		lc_error_set(&answer->err, code,
			"%s: is the host right? An authority of your own is added to the "
			"system's (update-ca-certificates)",
			request->curl_text[0] ? request->curl_text : curl_easy_strerror(result));
	} else {
		lc_error_set(&answer->err, code, "%s",
			request->curl_text[0] ? request->curl_text : curl_easy_strerror(result));
	}
	long connects = 0;
	const char *address = NULL;
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address);
	strncpy(answer->address, address ? address : "", sizeof answer->address - 1);
	answer->reused = connects == 0 && answer->address[0];
	answer->received_wall_ns = request->received_wall_ns;
}
