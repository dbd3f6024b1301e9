#include "client/heapctl/problem.h"

#include <stdarg.h>
#include <stdio.h>

int hd_problem_set(struct hd_problem *problem, int error, const char *format, ...)
{
    va_list arguments;

    problem->error = error;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return error;
}

int hd_problem_no_memory(struct hd_problem *problem)
{
    return hd_problem_set(problem, HD_ENOMEM, "heapctl itself has no memory left");
}
