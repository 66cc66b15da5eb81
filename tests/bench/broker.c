/* The embedded broker in a process of its own, so that its CPU time is not livecore's. Ends when
 * standard input does. */
#include "livecore/embedded_broker.h"

#include <stdio.h>

int main(void)
{
	struct lc_kafka_config kafka = {.brokers = (char[]){""}, .client_id = (char[]){"bench"}};
	struct lc_topics_config topics = {.market_data = (char[]){"ginkgo.live.market.data"},
		.market_data_cn = (char[]){"ginkgo.live.market.data.cn"},
		.market_data_hk = (char[]){"ginkgo.live.market.data.hk"},
		.market_data_us = (char[]){"ginkgo.live.market.data.us"},
		.bars = (char[]){"ginkgo.live.market.bars"},
		.interest = (char[]){"ginkgo.live.interest.updates"},
		.control = (char[]){"ginkgo.live.control.commands"},
		.data_update = (char[]){"ginkgo.data.update"},
		.events = (char[]){"ginkgo.live.system.events"},
		.notifications = (char[]){"ginkgo.notifications"}};
	struct lc_embedded_broker *broker;
	struct lc_error err;
	if (lc_embedded_broker_create(&kafka, &topics, &broker, &err) != LC_OK) {
		fprintf(stderr, "broker: %s\n", err.text);
		return 1;
	}
	puts(lc_embedded_broker_address(broker));
	fflush(stdout);
	while (getchar() != EOF) {
	}
	lc_embedded_broker_destroy(broker);
	return 0;
}
