/* What is generated from the table: the effective settings, the sample file, the page, the help. */
#include "config_fixture.h"
#include "xorshift.h"

Test(config_print, one_line_a_setting_with_its_origin)
{
	static const char *const vars[] = {"PW=p", "LIVECORE_KAFKA_LINGER=90s", NULL};
	static const char *const short_vars[] = {"PW=p", "LIVECORE_KAFKA_LINGER=30s", NULL};
	static const char *const sets[] = {"kafka.ratio=0.250", NULL};
	struct loaded bad = load_with("", vars, NULL);
	assert_error_has(&bad, "90s is out of range");
	release(&bad);
	struct loaded l = load_with("kafka:\n  brokers:\n    - a:1\n    - b:2\n"
				    "  client_id: \"x\\ny\"\n  properties: {}\n  password: ${PW}\n",
		short_vars, sets);
	assert_good(&l);
	struct lc_buf out;
	lc_buf_init(&out, 1 << 16);
	lc_config_print(l.config, &out);
	cr_assert_str_eq(lc_buf_text(&out),
		"kafka.brokers     = a:1, b:2             (t.yaml:3)\n"
		"kafka.linger      = 30s                  (LIVECORE_KAFKA_LINGER)\n"
		"kafka.buffer      = 64MB                 (default)\n"
		"kafka.partitions  = 12                   (default)\n"
		"kafka.ratio       = 0.25                 (--set)\n"
		"kafka.enabled     = true                 (default)\n"
		"kafka.client_id   = x\\x0ay               (t.yaml:5)\n"
		"kafka.compression = lz4                  (default)\n"
		"kafka.properties  = \"\"                   (t.yaml:6)\n"
		"kafka.password    = ***                  (t.yaml:7)\n"
		"alpaca.url        = wss://example.org    (default)\n"
		"alpaca.key        = (unset)              (default)\n"
		"alpaca.secret     = (unset)              (default)\n"
		"alpaca.symbols    = *.SH, \"a, b\", null   (default)\n"
		"alpaca.tokens     = (unset)              (default)\n"
		"alpaca.pin        = (unset)              (default)\n");
	lc_buf_finish(&out);
	release(&l);
}

static void on_change(void *arg, const struct lc_config_change *change)
{
	(void)arg;
	cr_assert_fail(
		"%s.%s: %s -> %s", change->section, change->key, change->before, change->after);
}

Test(config_print, the_reference_file_loads_to_the_defaults)
{
	struct lc_buf yaml;
	lc_buf_init(&yaml, 1 << 16);
	lc_config_reference_yaml(test_sections, TEST_SECTIONS, &yaml);
	struct loaded l = load_bytes(lc_buf_text(&yaml), yaml.len, NULL, NULL);
	assert_good(&l);
	struct loaded defaults = load_text("");
	lc_config_diff(defaults.config, l.config, on_change, NULL);
	/* Each one is in the file, so each one's origin is. */
	for (size_t s = 0; s < TEST_SECTIONS; s++) {
		for (size_t i = 0; i < test_sections[s]->count; i++) {
			bool secret = test_sections[s]->settings[i].flags & LC_SETTING_SECRET;
			cr_assert_eq(l.config->values[s][i].place.source,
				secret ? LC_FROM_DEFAULT : LC_FROM_FILE, "%s",
				test_sections[s]->settings[i].key);
		}
	}
	static const char *const parts[] = {"\n# The bus.\nkafka:\n  # Where Kafka is.\n",
		("  # (duration, 0 to 1m; changes apply at restart; LIVECORE_KAFKA_LINGER)\n"
		 "  linger: 5ms\n"),
		"  client_id: \"live$$core: x\"\n", "  symbols: [\"*.SH\", \"a, b\", \"null\"]\n",
		"  # (one of none, lz4, zstd; changes apply on reload, by reconnecting; ",
		"    socket.keepalive.enable: true\n    a: \"\\\\b\"\n", "  # password:\n"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		cr_assert_not_null(strstr(lc_buf_text(&yaml), parts[i]), "%s in\n%s", parts[i],
			lc_buf_text(&yaml));
	}
	lc_buf_finish(&yaml);
	release(&l);
	release(&defaults);
}

Test(config_print, the_page_has_a_row_a_setting)
{
	struct lc_buf page;
	lc_buf_init(&page, 1 << 16);
	lc_config_reference_markdown(test_sections, TEST_SECTIONS, &page);
	static const char *const parts[] = {"## kafka\n\nThe bus.\n\n| key | ",
		("| `linger` | duration, 0 to 1m | `5ms` | `LIVECORE_KAFKA_LINGER` | at restart | "
		 "How "
		 "long a batch waits. |\n"),
		"| `brokers` | list |  | `LIVECORE_KAFKA_BROKERS` | on reload | ",
		"| `properties` | mapping | `socket.keepalive.enable=true, \"a=\\\\b\"` |  | ",
		"What the broker's log calls us \\| us. |\n",
		"| `password` | text | secret | `LIVECORE_KAFKA_PASSWORD` |"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		cr_assert_not_null(strstr(lc_buf_text(&page), parts[i]), "%s in\n%s", parts[i],
			lc_buf_text(&page));
	}
	lc_buf_finish(&page);
}

/* Any list written as text is read back as the same list. */
Test(config_print, lists_survive_their_text)
{
	uint64_t state = 88172645463325252u;
	static const char letters[] = "ab, \"\\=\t$x";
	for (int round = 0; round < 2000; round++) {
		char storage[4][8], *items[4];
		struct lc_strings list = {.items = items}, back;
		for (size_t i = 0; i < 4; i++) {
			xorshift(&state);
			size_t len = (state >> 8) % 8;
			for (size_t k = 0; k < len; k++) {
				storage[i][k] =
					letters[(state >> (8 + 5 * k)) % (sizeof letters - 1)];
			}
			storage[i][len] = '\0';
			items[i] = storage[i];
		}
		list.count = state % 5;
		const struct lc_setting setting = {.key = "x", .type = LC_SET_LIST};
		struct lc_config_arena arena;
		struct lc_buf text;
		struct lc_error err;
		lc_config_arena_init(&arena, 1 << 20);
		lc_buf_init(&text, 1024);
		lc_config_format(&setting, &list, &text);
		cr_assert_eq(lc_config_split(&arena, lc_buf_text(&text), &back, &err), LC_OK, "%s",
			lc_buf_text(&text));
		cr_assert_eq(back.count, list.count, "%s", lc_buf_text(&text));
		for (size_t i = 0; i < list.count; i++) {
			cr_assert_str_eq(back.items[i], items[i]);
		}
		lc_buf_finish(&text);
		lc_config_arena_finish(&arena);
	}
}

Test(config_print, quantities_in_their_largest_unit)
{
	static const struct {
		int64_t value;
		const char *duration, *size;
	} cases[] = {{0, "0", "0"}, {1, "1ms", "1B"}, {1000, "1s", "1000B"},
		{90000, "90s", "90000B"}, {86400000, "24h", "84375KB"},
		{3 << 20, "3145728ms", "3MB"}, {1 << 30, "1073741824ms", "1GB"}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_buf out;
		lc_buf_init(&out, 100);
		lc_config_format_duration(cases[i].value, &out);
		cr_assert_str_eq(lc_buf_text(&out), cases[i].duration);
		lc_buf_clear(&out);
		lc_config_format_size(cases[i].value, &out);
		cr_assert_str_eq(lc_buf_text(&out), cases[i].size);
		lc_buf_finish(&out);
	}
}
