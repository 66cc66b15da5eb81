#include "app/args.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

static const struct lc_usage usage = {"eat", "[FRUIT…]", "Eats fruit."};

struct parsed {
	bool raw;
	const char *sauce;
	int64_t time_ms;
	struct lc_texts with;
	int argc, rc;
	char *argv[96];
};

/* Parses the words of one line, as a shell without quotes would give them. */
static struct parsed parse(const char *line)
{
	static char words[4096];
	struct parsed p = {.time_ms = -1};
	snprintf(words, sizeof words, "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		p.argv[p.argc++] = word;
	}
	const struct lc_option options[] = {
		{"raw", LC_OPTION_FLAG, &p.raw, NULL, "uncooked"},
		{"sauce", LC_OPTION_TEXT, &p.sauce, "NAME", "what goes over it"},
		{"time", LC_OPTION_DURATION, &p.time_ms, "TIME", "for how long"},
		{"with", LC_OPTION_MANY, &p.with, "X", "what else"},
		{0},
	};
	p.rc = lc_args_parse(&usage, options, &p.argc, p.argv);
	return p;
}

static void read_all(FILE *from, char *out, size_t size)
{
	size_t len = fread(out, 1, size - 1, from);
	out[len] = '\0';
	fclose(from);
}

Test(args, options_may_stand_anywhere_and_the_rest_keeps_its_order)
{
	static const char *const lines[] = {
		"eat apple --raw --sauce soy pear --time 2m --with salt --with=pepper plum",
		"eat --with salt --sauce=soy --time=120s --raw --with pepper apple pear plum",
		"eat apple pear --raw --sauce soy --time 120000ms --with salt --with pepper -- "
		"plum",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct parsed p = parse(lines[i]);
		cr_assert_eq(p.rc, -1, "%s", lines[i]);
		cr_assert(p.raw);
		cr_assert_str_eq(p.sauce, "soy");
		cr_assert_eq(p.time_ms, 120000);
		cr_assert_eq(p.with.count, 2);
		cr_assert_str_eq(p.with.items[0], "salt");
		cr_assert_str_eq(p.with.items[1], "pepper");
		cr_assert_null(p.with.items[2]);
		cr_assert_eq(p.argc, 4);
		cr_assert_str_eq(p.argv[0], "eat");
		cr_assert_str_eq(p.argv[1], "apple");
		cr_assert_str_eq(p.argv[2], "pear");
		cr_assert_str_eq(p.argv[3], "plum");
		cr_assert_null(p.argv[4]);
	}
}

Test(args, what_follows_two_dashes_is_no_option)
{
	struct parsed p = parse("eat - -- --raw -x");
	cr_assert_eq(p.rc, -1);
	cr_assert(!p.raw);
	cr_assert_eq(p.argc, 4);
	cr_assert_str_eq(p.argv[1], "-");
	cr_assert_str_eq(p.argv[2], "--raw");
	cr_assert_str_eq(p.argv[3], "-x");
}

Test(args, an_empty_value_is_a_value)
{
	struct parsed p = parse("eat --sauce=");
	cr_assert_eq(p.rc, -1);
	cr_assert_str_empty(p.sauce);
}

Test(args, mistakes_are_said_with_the_way_to_help, .init = cr_redirect_stderr)
{
	static const struct {
		const char *line, *said;
	} mistakes[] = {
		{"eat --cooked", "there is no option --cooked\n"},
		{"eat --suace=x", "there is no option --suace=x: did you mean --sauce?"},
		{"eat --ra", "there is no option --ra"},
		{"eat -r", "there is no option -r"},
		{"eat --raw=yes", "--raw takes no value"},
		{"eat --sauce", "--sauce needs a value: NAME"},
		{"eat --time soon", "--time takes a time such as"},
		{"eat --time 10", "not \"10\""},
	};
	size_t count = sizeof mistakes / sizeof *mistakes;
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(parse(mistakes[i].line).rc, LC_EXIT_USAGE, "%s", mistakes[i].line);
	}
	char said[4096];
	fflush(stderr);
	read_all(cr_get_redirected_stderr(), said, sizeof said);
	const char *at = said;
	for (size_t i = 0; i < count; i++) {
		at = strstr(at, mistakes[i].said);
		cr_assert_not_null(at, "%s in %s", mistakes[i].said, said);
		at = strstr(at, "Try: livecore eat --help");
		cr_assert_not_null(at);
	}
}

Test(args, an_option_given_too_often_is_refused, .init = cr_redirect_stderr)
{
	char line[2048] = "eat";
	for (int i = 0; i <= LC_TEXTS_MAX; i++) {
		strcat(line, " --with=x");
	}
	struct parsed p = parse(line);
	cr_assert_eq(p.rc, LC_EXIT_USAGE);
	cr_assert_eq(p.with.count, LC_TEXTS_MAX);
}

Test(args, help_lists_everything, .init = cr_redirect_stdout)
{
	cr_assert_eq(parse("eat --sauce soy --help").rc, LC_EXIT_OK);
	char said[4096];
	fflush(stdout);
	read_all(cr_get_redirected_stdout(), said, sizeof said);
	static const char *const parts[] = {"usage: livecore eat [OPTIONS] [FRUIT…]", "Eats fruit.",
		"--raw", "--sauce NAME", "what goes over it", "--time TIME", "--with X", "--help"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		cr_assert(strstr(said, parts[i]), "%s in %s", parts[i], said);
	}
}

Test(args, durations)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: invalid */
	} cases[] = {{"0", 0}, {"0s", 0}, {"500ms", 500}, {"10s", 10000}, {"1.5s", 1500},
		{"2m", 120000}, {"1h", 3600000}, {"1d", 86400000}, {"", -1}, {"s", -1}, {"10", -1},
		{"-1s", -1}, {"1 s", -1}, {"1sec", -1}, {"1e12s", -1}, {"nan", -1}, {"nans", -1},
		{"infs", -1}, {"0x10s", -1}, {" 1s", -1}, {"1e3s", -1}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t ms = -1;
		enum lc_err rc = lc_duration_parse(cases[i].text, &ms);
		cr_assert_eq(rc, cases[i].ms < 0 ? LC_ERR_INVALID : LC_OK, "%s", cases[i].text);
		cr_assert_eq(ms, cases[i].ms, "%s", cases[i].text);
	}
}
