/* The version of the program, told by --version of both programs. */
#ifndef PROCD_VERSION_H
#define PROCD_VERSION_H

#define LOGFOLD_VERSION "0.1.0"

#endif
