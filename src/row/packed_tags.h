/* The tags of the msgpack specification and the numbers of our extensions. Private to the packed files. */
#ifndef ROW_PACKED_TAGS_H
#define ROW_PACKED_TAGS_H

#include "row/packed.h"

enum packed_tag {
    TAG_NIL = 0xc0,
    TAG_FALSE = 0xc2,
    TAG_TRUE = 0xc3,
    TAG_BIN8 = 0xc4,
    TAG_BIN16 = 0xc5,
    TAG_BIN32 = 0xc6,
    TAG_EXT8 = 0xc7,
    TAG_EXT16 = 0xc8,
    TAG_EXT32 = 0xc9,
    TAG_FLOAT32 = 0xca,
    TAG_FLOAT64 = 0xcb,
    TAG_UINT8 = PACKED_UINT8,
    TAG_UINT16 = 0xcd,
    TAG_UINT32 = 0xce,
    TAG_UINT64 = 0xcf,
    TAG_INT8 = PACKED_INT8,
    TAG_INT16 = 0xd1,
    TAG_INT32 = 0xd2,
    TAG_INT64 = 0xd3,
    TAG_FIXEXT1 = 0xd4,
    TAG_FIXEXT2 = 0xd5,
    TAG_FIXEXT4 = 0xd6,
    TAG_FIXEXT8 = 0xd7,
    TAG_FIXEXT16 = 0xd8,
    TAG_STR8 = 0xd9,
    TAG_STR16 = 0xda,
    TAG_STR32 = 0xdb,
    TAG_ARRAY16 = 0xdc,
    TAG_ARRAY32 = 0xdd,
};

enum packed_ext { EXT_DECIMAL = 1, EXT_INTERVAL = 2, EXT_MISSING = 3, EXT_NOT_FINITE = 4 };

#endif
