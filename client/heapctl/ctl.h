/*
 * What every command of heapctl is given, and the table of commands.
 */
#ifndef HEAPD_HEAPCTL_CTL_H
#define HEAPD_HEAPCTL_CTL_H

#include <heapd/heapd.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/heapctl/document_writer.h"
#include "client/heapctl/json_writer.h"
#include "client/heapctl/options.h"
#include "client/heapctl/path.h"
#include "client/heapctl/problem.h"

/* How heapctl ends. Scripts rely on these numbers: they never change. */
enum hd_exit {
    HD_EXIT_OK = 0,
    HD_EXIT_FAILED = 1,     /* the operation failed */
    HD_EXIT_USAGE = 2,      /* the command line is wrong */
    HD_EXIT_NO_DAEMON = 3,  /* nobody answers, or the connection was lost */
    HD_EXIT_NOT_FOUND = 4,  /* no such name, key, index, attribute, session or file */
    HD_EXIT_PERMISSION = 5, /* for the daemon's own user alone */
    HD_EXIT_CHANGED = 6,    /* the object changed meanwhile: try again */
};

struct hd_ctl {
    struct hd_ctl_options options;
    const char *const *operands; /* those behind the command's words; [operand_count] is NULL */
    size_t operand_count;
    struct heapd_connection *connection;
    struct hd_problem problem;
    bool is_usage_problem; /* the problem lies in the command line itself */
};

struct hd_command {
    const char *words;    /* "gc collect" */
    const char *operands; /* for help */
    const char *summary;  /* one line, small first letter */
    const char *details;  /* further lines, each ended; "" */
    size_t min_operands, max_operands;
    unsigned options; /* bits of enum hd_ctl_option, beside those that all take */
    /* 0, or the error that it put into ctl->problem. */
    int (*run)(struct hd_ctl *ctl);
};
extern const struct hd_command hd_commands[];
extern const size_t hd_command_count;

/* Puts a failure of libheapd into ctl->problem and returns it. */
int hd_ctl_fail(struct hd_ctl *ctl, const struct heapd_error *error);
/* The whole of an operand as a number, HD_EINVALID and a usage problem otherwise. `what` names it. */
int hd_ctl_parse_number(struct hd_ctl *ctl, const char *text, const char *what, uint64_t max,
                        uint64_t *out) HD_MUST_USE;
/* The JSON and document layouts that the options ask for; `indent` is what holds without --indent. */
struct hd_document_options hd_ctl_document_options(const struct hd_ctl *ctl, unsigned indent);

/* One line of JSON on the standard output, for --json: begin, write members, end. */
int hd_ctl_json_begin(struct hd_ctl *ctl, struct hd_json_writer *json, bool array) HD_MUST_USE;
void hd_ctl_json_end(struct hd_json_writer *json);
void hd_ctl_json_string(struct hd_json_writer *json, const char *key, const char *text);
void hd_ctl_json_text(struct hd_json_writer *json, const char *key, struct heapd_bytes text);
void hd_ctl_json_uint(struct hd_json_writer *json, const char *key, uint64_t value);
void hd_ctl_json_bool(struct hd_json_writer *json, const char *key, bool value);
/* A name of someone else's choice, so that it cannot play tricks on a terminal: quoted where it is odd. */
void hd_ctl_print_name(struct heapd_bytes name);

/* cmd_sync.c */
int hd_cmd_locks(struct hd_ctl *ctl);

/* cmd_session.c */
int hd_cmd_ping(struct hd_ctl *ctl);
int hd_cmd_stats(struct hd_ctl *ctl);
int hd_cmd_session_list(struct hd_ctl *ctl);
int hd_cmd_session_kill(struct hd_ctl *ctl);
int hd_cmd_shutdown(struct hd_ctl *ctl);
/* cmd_gc.c */
int hd_cmd_gc_collect(struct hd_ctl *ctl);
int hd_cmd_gc_threshold(struct hd_ctl *ctl);
int hd_cmd_gc_count(struct hd_ctl *ctl);
int hd_cmd_gc_stats(struct hd_ctl *ctl);
int hd_cmd_gc_enable(struct hd_ctl *ctl);
int hd_cmd_gc_disable(struct hd_ctl *ctl);
int hd_cmd_gc_freeze(struct hd_ctl *ctl);
int hd_cmd_gc_unfreeze(struct hd_ctl *ctl);
int hd_cmd_gc_compact(struct hd_ctl *ctl);
/* cmd_memory.c */
int hd_cmd_memory(struct hd_ctl *ctl);
/* cmd_object.c */
int hd_cmd_get(struct hd_ctl *ctl);
int hd_cmd_set(struct hd_ctl *ctl);
int hd_cmd_del(struct hd_ctl *ctl);
int hd_cmd_inspect(struct hd_ctl *ctl);
/* cmd_why.c */
int hd_cmd_why(struct hd_ctl *ctl);
/* cmd_retained.c, cmd_census.c, cmd_snapshot.c, cmd_graph.c */
int hd_cmd_retained(struct hd_ctl *ctl);
int hd_cmd_census(struct hd_ctl *ctl);
int hd_cmd_diff(struct hd_ctl *ctl);
int hd_cmd_snapshot(struct hd_ctl *ctl);
int hd_cmd_graph(struct hd_ctl *ctl);
int hd_cmd_scopes(struct hd_ctl *ctl);
/* cmd_live.c, cmd_top.c, cmd_doctor.c */
int hd_cmd_slowlog(struct hd_ctl *ctl);
int hd_cmd_monitor(struct hd_ctl *ctl);
int hd_cmd_top(struct hd_ctl *ctl);
int hd_cmd_doctor(struct hd_ctl *ctl);
/* cmd_map.c */
int hd_cmd_map(struct hd_ctl *ctl);
int hd_cmd_tags(struct hd_ctl *ctl);
/* cmd_audit.c */
int hd_cmd_audit(struct hd_ctl *ctl);
int hd_cmd_referrers(struct hd_ctl *ctl);
int hd_cmd_gc_debug(struct hd_ctl *ctl);
int hd_cmd_gc_garbage(struct hd_ctl *ctl);
/* cmd_ls.c */
int hd_cmd_ls(struct hd_ctl *ctl);
/* cmd_import.c, cmd_export.c */
int hd_cmd_import(struct hd_ctl *ctl);
int hd_cmd_export(struct hd_ctl *ctl);

#endif
