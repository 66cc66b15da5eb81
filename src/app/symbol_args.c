#include "app/symbol_args.h"

#include "livecore/symbol.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 32

static bool valid(const char *text)
{
	struct lc_symbol symbol;
	return lc_symbol_parse(text, strlen(text), &symbol) == LC_OK;
}

static bool all_digits(const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* aapl, 600000.sh */
static bool advise_capitals(const char *word, char *out, size_t size)
{
	char upper[WORD_MAX];
	size_t len = strlen(word);
	if (len >= sizeof upper) {
		return false;
	}
	for (size_t i = 0; i <= len; i++) {
		upper[i] = (char)toupper((unsigned char)word[i]);
	}
	if (!valid(upper)) {
		return false;
	}
	snprintf(out, size, "write %s", upper);
	return true;
}

/* SH600000 and sz000001, as other programs write them */
static bool advise_prefix(const char *word, char *out, size_t size)
{
	if (strlen(word) != 8 || !all_digits(word + 2)) {
		return false;
	}
	char turned[WORD_MAX];
	snprintf(turned, sizeof turned, "%s.%c%c", word + 2, toupper((unsigned char)word[0]),
		toupper((unsigned char)word[1]));
	if (!valid(turned)) {
		return false;
	}
	snprintf(out, size, "write %s", turned);
	return true;
}

/* 700.HK, 0700.hk */
static bool advise_hong_kong(const char *word, char *out, size_t size)
{
	size_t digits = strspn(word, "0123456789");
	if (digits == 0 || digits >= 5 || strcasecmp(word + digits, ".HK") != 0) {
		return false;
	}
	snprintf(out, size, "Hong Kong has five digits: write %.*s%.*s.HK", (int)(5 - digits),
		"00000", (int)digits, word);
	return true;
}

static bool advise_exchange(const char *word, char *out, size_t size)
{
	size_t len = strlen(word);
	if (!all_digits(word) || len > 6) {
		return false;
	}
	if (len == 6) {
		const char *likely = word[0] == '6' || word[0] == '5' ? "SH"
				     : word[0] == '9'                 ? "BJ"
								      : "SZ";
		snprintf(out, size, "add the exchange (.SH, .SZ or .BJ): probably %s.%s", word,
			likely);
	} else {
		snprintf(out, size, "for Hong Kong write %.*s%s.HK", (int)(len < 5 ? 5 - len : 0),
			"00000", word);
	}
	return true;
}

void lc_symbol_advice(const char *word, char *out, size_t size)
{
	if (advise_capitals(word, out, size) || advise_prefix(word, out, size) ||
		advise_hong_kong(word, out, size) || advise_exchange(word, out, size)) {
		return;
	}
	if (strchr(word, ',')) {
		snprintf(out, size, "put spaces between symbols, not commas");
		return;
	}
	snprintf(out, size,
		"symbols look like 600000.SH, 000001.SZ, 920047.BJ, 00700.HK, AAPL or BRK.B");
}

int lc_symbol_args_check(const struct lc_usage *usage, char **words, size_t count, bool patterns)
{
	size_t wrong = 0;
	for (size_t i = 0; i < count; i++) {
		if (valid(words[i]) || (patterns && strchr(words[i], '*'))) {
			continue;
		}
		char advice[128];
		lc_symbol_advice(words[i], advice, sizeof advice);
		fprintf(stderr, "livecore: \"%s\" is no symbol: %s\n", words[i], advice);
		wrong++;
	}
	if (wrong == 0) {
		return -1;
	}
	return lc_args_wrong(
		usage, "%zu of %zu symbols cannot be used; nothing was done", wrong, count);
}
