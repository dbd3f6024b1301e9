/* The table of commands: what help, usage errors and completion go by. */
#include "client/heapctl/ctl.h"

#define LAYOUT (HD_OPTION_INDENT | HD_OPTION_COMPACT | HD_OPTION_ASCII | HD_OPTION_BYTES)

#define PATHS \
    "A PATH begins with a global name: countries[\"3166-1\"][0].name\n" \
    "  .name      an attribute of an instance, or a key of a dict\n" \
    "  [\"key\"]    a key of a dict, as a JSON string\n" \
    "  [-1]       an index, negative from the end, or an integer key of a dict\n" \
    "Names with odd characters are quoted: \"a.b\".\"c d\"\n"

#define OBJECTS "An OBJECT is a path, or an identity as inspect shows it: 0x1c.\n" PATHS

const struct hd_command hd_commands[] = {
    {"ping", "", "is the daemon there?", "", 0, 0, 0, hd_cmd_ping},
    {"import", "PATH FILE|-", "put a JSON document into the heap",
     "Integers keep their value at any size, keys their order; of a key given twice the\n"
     "last value wins. NaN and Infinity are refused. A document that fails half-way\n"
     "changes nothing: it is put at PATH when all of it has been built.\n" PATHS,
     2, 2, HD_OPTION_QUIET, hd_cmd_import},
    {"export", "PATH [FILE|-]", "write an object, and all that it reaches, as JSON",
     "Without FILE, to the standard output, as it comes. FILE appears under its name when all of it was\n"
     "written. Tuples and sets become arrays, instances objects; a shared part is written\n"
     "out again. Cycles, bytes (but see --bytes), NaN and infinities are refused.\n" PATHS,
     1, 2, LAYOUT | HD_OPTION_QUIET, hd_cmd_export},
    {"get", "PATH", "print a value as JSON", PATHS, 1, 1, LAYOUT | HD_OPTION_RAW, hd_cmd_get},
    {"set", "PATH JSON", "set a name, an item or an attribute to a JSON value",
     "All but the last step of PATH must exist. A str needs its quotes: set x '\"text\"'.\n" PATHS, 2, 2, 0,
     hd_cmd_set},
    {"del", "PATH", "delete a name, an item or an attribute", PATHS, 1, 1, 0, hd_cmd_del},
    {"ls", "[PREFIX|PATH]", "list global names, or what lies in an object",
     "A word alone is the beginning of the names to list; with -l, or with steps, it is the\n"
     "path of an object whose keys or elements are listed.\n" PATHS,
     0, 1, HD_OPTION_CHILDREN, hd_cmd_ls},
    {"inspect", "PATH", "type, identity, references, size and generation of an object",
     "The reference by which heapctl itself holds the object is not counted.\n" PATHS, 1, 1, 0, hd_cmd_inspect},
    {"why", "OBJECT", "what keeps an object alive: the shortest paths from roots, one for each holder", OBJECTS, 1, 1,
     HD_OPTION_COUNT, hd_cmd_why},
    {"retained", "[OBJECT]", "what goes when an object goes; without one, the largest keepers",
     "The retained size is that of all objects that nothing else keeps.\n" OBJECTS, 0, 1, HD_OPTION_COUNT,
     hd_cmd_retained},
    {"census", "", "what there is, by type, class, session, global name and tag",
     "Retained bytes are of what the session, name or tag alone keeps; of a type, of those of\n"
     "its objects that are not kept by another one of it.\n",
     0, 0, HD_OPTION_COUNT, hd_cmd_census},
    {"diff", "FILE [FILE]", "what grew since heapctl census --json wrote FILE, or between two of them", "", 1, 2,
     HD_OPTION_COUNT, hd_cmd_diff},
    {"tags", "", "list the tags that clients gave, and how many objects have each",
     "What each keeps is in heapctl census; what grew, in heapctl diff.\n", 0, 0, 0, hd_cmd_tags},
    {"map", "", "draw arenas and their pools: what lies where, and how full it is",
     "A row is an arena. --count says how many, 32 without. Colours only on a terminal.\n", 0, 0, HD_OPTION_COUNT,
     hd_cmd_map},
    {"snapshot", "[FILE|-]", "write the whole graph as a .heapsnapshot, which Chrome's DevTools open",
     "In DevTools: Memory, Load profile. The beginnings of str objects are in it.\n", 0, 1, HD_OPTION_QUIET,
     hd_cmd_snapshot},
    {"graph", "[OBJECT]", "draw scopes, names and objects for Graphviz",
     "heapctl graph | dot -Tsvg > heap.svg. --count says how many objects, 60 without.\n" OBJECTS, 0, 1,
     HD_OPTION_COUNT, hd_cmd_graph},
    {"scopes", "", "list scopes: their names, and their parents", "", 0, 0, 0, hd_cmd_scopes},
    {"top", "", "a screen that shows, every second, what the daemon does",
     "Sessions, rates, memory, generations, pauses, slow requests. Ctrl-C ends it; --count N after N\n"
     "screens. Without a terminal, one screen after the other.\n",
     0, 0, HD_OPTION_COUNT, hd_cmd_top},
    {"doctor", "", "look for what is wrong, and say what to do about it",
     "Exit status 0 also when there are findings.\n", 0, 0, 0, hd_cmd_doctor},
    {"slowlog", "[reset|threshold MS]", "the slowest requests of late",
     "Kept are the last 128 that took 10 ms or more, or as long as the threshold says (0: none).\n", 0, 2,
     HD_OPTION_COUNT | HD_OPTION_QUIET, hd_cmd_slowlog},
    {"monitor", "", "show requests and collections as they happen", "--count N ends it after N events.\n", 0, 0,
     HD_OPTION_COUNT, hd_cmd_monitor},
    {"audit", "", "count every reference again, and report what does not agree",
     "Others are served meanwhile. Exit status 1 if there is a miscount.\n", 0, 0, 0, hd_cmd_audit},
    {"referrers", "OBJECT", "list the objects that refer to an object", OBJECTS, 1, 1, HD_OPTION_COUNT,
     hd_cmd_referrers},
    {"gc debug", "[FLAGS]", "show or set the debug flags: stats, saveall, none",
     "With stats, the daemon logs collections. With saveall, what collections find is kept, to be looked at with gc "
     "garbage.\n",
     0, 3, 0, hd_cmd_gc_debug},
    {"gc garbage", "[clear]", "list what collections were told to keep, or let go of it", "", 0, 1, HD_OPTION_COUNT,
     hd_cmd_gc_garbage},
    {"gc collect", "[GENERATION]", "collect a generation (0, 1 or 2: all) and the younger ones",
     "A dry run is of all generations: it counts the unreachable objects, and their bytes.\n", 0, 1, HD_OPTION_DRY_RUN,
     hd_cmd_gc_collect},
    {"gc threshold", "[T0 [T1 [T2]]]", "show or set the thresholds of the generations", "", 0, 3, 0,
     hd_cmd_gc_threshold},
    {"gc count", "", "show the counts that are held against the thresholds", "", 0, 0, 0, hd_cmd_gc_count},
    {"gc stats", "", "show what the collector has done", "", 0, 0, 0, hd_cmd_gc_stats},
    {"gc enable", "", "let collections happen by themselves", "", 0, 0, HD_OPTION_QUIET, hd_cmd_gc_enable},
    {"gc disable", "", "collect only on request", "", 0, 0, HD_OPTION_QUIET, hd_cmd_gc_disable},
    {"gc freeze", "", "let collections pass by all objects that there are now",
     "They are still freed when their count falls to zero.\n", 0, 0, HD_OPTION_QUIET, hd_cmd_gc_freeze},
    {"gc unfreeze", "", "let frozen objects be collected again", "", 0, 0, HD_OPTION_QUIET, hd_cmd_gc_unfreeze},
    {"gc compact", "", "move objects together and give memory back",
     "Waits until it is done; other clients are served meanwhile.\n", 0, 0, HD_OPTION_QUIET, hd_cmd_gc_compact},
    {"memory", "", "show what the daemon's memory is made of",
     "Totals, pools by size class, generations, and how long work between requests took.\n", 0, 0, 0, hd_cmd_memory},
    {"stats", "[PREFIX]", "show the daemon's numbers", "Units are part of the names: _bytes, _count, _ns.\n", 0, 1, 0,
     hd_cmd_stats},
    {"locks", "", "show who holds and who waits for locks, queues and the like",
     "Objects are named by identity, as inspect shows it. Locks that a session kept when it said goodbye have no "
     "holder.\n",
     0, 0, 0, hd_cmd_locks},
    {"session list", "", "show who is connected", "", 0, 0, 0, hd_cmd_session_list},
    {"session kill", "ID", "end a session and release all that it holds", "", 1, 1, HD_OPTION_QUIET,
     hd_cmd_session_kill},
    {"shutdown", "", "end the daemon; the heap is lost", "Export first what matters.\n", 0, 0, HD_OPTION_QUIET,
     hd_cmd_shutdown},
};
const size_t hd_command_count = sizeof hd_commands / sizeof *hd_commands;
