/* A literal that is being built: what build.c, which reads it, and builder.c, which hands it out, share. */
#ifndef HEAPD_OBJECT_BUILD_INTERNAL_H
#define HEAPD_OBJECT_BUILD_INTERNAL_H

#include "object/combine.h"
#include "object/object.h"
#include "object/sequence.h"

/* A container that is open. */
struct frame {
    hd_value container; /* own; of an instance HD_ABSENT until its class came */
    enum hd_kind kind;
    uint64_t left;     /* nodes still to come into it */
    uint64_t number;   /* of this container in the literal */
    struct hd_key key; /* of a dict or instance: the key that waits for its value; may own key.value */
    bool has_key;
};

/* Numbered containers: kept only when shares or captures will ask for them. */
struct numbered {
    hd_value value; /* own; HD_ABSENT while it is open */
};

struct hd_builder {
    struct hd_objects *objects;
    const struct hd_build *build;
    struct hd_literal_reader reader;
    struct frame *frames;
    uint32_t depth;
    uint32_t frame_capacity;
    struct numbered *numbered;
    size_t numbered_capacity;
    uint64_t container_count;
    bool numbering;
    hd_value *done; /* own: complete top-level values */
    size_t done_count;
    size_t done_capacity;
    /*
     * What extends a dict or set is read into a table of its own, which then joins the
     * container as one change (combine.h); and what extends a list in slices into a list
     * (sequence.h).
     */
    hd_value aside;   /* own, or HD_ABSENT */
    hd_value pending; /* own: a top-level key that waits for its value, or HD_ABSENT */
    bool in_slices;
    bool joining;
    struct hd_combine join;
    struct hd_splice append;
    unsigned attempts; /* at joining a list that changed meanwhile */
    hd_value *classes; /* own: whose instances it makes, each once */
    size_t class_count;
    size_t class_capacity;
    bool many_classes; /* more than are kept: what is set from now on stays in layouts, whatever comes */
    bool succeeded;
    /* borrow: open while the container itself is changed, and NULL before: what is made is nobody's yet */
    struct hd_undo *undo;
    bool keys_in_done; /* top-level nodes alternate between key and value */
    hd_value into;     /* HD_ABSENT: a value is made; own, if it goes on in slices */
    /* Of a builder that goes on in slices: the values of all handles, in their order, and its being a root. */
    hd_value *handles; /* own */
    size_t handle_count;
    size_t handle_next;
    struct hd_root_source roots;
};

/* Cannot fail: memory comes with the first node that needs it. */
void hd_builder_begin(struct hd_builder *builder, struct hd_objects *objects, const struct hd_build *build,
                      hd_value into);
/* Lets go of everything but `into`. */
void hd_builder_fini(struct hd_builder *builder);
/* The value of a handle, borrowed. */
int hd_build_resolve(const struct hd_build *build, uint64_t handle, hd_value *out) HD_MUST_USE;

#endif
