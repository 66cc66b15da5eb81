/* Secrets: where they may stand, who may read the file, and that nothing ever shows one. */
#include "config_fixture.h"

static char dir[32], file[64], secrets[64];

static void setup(void)
{
	make_dir(dir);
	write_file(file, sizeof file, dir, "l.yaml", "kafka:\n", 0644);
}

static void teardown(void)
{
	unlink(file);
	unlink(secrets);
	rmdir(dir);
}

TestSuite(config_secrets, .init = setup, .fini = teardown);

static struct loaded load_files(const char *const *vars)
{
	return load_sources(&(struct lc_config_sources){.file = file, .environ = vars});
}

Test(config_secrets, must_be_closed_to_others)
{
	static const unsigned bad[] = {0644, 0640, 0604, 0660, 0620, 0602, 0610, 0601};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char expected[256];
		write_file(secrets, sizeof secrets, dir, "secrets.yaml", "kafka: {password: p}",
			bad[i]);
		snprintf(expected, sizeof expected,
			"%s: holds secrets and is open to others (mode %03o): chmod 600 %s\n",
			secrets, bad[i], secrets);
		struct loaded l = load_files(NULL);
		assert_errors(&l, expected);
		release(&l);
	}
	static const unsigned good[] = {0600, 0400, 0700};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		write_file(secrets, sizeof secrets, dir, "secrets.yaml", "kafka: {password: p}",
			good[i]);
		struct loaded l = load_files(NULL);
		assert_good(&l);
		cr_assert_str_eq(l.kafka->password, "p");
		release(&l);
	}
}

Test(config_secrets, must_be_ours_or_roots)
{
	if (geteuid() != 0) {
		cr_skip_test("only root can give a file away");
	}
	write_file(secrets, sizeof secrets, dir, "secrets.yaml", "kafka: {password: p}", 0600);
	cr_assert_eq(chown(secrets, 12345, 0), 0);
	struct loaded l = load_files(NULL);
	assert_error_has(&l, "belongs to another user (uid 12345): chown it to uid 0 or root");
	release(&l);
}

Test(config_secrets, the_file_is_named_in_three_ways)
{
	char other[64], variable[96];
	write_file(other, sizeof other, dir, "other.yaml", "kafka: {password: other}", 0600);
	write_file(
		secrets, sizeof secrets, dir, "secrets.yaml", "kafka: {password: sibling}", 0600);
	snprintf(variable, sizeof variable, "LIVECORE_SECRETS=%s", other);
	const char *const vars[] = {variable, NULL};
	struct loaded l = load_files(NULL);
	assert_good(&l);
	cr_assert_str_eq(l.kafka->password, "sibling");
	release(&l);
	l = load_files(vars);
	assert_good(&l);
	cr_assert_str_eq(l.kafka->password, "other");
	release(&l);
	l = load_sources(
		&(struct lc_config_sources){.file = file, .secrets = secrets, .environ = vars});
	assert_good(&l);
	cr_assert_str_eq(l.kafka->password, "sibling");
	release(&l);
	/* As seen from the file, not from where we are. */
	write_file(file, sizeof file, dir, "l.yaml", "secrets_file: ${NAME:-other}.yaml\n", 0644);
	cr_assert_eq(chdir("/"), 0);
	l = load_files(NULL);
	assert_good(&l);
	cr_assert_str_eq(l.kafka->password, "other");
	release(&l);
	unlink(other);
	l = load_files(NULL);
	assert_error_has(&l, "other.yaml: cannot be opened");
	release(&l);
	l = load_sources(&(struct lc_config_sources){.environ = vars});
	assert_error_has(&l, "other.yaml: cannot be opened");
	release(&l);
}

Test(config_secrets, the_secrets_file_holds_nothing_else)
{
	char expected[512];
	write_file(secrets, sizeof secrets, dir, "secrets.yaml",
		"kafka:\n  linger: 5s\n  pasword: x\nsecrets_file: x\n", 0600);
	snprintf(expected, sizeof expected,
		"%s:2:3: kafka.linger is not a secret: it belongs in %s\n"
		"%s:3:3: unknown key \"pasword\" in kafka: did you mean password?\n"
		"%s:4:1: unknown section \"secrets_file\": there are kafka, alpaca\n",
		secrets, file, secrets, secrets);
	struct loaded l = load_files(NULL);
	assert_errors(&l, expected);
	release(&l);
}

Test(config_secrets, the_main_file_holds_references_only)
{
	static const char *const vars[] = {"PW=p", "PX=q", NULL};
	static const char *const good[] = {
		"'${PW}'", "'${PW}${PX}'", "'${NOPE:-}'", "'${NOPE:-${PW}}'", "''", "~"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char yaml[128];
		snprintf(yaml, sizeof yaml, "kafka: {password: %s}", good[i]);
		struct loaded l = load_with(yaml, vars, NULL);
		assert_good(&l);
		release(&l);
	}
	static const char *const bad[] = {"hunter2", "'x${PW}'", "'${PW}x'", "'${NOPE:-hunter2}'",
		"$$", "'${NOPE:-${PW}x}'", "'${'"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char yaml[128];
		snprintf(yaml, sizeof yaml, "kafka: {password: %s}", bad[i]);
		struct loaded l = load_with(yaml, vars, NULL);
		assert_errors(&l,
			"t.yaml:1:19: kafka.password: a secret must not stand in this file: "
			"move it to secrets.yaml (chmod 600), or write ${VARIABLE}, or set "
			"LIVECORE_KAFKA_PASSWORD\n");
		release(&l);
	}
	struct loaded l = load_text("alpaca:\n  tokens: [a, '${NOPE:-}', b]\n");
	assert_error_has(&l, "t.yaml:2:12: alpaca.tokens: a secret");
	cr_assert_not_null(strstr(lc_buf_text(&l.errors), "t.yaml:2:28: alpaca.tokens: a secret"));
	release(&l);
	/* The sentence names the file that is there for it. */
	write_file(file, sizeof file, dir, "l.yaml", "kafka: {password: x}\n", 0644);
	l = load_files(NULL);
	snprintf(secrets, sizeof secrets, "move it to %s/secrets.yaml", dir);
	assert_error_has(&l, secrets);
	release(&l);
	l = load_text("secrets_file: keys.yaml\nkafka: {password: x}\n");
	assert_error_has(&l, "move it to keys.yaml (chmod 600)");
	release(&l);
}

Test(config_secrets, not_on_the_command_line)
{
	static const char *const sets[] = {"kafka.password=hunter2", NULL};
	struct loaded l = load_with("", NULL, sets);
	assert_errors(&l,
		"--set: kafka.password: a secret on a command line is seen by all: use the "
		"secrets file or LIVECORE_KAFKA_PASSWORD\n");
	release(&l);
}

Test(config_secrets, no_error_shows_one)
{
	static const char *const vars[] = {"LIVECORE_ALPACA_SECRET=hunter2",
		"LIVECORE_ALPACA_PIN=hunter2", "LIVECORE_ALPACA_TOKENS=\"hunter2", "PW=hunter2",
		NULL};
	struct loaded l = load_with("kafka: {password: hunter2}\n"
				    "alpaca: {secret: '${PW}', tokens: hunter2, pin: '${PW}'}\n",
		vars, NULL);
	cr_assert_eq(l.code, LC_ERR_INVALID);
	cr_assert_null(strstr(lc_buf_text(&l.errors), "hunter2"), "%s", lc_buf_text(&l.errors));
	assert_error_has(&l, "LIVECORE_ALPACA_PIN: alpaca.pin: the value is not valid (a secret is "
			     "not shown)");
	release(&l);
}

Test(config_secrets, nothing_prints_one)
{
	static const char *const vars[] = {"LIVECORE_KAFKA_PASSWORD=hunter2",
		"LIVECORE_ALPACA_TOKENS=hunter2,x", "LIVECORE_ALPACA_PIN=4711", NULL};
	struct lc_buf out;
	lc_buf_init(&out, 1 << 16);
	struct loaded l = load_with("", vars, NULL);
	assert_good(&l);
	cr_assert_eq(l.alpaca->pin, 4711);
	cr_assert_eq(l.alpaca->tokens.count, 2);
	lc_config_print(l.config, &out);
	cr_assert_null(strstr(lc_buf_text(&out), "hunter2"));
	cr_assert_null(strstr(lc_buf_text(&out), "4711"));
	cr_assert_not_null(strstr(lc_buf_text(&out), "= ***"));
	lc_buf_finish(&out);
	release(&l);
}
