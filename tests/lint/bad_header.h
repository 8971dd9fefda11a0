/* Uses a type whose header it does not include. */
#ifndef BAD_HEADER_H
#define BAD_HEADER_H

uint32_t bad_header(void);

#endif
