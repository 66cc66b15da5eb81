/* What the files of src/bus share: librdkafka's configuration, its events on the loop, and taking a
 * client down without holding the loop. Loop thread, but for what runs in a job. */
#pragma once

#include "livecore/kafka.h"
#include "livecore/loop.h"

#include <librdkafka/rdkafka.h>

extern const char *const kafka_compressions[];

/* LC_ERR_INVALID with the reason when kafka.properties may not set it. */
enum lc_err kafka_property_allowed(const char *name, struct lc_error *err);
/* The same, and whether librdkafka knows it and takes this value. */
enum lc_err kafka_property_check(const struct lc_pair *property, struct lc_error *err);

enum kafka_role {
	KAFKA_SENDER,    /* idempotent, never gives up */
	KAFKA_PUBLISHER, /* idempotent, gives up after timeout_ms */
	KAFKA_READER,
	KAFKA_ADMIN,
};

struct kafka_conf_options {
	enum kafka_role role;
	const char *group;   /* readers */
	int64_t timeout_ms;  /* publishers */
	int64_t batch_bytes; /* 0: the setting's */
};

/* The whole configuration of a client. *out is the caller's, for kafka_new() or
 * rd_kafka_conf_destroy(). */
enum lc_err kafka_conf_build(const struct lc_kafka_config *config,
	const struct kafka_conf_options *options, rd_kafka_conf_t **out, struct lc_error *err);

/* conf is consumed, also on failure. */
enum lc_err kafka_new(
	rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **out, struct lc_error *err);

/* librdkafka's code as ours. */
enum lc_err kafka_err(rd_kafka_resp_err_t code);

/* A queue of librdkafka's on the loop: on_ready runs when it has events, and once a second in any
 * case (a consumer that is never served is cut off). The callee serves the queue with a budget and
 * calls event_port_again() when that was not enough. */
struct event_port;
enum lc_err event_port_create(struct lc_loop *loop, rd_kafka_queue_t *queue,
	void (*on_ready)(void *arg), void *arg, struct event_port **out);
rd_kafka_queue_t *event_port_queue(struct event_port *port);
void event_port_again(struct event_port *port);

/* Takes a client and its port (may be NULL) down: no callback of the port comes any more; the
 * client's threads are joined in the pool, then done (may be NULL) runs on the loop. */
void kafka_take_down(struct lc_loop *loop, rd_kafka_t *rk, struct event_port *port,
	void (*done)(void *arg), void *arg);

enum { KAFKA_TEXT_MAX = 240 };
/* What an error event says, without how long its connection lasted; cut when it is longer. */
void kafka_error_text(rd_kafka_event_t *event, char out[KAFKA_TEXT_MAX]);

/* A client's complaints since it was last well. "All brokers are down" and "timed out" are what
 * librdkafka says in the end; why they are (a wrong password, a certificate, a refused connection)
 * was said before, and is what a person needs. Zero: there is none. */
enum { KAFKA_COMPLAINTS_KEPT = 6 };
struct kafka_complaint {
	enum lc_err code; /* of the last one that says why; LC_OK: there is none */
	char text[KAFKA_TEXT_MAX];
	uint64_t told[KAFKA_COMPLAINTS_KEPT]; /* hashes of what was logged, the newest last */
	size_t told_count;
};
/* Keeps an error event's text, when it says why a connection failed. True when it is to be logged:
 * it tries several times a second, and each time it says the same. */
bool kafka_complaint_note(
	struct kafka_complaint *complaint, rd_kafka_resp_err_t code, const char *text);
static inline void kafka_complaint_clear(struct kafka_complaint *complaint)
{
	complaint->code = LC_OK;
	complaint->told_count = 0;
}
/* The code and text to show for an error: those of the complaint when the error only says that
 * there is no connection. */
enum lc_err kafka_complaint_explain(
	const struct kafka_complaint *complaint, rd_kafka_resp_err_t code, const char **text);

/* How long a question to Kafka may hold a thread of the pool after so many failures in a row.
 * Mostly short, because several clients ask while Kafka is away, and names are looked up in the
 * same few threads; now and then long, for a Kafka that is slow and not away. */
int64_t kafka_patience_ms(unsigned failures);

/* Passes librdkafka's log event on to ours. */
void kafka_log_event(struct lc_loop *loop, rd_kafka_event_t *event);
