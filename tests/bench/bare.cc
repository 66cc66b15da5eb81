// The bare four steps, as the yardstick of tools/bench: receive (libwebsockets), parse (simdjson),
// format, produce (librdkafka). It shares no code with livecore, judges nothing, keeps nothing and
// forgets what fails; its messages have livecore's size, key and headers.
//
//   bench_bare HOST PORT BROKERS TOPIC TICKS SYMBOL,SYMBOL…
//
// prints one JSON line when TICKS are acknowledged.
#include <libwebsockets.h>
#include <librdkafka/rdkafka.h>
#include <simdjson.h>

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace
{

struct State {
	std::string symbols;
	rd_kafka_t *kafka = nullptr;
	rd_kafka_topic_t *topic = nullptr;
	lws *connection = nullptr;
	long wanted = 0, received = 0, acknowledged = 0;
	int step = 0; // 0 welcome, 1 authenticating, 2 subscribing, 3 ticks
	int64_t first_ns = 0;
	std::string frame;
	std::vector<uint32_t> to_produce_us, to_ack_us;
	simdjson::ondemand::parser parser;
} state;

int64_t now_ns(clockid_t clock)
{
	timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void on_report(rd_kafka_t *, const rd_kafka_message_t *message, void *)
{
	int64_t received_ns = reinterpret_cast<intptr_t>(message->_private);
	state.acknowledged += message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
	if ((state.acknowledged & 15) == 0) {
		state.to_ack_us.push_back(
			static_cast<uint32_t>((now_ns(CLOCK_MONOTONIC) - received_ns) / 1000));
	}
}

char *put(char *to, const char *text, size_t len)
{
	memcpy(to, text, len);
	return to + len;
}

template <size_t N> char *put(char *to, const char (&text)[N])
{
	return put(to, text, N - 1);
}

char *put(char *to, std::string_view text)
{
	return put(to, text.data(), text.size());
}

char *put_number(char *to, uint64_t value)
{
	char digits[20];
	int n = 0;
	do {
		digits[n++] = static_cast<char>('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (n > 0) {
		*to++ = digits[--n];
	}
	return to;
}

char *put_time(char *to, int64_t wall_ns)
{
	time_t seconds = wall_ns / 1000000000;
	tm t;
	gmtime_r(&seconds, &t);
	return to + sprintf(to, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", t.tm_year + 1900,
			    t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
			    static_cast<int>(wall_ns % 1000000000 / 1000));
}

struct Tick {
	std::string_view kind, symbol, price, size, time, exchange, bid, ask, bid_size, ask_size,
		id;
};

std::string_view trimmed(std::string_view text)
{
	while (!text.empty() && (text.back() == ' ' || text.back() == ',')) {
		text.remove_suffix(1);
	}
	return text;
}

char *format(const Tick &tick, int64_t received_wall_ns, char *to)
{
	bool trade = tick.kind == "t";
	to = put(to, "{\"symbol\":\"");
	to = put(to, tick.symbol);
	to = put(to, "\",\"timestamp\":\"");
	to = put(to, tick.time.substr(0, 26));
	to = put(to, "Z\",\"price\":");
	to = put(to, trade ? tick.price : tick.bid);
	to = put(to, ",\"volume\":");
	to = put(to, trade ? tick.size : std::string_view("0"));
	to = put(to, ",\"amount\":");
	to = put(to, trade ? tick.price : std::string_view("0"));
	to = put(to, ",\"bid_price\":");
	to = put(to, trade ? std::string_view("null") : tick.bid);
	to = put(to, ",\"ask_price\":");
	to = put(to, trade ? std::string_view("null") : tick.ask);
	to = put(to, ",\"bid_volume\":");
	to = put(to, trade ? std::string_view("null") : tick.bid_size);
	to = put(to, ",\"ask_volume\":");
	to = put(to, trade ? std::string_view("null") : tick.ask_size);
	to = put(to, ",\"open_price\":186.25,\"high_price\":188.75,\"low_price\":185.55,\"source\":"
		     "\"alpaca\",\"trace_id\":null,"
		     "\"span_id\":null,\"kind\":\"");
	to = put(to, trade ? std::string_view("trade") : std::string_view("quote"));
	to = put(to, "\",\"market\":\"us\",\"received_at\":\"");
	to = put_time(to, received_wall_ns);
	to = put(to, "\",\"stream\":\"1ng2mzq61ch\",\"seq\":");
	to = put_number(to, static_cast<uint64_t>(state.received));
	to = put(to, ",\"conflated\":0,\"prev_close\":186.5");
	if (trade) {
		to = put(to, ",\"trade_id\":\"");
		to = put(to, tick.id);
		to = put(to, "\",\"exchange\":\"");
		to = put(to, tick.exchange);
		to = put(to, "\",\"conditions\":[\"@\"]");
	}
	return put(to, ",\"feed\":\"iex\",\"session\":\"open\"}");
}

void produce(const Tick &tick, int64_t received_ns, int64_t received_wall_ns)
{
	char value[1024];
	char *end = format(tick, received_wall_ns, value);
	rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
	rd_kafka_header_add(headers, "schema", 6, "price_update/1", 14);
	while (true) {
		rd_kafka_resp_err_t err = rd_kafka_producev(state.kafka,
			RD_KAFKA_V_RKT(state.topic),
			RD_KAFKA_V_KEY(tick.symbol.data(), tick.symbol.size()),
			RD_KAFKA_V_VALUE(value, static_cast<size_t>(end - value)),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_TIMESTAMP(received_wall_ns / 1000000),
			RD_KAFKA_V_HEADERS(headers),
			RD_KAFKA_V_OPAQUE(
				reinterpret_cast<void *>(static_cast<intptr_t>(received_ns))),
			RD_KAFKA_V_END);
		if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			break;
		}
		rd_kafka_poll(state.kafka, 1);
	}
	if ((state.received++ & 15) == 0) {
		state.to_produce_us.push_back(
			static_cast<uint32_t>((now_ns(CLOCK_MONOTONIC) - received_ns) / 1000));
	}
}

void read_field(std::string_view key, simdjson::ondemand::value value, Tick &tick)
{
	auto text = [&] { return std::string_view(value.get_string()); };
	if (key == "T") {
		tick.kind = text();
	} else if (key == "S") {
		tick.symbol = text();
	} else if (key == "t") {
		tick.time = text();
	} else if (key == "x") {
		tick.exchange = text();
	} else if (key == "p") {
		tick.price = trimmed(value.raw_json_token());
	} else if (key == "s") {
		tick.size = trimmed(value.raw_json_token());
	} else if (key == "i") {
		tick.id = trimmed(value.raw_json_token());
	} else if (key == "bp") {
		tick.bid = trimmed(value.raw_json_token());
	} else if (key == "ap") {
		tick.ask = trimmed(value.raw_json_token());
	} else if (key == "bs") {
		tick.bid_size = trimmed(value.raw_json_token());
	} else if (key == "as") {
		tick.ask_size = trimmed(value.raw_json_token());
	}
}

void on_ticks()
{
	int64_t received_ns = now_ns(CLOCK_MONOTONIC), received_wall_ns = now_ns(CLOCK_REALTIME);
	if (state.first_ns == 0) {
		state.first_ns = received_ns;
	}
	state.frame.reserve(state.frame.size() + simdjson::SIMDJSON_PADDING);
	simdjson::ondemand::document document;
	if (state.parser.iterate(state.frame.data(), state.frame.size(), state.frame.capacity())
			.get(document)) {
		return;
	}
	for (auto item : document.get_array()) {
		Tick tick;
		for (auto field : item.get_object()) {
			std::string_view key = field.unescaped_key();
			read_field(key, field.value(), tick);
		}
		if ((tick.kind == "t" || tick.kind == "q") && state.received < state.wanted) {
			produce(tick, received_ns, received_wall_ns);
		}
	}
}

int on_event(lws *connection, lws_callback_reasons reason, void *, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_WRITEABLE: {
		std::string text(LWS_PRE, ' ');
		text += state.step == 1 ? "{\"action\":\"auth\",\"key\":\"demo-key\",\"secret\":"
					  "\"demo-secret\"}"
					: "{\"action\":\"subscribe\",\"trades\":[" + state.symbols +
						  "],\"quotes\":[" + state.symbols + "]}";
		lws_write(connection, reinterpret_cast<unsigned char *>(&text[LWS_PRE]),
			text.size() - LWS_PRE, LWS_WRITE_TEXT);
		return 0;
	}
	case LWS_CALLBACK_CLIENT_RECEIVE:
		if (lws_is_first_fragment(connection)) {
			state.frame.clear();
		}
		state.frame.append(static_cast<const char *>(in), len);
		if (!lws_is_final_fragment(connection)) {
			return 0;
		}
		if (state.step < 3) {
			state.step++;
			if (state.step < 3) {
				lws_callback_on_writable(connection);
			}
		} else {
			on_ticks();
		}
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
	case LWS_CALLBACK_CLIENT_CLOSED:
		fprintf(stderr, "bare: connection lost\n");
		exit(1);
	default:
		return 0;
	}
}

void start_kafka(const char *brokers, const char *topic)
{
	static const char *const settings[][2] = {{"enable.idempotence", "true"}, {"acks", "all"},
		{"partitioner", "murmur2_random"}, {"message.timeout.ms", "0"},
		{"queue.buffering.max.messages", "1000000"}};
	char text[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (auto &setting : settings) {
		rd_kafka_conf_set(conf, setting[0], setting[1], text, sizeof text);
	}
	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
	for (const char *name : {"linger.ms", "batch.size", "compression.type"}) {
		const char *value = getenv(name); // tools/bench gives both programs the same
		if (value != nullptr) {
			rd_kafka_conf_set(conf, name, value, text, sizeof text);
		}
	}
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	state.kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
	if (state.kafka == nullptr) {
		fprintf(stderr, "bare: %s\n", text);
		exit(1);
	}
	state.topic = rd_kafka_topic_new(state.kafka, topic, nullptr);
}

uint32_t quantile(std::vector<uint32_t> &values, double q)
{
	if (values.empty()) {
		return 0;
	}
	auto at = values.begin() + static_cast<long>(static_cast<double>(values.size() - 1) * q);
	std::nth_element(values.begin(), at, values.end());
	return *at;
}

void report()
{
	rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	double seconds = static_cast<double>(now_ns(CLOCK_MONOTONIC) - state.first_ns) / 1e9;
	double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("{\"ticks\":%ld,\"seconds\":%.4f,\"cpu_seconds\":%.4f,\"produce_p50_us\":%u,"
	       "\"produce_p99_us\":%u,"
	       "\"ack_p50_us\":%u,\"ack_p99_us\":%u}\n",
		state.acknowledged, seconds, cpu, quantile(state.to_produce_us, 0.5),
		quantile(state.to_produce_us, 0.99), quantile(state.to_ack_us, 0.5),
		quantile(state.to_ack_us, 0.99));
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: bench_bare HOST PORT BROKERS TOPIC TICKS SYMBOLS\n");
		return 2;
	}
	state.wanted = atol(argv[5]);
	for (const char *c = argv[6]; *c; c++) {
		state.symbols += c == argv[6] ? "\"" : "";
		state.symbols += *c == ',' ? std::string("\",\"") : std::string(1, *c);
	}
	state.symbols += '"';
	start_kafka(argv[3], argv[4]);

	lws_set_log_level(LLL_ERR, nullptr);
	static lws_protocols protocols[] = {{"bare", on_event, 0, 65536, 0, nullptr, 0}, {}};
	lws_context_creation_info info = {};
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = protocols;
	info.pt_serv_buf_size = 65536;
	lws_context *context = lws_create_context(&info);
	lws_client_connect_info connect = {};
	connect.context = context;
	connect.address = connect.host = connect.origin = argv[1];
	connect.port = atoi(argv[2]);
	connect.path = "/v2/iex";
	connect.local_protocol_name = "bare";
	state.connection = context ? lws_client_connect_via_info(&connect) : nullptr;
	if (state.connection == nullptr) {
		fprintf(stderr, "bare: cannot connect\n");
		return 1;
	}
	while (state.acknowledged < state.wanted) {
		lws_service(context, state.received >= state.wanted ? -1 : 0);
		rd_kafka_poll(state.kafka, state.received >= state.wanted ? 1 : 0);
	}
	report();
	fflush(stdout);
	_exit(0); // nothing is left to be sent
}
