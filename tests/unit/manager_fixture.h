/* A whole manager against the embedded broker and a FuShu server of our own, and what consumers
 * read of it. */
#pragma once

#include "livecore/embedded_broker.h"
#include "livecore/http_server.h"
#include "livecore/manager.h"
#include "livecore/messages.h"
#include "livecore/reader.h"
#include "livecore/sender.h"
#include "scratch.h"
#include "settings_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SETS_MAX 32

struct rig {
	struct lc_log *log;
	struct lc_metrics *metrics;
	struct lc_loop *loop;
	struct lc_embedded_broker *broker;
	struct lc_http_server *vendor;
	struct lc_manager *manager;
	struct lc_config *own; /* for our own clients */
	struct lc_kafka_config kafka;
	struct lc_reader *prices, *events, *notes;
	/* Every value read, one a line; keys before market data. */
	struct lc_buf seen, said, alerts;
	char dir[64], sets[SETS_MAX][160], address[64];
	const char *set[SETS_MAX + 1];
	size_t n_sets;
	int vendor_status;
	bool vendor_silent;
	unsigned vendor_requests, vendor_polls, vendor_price;
	bool vendor_gone, stopped, published;
	int exit_code, reader_left;
	struct lc_manager_totals totals;
	const char *broken; /* what a reload finds wrong */
};

static inline void rig_set(struct rig *rig, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	cr_assert_lt(rig->n_sets, SETS_MAX);
	vsnprintf(rig->sets[rig->n_sets], sizeof rig->sets[0], format, args);
	va_end(args);
	rig->set[rig->n_sets] = rig->sets[rig->n_sets];
	rig->n_sets++;
}

/* Each poll gives every symbol a new price and one lot more. */
static inline void rig_answer(void *arg, struct lc_exchange *exchange)
{
	struct rig *rig = arg;
	const char *symbols = lc_exchange_query(exchange, "symbols");
	rig->vendor_requests++;
	rig->vendor_polls += symbols != NULL;
	if (rig->vendor_silent) {
		lc_exchange_abort(exchange);
		return;
	}
	struct lc_buf body;
	lc_buf_init(&body, 1 << 20);
	lc_buf_puts(&body, "{\"data\":[");
	rig->vendor_price++;
	for (bool first = true; symbols && *symbols; first = false) {
		size_t len = strcspn(symbols, ",");
		lc_buf_printf(&body,
			"%s{\"symbol\":\"%.*s\",\"price\":%u.50,\"volume\":%u,\"amount\":%u}",
			first ? "" : ",", (int)len, symbols, 100 + rig->vendor_price % 100,
			rig->vendor_price * 100, rig->vendor_price * 10000);
		symbols += len + (symbols[len] == ',');
	}
	lc_buf_puts(&body, "]}");
	const struct lc_response response = {
		.status = rig->vendor_status, .content_type = "application/json"};
	lc_exchange_respond_buf(exchange, &response, &body);
	lc_buf_finish(&body);
}

static inline void rig_on_price(void *arg, const struct lc_reader_message *message)
{
	struct rig *rig = arg;
	lc_buf_append(&rig->seen, message->key, message->key_len);
	lc_buf_putc(&rig->seen, ' ');
	lc_buf_append(&rig->seen, message->value, message->value_len);
	lc_buf_putc(&rig->seen, '\n');
}

static inline void rig_on_event(void *arg, const struct lc_reader_message *message)
{
	struct rig *rig = arg;
	lc_buf_append(&rig->said, message->value, message->value_len);
	lc_buf_putc(&rig->said, '\n');
}

static inline void rig_on_note(void *arg, const struct lc_reader_message *message)
{
	struct rig *rig = arg;
	lc_buf_append(&rig->alerts, message->value, message->value_len);
	lc_buf_putc(&rig->alerts, '\n');
}

static inline bool rig_has(struct lc_buf *buf, const char *text)
{
	return strstr(lc_buf_text(buf), text) != NULL;
}

#define RIG_UNTIL(rig, condition)                                                        \
	do {                                                                             \
		int64_t give_up = lc_clock_mono_ns() + 60 * LC_NS_PER_S;                 \
		uv_timer_t tick;                                                         \
		rig_tick(rig, &tick);                                                    \
		while (!(condition)) {                                                   \
			uv_run(lc_loop_uv((rig)->loop), UV_RUN_ONCE);                    \
			cr_assert_lt(lc_clock_mono_ns(), give_up, "never: " #condition); \
		}                                                                        \
		rig_untick(rig, &tick);                                                  \
	} while (0)

static inline void rig_on_tick(uv_timer_t *timer)
{
	(void)timer; /* turns the loop, so that conditions are looked at */
}

static inline void rig_tick(struct rig *rig, uv_timer_t *timer)
{
	uv_timer_init(lc_loop_uv(rig->loop), timer);
	uv_timer_start(timer, rig_on_tick, 5, 5);
}

static inline void rig_on_unticked(uv_handle_t *handle)
{
	*(bool *)handle->data = true;
}

static inline void rig_untick(struct rig *rig, uv_timer_t *timer)
{
	bool closed = false;
	timer->data = &closed;
	uv_close((uv_handle_t *)timer, rig_on_unticked);
	while (!closed) {
		uv_run(lc_loop_uv(rig->loop), UV_RUN_NOWAIT);
	}
}

static inline struct lc_reader *rig_read(struct rig *rig, const char *topic,
	void (*message)(void *, const struct lc_reader_message *))
{
	struct lc_reader *reader;
	struct lc_error err;
	const struct lc_reader_options options = {.topic = topic, .start = LC_START_EARLIEST};
	const struct lc_reader_handlers handlers = {.message = message};
	cr_assert_eq(
		lc_reader_create(rig->loop, &rig->kafka, &options, &handlers, rig, &reader, &err),
		LC_OK, "%s", err.text);
	return reader;
}

static inline void rig_broker(struct rig *rig)
{
	struct lc_error err;
	cr_assert_eq(lc_embedded_broker_create(&rig->kafka, lc_config_section(rig->own, "topics"),
			     &rig->broker, &err),
		LC_OK, "%s", err.text);
	snprintf(rig->address, sizeof rig->address, "%s", lc_embedded_broker_address(rig->broker));
	rig->kafka.brokers = rig->address;
}

static inline void rig_readers(struct rig *rig)
{
	const struct lc_topics_config *topics = lc_config_section(rig->own, "topics");
	rig->prices = rig_read(rig, topics->market_data, rig_on_price);
	rig->events = rig_read(rig, topics->events, rig_on_event);
	rig->notes = rig_read(rig, topics->notifications, rig_on_note);
}

static inline void rig_vendor(struct rig *rig)
{
	struct lc_error err;
	const struct lc_http_server_options server = {
		.address = "127.0.0.1:0", .on_request = rig_answer, .arg = rig};
	cr_assert_eq(lc_http_server_create(rig->loop, &server, &rig->vendor, &err), LC_OK, "%s",
		err.text);
	rig->vendor_status = 200;
}

/* What every test sets. */
static inline void rig_settings(struct rig *rig)
{
	rig_set(rig, "state.dir=%s", rig->dir);
	rig_set(rig, "node.id=test-node");
	rig_set(rig, "calendar.always_open=true");
	rig_set(rig, "fushu.url=http://127.0.0.1:%d/v1", lc_http_server_port(rig->vendor));
	rig_set(rig, "fushu.poll_interval=20ms");
	rig_set(rig, "routing.feeders=fushu");
	if (!getenv("MANAGER_TEST_LOG")) {
		rig_set(rig, "log.level=off"); /* a reload sets it */
	}
	rig_set(rig, "kafka.linger=1ms");
	rig_set(rig, "kafka.fetch_wait=5ms");
	rig_set(rig, "kafka.metadata_interval=1s");
	rig_set(rig, "supervisor.backoff_min=5ms");
	rig_set(rig, "supervisor.backoff_max=20ms");
	rig_set(rig, "supervisor.connect_rate=100");
}

static inline void rig_open(struct rig *rig)
{
	const char *level = getenv("MANAGER_TEST_LOG"); /* =1 shows what happens */
	memset(rig, 0, sizeof *rig);
	strcpy(rig->dir, "/tmp/lc_manager_test_XXXXXX");
	cr_assert(mkdtemp(rig->dir));
	cr_assert_eq(lc_log_create(2, false, level ? LC_LOG_DEBUG : LC_LOG_OFF, &rig->log), LC_OK);
	cr_assert_eq(lc_metrics_create(&rig->metrics), LC_OK);
	cr_assert_eq(lc_loop_create(rig->log, rig->metrics, &rig->loop), LC_OK);
	lc_buf_init(&rig->seen, 64 << 20);
	lc_buf_init(&rig->said, 64 << 20);
	lc_buf_init(&rig->alerts, 64 << 20);
	rig_vendor(rig);
	rig_settings(rig);
	rig->own = settings_made(rig->set);
	rig->kafka = *(const struct lc_kafka_config *)lc_config_section(rig->own, "kafka");
}

static inline struct lc_config *rig_on_load(void *arg, struct lc_buf *errors)
{
	struct rig *rig = arg;
	if (rig->broken) {
		lc_buf_puts(errors, rig->broken);
		return NULL;
	}
	return settings_made(rig->set);
}

static inline void rig_start(struct rig *rig)
{
	struct lc_error err;
	const struct lc_manager_options options = {
		.load = rig_on_load, .arg = rig, .brokers = rig->address};
	cr_assert_eq(lc_manager_create(
			     rig->loop, settings_made(rig->set), &options, &rig->manager, &err),
		LC_OK, "%s", err.text);
	rig->stopped = false;
}

static inline bool rig_ready(struct rig *rig)
{
	struct lc_buf out;
	lc_buf_init(&out, 64 * 1024);
	enum lc_ready ready = lc_manager_ready(rig->manager, &out);
	bool hears = strstr(lc_buf_text(&out), "\"control\":{\"ok\":true}");
	lc_buf_finish(&out);
	return ready != LC_NOT_READY && hears;
}

static inline void rig_on_stopped(void *arg, int exit_code)
{
	struct rig *rig = arg;
	rig->totals = lc_manager_totals(rig->manager);
	rig->exit_code = exit_code;
	rig->stopped = true;
	rig->manager = NULL;
}

static inline void rig_stop(struct rig *rig)
{
	lc_manager_stop(rig->manager, rig_on_stopped, rig);
	RIG_UNTIL(rig, rig->stopped);
}

static inline void rig_on_published(
	void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	(void)partition;
	(void)offset;
	cr_assert_eq(err->code, LC_OK, "%s", err->text);
	((struct rig *)arg)->published = true;
}

static inline void rig_publish(
	struct rig *rig, const char *topic, const char *key, const void *value, size_t len)
{
	struct lc_error err;
	struct lc_publish *publish;
	const struct lc_message message = {.topic = topic,
		.key = key,
		.key_len = strlen(key),
		.value = value,
		.value_len = len};
	rig->published = false;
	cr_assert_eq(lc_publish_once(rig->loop, &rig->kafka, &message, 10000, rig_on_published, rig,
			     &publish, &err),
		LC_OK, "%s", err.text);
	RIG_UNTIL(rig, rig->published);
}

/* symbols: "\"A\",\"B\"". */
static inline void rig_interest(
	struct rig *rig, const char *portfolio, const char *type, const char *symbols)
{
	const struct lc_topics_config *topics = lc_config_section(rig->own, "topics");
	struct lc_buf value;
	lc_buf_init(&value, 2 << 20);
	lc_buf_puts(&value, "{\"portfolio_id\":\"");
	lc_buf_puts(&value, portfolio);
	lc_buf_puts(&value, "\",\"update_type\":\"");
	lc_buf_puts(&value, type);
	lc_buf_puts(&value, "\",\"symbols\":[");
	lc_buf_puts(&value, symbols);
	lc_buf_puts(&value, "]}");
	cr_assert_not(value.failed);
	rig_publish(rig, topics->interest, portfolio, value.data, value.len);
	lc_buf_finish(&value);
}

static inline void rig_command(struct rig *rig, const char *json)
{
	const struct lc_topics_config *topics = lc_config_section(rig->own, "topics");
	rig_publish(rig, topics->control, "k", json, strlen(json));
}

static inline void rig_on_reader_left(void *arg)
{
	((struct rig *)arg)->reader_left--;
}

static inline void rig_on_vendor_gone(void *arg)
{
	((struct rig *)arg)->vendor_gone = true;
}

static inline void rig_stop_reader(struct rig *rig, struct lc_reader *reader)
{
	if (reader) {
		rig->reader_left++;
		lc_reader_stop(reader, rig_on_reader_left, rig);
	}
}

static inline void rig_close(struct rig *rig)
{
	if (rig->manager) {
		rig_stop(rig);
	}
	rig_stop_reader(rig, rig->prices);
	rig_stop_reader(rig, rig->events);
	rig_stop_reader(rig, rig->notes);
	lc_http_server_destroy(rig->vendor, rig_on_vendor_gone, rig);
	RIG_UNTIL(rig, rig->vendor_gone && rig->reader_left == 0);
	lc_loop_destroy(rig->loop);
	lc_embedded_broker_destroy(rig->broker);
	lc_config_destroy(rig->own);
	lc_metrics_destroy(rig->metrics);
	lc_log_destroy(rig->log);
	lc_buf_finish(&rig->seen);
	lc_buf_finish(&rig->said);
	lc_buf_finish(&rig->alerts);
	scratch_remove(rig->dir);
}
