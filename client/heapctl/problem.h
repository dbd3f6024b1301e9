/*
 * What went wrong, for a person: an error of common/error.h and a sentence.
 *
 * Functions of heapctl that can fail take a problem as their last argument,
 * fill it in and return its error; main prints it and turns it into an exit
 * code. A problem that was not filled in has error 0.
 */
#ifndef HEAPD_HEAPCTL_PROBLEM_H
#define HEAPD_HEAPCTL_PROBLEM_H

#include "common/error.h"

struct hd_problem {
    int error;      /* HD_E..., 0: none */
    char text[600]; /* without the status name, without a newline */
};

/* Formats the sentence, cut to what fits; returns `error`. */
int hd_problem_set(struct hd_problem *problem, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "no memory", the same everywhere. */
int hd_problem_no_memory(struct hd_problem *problem);

#endif
