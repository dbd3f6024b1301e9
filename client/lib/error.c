#include "client/lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The public numbers are the wire's: a code that one side has and the other has not does not compile. */
#define HD_ERROR_SAME(name, number, status, text) \
    _Static_assert((int)HEAPD_E##name == (int)HD_E##name, "HEAPD_E" #name " differs from common/error.h");
HD_ERRORS(HD_ERROR_SAME)
#undef HD_ERROR_SAME

const char *heapd_code_name(int code)
{
    switch (code) {
    case 0:
        return "HEAPD_OK";
#define HD_ERROR_CASE(name, number, status, text) \
    case -(number): \
        return "HEAPD_E" #name;
        HD_ERRORS(HD_ERROR_CASE)
#undef HD_ERROR_CASE
    case HEAPD_EFORKED:
        return "HEAPD_EFORKED";
    case HEAPD_ETICKET:
        return "HEAPD_ETICKET";
    default:
        return "HEAPD_E?";
    }
}

const char *heapd_code_text(int code)
{
    switch (code) {
    case HEAPD_EFORKED:
        return "the connection belongs to the parent process; connect again after fork";
    case HEAPD_ETICKET:
        return "there is no such ticket, or its result was fetched before";
    default:
        return hd_error_text(code);
    }
}

const char *heapd_status_name(int status)
{
    return hd_status_name((enum hd_status)status);
}

static int status_of(int code)
{
    if (code == HEAPD_EFORKED || code == HEAPD_ETICKET)
        return HD_STATUS_FAILED_PRECONDITION;
    return (int)hd_error_status(code);
}

int hd_fail(struct heapd_error *error, int code)
{
    if (error) {
        *error = (struct heapd_error){.code = code, .status = status_of(code)};
        (void)snprintf(error->message, sizeof error->message, "%s", heapd_code_text(code));
    }
    return code;
}

int hd_fail_with(struct heapd_error *error, int code, const char *format, ...)
{
    if (error) {
        *error = (struct heapd_error){.code = code, .status = status_of(code)};
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return code;
}

int hd_fail_errno(struct heapd_error *error, int code, const char *what)
{
    char text[96] = "";
    /* GNU's strerror_r: thread-safe, and may return a text of its own. */
    const char *reason = strerror_r(errno, text, sizeof text);
    return hd_fail_with(error, code, "%s: %s", what, reason);
}

void hd_succeed(struct heapd_error *error)
{
    if (!error)
        return;
    /* Not the whole message: this is done for each node of an export. */
    error->code = error->status = 0;
    error->request = error->failed_request = 0;
    error->message[0] = '\0';
}
