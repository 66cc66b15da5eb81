#include "livecore/url.h"

#include <criterion/criterion.h>
#include <string.h>

Test(url, parts)
{
	static const struct {
		const char *text, *host, *path;
		enum lc_url_scheme scheme;
		int port;
		bool v6;
	} cases[] = {
		{"ws://a", "a", "/", LC_URL_WS, 80, false},
		{"WSS://Stream.Example.COM/v2/iex", "stream.example.com", "/v2/iex", LC_URL_WSS,
			443, false},
		{"http://127.0.0.1:8080?x=1", "127.0.0.1", "/?x=1", LC_URL_HTTP, 8080, false},
		{"https://push2.example/api?a=1&b=%20", "push2.example", "/api?a=1&b=%20",
			LC_URL_HTTPS, 443, false},
		{"ws://[::1]:9/x", "::1", "/x", LC_URL_WS, 9, true},
		{"ws://h:65535", "h", "/", LC_URL_WS, 65535, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_url url;
		struct lc_error err = {0};
		cr_assert_eq(lc_url_parse(cases[i].text, &url, &err), LC_OK, "%s: %s",
			cases[i].text, err.text);
		cr_assert_str_eq(url.host, cases[i].host);
		cr_assert_str_eq(url.path, cases[i].path);
		cr_assert_eq(url.scheme, cases[i].scheme);
		cr_assert_eq(url.port, cases[i].port);
		cr_assert_eq(url.ipv6_literal, cases[i].v6);
		cr_assert_eq(
			url.tls, cases[i].scheme == LC_URL_WSS || cases[i].scheme == LC_URL_HTTPS);
		cr_assert_eq(url.websocket,
			cases[i].scheme == LC_URL_WS || cases[i].scheme == LC_URL_WSS);
	}
}

Test(url, refused)
{
	static const char *const cases[] = {"", "a", "ftp://a", "://a", "ws:/a", "ws://", "ws:///x",
		"ws://a:", "ws://a:0", "ws://a:65536", "ws://a:99999999999999", "ws://a:1x",
		"ws://user@a", "ws://user:pw@a", "ws://[::1", "ws://[]", "ws://[::1]x", "ws://a/ b",
		"ws://a/\r\nX: y", "ws://a/#f", "ws://a\x7f", "ws://a/\xc3\xa9", "w://a",
		"wsss://a"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_url url;
		struct lc_error err = {0};
		cr_assert_eq(lc_url_parse(cases[i], &url, &err), LC_ERR_INVALID, "%s", cases[i]);
		cr_assert_gt(strlen(err.text), 10);
	}
}

Test(url, bounds)
{
	char text[2 * LC_URL_PATH_MAX] = "ws://";
	struct lc_url url;
	memset(text + 5, 'h', LC_URL_HOST_MAX - 1);
	cr_assert_eq(lc_url_parse(text, &url, NULL), LC_OK);
	text[5 + LC_URL_HOST_MAX - 1] = 'h';
	cr_assert_eq(lc_url_parse(text, &url, NULL), LC_ERR_TOO_LARGE);

	memcpy(text, "ws://h/", 7);
	memset(text + 7, 'p', sizeof text - 7);
	text[7 + LC_URL_PATH_MAX - 2] = '\0';
	cr_assert_eq(lc_url_parse(text, &url, NULL), LC_OK);
	cr_assert_eq(strlen(url.path), LC_URL_PATH_MAX - 1);
	text[7 + LC_URL_PATH_MAX - 2] = 'p';
	text[7 + LC_URL_PATH_MAX - 1] = '\0';
	cr_assert_eq(lc_url_parse(text, &url, NULL), LC_ERR_TOO_LARGE);
}
