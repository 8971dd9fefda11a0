/* MD5 (RFC 1321), for SQL's md5() alone: a fingerprint, not a protection. */
#ifndef EXPR_MD5_H
#define EXPR_MD5_H

#include "base/bytes.h"

enum { MD5_BYTES = 16 };
/* @thread any */
void md5_digest(struct bytes data, uint8_t out[static MD5_BYTES]);

#endif
