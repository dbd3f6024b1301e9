/*
 * Tags: names that a program gives to what it makes, so that heapd_census can say
 * what each keeps and how that grew. And interned strs. Part of heapd.h, which
 * includes it; what is said there holds here.
 */
#ifndef HEAPD_TAGS_H
#define HEAPD_TAGS_H

#include <heapd/heapd.h>

#ifdef __cplusplus
extern "C" {
#endif

struct heapd_report; /* heapd/inspect.h */

#define HEAPD_TAG_MAX_BYTES 64

struct heapd_tag {
    size_t size;                        /* 0: none */
    char text[HEAPD_TAG_MAX_BYTES + 1]; /* UTF-8; a zero behind it */
};

/*
 * What the connection makes from now on has this tag; an empty one: none. It is the connection's, so threads that share
 * one share it. *previous, which may be NULL: the one before. HEAPD_ELIMIT: 1024 tags are in use; HEAPD_ETOO_LARGE,
 * HEAPD_EUTF8.
 */
HEAPD_API int heapd_set_tag(struct heapd_connection *connection, struct heapd_bytes tag, struct heapd_tag *previous,
                            struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_get_tag(struct heapd_connection *connection, struct heapd_tag *tag,
                            struct heapd_error *error) HEAPD_MUST_USE;
/* The same for one object, alone; HEAPD_ETYPE: a value that lies in the handle. */
HEAPD_API int heapd_tag_object(struct heapd_connection *connection, heapd_handle object, struct heapd_bytes tag,
                               struct heapd_tag *previous, struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_get_object_tag(struct heapd_connection *connection, heapd_handle object, struct heapd_tag *tag,
                                   struct heapd_error *error) HEAPD_MUST_USE;
/* All that are in use, by name: report->as.tags. For the daemon's own user. */
HEAPD_API int heapd_list_tags(struct heapd_connection *connection, struct heapd_report *report,
                              struct heapd_error *error) HEAPD_MUST_USE;

/*
 * sys.intern: a handle to the str that stands for all that are equal to the value, a str of at most 64 KiB. Being
 * interned keeps nothing alive: the entry goes with the last reference. hold: and the heap has one itself, until
 * heapd_intern_let_go. HEAPD_ETYPE, HEAPD_ETOO_LARGE.
 */
HEAPD_API int heapd_intern(struct heapd_connection *connection, struct heapd_value value, bool hold, heapd_handle *out,
                           struct heapd_error *error) HEAPD_MUST_USE;
HEAPD_API int heapd_intern_let_go(struct heapd_connection *connection, struct heapd_value value, bool *was_held,
                                  struct heapd_error *error) HEAPD_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
