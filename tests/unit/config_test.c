/* Values: every type, every source and which of them wins, variables inside of values. */
#include "config_fixture.h"

#include <sanitizer/lsan_interface.h>

Test(config, defaults_fill_every_type)
{
	struct loaded l = load_text("");
	assert_good(&l);
	cr_assert_eq(l.kafka->brokers.count, 0);
	cr_assert_eq(l.kafka->linger_ms, 5);
	cr_assert_eq(l.kafka->buffer_bytes, 64 << 20);
	cr_assert_eq(l.kafka->partitions, 12);
	cr_assert_eq(l.kafka->ratio, 0.5);
	cr_assert(l.kafka->enabled);
	cr_assert_str_eq(l.kafka->client_id, "live$core: x");
	cr_assert_eq(l.kafka->compression, 1);
	cr_assert_eq(l.kafka->properties.count, 2);
	cr_assert_str_eq(l.kafka->properties.items[1].key, "a");
	cr_assert_str_eq(l.kafka->properties.items[1].value, "\\b");
	cr_assert_str_eq(l.kafka->password, "");
	cr_assert_eq(l.alpaca->symbols.count, 3);
	cr_assert_str_eq(l.alpaca->symbols.items[1], "a, b");
	release(&l);
}

Test(config, a_file_sets_every_type)
{
	struct loaded l = load_text("kafka:\n"
				    "  brokers: [a:1, 'b:2']\n"
				    "  linger: 1.5s\n"
				    "  buffer: 4KB\n"
				    "  partitions: 1000\n"
				    "  ratio: -0.25\n"
				    "  enabled: no\n"
				    "  client_id: \"x y\"\n"
				    "  compression: zstd\n"
				    "  properties:\n    b: 2\n    a: 1\n");
	assert_good(&l);
	cr_assert_eq(l.kafka->brokers.count, 2);
	cr_assert_str_eq(l.kafka->brokers.items[0], "a:1");
	cr_assert_str_eq(l.kafka->brokers.items[1], "b:2");
	cr_assert_eq(l.kafka->linger_ms, 1500);
	cr_assert_eq(l.kafka->buffer_bytes, 4096);
	cr_assert_eq(l.kafka->partitions, 1000);
	cr_assert_eq(l.kafka->ratio, -0.25);
	cr_assert_not(l.kafka->enabled);
	cr_assert_str_eq(l.kafka->client_id, "x y");
	cr_assert_eq(l.kafka->compression, 2);
	cr_assert_eq(l.kafka->properties.count, 2);
	cr_assert_str_eq(l.kafka->properties.items[0].key, "b");
	cr_assert_str_eq(l.kafka->properties.items[1].value, "1");
	release(&l);
}

Test(config, texts_of_numbers)
{
	static const struct {
		const char *linger;
		int64_t ms;
	} durations[] = {{"0", 0}, {"0s", 0}, {"500ms", 500}, {"5s", 5000}, {"1m", 60000},
		{"0.5 s", 500}, {"60S", 60000}};
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		char yaml[64];
		snprintf(yaml, sizeof yaml, "kafka: {linger: %s}", durations[i].linger);
		struct loaded l = load_text(yaml);
		assert_good(&l);
		cr_assert_eq(l.kafka->linger_ms, durations[i].ms, "%s", yaml);
		release(&l);
	}
	static const struct {
		const char *buffer;
		int64_t bytes;
	} sizes[] = {{"2000", 2000}, {"2000B", 2000}, {"1.5KB", 1536}, {"2MiB", 2 << 20},
		{"1gb", 1 << 30}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char yaml[64];
		snprintf(yaml, sizeof yaml, "kafka: {buffer: %s}", sizes[i].buffer);
		struct loaded l = load_text(yaml);
		assert_good(&l);
		cr_assert_eq(l.kafka->buffer_bytes, sizes[i].bytes, "%s", yaml);
		release(&l);
	}
	static const char *const yes[] = {"true", "Yes", "ON", "1", "'true'"};
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		char yaml[64];
		snprintf(yaml, sizeof yaml, "kafka: {enabled: %s}", yes[i]);
		struct loaded l = load_text(yaml);
		assert_good(&l);
		cr_assert(l.kafka->enabled);
		release(&l);
	}
}

Test(config, an_empty_value_leaves_the_default)
{
	static const char *const yamls[] = {"", "---\n", "# nothing\n", "kafka:\n", "kafka: ~\n",
		"kafka:\n  linger:\n  brokers: null\n  properties:\nalpaca: {}\n"};
	for (size_t i = 0; i < sizeof yamls / sizeof *yamls; i++) {
		struct loaded l = load_text(yamls[i]);
		assert_good(&l);
		cr_assert_eq(l.kafka->linger_ms, 5);
		cr_assert_eq(l.kafka->properties.count, 2);
		release(&l);
	}
	struct loaded l = load_text("kafka: {client_id: '', brokers: '', properties: {}}");
	assert_good(&l);
	cr_assert_str_eq(l.kafka->client_id, "");
	cr_assert_eq(l.kafka->brokers.count, 0);
	cr_assert_eq(l.kafka->properties.count, 0);
	release(&l);
}

Test(config, a_list_may_be_text)
{
	static const struct {
		const char *text;
		size_t count;
		const char *items[3];
	} cases[] = {
		{"a", 1, {"a"}},
		{" a , b,c ", 3, {"a", "b", "c"}},
		{",,a,,", 1, {"a"}},
		{"\"a,b\", \"\", \"q\\\"\"", 3, {"a,b", "", "q\""}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char variable[128];
		snprintf(variable, sizeof variable, "LIVECORE_KAFKA_BROKERS=%s", cases[i].text);
		const char *const vars[] = {variable, NULL};
		struct loaded l = load_with("", vars, NULL);
		assert_good(&l);
		cr_assert_eq(l.kafka->brokers.count, cases[i].count, "%s", cases[i].text);
		for (size_t k = 0; k < cases[i].count; k++) {
			cr_assert_str_eq(l.kafka->brokers.items[k], cases[i].items[k]);
		}
		release(&l);
	}
}

/* Each source alone beats all that are weaker. */
Test(config, the_stronger_source_wins)
{
	char dir[32], file[64], secrets[64];
	make_dir(dir);
	write_file(file, sizeof file, dir, "l.yaml",
		"kafka: {partitions: 2, password: '${PW}'}\nalpaca: {key: '${PW}'}\n", 0644);
	write_file(secrets, sizeof secrets, dir, "secrets.yaml",
		"kafka: {password: from-secrets}\nalpaca: {key: from-secrets}\n", 0600);
	const char *const vars[] = {"PW=from-file", "LIVECORE_KAFKA_PARTITIONS=3",
		"LIVECORE_KAFKA_PASSWORD=from-env", "LIVECORE_KAFKA_LINGER=", "HOME=/", NULL};
	const char *const plain[] = {"PW=from-file", NULL};
	const char *const sets[] = {"kafka.partitions=4", "kafka.client_id=a=b$c", NULL};

	struct loaded l = load_sources(&(struct lc_config_sources){.file = file, .environ = plain});
	assert_good(&l);
	cr_assert_eq(l.kafka->partitions, 2);
	cr_assert_str_eq(l.kafka->password, "from-secrets");
	release(&l);

	struct lc_config_sources all = {.file = file, .environ = vars};
	l = load_sources(&all);
	assert_good(&l);
	cr_assert_eq(l.kafka->partitions, 3);
	cr_assert_str_eq(l.kafka->password, "from-env");
	cr_assert_str_eq(l.alpaca->key, "from-secrets");
	cr_assert_eq(l.kafka->linger_ms, 5, "an empty variable is not a value");
	release(&l);

	all.sets = sets;
	l = load_sources(&all);
	assert_good(&l);
	cr_assert_eq(l.kafka->partitions, 4);
	cr_assert_str_eq(l.kafka->client_id, "a=b$c");
	release(&l);

	unlink(secrets);
	l = load_sources(&all);
	assert_good(&l);
	cr_assert_str_eq(l.alpaca->key, "from-file");
	release(&l);
	unlink(file);
	rmdir(dir);
}

Test(config, variables_inside_of_values)
{
	static const char *const vars[] = {
		"HOST=kafka", "PORT=9", "EMPTY=", "A_1=x${HOST}", "HOSTS=long", NULL};
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"${HOST}:${PORT}", "kafka:9"},
		{"${NOPE:-127.0.0.1}:${NOPE:-9092}", "127.0.0.1:9092"},
		{"${HOST:-other}", "kafka"},
		{"${EMPTY:-other}", "other"},
		{"${EMPTY}", ""},
		{"a${NOPE:-}b", "ab"},
		{"${NOPE:-${NOPE2:-${PORT}}}!", "9!"},
		{"${NOPE:-a}b}", "ab}"},
		{"$$HOST $${HOST} $$$$", "$HOST ${HOST} $$"},
		{"$HOST 5$ $", "$HOST 5$ $"},
		{"${NOPE:-$$}", "$"},
		/* What a variable holds is not looked into again. */
		{"${A_1}", "x${HOST}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char yaml[128];
		snprintf(yaml, sizeof yaml, "kafka: {client_id: '%s'}", cases[i].text);
		struct loaded l = load_with(yaml, vars, NULL);
		assert_good(&l);
		cr_assert_str_eq(l.kafka->client_id, cases[i].expected, "%s", cases[i].text);
		release(&l);
	}
	struct loaded l = load_with("kafka:\n  brokers: ${HOST}:${PORT}, b:${PORT}\n"
				    "  partitions: ${PORT}\n  properties: {p: 'x${PORT}'}\n",
		vars, NULL);
	assert_good(&l);
	cr_assert_eq(l.kafka->brokers.count, 2);
	cr_assert_str_eq(l.kafka->brokers.items[1], "b:9");
	cr_assert_eq(l.kafka->partitions, 9);
	cr_assert_str_eq(l.kafka->properties.items[0].value, "x9");
	release(&l);
}

Test(config, aliases_are_copies)
{
	struct loaded l = load_text("kafka:\n  brokers: &b [x, y]\n  client_id: &n name\n"
				    "alpaca:\n  symbols: *b\n  url: ws\n");
	assert_good(&l);
	cr_assert_eq(l.alpaca->symbols.count, 2);
	cr_assert_str_eq(l.alpaca->symbols.items[1], "y");
	release(&l);
}

Test(config, a_byte_order_mark_is_passed_over)
{
	struct loaded l = load_text("\xEF\xBB\xBFkafka: {client_id: 上海}\n");
	assert_good(&l);
	cr_assert_str_eq(l.kafka->client_id, "上海");
	release(&l);
}

Test(config, the_file_is_found)
{
	char dir[32], path[64], found[256];
	struct lc_error err;
	make_dir(dir);
	write_file(path, sizeof path, dir, "x.yaml", "", 0644);
	cr_assert_eq(chdir(dir), 0);
	setenv("HOME", dir, 1);
	unsetenv("LIVECORE_CONFIG");
	cr_assert_eq(lc_config_find(path, found, sizeof found, &err), LC_OK);
	cr_assert_str_eq(found, path);
	cr_assert_eq(lc_config_find("/nonexistent", found, sizeof found, &err), LC_ERR_NOT_FOUND);
	cr_assert_str_eq(err.text, "--config names /nonexistent: No such file or directory");
	cr_assert_eq(lc_config_find(path, found, 5, &err), LC_ERR_TOO_LARGE);
	setenv("LIVECORE_CONFIG", path, 1);
	cr_assert_eq(lc_config_find(NULL, found, sizeof found, &err), LC_OK);
	cr_assert_str_eq(found, path);
	setenv("LIVECORE_CONFIG", "nope", 1);
	cr_assert_eq(lc_config_find(NULL, found, sizeof found, &err), LC_ERR_NOT_FOUND);
	unsetenv("LIVECORE_CONFIG");

	char home[64], config[64], deep[64], here[64];
	snprintf(home, sizeof home, "%s/.config", dir);
	snprintf(config, sizeof config, "%s/.config/livecore", dir);
	mkdir(home, 0755);
	mkdir(config, 0755);
	write_file(deep, sizeof deep, config, "livecore.yaml", "", 0644);
	cr_assert_eq(lc_config_find(NULL, found, sizeof found, &err), LC_OK);
	cr_assert_str_eq(found, deep);
	write_file(here, sizeof here, dir, "livecore.yaml", "", 0644);
	cr_assert_eq(lc_config_find(NULL, found, sizeof found, &err), LC_OK);
	cr_assert_str_eq(found, "./livecore.yaml");
	unlink(here);
	unlink(deep);
	unlink(path);
	rmdir(config);
	rmdir(home);
	rmdir(dir);
}

struct changes {
	size_t count;
	char text[2000];
};

static void on_change(void *arg, const struct lc_config_change *change)
{
	struct changes *changes = arg;
	size_t len = strlen(changes->text);
	changes->count++;
	snprintf(changes->text + len, sizeof changes->text - len, "%s.%s %s -> %s %d\n",
		change->section, change->key, change->before, change->after, (int)change->apply);
}

Test(config, a_diff_names_what_changed)
{
	static const char *const pw[] = {"PW=hidden1", "PX=hidden2", NULL};
	struct loaded a = load_with("kafka: {brokers: [a, b], linger: 60s, password: '${PW}',\n"
				    "  properties: {x: 1, y: 2}}\n",
		pw, NULL);
	/* The same values, written otherwise. */
	struct loaded same = load_with("kafka:\n  brokers: a,b\n  linger: 1m\n  buffer: 65536KB\n"
				       "  ratio: 0.50\n  password: ${PW}\n"
				       "  properties: {'x': '1', y: '2'}\n",
		pw, NULL);
	struct loaded other = load_with("kafka:\n  brokers: ['a, b']\n  linger: 2s\n"
					"  password: ${PX}\n  properties: {x: 1, y: 3}\n"
					"  compression: none\nalpaca: {key: '${PW}'}\n",
		pw, NULL);
	assert_good(&a);
	assert_good(&same);
	assert_good(&other);
	struct changes changes = {0};
	lc_config_diff(a.config, same.config, on_change, &changes);
	cr_assert_eq(changes.count, 0, "%s", changes.text);
	lc_config_diff(a.config, other.config, on_change, &changes);
	cr_assert_str_eq(changes.text, "kafka.brokers a, b -> \"a, b\" 0\n"
				       "kafka.linger 1m -> 2s 2\n"
				       "kafka.compression lz4 -> none 1\n"
				       "kafka.properties x=1, y=2 -> x=1, y=3 0\n"
				       "kafka.password *** -> *** 0\n"
				       "alpaca.key  -> *** 0\n");
	release(&a);
	release(&same);
	release(&other);
}

Test(config, the_secrets_of_a_mapping_are_never_shown)
{
	struct loaded a = load_with(
		"kafka: {properties: {ssl.key.password: hidden1, x: 1}}\n", NULL, NULL);
	struct loaded b = load_with("kafka: {properties: {ssl.key.password: hidden2, x: 1, "
				    "sasl.Client.Secret: hidden3}}\n",
		NULL, NULL);
	assert_good(&a);
	assert_good(&b);
	struct changes changes = {0};
	lc_config_diff(a.config, b.config, on_change, &changes);
	cr_assert_str_eq(changes.text,
		"kafka.properties ssl.key.password=***, x=1 -> ssl.key.password=***, x=1, "
		"sasl.Client.Secret=*** 0\n");
	struct lc_buf out;
	lc_buf_init(&out, 1 << 16);
	lc_config_print(b.config, &out);
	cr_assert(strstr(lc_buf_text(&out), "ssl.key.password=***"));
	cr_assert_not(strstr(lc_buf_text(&out), "hidden"), "%s", lc_buf_text(&out));
	cr_assert_str_eq(b.kafka->properties.items[0].value, "hidden2");
	lc_buf_finish(&out);
	release(&a);
	release(&b);
}

#if defined(__SANITIZE_ADDRESS__)
Test(config, nothing_is_left_behind)
{
	static const char *const yamls[] = {"kafka: {brokers: [a, b], properties: {x: 1}}",
		"kafka: {brokers: [a", "kafka: {linger: 5}", "a: &a [*a]",
		"kafka: {linger: '${X}'}"};
	for (size_t i = 0; i < sizeof yamls / sizeof *yamls; i++) {
		struct loaded l = load_text(yamls[i]);
		release(&l);
	}
	cr_assert_eq(__lsan_do_recoverable_leak_check(), 0);
}
#endif
