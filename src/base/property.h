/* A name and its value, passed on as they are to a library that knows what they mean. Both borrowed. */
#ifndef BASE_PROPERTY_H
#define BASE_PROPERTY_H

struct property {
    const char *name;
    const char *value;
};

#endif
