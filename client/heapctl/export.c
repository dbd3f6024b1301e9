#include "client/heapctl/export.h"

#include <string.h>

static int write_plain(struct hd_document_writer *writer, const struct heapd_value *value, struct hd_problem *problem)
{
    struct heapd_node node;
    memset(&node, 0, sizeof node);
    node.kind = HEAPD_NODE_VALUE;
    node.value = *value;
    return hd_document_writer_node(writer, &node, problem);
}

static int write_object(struct hd_document_writer *writer, struct heapd_connection *connection, heapd_handle object,
                        struct hd_problem *problem)
{
    struct heapd_export *export;
    struct heapd_node node;
    struct heapd_error error;
    if (heapd_export_open(connection, object, 0, &export, &error))
        return hd_problem_set(problem, error.code, "%s", error.message);
    int failed = 0;
    while (!failed) {
        int more = heapd_export_next(export, &node, &error);
        if (more < 0)
            failed = hd_problem_set(problem, error.code, "%s", error.message);
        if (more <= 0)
            break;
        failed = hd_document_writer_node(writer, &node, problem);
    }
    heapd_export_close(export);
    return failed;
}

int hd_export_write(struct heapd_connection *connection, const struct heapd_value *value,
                    const struct hd_document_options *options, const char *root_path, FILE *stream,
                    struct hd_problem *problem)
{
    struct hd_document_writer writer;
    int error = hd_document_writer_init(&writer, stream, options, root_path);
    if (error)
        hd_problem_no_memory(problem);
    else if (value->kind == HEAPD_VALUE_REF)
        error = write_object(&writer, connection, value->as.ref, problem);
    else
        error = write_plain(&writer, value, problem);
    hd_document_writer_fini(&writer);
    return error;
}
