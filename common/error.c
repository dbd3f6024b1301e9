#include "common/error.h"

const char *hd_error_name(int error)
{
    switch (error) {
    case 0:
        return "HD_OK";
#define HD_ERROR_CASE(name, number, status, text) \
    case -(number): \
        return "HD_E" #name;
        HD_ERRORS(HD_ERROR_CASE)
#undef HD_ERROR_CASE
    default:
        return "HD_E?";
    }
}

const char *hd_error_text(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define HD_ERROR_CASE(name, number, status, text) \
    case -(number): \
        return text;
        HD_ERRORS(HD_ERROR_CASE)
#undef HD_ERROR_CASE
    default:
        return "an unknown error";
    }
}

enum hd_status hd_error_status(int error)
{
    switch (error) {
    case 0:
        return HD_STATUS_OK;
#define HD_ERROR_CASE(name, number, status, text) \
    case -(number): \
        return HD_STATUS_##status;
        HD_ERRORS(HD_ERROR_CASE)
#undef HD_ERROR_CASE
    default:
        return HD_STATUS_UNKNOWN;
    }
}

const char *hd_status_name(enum hd_status status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    unsigned index = (unsigned)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "UNKNOWN";
}
