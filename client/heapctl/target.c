#include "client/heapctl/target.h"

#include <stdlib.h>

static struct heapd_bytes step_text(const struct hd_path *path, const struct hd_path_step *step)
{
    return heapd_slice(hd_path_text(path, step), step->text_bytes);
}

static struct heapd_value step_item(const struct hd_path *path, const struct hd_path_step *step)
{
    if (step->kind == HD_PATH_INDEX)
        return heapd_int(step->index);
    struct heapd_bytes text = step_text(path, step);
    return heapd_str_of(text.data, text.size);
}

static int fail(struct hd_problem *problem, const struct heapd_error *error)
{
    return hd_problem_set(problem, error->code, "%s", error->message);
}

/* Walks the first `count` steps, the name included. */
static int resolve(struct heapd_connection *connection, const struct hd_path *path, size_t count, enum heapd_want want,
                   struct heapd_value *out, struct hd_problem *problem)
{
    struct heapd_path_step *steps = calloc(count, sizeof *steps);
    struct heapd_error error;
    if (!steps)
        return hd_problem_no_memory(problem);
    for (size_t i = 1; i < count; i++) {
        const struct hd_path_step *step = &path->steps[i];
        if (step->kind == HD_PATH_MEMBER) {
            steps[i - 1].is_member = true;
            steps[i - 1].member = step_text(path, step);
        } else {
            steps[i - 1] = heapd_step_item(step_item(path, step));
        }
    }
    int code = heapd_resolve(connection, 0, HEAPD_GLOBAL, step_text(path, &path->steps[0]), steps, count - 1, want, out,
                             &error);
    free(steps);
    return code ? fail(problem, &error) : 0;
}

int hd_target_get(struct heapd_connection *connection, const struct hd_path *path, enum heapd_want want,
                  struct heapd_value *out, struct hd_problem *problem)
{
    return resolve(connection, path, path->step_count, want, out, problem);
}

/* What the last step belongs to, and whether that step is an attribute of it. */
static int resolve_parent(struct heapd_connection *connection, const struct hd_path *path, struct heapd_value *parent,
                          bool *is_attribute, struct hd_problem *problem)
{
    int error = resolve(connection, path, path->step_count - 1, HEAPD_OBJECT, parent, problem);
    if (error)
        return error;
    *is_attribute = path->steps[path->step_count - 1].kind == HD_PATH_MEMBER &&
                    (parent->type == HEAPD_TYPE_INSTANCE || parent->type == HEAPD_TYPE_CLASS);
    return 0;
}

int hd_target_set(struct heapd_connection *connection, const struct hd_path *path, struct heapd_value value,
                  struct hd_problem *problem)
{
    const struct hd_path_step *last = &path->steps[path->step_count - 1];
    struct heapd_value parent;
    struct heapd_error error;
    bool is_attribute;
    if (path->step_count == 1)
        return heapd_bind(connection, HEAPD_GLOBAL, step_text(path, last), value, &error) ? fail(problem, &error) : 0;
    int code = resolve_parent(connection, path, &parent, &is_attribute, problem);
    if (code)
        return code;
    if (is_attribute)
        code = heapd_set_attr(connection, parent.as.ref, step_text(path, last), value, &error);
    else
        code = heapd_set_item(connection, parent.as.ref, step_item(path, last), value, &error);
    heapd_release(connection, parent.as.ref);
    return code ? fail(problem, &error) : 0;
}

int hd_target_delete(struct heapd_connection *connection, const struct hd_path *path, struct hd_problem *problem)
{
    const struct hd_path_step *last = &path->steps[path->step_count - 1];
    struct heapd_value parent;
    struct heapd_error error;
    bool is_attribute;
    if (path->step_count == 1)
        return heapd_unbind(connection, HEAPD_GLOBAL, step_text(path, last), &error) ? fail(problem, &error) : 0;
    int code = resolve_parent(connection, path, &parent, &is_attribute, problem);
    if (code)
        return code;
    if (is_attribute)
        code = heapd_del_attr(connection, parent.as.ref, step_text(path, last), &error);
    else
        code = heapd_del_item(connection, parent.as.ref, step_item(path, last), &error);
    heapd_release(connection, parent.as.ref);
    return code ? fail(problem, &error) : 0;
}
