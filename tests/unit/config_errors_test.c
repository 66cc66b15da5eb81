/* Every mistake a file, a variable or a command line can hold, its position and its sentence. */
#include "config_fixture.h"

struct mistake {
	const char *yaml, *errors;
};

static void assert_mistakes(const struct mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct loaded l = load_text(mistakes[i].yaml);
		assert_errors(&l, mistakes[i].errors);
		release(&l);
	}
}

Test(config_errors, unknown_names_and_the_nearest)
{
	static const struct mistake mistakes[] = {
		{"kafak: {}\n", "t.yaml:1:1: unknown section \"kafak\": did you mean kafka?\n"},
		{"\n\nKafka:\n  x: 1\n",
			"t.yaml:3:1: unknown section \"Kafka\": did you mean kafka?\n"},
		{"redis:\n", "t.yaml:1:1: unknown section \"redis\": there are kafka, alpaca\n"},
		{"secret_file: x\n", "t.yaml:1:1: unknown section \"secret_file\": did you mean "
				     "secrets_file?\n"},
		{"brokers: a\n", "t.yaml:1:1: unknown section \"brokers\": did you mean "
				 "kafka.brokers (the key belongs under kafka:)?\n"},
		{"kafka:\n  lniger: 5ms\n",
			"t.yaml:2:3: unknown key \"lniger\" in kafka: did you mean linger?\n"},
		{"kafka:\n  bufer: 1MB\n  partition: 2\n",
			"t.yaml:2:3: unknown key \"bufer\" in kafka: did you mean buffer?\n"
			"t.yaml:3:3: unknown key \"partition\" in kafka: did you mean "
			"partitions?\n"},
		{"kafka:\n  symbols: a\n", "t.yaml:2:3: unknown key \"symbols\" in kafka: did you "
					   "mean alpaca.symbols?\n"},
		{"alpaca:\n  colour: a\n",
			"t.yaml:2:3: unknown key \"colour\" in alpaca: there are "
			"url, key, secret, symbols, tokens, pin\n"},
		{"kafka:\n  compression: lz5\n", "t.yaml:2:16: kafka.compression: \"lz5\" is not a "
						 "choice: did you mean lz4?\n"},
		{"kafka:\n  compression: brotli\n", "t.yaml:2:16: kafka.compression: \"brotli\" is "
						    "not a choice: it must be one "
						    "of none, lz4, zstd\n"},
		{"kafka: {<<: 1}\n", "t.yaml:1:9: unknown key \"<<\" in kafka: there are brokers, "
				     "linger, buffer, partitions, ratio, enabled, client_id, "
				     "compression, properties, password\n"},
	};
	assert_mistakes(mistakes, sizeof mistakes / sizeof *mistakes);
}

static const struct mistake wrong_types[] = {
	{"kafka: {partitions: ten}",
		"t.yaml:1:21: kafka.partitions: \"ten\" is not a whole number\n"},
	{"kafka: {partitions: 1.5}",
		"t.yaml:1:21: kafka.partitions: \"1.5\" is not a whole number\n"},
	{"kafka: {partitions: ''}", "t.yaml:1:21: kafka.partitions: \"\" is not a whole number\n"},
	{"kafka: {partitions: 0}", "t.yaml:1:21: kafka.partitions: 0 is out of range: 1 to 1000\n"},
	{"kafka: {partitions: 1001}",
		"t.yaml:1:21: kafka.partitions: 1001 is out of range: 1 to 1000\n"},
	{"kafka: {partitions: 99999999999999999999}",
		"t.yaml:1:21: kafka.partitions: 99999999999999999999 is out of range: 64 "
		"bits\n"},
	{"kafka: {ratio: half}", "t.yaml:1:16: kafka.ratio: \"half\" is not a number\n"},
	{"kafka: {ratio: 1.01}", "t.yaml:1:16: kafka.ratio: 1.01 is out of range: -1 to 1\n"},
	{"kafka: {ratio: nan}", "t.yaml:1:16: kafka.ratio: \"nan\" is not a number\n"},
	{"kafka: {enabled: maybe}",
		"t.yaml:1:18: kafka.enabled: \"maybe\" is neither true nor false\n"},
	{"kafka: {linger: 5}", "t.yaml:1:17: kafka.linger: \"5\" has no unit: write a "
			       "duration, as 500ms, 5s, 2m, 24h or 0\n"},
	{"kafka: {linger: 5 years}", "t.yaml:1:17: kafka.linger: \"5 years\" has an unknown "
				     "unit: write a duration, as 500ms, 5s, 2m, 24h or 0\n"},
	{"kafka: {linger: soon}", "t.yaml:1:17: kafka.linger: \"soon\" is not a duration, as "
				  "500ms, 5s, 2m, 24h or 0\n"},
	{"kafka: {linger: -5s}", "t.yaml:1:17: kafka.linger: \"-5s\" is not a duration, as "
				 "500ms, 5s, 2m, 24h or 0\n"},
	{"kafka: {linger: 0.5ms}",
		"t.yaml:1:17: kafka.linger: 0.5ms is not a whole number of ms\n"},
	{"kafka: {linger: 2m}", "t.yaml:1:17: kafka.linger: 2m is out of range: 0 to 1m\n"},
	{"kafka: {linger: 9999999999999999d}",
		"t.yaml:1:17: kafka.linger: 9999999999999999d is too large\n"},
	{"kafka: {buffer: 1TB}", "t.yaml:1:17: kafka.buffer: \"1TB\" has an unknown unit: "
				 "write a size, as 64MB, 4KB or plain bytes\n"},
	{"kafka: {buffer: 2GB}", "t.yaml:1:17: kafka.buffer: 2GB is out of range: 1KB to 1GB\n"},
	{"kafka: {partitions: [1]}",
		"t.yaml:1:21: kafka.partitions: must be a single value, found a list\n"},
	{"kafka: {brokers: {a: b}}",
		"t.yaml:1:18: kafka.brokers: must be a list, found a mapping\n"},
	{"kafka: {brokers: [a, [b]]}", "t.yaml:1:22: kafka.brokers: an item of the list "
				       "must be a text or a number\n"},
	{"kafka: {brokers: '\"a'}", "t.yaml:1:18: kafka.brokers: a quoted item must end with "
				    "a quote and a comma\n"},
	{"kafka: {properties: a=b}",
		"t.yaml:1:21: kafka.properties: must be a mapping, found a text\n"},
	{"kafka: {properties: {a: [b], c=: d}}",
		"t.yaml:1:25: kafka.properties: must map names (without =) to texts or "
		"numbers\n"
		"t.yaml:1:34: kafka.properties: must map names (without =) to texts or "
		"numbers\n"},
	{"kafka: 5", "t.yaml:1:8: kafka is a section: it must hold \"key: value\" lines\n"},
	{"kafka: [linger]", "t.yaml:1:8: kafka is a section: it must hold \"key: value\" lines\n"},
	{"secrets_file: [a]", "t.yaml:1:15: secrets_file must be a path\n"},
	{"- a", "t.yaml:1:1: the file must hold sections, as \"kafka:\" with indented "
		"\"key: value\" lines\n"},
};

Test(config_errors, wrong_types_and_ranges)
{
	assert_mistakes(wrong_types, sizeof wrong_types / sizeof *wrong_types);
}

Test(config_errors, a_settings_own_check)
{
	static const struct mistake mistakes[] = {
		{"alpaca: {url: http}",
			"t.yaml:1:15: alpaca.url: \"http\" must begin with ws:// or wss://\n"},
		{"alpaca:\n  symbols:\n    - fine\n    - much_too_long\n",
			"t.yaml:4:7: alpaca.symbols: \"much_too_long\" is no symbol\n"},
		{"alpaca: {symbols: 'a, much_too_long'}",
			"t.yaml:1:19: alpaca.symbols: \"much_too_long\" is no symbol\n"},
		{"kafka:\n  properties:\n    a: 1\n    acks: 1\n",
			"t.yaml:4:11: kafka.properties: acks stays at all: remove it\n"},
	};
	assert_mistakes(mistakes, sizeof mistakes / sizeof *mistakes);
	struct loaded l = load_text("alpaca: {url: ''}");
	assert_good(&l);
	release(&l);
}

Test(config_errors, duplicates)
{
	static const struct mistake mistakes[] = {
		{"kafka:\n  linger: 1s\n  linger: 2s\n",
			"t.yaml:3:3: duplicate key \"linger\" (first on line 2)\n"},
		{"kafka:\n  linger: 1s\nalpaca:\nkafka:\n  x: {y: [z]}\n",
			"t.yaml:4:1: duplicate key \"kafka\" (first on line 1)\n"},
		{"kafka: {properties: {a: 1, a: 1}}",
			"t.yaml:1:28: duplicate key \"a\" (first on line 1)\n"},
	};
	assert_mistakes(mistakes, sizeof mistakes / sizeof *mistakes);
}

Test(config_errors, variables)
{
	static const struct mistake mistakes[] = {
		{"kafka:\n  client_id: x\n  brokers: [a, \"${KAFKA_HOST}:1\"]\n",
			"t.yaml:3:16: kafka.brokers: the variable KAFKA_HOST is not set: set it, "
			"or "
			"write ${KAFKA_HOST:-default}\n"},
		{"kafka: {properties: {p: '${P}'}}", "t.yaml:1:25: kafka.properties: the variable "
						     "P is not set: set it, or write "
						     "${P:-default}\n"},
		{"kafka: {client_id: '${A:-${B}}'}",
			"t.yaml:1:20: kafka.client_id: the variable B is not set: set it, or write "
			"${B:-default}\n"},
		{"kafka: {client_id: 'a${B'}",
			"t.yaml:1:20: kafka.client_id: \"${\" has no closing brace (write $$ for a "
			"dollar)\n"},
		{"secrets_file: ${NOPE}", "t.yaml:1:15: the variable NOPE is not set: set it, or "
					  "write ${NOPE:-default}\n"},
	};
	assert_mistakes(mistakes, sizeof mistakes / sizeof *mistakes);
	static const char *const broken[] = {
		"${}", "${1A}", "${A B}", "${A-x}", "${A:x}", "${:-x}"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		char yaml[64];
		snprintf(yaml, sizeof yaml, "kafka: {client_id: '%s'}", broken[i]);
		struct loaded l = load_text(yaml);
		assert_errors(&l, "t.yaml:1:20: kafka.client_id: \"${...}\" must be ${VARIABLE} or "
				  "${VARIABLE:-default} (write $$ for a dollar)\n");
		release(&l);
	}
	/* Each level opens another default. */
	struct loaded l = load_text(
		"kafka: {client_id: '${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-${A:-"
		"${A:-x}}}}}}}}}}'}");
	assert_error_has(&l, "nested too deeply");
	release(&l);
}

Test(config_errors, what_is_not_yaml)
{
	static const struct {
		const char *yaml, *part;
	} cases[] = {
		{"kafka: [a\n", "t.yaml:2:1: YAML syntax: did not find expected ',' or ']'"},
		{"kafka:\n\tlinger: 1s\n", "t.yaml:2:1: YAML syntax: found character that cannot"},
		{"kafka:\n\tlinger: 1s\n", "with spaces, not tabs"},
		{"alpaca: {symbols: [*.SH]}", "a value that begins with * or & stands in quotes"},
		{"kafka:\n  client_id: a: b\n", "t.yaml:2:15: YAML syntax: mapping values"},
		{"kafka:\n  client_id: a: b\n", "holds \": \" stands in quotes"},
		{"kafka:\n  a: 1\n b: 2\n", "t.yaml:3:2: YAML syntax: "},
		{"kafka: 'x\n", "t.yaml:2:1: YAML syntax: found unexpected end of stream"},
		{"a: \x01", "t.yaml:1:4: control characters are not allowed"},
		{"# 上海\nk: \xFF\n", "t.yaml:2:4: not UTF-8"},
		{"a: \xC0\x80", "t.yaml:1:4: not UTF-8"},
		{"a: \xED\xA0\x80", "t.yaml:1:4: not UTF-8"},
		{"a: \xF4\x90\x80\x80", "t.yaml:1:4: not UTF-8"},
		{"a: \xE4\xB8", "t.yaml:1:4: not UTF-8"},
		{"\xFF\xFE", "t.yaml:1:1: not UTF-8"},
		{"kafka: {client_id: \"a\\0b\"}", "t.yaml:1:20: a NUL byte in a text"},
		{"a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document"},
		{"a: !secret x", "t.yaml:1:4: tags (!name) have no meaning here"},
		{"a: *b", "t.yaml:1:4: an alias (*name) of an anchor (&name) that is not set"},
		{"a: &b [*b]", "t.yaml:1:8: an alias inside of its own anchor"},
		{"a: &b x\n*b : y", "t.yaml:2:1: a key must be a plain text"},
		{"? [a]\n: b", "t.yaml:1:3: a key must be a plain text"},
		{"a: [[[[[[[[[[[[[[[[[", "t.yaml:1:19: nested too deeply"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct loaded l = load_text(cases[i].yaml);
		assert_error_has(&l, cases[i].part);
		release(&l);
	}
	struct loaded l = load_bytes("a: 1\nb\0: 2", 10, NULL, NULL);
	assert_errors(&l, "t.yaml:2:2: a NUL byte\n");
	release(&l);
}

Test(config_errors, the_bounds_hold)
{
	/* Nine levels of nine: 9^9 values when expanded. */
	char yaml[4000] = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
	for (int i = 1; i < 10; i++) {
		char line[200];
		snprintf(line, sizeof line,
			"a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(yaml, line);
	}
	struct loaded l = load_text(yaml);
	assert_error_has(&l, "too many values");
	release(&l);

	/* Each anchor is as deep as allowed beneath the one before. */
	l = load_text("a: &a [[[[[[[[x]]]]]]]]\nb: [[[[[[[[[*a]]]]]]]]]\n");
	assert_error_has(&l, "t.yaml:2:13: nested too deeply through aliases");
	release(&l);

	static char big[2 << 20];
	memset(big, '#', sizeof big);
	l = load_bytes(big, LC_CONFIG_FILE_MAX + 1, NULL, NULL);
	assert_errors(&l, "t.yaml:1:1: larger than 1 MB\n");
	release(&l);

	size_t len = (size_t)sprintf(big, "kafka: {brokers: [");
	for (int i = 0; i < LC_YAML_NODES_MAX; i++) {
		len += (size_t)sprintf(big + len, "x,");
	}
	l = load_bytes(big, len, NULL, NULL);
	assert_error_has(&l, "too many values");
	release(&l);

	len = 0;
	for (int i = 0; i < 101; i++) {
		len += (size_t)sprintf(big + len, "k%d: &a%d\n", i, i);
	}
	l = load_bytes(big, len, NULL, NULL);
	assert_error_has(&l, "t.yaml:101:7: too many anchors");
	release(&l);

	len = 0;
	for (int i = 0; i < LC_CONFIG_ERRORS_MAX + 5; i++) {
		len += (size_t)sprintf(big + len, "unheard_of_%d: 1\n", i);
	}
	l = load_bytes(big, len, NULL, NULL);
	assert_error_has(&l, "and 5 more errors\n");
	release(&l);
}

/* A value of 64 KB by reference, again and again: memory ends before the machine's does. */
Test(config_errors, expansion_is_bounded)
{
	static char variable[64 * 1024 + 3], yaml[64 * 1024];
	memset(variable, 'x', sizeof variable - 1);
	memcpy(variable, "V=", 2);
	const char *const vars[] = {variable, NULL};
	struct loaded l = load_with("kafka: {client_id: '${V}${V}${V}${V}${V}'}", vars, NULL);
	assert_errors(&l, "t.yaml:1:20: kafka.client_id: longer than 262144 bytes\n");
	release(&l);
	size_t len = (size_t)sprintf(yaml, "kafka: {brokers: [");
	for (int i = 0; i < 2000; i++) {
		len += (size_t)sprintf(yaml + len, "'${V}',");
	}
	sprintf(yaml + len, "]}");
	l = load_with(yaml, vars, NULL);
	cr_assert_eq(l.code, LC_ERR_NOMEM);
	assert_error_has(&l, "out of memory, or the files are too large");
	release(&l);
}

Test(config_errors, all_are_collected_in_order)
{
	static const char *const vars[] = {"LIVECORE_KAFKA_LINGER=x", NULL};
	static const char *const sets[] = {"kafka.ratio=7", NULL};
	struct loaded l = load_with(
		"kafka:\n  linger: 1\n  partitions: 0\n  linger: 2\n  zzz: 1\n", vars, sets);
	assert_errors(&l,
		"t.yaml:2:11: kafka.linger: \"1\" has no unit: write a duration, as 500ms, "
		"5s, 2m, 24h or 0\n"
		"t.yaml:3:15: kafka.partitions: 0 is out of range: 1 to 1000\n"
		"t.yaml:4:3: duplicate key \"linger\" (first on line 2)\n"
		"t.yaml:5:3: unknown key \"zzz\" in kafka: there are brokers, linger, buffer, "
		"partitions, ratio, enabled, client_id, compression, properties, password\n"
		"LIVECORE_KAFKA_LINGER: kafka.linger: \"x\" is not a duration, as 500ms, 5s, "
		"2m, 24h or 0\n"
		"--set: kafka.ratio: 7 is out of range: -1 to 1\n");
	release(&l);
}

/* Who only looks gets what is right, and is told of the rest once. */
Test(config_errors, what_is_right_is_kept_for_who_only_looks)
{
	static const char *const sets[] = {
		"kafka.client_id=me", "kafka.compression=zst", "alpaca.url=wss://u", NULL};
	const struct lc_config_sources sources = {.sets = sets, .lenient = true};
	struct loaded loaded = load_sources(&sources);
	cr_assert_eq(loaded.code, LC_ERR_INVALID);
	cr_assert_not_null(loaded.config);
	cr_assert_str_eq(loaded.kafka->client_id, "me");
	lc_buf_clear(&loaded.errors);
	lc_config_disagree(loaded.config, "kafka.compression", "kafka.client_id", "is told already",
		&loaded.errors);
	lc_config_disagree(loaded.config, "kafka.client_id", "kafka.compression", "is told already",
		&loaded.errors);
	cr_assert_str_eq(lc_buf_text(&loaded.errors), "");
	lc_config_disagree(loaded.config, "kafka.client_id", "alpaca.url", "x", &loaded.errors);
	lc_config_disagree(loaded.config, "kafka.linger", "alpaca.url", "y", &loaded.errors);
	cr_assert_str_eq(
		lc_buf_text(&loaded.errors), "--set: kafka.client_id: x\n--set: kafka.linger: y\n");
	release(&loaded);
}

Test(config_errors, environment_and_command_line)
{
	static const struct {
		const char *variable, *errors;
	} cases[] = {
		{"LIVECORE_KAFKA_LINGR=1s",
			"LIVECORE_KAFKA_LINGR: no setting has this variable: did "
			"you mean LIVECORE_KAFKA_LINGER?\n"},
		{"LIVECORE_CONFG=x", "LIVECORE_CONFG: no setting has this variable: did you mean "
				     "LIVECORE_CONFIG?\n"},
		{"LIVECORE_SOMETHING_ELSE_HERE=",
			"LIVECORE_SOMETHING_ELSE_HERE: no setting has this "
			"variable (LIVECORE_SECTION_KEY)\n"},
		{"LIVECORE_KAFKA_PROPERTIES=a=b",
			"LIVECORE_KAFKA_PROPERTIES: kafka.properties: is a "
			"mapping: it can be set in the file only\n"},
		{"LIVECORE_KAFKA_CLIENT_ID=\xFF",
			"LIVECORE_KAFKA_CLIENT_ID: kafka.client_id: the value is not UTF-8\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const vars[] = {"PATH=x", cases[i].variable, NULL};
		struct loaded l = load_with("", vars, NULL);
		assert_errors(&l, cases[i].errors);
		release(&l);
	}
	static const char *const others[] = {"LIVECORE_CONFIG=x", "LIVECORE_ZONEINFO=y",
		"livecore_x=1", "LIVECORE", "NOEQUALS", NULL};
	struct loaded l = load_with("", others, NULL);
	assert_good(&l);
	release(&l);
	static const char *const sets[] = {
		"linger=1", "kafka.linger", "kafak.linger=1s", "kafka.lingr=1s", NULL};
	l = load_with("", NULL, sets);
	assert_errors(&l, "--set: must be section.key=value\n"
			  "--set: must be section.key=value\n"
			  "--set: unknown section \"kafak\": did you mean kafka?\n"
			  "--set: unknown key \"lingr\" in kafka: did you mean linger?\n");
	release(&l);
}

Test(config_errors, a_file_cannot_drive_the_terminal)
{
	struct loaded l = load_text("\"\\e[2J\": 1\nkafka:\n  linger: \"\\e]0;x\\a\"\n");
	cr_assert_null(strchr(lc_buf_text(&l.errors), '\033'));
	assert_error_has(&l, "t.yaml:1:1: unknown section \"\\x1b[2J\"");
	release(&l);
	/* Cut at a character's border. */
	l = load_text("kafka: {linger: 上上上上上上上上上上上上上上上上上上上上上上上上上}");
	assert_error_has(&l, "上...\" is not a duration");
	release(&l);
}

Test(config_errors, files_that_cannot_be_read)
{
	char dir[32], path[64], expected[256];
	make_dir(dir);
	static const struct {
		const char *name, *what;
	} cases[] = {{"none", "cannot be opened: No such file or directory"},
		{"dir", "is not a regular file"}, {"pipe", "is not a regular file"},
		{"big", "is larger than 1 MB"}};
	snprintf(path, sizeof path, "%s/dir", dir);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/pipe", dir);
	mkfifo(path, 0600);
	write_file(path, sizeof path, dir, "big", "", 0600);
	cr_assert_eq(truncate(path, LC_CONFIG_FILE_MAX + 1), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, cases[i].name);
		snprintf(expected, sizeof expected, "%s: %s\n", path, cases[i].what);
		struct loaded l = load_sources(&(struct lc_config_sources){.file = path});
		assert_errors(&l, expected);
		release(&l);
		remove(path);
	}
	rmdir(dir);
}

/* A buffer that is too small keeps the first lines whole. */
Test(config_errors, a_small_buffer_keeps_what_fits)
{
	struct lc_buf errors;
	struct lc_config *config;
	const struct lc_config_sources sources = {0};
	static const char yaml[] = "kafka: {enabled: x}\nalpaca: {pin: 1, pin: 2}\nc: 1\n";
	lc_buf_init(&errors, 80);
	cr_assert_eq(lc_config_load_memory(test_sections, TEST_SECTIONS, &sources, "t", yaml,
			     sizeof yaml - 1, &config, &errors),
		LC_ERR_INVALID);
	cr_assert_str_eq(
		lc_buf_text(&errors), "t:1:18: kafka.enabled: \"x\" is neither true nor false\n");
	lc_buf_finish(&errors);
}

Test(config_errors, nearest_word)
{
	static const struct {
		const char *word, *candidate;
		bool near;
	} cases[] = {{"kafka", "kafak", true}, {"kafka", "kafka", true}, {"ab", "cd", false},
		{"ab", "ba", true}, {"a", "b", false}, {"brokers", "broker", true},
		{"brokers", "BROKERS", true}, {"brokers", "breakers", true},
		{"brokers", "symbols", false}, {"", "x", false}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_config_nearest nearest;
		lc_config_nearest_begin(&nearest, cases[i].word);
		lc_config_nearest_offer(&nearest, cases[i].candidate);
		cr_assert_eq(nearest.best != NULL, cases[i].near, "%s %s", cases[i].word,
			cases[i].candidate);
	}
	/* The nearer of two, in either order. */
	struct lc_config_nearest nearest;
	lc_config_nearest_begin(&nearest, "lingers");
	lc_config_nearest_offer(&nearest, "lingerxx");
	lc_config_nearest_offer(&nearest, "linger");
	lc_config_nearest_offer(&nearest, "fingerx");
	cr_assert_str_eq(nearest.best, "linger");
}
