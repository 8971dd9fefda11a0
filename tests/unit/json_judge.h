/* Is it JSON? Asked of a library that has nothing in common with the project's scanner: jansson, of those in Debian for
 * C the strictest (RFC 8259 to the letter, UTF-8 checked, lone surrogates refused). */
#ifndef TESTS_JSON_JUDGE_H
#define TESTS_JSON_JUDGE_H

#include "base/bytes.h"

#include <stdbool.h>

bool json_judge_accepts(struct bytes document);

#endif
