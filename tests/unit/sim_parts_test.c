/* The simulators' parts: what clients say is read, what Alpaca says is written byte by byte as the
 * samples have it, faults and tapes are parsed. */
#include "../../feeders/sim/alpaca_priv.h"
#include "../../feeders/sim/control.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

struct heard {
	char text[1024];
};

static void on_value(void *arg, const char *key, const char *text)
{
	struct heard *heard = arg;
	size_t len = strlen(heard->text);
	snprintf(heard->text + len, sizeof(heard->text) - len, "%s=%s;", key, text);
}

Test(sim_control, json)
{
	static const struct {
		const char *text;
		bool ok;
		const char *heard;
	} cases[] = {
		{"{\"action\":\"subscribe\",\"trades\":[\"KO\",\"BRK.B\"],\"bars\":[\"*\"]}", true,
			"action=subscribe;trades=KO;trades=BRK.B;bars=*;"},
		{" { \"cmd\" : \"sub\" , \"param\" : { \"codes\" : [ \"0.000001\" ] } } ", true,
			"cmd=sub;codes=0.000001;"},
		{"{\"a\":null,\"b\":12.5e3,\"c\":true,\"d\":[],\"e\":{}}", true, ""},
		{"{\"a\":\"x\\\"y\\u0041\"}", true, "a=x\"y?;"},
		{"", false, ""},
		{"{", false, ""},
		{"{\"a\":}", false, ""},
		{"{\"a\":\"x\"", false, "a=x;"},
		{"{\"a\":\"x\"}}", false, "a=x;"},
		{"{\"a\":\"x", false, ""},
		{"[[[[[[[[\"deep\"]]]]]]]]", false, ""},
		{"{\"a\":\"\\u00", false, ""},
		{"{a:1}", false, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct heard heard = {""};
		size_t len = strlen(cases[i].text);
		cr_assert_eq(sim_control_json(cases[i].text, len, on_value, &heard), cases[i].ok,
			"%s", cases[i].text);
		cr_assert_str_eq(heard.text, cases[i].heard);
	}
}

Test(sim_control, msgpack)
{
	static const unsigned char whole[] = "\x83\xa6"
					     "action\xa9"
					     "subscribe\xa6"
					     "trades\x92\xa2KO\xd9\x05"
					     "BRK.B\xa1n\xcd\x01\x02";
	struct heard heard = {""};
	cr_assert(sim_control_msgpack(whole, sizeof(whole) - 1, on_value, &heard));
	cr_assert_str_eq(heard.text, "action=subscribe;trades=KO;trades=BRK.B;");
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		cr_assert_not(sim_control_msgpack(whole, len, on_value, &heard), "%zu", len);
		heard.text[0] = '\0';
	}
	/* random bytes never read beyond their end (the sanitizers watch) */
	uint64_t random = 7;
	for (int i = 0; i < 20000; i++) {
		unsigned char bytes[24];
		for (size_t n = 0; n < sizeof(bytes); n++) {
			bytes[n] = (unsigned char)(sim_random(&random) >> 33);
		}
		heard.text[0] = '\0';
		sim_control_msgpack(bytes, i % 24, on_value, &heard);
		heard.text[0] = '\0';
		sim_control_json((const char *)bytes, (size_t)i % 24, on_value, &heard);
	}
}

static const struct trade sample = {.symbol = "KO",
	.id = 71203,
	.price = 684150,
	.size = 25,
	.time_ns = INT64_C(1772638200120400000),
	.exchange = "V",
	.tape = "A",
	.conditions = "@,I"};

Test(sim_alpaca, json_as_documented)
{
	struct lc_buf out;
	lc_buf_init(&out, 4096);
	struct enc enc = {.out = &out};
	enc_trade(&enc, &sample, false);
	cr_assert_str_eq(lc_buf_text(&out),
		"{\"T\":\"t\",\"S\":\"KO\",\"i\":71203,\"x\":\"V\",\"p\":68.415,\"s\":25,"
		"\"c\":[\"@\",\"I\"],\"z\":\"A\",\"t\":\"2026-03-04T15:30:00.1204Z\"}");
	lc_buf_finish(&out);
}

Test(sim_alpaca, msgpack_byte_by_byte)
{
	static const unsigned char trade[] =
		"\x91\x89\xa1\x54\xa1\x74\xa1\x53\xa2\x4b\x4f\xa1\x69\xce\x00\x01\x16\x23\xa1\x78"
		"\xa1\x56\xa1\x70\xcb\x40\x51\x1a\x8f\x5c\x28\xf5\xc3\xa1\x73\x19\xa1\x63\x92\xa1"
		"\x40\xa1\x49\xa1\x7a\xa1\x41\xa1\x74\xd7\xff\x1c\xb4\xa2\x00\x69\xa8\x4f\xf8";
	static const unsigned char error[] =
		"\x91\x83\xa1\x54\xa5\x65\x72\x72\x6f\x72\xa4\x63\x6f\x64\x65\xcd\x01\x96\xa3\x6d"
		"\x73\x67\xb9\x63\x6f\x6e\x6e\x65\x63\x74\x69\x6f\x6e\x20\x6c\x69\x6d\x69\x74\x20"
		"\x65\x78\x63\x65\x65\x64\x65\x64";
	struct lc_buf out;
	lc_buf_init(&out, 4096);
	struct enc enc = {.out = &out, .msgpack = true};
	enc_array(&out, true, 1);
	enc_trade(&enc, &sample, false);
	enc_array_end(&out, true);
	cr_assert_eq(out.len, sizeof(trade) - 1);
	cr_assert_arr_eq(out.data, trade, out.len);
	lc_buf_clear(&out);
	enc_array(&out, true, 1);
	enc_begin(&enc, "error", 3);
	enc_int(&enc, "code", 406);
	enc_str(&enc, "msg", "connection limit exceeded");
	enc_end(&enc);
	cr_assert_eq(out.len, sizeof(error) - 1);
	cr_assert_arr_eq(out.data, error, out.len);
	lc_buf_finish(&out);
}

Test(sim, times_lists_and_prices)
{
	char text[40];
	sim_format_time(INT64_C(1772638200000000000), text);
	cr_assert_str_eq(text, "2026-03-04T15:30:00Z");
	sim_format_time(INT64_C(1772638200000000001), text);
	cr_assert_str_eq(text, "2026-03-04T15:30:00.000000001Z");
	cr_assert(sim_in_list("A,BB,C", "BB"));
	cr_assert(sim_in_list("A", "A"));
	cr_assert_not(sim_in_list("A,BBB", "BB"));
	cr_assert_not(sim_in_list(NULL, "A"));
	struct lc_buf out;
	lc_buf_init(&out, 64);
	sim_put_price(&out, 105000);
	cr_assert_str_eq(lc_buf_text(&out), "10.5");
	lc_buf_finish(&out);
}

Test(sim, faults_are_parsed_and_begin_when_due)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	static const struct sim_vendor quiet = {
		.name = "none", .faults = SIM_FAULT_BIT(SIM_FAULT_CLOSE)};
	sim->vendor = &quiet;
	struct lc_error err = {0};
	const int64_t s = LC_NS_PER_S;
	cr_assert_eq(sim_faults_add(sim, "mute:5@2, refuse:503/3,ban", 0, &err), LC_OK);
	sim_faults_turn(sim, s);
	cr_assert_eq(sim->faults.mute_until_ns, 0);
	cr_assert_eq(sim->faults.refuse_status, 503);
	cr_assert_eq(sim->faults.refuse_left, 3);
	cr_assert_eq(sim->faults.ban_left, 10);
	sim_faults_turn(sim, 2 * s);
	cr_assert_eq(sim->faults.mute_until_ns, 7 * s);
	cr_assert_eq(sim->faults.pending_count, 0);
	cr_assert(sim_faults_take(&sim->faults.refuse_left));
	cr_assert_eq(sim->faults.refuse_left, 2);
	const char *const bad[] = {"nonsense", "mute:-1", "mute@", "mute@x", "mute@-3", "mute:x",
		"mute:5x", "refuse:503/", "refuse:503/2x@1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		cr_assert_eq(sim_faults_add(sim, bad[i], 0, &err), LC_ERR_INVALID, "%s", bad[i]);
		cr_assert(strstr(err.text, "KIND"));
	}
	cr_assert_eq(sim_faults_add(sim, "drip:5", 0, &err), LC_ERR_INVALID);
	cr_assert_str_eq(err.text, "faults: none does not play 'drip'");
	for (int i = 0; i < 32; i++) {
		cr_assert_eq(sim_faults_add(sim, "close@9", 0, &err), LC_OK);
	}
	cr_assert_eq(sim_faults_add(sim, "close@9", 0, &err), LC_ERR_FULL);
	free(sim);
}

static bool parse(struct sim_options *options, int argc, const char *const *argv)
{
	struct lc_buf message;
	lc_buf_init(&message, 65536);
	char *copies[16];
	for (int i = 0; i < argc; i++) {
		copies[i] = (char *)(uintptr_t)argv[i]; /* only read */
	}
	bool ok = sim_options_parse(argc, copies, options, &message);
	cr_assert_eq(ok, message.len == 0);
	lc_buf_finish(&message);
	return ok;
}

Test(sim, options)
{
	struct sim_options o;
	cr_assert(parse(&o, 1, (const char *[]){"alpaca"}));
	cr_assert(o.port == 0 && o.rate == 20 && o.per_frame == 10 && o.connection_limit == 1);
	cr_assert_str_eq(o.bind, "127.0.0.1");
	cr_assert(parse(&o, 8,
		(const char *[]){"fushu", "--rate", "max", "--port", "81", "--tls", "C", "K"}));
	cr_assert(isinf(o.rate) && o.port == 81);
	cr_assert_str_eq(o.tls_key, "K");
	cr_assert_not(parse(&o, 0, NULL));
	cr_assert_not(parse(&o, 1, (const char *[]){"nasdaq"}));
	cr_assert_not(parse(&o, 2, (const char *[]){"alpaca", "--nope"}));
	cr_assert_not(parse(&o, 2, (const char *[]){"alpaca", "--rate"}));
	cr_assert_not(parse(&o, 3, (const char *[]){"alpaca", "--rate", "fast"}));
	cr_assert_not(parse(&o, 3, (const char *[]){"alpaca", "--port", "99999"}));
	cr_assert_not(parse(&o, 3, (const char *[]){"fushu", "--shape", "round"}));
	cr_assert_not(parse(&o, 2, (const char *[]){"alpaca", "--help"}));
	cr_assert_not(parse(&o, 3, (const char *[]){"alpaca", "--speed", "0"}));
	cr_assert_not(parse(&o, 3, (const char *[]){"alpaca", "--tape-from", "25:00"}));
	cr_assert(parse(&o, 3, (const char *[]){"alpaca", "--tape-from", "09:30"}));
}

static char *write_file(const char *name, const char *text)
{
	char *path = NULL;
	cr_assert_gt(asprintf(&path, "/tmp/%d-%s", (int)getpid(), name), 0);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static enum lc_err load(const char *path, struct sim_tape **tape)
{
	struct lc_error err = {0};
	*tape = NULL;
	enum lc_err rc = sim_tape_load(path, tape, &err);
	cr_assert_eq(rc == LC_OK, err.text[0] == '\0', "%s", err.text);
	return rc;
}

Test(sim_tape, rows_come_when_they_are_due)
{
	/* trades are named by a file of this very name */
	char dir[] = "/tmp/sim-tape-XXXXXX";
	cr_assert_not_null(mkdtemp(dir));
	char path[128];
	snprintf(path, sizeof(path), "%s/day-us-ibm-20131011-tick-trades.csv", dir);
	FILE *file = fopen(path, "w");
	fputs("29475725,1849900,100,P,20002020,0\n29476725,1847700,8,D,2000,0\n", file);
	fclose(file);
	struct sim_tape *tape;
	cr_assert_eq(load(path, &tape), LC_OK);
	cr_assert_str_eq(tape->symbol, "IBM");
	cr_assert_eq(tape->count, 2);
	const struct sim_tape_row *row = sim_tape_next(tape, 10, 1000);
	cr_assert_eq(row->time_ns, INT64_C(1381493475725) * 1000000);
	cr_assert(row->price == 1849900 && row->size == 100 && row->exchange == 'P');
	cr_assert_eq(row->conditions, 0x20002020);
	cr_assert_null(sim_tape_next(tape, 10, 1000 + LC_NS_PER_S / 10 - 1));
	cr_assert_not_null(sim_tape_next(tape, 10, 1000 + LC_NS_PER_S / 10));
	cr_assert_null(sim_tape_next(tape, 10, INT64_MAX / 2));
	sim_tape_destroy(tape);
	cr_assert_eq(load(path, &tape), LC_OK);
	sim_tape_from(tape, "08:11"); /* the rows are of 08:11:15 and 08:11:16 in New York */
	cr_assert_eq(tape->first, 0);
	sim_tape_from(tape, "08:12");
	cr_assert_eq(tape->first, 2);
	cr_assert_null(sim_tape_next(tape, INFINITY, 1));
	sim_tape_destroy(tape);
	unlink(path);
	rmdir(dir);
}

Test(sim_tape, what_is_not_a_tape_is_refused)
{
	struct sim_tape *tape;
	cr_assert_eq(load("/nowhere.csv", &tape), LC_ERR_NOT_FOUND);
	const char *const bad[] = {"", "a,b,c\n1,2,3\n", "SecurityID,DateTime\n600103,x\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *path = write_file("bad.csv", bad[i]);
		cr_assert_eq(load(path, &tape), LC_ERR_INVALID, "%s", bad[i]);
		unlink(path);
		free(path);
	}
	sim_tape_destroy(NULL);
}

Test(sim_ring, the_newest_stay_in_order)
{
	struct sim_ring ring = {.item_bytes = sizeof(int), .most = 3000};
	for (int i = 0; i < 7777; i++) {
		int *item = sim_ring_add(&ring);
		cr_assert_not_null(item);
		*item = i;
	}
	cr_assert_eq(ring.count, 3000);
	for (size_t i = 0; i < ring.count; i++) {
		cr_assert_eq(*(int *)sim_ring_at(&ring, i), 7777 - 3000 + (int)i);
	}
	sim_ring_finish(&ring);
	cr_assert_eq(ring.count, 0);
}
