/* What the two test programs share; C11 and C++17. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the place and the sentence that did not hold. */
#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(EXIT_FAILURE);                                                    \
        }                                                                          \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif

/* misuse.c: every wrong argument is answered with its status, and nothing is written. */
void check_misuse(void);

/* iov.c: sectors in pieces of memory become what they become in one buffer. */
void check_iov(void);

/* layouts.c: every tweak layout, against single units. */
void check_layouts(void);

/* place.c: keys in memory of the caller's; versions, backends, the self-test; a forked child. */
void check_place_and_info(void);

#ifdef __cplusplus
}
#endif
#endif
