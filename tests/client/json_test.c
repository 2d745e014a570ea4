/* JSON as it comes out, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/cli/json_message.h"
#include "proto/control.pb-c.h"

struct sheet {
	char *text;
	size_t bytes;
	FILE *out;
	struct json json;
};

static void start(struct sheet *sheet)
{
	sheet->out = open_memstream(&sheet->text, &sheet->bytes);
	json_init(&sheet->json, sheet->out);
}

static void expect(struct sheet *sheet, const char *text)
{
	fclose(sheet->out);
	assert_string_equal(sheet->text, text);
	free(sheet->text);
}

static void commas_stand_between_values_only(void **state)
{
	(void)state;
	struct sheet sheet;

	start(&sheet);
	json_open(&sheet.json, NULL, '{');
	json_int(&sheet.json, "a", -1);
	json_open(&sheet.json, "b", '[');
	json_bool(&sheet.json, NULL, true);
	json_uint(&sheet.json, NULL, UINT64_MAX);
	json_close(&sheet.json, ']');
	json_open(&sheet.json, "c", '[');
	json_close(&sheet.json, ']');
	json_text(&sheet.json, "d", NULL);
	json_close(&sheet.json, '}');
	expect(&sheet, "{\"a\":-1,\"b\":[true,18446744073709551615],\"c\":[],"
		       "\"d\":null}\n");
}

static void text_is_escaped_and_bad_utf8_replaced(void **state)
{
	(void)state;
	struct sheet sheet;

	start(&sheet);
	json_open(&sheet.json, NULL, '[');
	json_text(&sheet.json, NULL, "q\"b\\n\nt\t\x7f");
	json_text(&sheet.json, NULL, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	json_text(&sheet.json, NULL,
		  "\xff|\xc3|\xe2\x82|\xed\xa0\x80|\xc0\x80");
	json_close(&sheet.json, ']');
	expect(&sheet, "[\"q\\\"b\\\\n\\u000at\\u0009\\u007f\","
		       "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\","
		       "\"\\ufffd|\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|"
		       "\\ufffd\\ufffd\"]\n");
}

static void a_message_shows_every_field_by_its_name(void **state)
{
	(void)state;
	DistributedFs__StorageStatus status =
		DISTRIBUTED_FS__STORAGE_STATUS__INIT;
	uint32_t peers[] = {2, 3};
	uint8_t digest[] = {0x00, 0xab};
	struct sheet sheet;

	status.node = (char *)"n1";
	status.attached = true;
	status.digest.data = digest;
	status.digest.len = sizeof(digest);
	status.peers_connected = peers;
	status.n_peers_connected = 2;
	start(&sheet);
	json_message(&sheet.json, NULL, &status.base);
	fflush(sheet.out);
	assert_non_null(strstr(sheet.text, "{\"node\":\"n1\","
					   "\"applied_index\":0,"));
	assert_non_null(strstr(sheet.text, "\"attached\":true"));
	assert_non_null(strstr(sheet.text, "\"digest\":\"00ab\""));
	assert_non_null(strstr(sheet.text, "\"peers_connected\":[2,3]"));
	fclose(sheet.out);
	free(sheet.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_stand_between_values_only),
		cmocka_unit_test(text_is_escaped_and_bad_utf8_replaced),
		cmocka_unit_test(a_message_shows_every_field_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
