#include "livecore/error.h"

#include <criterion/criterion.h>
#include <string.h>

Test(error, every_code_has_a_text)
{
	cr_assert_str_eq(lc_err_text(LC_OK), "ok");
	cr_assert_str_eq(lc_err_text(LC_ERR_CANCELLED), "cancelled");
	cr_assert_str_eq(lc_err_text((enum lc_err)999), "unknown error");
}

Test(error, long_text_is_cut_not_overrun)
{
	char long_text[1000];
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	struct lc_error err;
	cr_assert_eq(lc_error_set(&err, LC_ERR_IO, "%s", long_text), LC_ERR_IO);
	cr_assert_eq(strlen(err.text), sizeof err.text - 1);
	cr_assert_eq(lc_error_set(NULL, LC_ERR_FULL, "nobody listens"), LC_ERR_FULL);
}
