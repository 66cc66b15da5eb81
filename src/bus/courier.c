#include "livecore/courier.h"

#include "bus_priv.h"
#include "livecore/list.h"

#include <stdlib.h>
#include <string.h>

/* librdkafka cannot take back one message. When one's time is over, all that wait are purged and
 * the others are handed over again: no message that its owner gave up ever arrives later from a
 * queue. One that was on the wire may arrive twice, or although it was given up; its key tells. The
 * connection stays meanwhile: a client that is replaced at each deadline would never get to
 * connect. */

#define RETRY_MS 1000

struct lc_courier {
	struct lc_loop *loop;
	const struct lc_kafka_config *config; /* borrowed */
	char *topic;
	rd_kafka_t *rk; /* NULL: it could not be made again yet */
	rd_kafka_topic_t *handle;
	struct event_port *port;
	/* For the nearest deadline, or for a client that could not be made. */
	struct lc_timer *timer;
	struct lc_list parcels; /* in order of arrival */
	uintptr_t last_id;
	size_t waiting;
	struct kafka_complaint complaint;
	bool delivering, destroying, down; /* down: nothing calls back any more */
	void (*gone)(void *arg);
	void *gone_arg;
};

struct parcel {
	struct lc_list node;
	uintptr_t id;        /* what librdkafka knows it by: reports may come when it is gone */
	int64_t deadline_ns; /* monotonic */
	int64_t timestamp_ms;
	lc_publish_cb done;
	void *arg;
	bool answered; /* and not told yet */
	struct lc_error err;
	int32_t partition;
	int64_t offset;
	size_t key_len, value_len;
	bool has_key;
	rd_kafka_headers_t *headers; /* owned; NULL: none */
	char bytes[];                /* key, then value */
};

static void free_parcel(struct parcel *parcel)
{
	if (parcel->headers) {
		rd_kafka_headers_destroy(parcel->headers);
	}
	free(parcel);
}

/* --- the client --- */

static void hand_over(struct lc_courier *courier, struct parcel *parcel)
{
	rd_kafka_vu_t args[7] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = courier->handle},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {parcel->bytes + parcel->key_len, parcel->value_len}},
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = parcel->timestamp_ms},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)parcel->id},
	};
	size_t count = 5;
	if (parcel->has_key) {
		args[count++] = (rd_kafka_vu_t){
			.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {parcel->bytes, parcel->key_len}};
	}
	rd_kafka_headers_t *headers = parcel->headers ? rd_kafka_headers_copy(parcel->headers)
						      : NULL;
	if (headers) {
		args[count++] = (rd_kafka_vu_t){
			.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
	}
	rd_kafka_error_t *error = rd_kafka_produceva(courier->rk, args, count);
	if (error) {
		parcel->answered = true;
		lc_error_set(&parcel->err, kafka_err(rd_kafka_error_code(error)), "%s",
			rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
		if (headers) {
			rd_kafka_headers_destroy(headers);
		}
	}
}

static void purge(struct lc_courier *courier)
{
	rd_kafka_purge(courier->rk,
		RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/* The client must be there. */
static void take_down(struct lc_courier *courier, void (*done)(void *arg), void *arg)
{
	purge(courier);
	rd_kafka_topic_destroy(courier->handle);
	kafka_take_down(courier->loop, courier->rk, courier->port, done, arg);
	courier->rk = NULL;
	courier->port = NULL;
}

static void on_ready(void *arg);

static enum lc_err open_client(struct lc_courier *courier, struct lc_error *err)
{
	struct kafka_conf_options options = {.role = KAFKA_PUBLISHER}; /* our own deadlines count */
	rd_kafka_conf_t *conf;
	enum lc_err code = kafka_conf_build(courier->config, &options, &conf, err);
	code = code ? code : kafka_new(RD_KAFKA_PRODUCER, conf, &courier->rk, err);
	if (code) {
		return code;
	}
	rd_kafka_set_log_queue(courier->rk, NULL);
	/* The handle makes librdkafka look the topic's leaders up now. */
	courier->handle = rd_kafka_topic_new(courier->rk, courier->topic, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(courier->rk);
	if (courier->handle &&
		!event_port_create(courier->loop, queue, on_ready, courier, &courier->port)) {
		return LC_OK;
	}
	rd_kafka_queue_destroy(queue);
	if (courier->handle) {
		rd_kafka_topic_destroy(courier->handle);
	}
	kafka_take_down(courier->loop, courier->rk, NULL, NULL, NULL);
	courier->rk = NULL;
	return lc_error_set(err, LC_ERR_NOMEM, "no descriptor or memory for Kafka's events");
}

/* Starts the timer for what comes next: an answer to be told, a deadline, or another try at a
 * client. */
static void arm(struct lc_courier *courier)
{
	int64_t now_ns = lc_clock_mono_ns(), at_ns = INT64_MAX;
	if (!courier->rk) {
		at_ns = now_ns + RETRY_MS * LC_NS_PER_MS;
	}
	lc_list_each (node, &courier->parcels) {
		const struct parcel *parcel = container_of(node, struct parcel, node);
		int64_t due_ns = parcel->answered ? now_ns : parcel->deadline_ns;
		at_ns = due_ns < at_ns ? due_ns : at_ns;
	}
	if (at_ns == INT64_MAX) {
		lc_timer_stop(courier->timer);
	} else {
		int64_t wait_ns = at_ns > now_ns ? at_ns - now_ns : 0;
		lc_timer_start(courier->timer, (wait_ns + LC_NS_PER_MS - 1) / LC_NS_PER_MS, 0);
	}
}

/* A new client for what still waits. */
static void replace_client(struct lc_courier *courier)
{
	struct lc_error err;
	if (courier->rk) {
		take_down(courier, NULL, NULL);
	}
	if (open_client(courier, &err) != LC_OK) {
		lc_log(lc_loop_log(courier->loop), LC_LOG_ERROR, "kafka", "client_failed",
			LC_S("text", err.text));
		return;
	}
	lc_list_each (node, &courier->parcels) {
		struct parcel *parcel = container_of(node, struct parcel, node);
		if (!parcel->answered) {
			hand_over(courier, parcel);
		}
	}
}

/* --- what comes back --- */

/* An error event: is the client of no use any more? */
static bool read_error(struct lc_courier *courier, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	char text[KAFKA_TEXT_MAX];
	kafka_error_text(event, text);
	bool fresh = kafka_complaint_note(&courier->complaint, code, text);
	if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && fresh) {
		lc_log(lc_loop_log(courier->loop), LC_LOG_WARN, "kafka", "client_error",
			LC_S("code", rd_kafka_err2name(code)), LC_S("text", text));
	}
	return rd_kafka_event_error_is_fatal(event);
}

static struct parcel *find(struct lc_courier *courier, uintptr_t id)
{
	lc_list_each (node, &courier->parcels) {
		struct parcel *parcel = container_of(node, struct parcel, node);
		if (parcel->id == id && !parcel->answered) {
			return parcel;
		}
	}
	return NULL;
}

static void read_reports(struct lc_courier *courier, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;
	while ((message = rd_kafka_event_message_next(event))) {
		struct parcel *parcel = find(courier, (uintptr_t)message->_private);
		if (!parcel) {
			continue; /* given up before */
		}
		if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
			message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
			hand_over(courier, parcel);
			continue;
		}
		parcel->answered = true;
		parcel->partition = message->partition;
		parcel->offset = message->offset;
		if (message->err) {
			lc_error_set(&parcel->err, kafka_err(message->err), "%s",
				rd_kafka_err2str(message->err));
		} else {
			kafka_complaint_clear(&courier->complaint);
		}
	}
}

/* False: the client is broken. */
static bool read_events(struct lc_courier *courier)
{
	rd_kafka_queue_t *queue = event_port_queue(courier->port);
	rd_kafka_event_t *event;
	bool sound = true;
	while ((event = rd_kafka_queue_poll(queue, 0))) {
		switch (rd_kafka_event_type(event)) {
		case RD_KAFKA_EVENT_DR:
			read_reports(courier, event);
			break;
		case RD_KAFKA_EVENT_ERROR:
			sound &= !read_error(courier, event);
			break;
		case RD_KAFKA_EVENT_LOG:
			kafka_log_event(courier->loop, event);
			break;
		default:
			break;
		}
		rd_kafka_event_destroy(event);
	}
	return sound;
}

/* Those whose time is over are answered. Returns whether there were any. */
static bool expire(struct lc_courier *courier)
{
	int64_t now_ns = lc_clock_mono_ns();
	bool any = false;
	lc_list_each (node, &courier->parcels) {
		struct parcel *parcel = container_of(node, struct parcel, node);
		if (!parcel->answered && parcel->deadline_ns <= now_ns) {
			parcel->answered = any = true;
			parcel->partition = -1;
			parcel->offset = -1;
			lc_error_set(&parcel->err, LC_ERR_TIMEOUT, "%s",
				courier->complaint.code
					? courier->complaint.text
					: "Kafka did not acknowledge the message in time");
		}
	}
	return any;
}

static struct parcel *first_answered(struct lc_courier *courier)
{
	lc_list_each (node, &courier->parcels) {
		struct parcel *parcel = container_of(node, struct parcel, node);
		if (parcel->answered) {
			return parcel;
		}
	}
	return NULL;
}

static void end(struct lc_courier *courier)
{
	void (*gone)(void *) = courier->gone;
	void *arg = courier->gone_arg;
	free(courier->topic);
	free(courier);
	if (gone) {
		gone(arg);
	}
}

/* Tells the answers. The owner may send another, or destroy the courier, in each. */
static void deliver(struct lc_courier *courier)
{
	struct parcel *parcel;
	courier->delivering = true;
	while (!courier->destroying && (parcel = first_answered(courier))) {
		lc_list_remove(&parcel->node);
		courier->waiting--;
		parcel->done(parcel->arg, &parcel->err, parcel->partition, parcel->offset);
		free_parcel(parcel);
	}
	courier->delivering = false;
	if (!courier->destroying) {
		arm(courier);
	} else if (courier->down) {
		end(courier);
	}
}

static void serve(struct lc_courier *courier)
{
	bool sound = courier->rk && read_events(courier);
	bool expired = expire(courier);
	if (!sound) {
		replace_client(courier);
	} else if (expired) {
		purge(courier);
	}
	deliver(courier);
}

static void on_ready(void *arg)
{
	serve(arg);
}

static void on_timer(void *arg)
{
	serve(arg);
}

static void on_taken_down(void *arg)
{
	struct lc_courier *courier = arg;
	courier->down = true;
	if (!courier->delivering) {
		end(courier);
	}
}

/* --- public --- */

enum lc_err lc_courier_create(struct lc_loop *loop, const struct lc_kafka_config *config,
	const char *topic, struct lc_courier **out, struct lc_error *err)
{
	struct lc_courier *courier = calloc(1, sizeof *courier);
	if (!courier || !(courier->topic = strdup(topic))) {
		free(courier);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	courier->loop = loop;
	courier->config = config;
	lc_list_init(&courier->parcels);
	enum lc_err code = lc_timer_create(loop, on_timer, courier, &courier->timer);
	if (code) {
		lc_error_set(err, code, "%s", lc_err_text(code));
		goto free_it;
	}
	code = open_client(courier, err);
	if (code) {
		goto destroy_timer;
	}
	*out = courier;
	return LC_OK;
destroy_timer:
	lc_timer_destroy(courier->timer);
free_it:
	free(courier->topic);
	free(courier);
	return code;
}

static struct parcel *copy_message(const struct lc_message *message)
{
	struct parcel *parcel = calloc(1, sizeof *parcel + message->key_len + message->value_len);
	size_t count = message->headers ? message->headers->count : 0;
	if (!parcel) {
		return NULL;
	}
	parcel->has_key = message->key != NULL;
	parcel->key_len = message->key ? message->key_len : 0;
	parcel->value_len = message->value_len;
	if (message->key) {
		memcpy(parcel->bytes, message->key, message->key_len);
	}
	memcpy(parcel->bytes + parcel->key_len, message->value, message->value_len);
	parcel->timestamp_ms = message->timestamp_ms;
	if (count) {
		parcel->headers = rd_kafka_headers_new(count);
	}
	for (size_t i = 0; i < count; i++) {
		const struct lc_pair *pair = &message->headers->items[i];
		rd_kafka_header_add(parcel->headers, pair->key, -1, pair->value, -1);
	}
	return parcel;
}

enum lc_err lc_courier_send(struct lc_courier *courier, const struct lc_message *message,
	int64_t timeout_ms, lc_publish_cb done, void *arg, struct lc_error *err)
{
	if (courier->waiting >= LC_COURIER_MAX) {
		return lc_error_set(
			err, LC_ERR_FULL, "%d commands wait for Kafka already", LC_COURIER_MAX);
	}
	struct parcel *parcel = copy_message(message);
	if (!parcel) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	parcel->id = ++courier->last_id;
	parcel->deadline_ns = lc_clock_mono_ns() + timeout_ms * LC_NS_PER_MS;
	parcel->done = done;
	parcel->arg = arg;
	lc_list_append(&courier->parcels, &parcel->node);
	courier->waiting++;
	if (courier->rk) {
		hand_over(courier, parcel);
	}
	arm(courier);
	return LC_OK;
}

size_t lc_courier_waiting(const struct lc_courier *courier)
{
	return courier->waiting;
}

const char *lc_courier_complaint(const struct lc_courier *courier)
{
	return courier->complaint.code ? courier->complaint.text : "";
}

void lc_courier_destroy(struct lc_courier *courier, void (*gone)(void *arg), void *arg)
{
	if (!courier) {
		return;
	}
	courier->gone = gone;
	courier->gone_arg = arg;
	courier->destroying = true;
	lc_timer_destroy(courier->timer);
	lc_list_each (node, &courier->parcels) {
		free_parcel(container_of(node, struct parcel, node));
	}
	lc_list_init(&courier->parcels);
	if (courier->rk) {
		take_down(courier, on_taken_down, courier);
	} else {
		on_taken_down(courier);
	}
}
