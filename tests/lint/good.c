/* What every linter passes: banned words in comments and texts (malloc(1), strcpy(a, b)) are no calls, and a constant
 * table of pointers is not mutable. */
#include "good.h"

static const char *const good_words[] = {"malloc(1)", "open(path)", "free(p)"};

struct good_methods {
    int (*free)(const char *word);
};

int good_count(int n)
{
    return good_words[n][0];
}
