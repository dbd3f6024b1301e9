/* The random operations on objects, done to engine and model side by side: which one, and what may come out. */
#include "operations.h"

bool run_expect(struct run *run, int error, int wanted)
{
    if (error == HD_ENOMEM && (run->faults || run->options->limit_bytes)) {
        run->failed = true;
        return false;
    }
    if (error != wanted)
        model_fail("error %s where %s was expected", hd_error_name(error), hd_error_name(wanted));
    return true;
}

static const struct {
    void (*run)(struct run *run);
    unsigned weight;
} operations[] = {
    {op_new_scalar, 4},    {op_new_container, 30},   {op_new_tuple, 10}, {op_new_class, 2},
    {op_new_instance, 5},  {op_new_scope, 2},        {op_duplicate, 5},  {op_release, 14},
    {op_descend, 12},      {op_append, 20},          {op_insert, 7},     {op_list_set, 6},
    {op_list_pop, 7},      {op_contains, 4},         {op_clear, 2},      {op_table_put, 24},
    {op_table_get, 6},     {op_table_remove, 7},     {op_pop_last, 3},   {op_attribute_set, 10},
    {op_attribute_get, 5}, {op_attribute_delete, 3}, {op_bind, 4},       {op_unbind, 3},
    {op_look_up, 4},       {op_close_scope, 1},      {op_add, 4},        {op_build, 5},
    {run_work, 20},        {run_session, 10},
};

void run_operation(struct run *run)
{
    unsigned sum = 0;
    for (uint32_t i = 0; i < LENGTH_OF(operations); i++)
        sum += operations[i].weight;
    uint32_t choice = run_below(run, sum), at = 0;
    while (choice >= operations[at].weight)
        choice -= operations[at++].weight;
    run->failed = false;
    run->faults = 0;
    run->fault_in = run_below(run, 100) < run->options->fault_percent ? 1 + run_below(run, 4) : 0;
    operations[at].run(run);
    run->fault_in = 0;
    run->done_by_operation[at]++;
}
