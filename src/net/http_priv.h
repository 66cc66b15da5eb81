/* What the files of the HTTP client share. Never leaves this folder. */
#pragma once

#include "livecore/buf.h"
#include "livecore/http_client.h"
#include "livecore/list.h"

#include <curl/curl.h>
#include <uv.h>

#define HTTP_MAX_HEADER_BYTES (64 * 1024)

struct lc_http {
	struct lc_loop *loop; /* borrowed: outlives the client */
	CURLM *multi;
	struct lc_timer *timer; /* curl's own */
	struct lc_drain *drain; /* where callbacks about an end are made from */
	char *ca_file;          /* owned, or NULL */
	char *user_agent;       /* owned */
	struct lc_list active;  /* requests in curl's hands */
	struct lc_list ended;   /* requests to be answered, or just freed when cancelled */
	struct lc_list socks;   /* what curl wants watched */
	size_t polls;           /* sockets whose poll handle is not closed yet */
	/* the system's are in a directory by hash: no need for the big file */
	bool hashed_authorities;
	bool destroying;
	bool multi_gone;
	void (*on_destroyed)(void *arg);
	void *on_destroyed_arg;
};

struct lc_http_request {
	struct lc_list node;
	struct lc_http *http; /* borrowed: outlives the request */
	CURL *easy;
	struct curl_slist *headers;
	struct lc_timer *idle; /* NULL unless a stream has an idle timeout */
	int64_t idle_timeout_ms;
	bool stream, cancelled, ended;
	bool paused;      /* as the caller wants it */
	bool curl_paused; /* as curl has it */
	bool headers_done;
	struct lc_http_stream_handler handler; /* of a plain request only on_end */
	void *arg;
	struct lc_buf body;
	size_t header_bytes;
	int64_t received_wall_ns;
	uint64_t stamp_turn;    /* of the loop, when the clock was read last */
	size_t unstamped_bytes; /* since then */
	size_t turn_bytes;      /* of the body, in that turn */
	enum lc_err own_err;    /* why we broke it off, or LC_OK */
	struct lc_http_answer answer;
	char curl_text[CURL_ERROR_SIZE];
};

/* Sockets, timer and drain of the multi handle. */
enum lc_err lc_http_multi_open(struct lc_http *http, long max_host_connections);
/* Hands the request over to the drain, once; err is LC_OK when curl's own result counts. */
void lc_http_end(struct lc_http_request *request, enum lc_err err, CURLcode result);
void lc_http_request_free(struct lc_http_request *request);

/* Callbacks of one transfer (http_transfer.c), and its set-up. */
enum lc_err lc_http_transfer_setup(
	struct lc_http_request *request, const struct lc_http_options *options);
void lc_http_transfer_finish(struct lc_http_request *request, CURLcode result);
