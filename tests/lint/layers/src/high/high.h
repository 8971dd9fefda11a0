#include "low/low.h"
#include <lmdb.h>
#include <zlib.h>
#include "gone.h"
