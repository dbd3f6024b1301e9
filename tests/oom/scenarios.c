/* The scenarios, and what several of them use. Each goes on as long as it can; what it has made is in roots, or let go
 * of. */
#include "oom.h"

struct hd_key oom_key_of(const char *text)
{
    return hd_key_of_bytes(HD_TAG_STR, (const uint8_t *)text, strlen(text));
}

int oom_new_str(struct oom *oom, const char *text, hd_value *out)
{
    return hd_str_new(oom->objects, (const uint8_t *)text, strlen(text), out);
}

bool oom_make_list(struct oom *oom, size_t at)
{
    hd_value value;
    oom_begin(oom);
    if (!oom_unchanged(oom, hd_list_new(oom->objects, 0, &value)))
        return false;
    oom_root(oom, at, value);
    return true;
}

const struct oom_scenario oom_scenarios[] = {
    {"scalars", oom_scalars, 700},
    {"lists", oom_lists, 700},
    {"dicts", oom_dicts, 700},
    {"large objects", oom_large_objects, 700},
    {"sets", oom_sets, 700},
    {"deep keys", oom_deep_keys, 700},
    {"classes and instances", oom_classes, 700},
    {"names and scopes", oom_names, 700},
    {"literals", oom_literals, 700},
    {"sequences", oom_sequences, 700},
    {"coordination", oom_coordination, 700},
    {"names that end, subscriptions", oom_names_that_end, 700},
    {"extending a dict", oom_extending_a_dict, 700},
    {"walks", oom_walks, 700},
    {"young collections", oom_young_collections, 20},
    {"full collections and compaction", oom_full_collections, 50},
    {"set algebra", oom_set_algebra, 700},
    {"references and cursors", oom_references, 700},
    {"inspection", oom_inspection, 700},
    {"buffers", oom_buffers, 700},
};
const size_t oom_scenario_count = sizeof oom_scenarios / sizeof oom_scenarios[0];
