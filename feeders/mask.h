/* Takes our own secrets out of what a vendor said, before anything of it is logged or published: a
 * proxy that echoes, or an error page that shows the request, would write them there. Any thread;
 * keeps nothing. */
#pragma once

#include <stddef.h>

/* Writes asterisks over every place of text (len bytes, no NUL needed) where secret stands. A
 * secret of fewer than 4 bytes is none, and NULL is passed over. */
void lc_feeder_mask(char *text, size_t len, const char *secret);
