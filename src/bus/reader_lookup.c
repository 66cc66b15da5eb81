#include "reader_lookup.h"

#include <stdlib.h>
#include <string.h>

#define PARTITIONS_MAX 10000 /* of one topic */

/* starts of each partition holds its lowest offset and is raised to what the group committed. */
static rd_kafka_resp_err_t take_committed(
	struct reader_lookup *lookup, const rd_kafka_topic_partition_list_t *list)
{
	for (int32_t i = 0; i < lookup->count; i++) {
		int64_t offset = list->elems[i].offset, low = lookup->starts[i];
		if (list->elems[i].err) {
			return list->elems[i].err;
		}
		/* Beyond the end: the topic was made anew, and nothing of it has been seen. */
		lookup->committed[i] = offset >= 0 && offset <= lookup->ends[i];
		lookup->starts[i] = !lookup->committed[i] ? lookup->ends[i]
				    : offset > low        ? offset
							  : low;
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t look_up_committed(struct reader_lookup *lookup)
{
	lookup->committed = calloc((size_t)lookup->count, sizeof *lookup->committed);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(lookup->count);
	for (int32_t i = 0; i < lookup->count; i++) {
		rd_kafka_topic_partition_list_add(list, lookup->topic, i);
	}
	rd_kafka_resp_err_t code = lookup->committed ? rd_kafka_committed(
							       lookup->rk, list, lookup->timeout_ms)
						     : RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
	if (!code) {
		code = take_committed(lookup, list);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

/* Of all partitions at once: `which` is one of Kafka's two special timestamps, the earliest or the
 * latest offset. Asked one by one as rd_kafka_query_watermark_offsets() does it, 24 partitions took
 * a second when each answer waited for a delayed ACK. */
static rd_kafka_resp_err_t look_up_offsets(
	struct reader_lookup *lookup, int64_t which, int64_t *offsets)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(lookup->count);
	for (int32_t i = 0; i < lookup->count; i++) {
		rd_kafka_topic_partition_list_add(list, lookup->topic, i)->offset = which;
	}
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(lookup->rk, list, lookup->timeout_ms);
	for (int i = 0; i < list->cnt && !code; i++) {
		code = list->elems[i].err;
		offsets[list->elems[i].partition] = list->elems[i].offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

static rd_kafka_resp_err_t look_up_ends(struct reader_lookup *lookup)
{
	lookup->ends = calloc((size_t)lookup->count, sizeof *lookup->ends);
	lookup->starts = calloc((size_t)lookup->count, sizeof *lookup->starts);
	if (!lookup->ends || !lookup->starts) {
		return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
	}
	rd_kafka_resp_err_t code = look_up_offsets(lookup, RD_KAFKA_OFFSET_END, lookup->ends);
	if (!code && lookup->want_committed) {
		code = look_up_offsets(lookup, RD_KAFKA_OFFSET_BEGINNING, lookup->starts);
		return code ? code : look_up_committed(lookup);
	}
	memcpy(lookup->starts, lookup->ends, (size_t)lookup->count * sizeof *lookup->starts);
	return code;
}

void reader_lookup_work(void *arg)
{
	struct reader_lookup *lookup = arg;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(lookup->rk, lookup->topic, NULL);
	if (!handle) {
		lookup->code = rd_kafka_last_error();
		return;
	}
	const struct rd_kafka_metadata *metadata = NULL;
	lookup->code = rd_kafka_metadata(lookup->rk, 0, handle, &metadata, lookup->timeout_ms);
	if (!lookup->code) {
		if (metadata->topic_cnt == 1) {
			lookup->code = metadata->topics[0].err;
			lookup->count = metadata->topics[0].partition_cnt;
		}
		if (!lookup->code && (lookup->count <= 0 || lookup->count > PARTITIONS_MAX)) {
			lookup->code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
		}
		rd_kafka_metadata_destroy(metadata);
	}
	if (!lookup->code && lookup->want_ends) {
		lookup->code = look_up_ends(lookup);
	}
	rd_kafka_topic_destroy(handle);
}

void reader_lookup_free(struct reader_lookup *lookup)
{
	free(lookup->ends);
	free(lookup->starts);
	free(lookup->committed);
	free(lookup);
}
