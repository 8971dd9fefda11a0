/* What every linter passes. */
#ifndef GOOD_H
#define GOOD_H

int good_count(int n);

#endif
