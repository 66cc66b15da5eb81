/* Symbols on a command line: checked before anything is sent, with advice on how a wrong one should
 * look. Pure. */
#pragma once

#include "app/args.h"

/* Says every invalid symbol on stderr. patterns: words with * are allowed. Returns -1 when all are
 * fine, or LC_EXIT_USAGE. */
int lc_symbol_args_check(const struct lc_usage *usage, char **words, size_t count, bool patterns);

/* How the word should look: "write AAPL", …; always something. */
void lc_symbol_advice(const char *word, char *out, size_t size);
