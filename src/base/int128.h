/* 128-bit integers, which gcc and clang have and ISO C has not. */
#ifndef BASE_INT128_H
#define BASE_INT128_H

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

#endif
