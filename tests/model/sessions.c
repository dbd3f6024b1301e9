/* Sessions: handles that hold what the model says, until they are released one by one or the session ends in slices. */
#include "run.h"

static bool is_empty(const struct model_value *held)
{
    return held->word == HD_ABSENT;
}

static hd_handle handle_at(const struct run *run, uint32_t session, uint32_t slot)
{
    return hd_handle_make(slot + 1, run->generations[session][slot]);
}

void run_sessions_start(struct run *run)
{
    for (uint32_t i = 0; i < MODEL_SESSIONS; i++)
        hd_session_init(&run->sessions[i], run->heap, i + 1, MODEL_SLOTS + 1);
}

/* The end of a session, as far as it has been begun. */
static bool close_step(struct run *run, uint32_t number, uint64_t units)
{
    struct hd_session *session = &run->sessions[number];
    if (!session->closing || hd_session_close_step(session, units))
        return session->closing;
    hd_session_fini(session);
    hd_session_init(session, run->heap, number + 1, MODEL_SLOTS + 1);
    for (uint32_t i = 0; i < MODEL_SLOTS; i++)
        run->generations[number][i] = 0;
    return false;
}

void run_sessions_settle(struct run *run)
{
    for (uint32_t i = 0; i < MODEL_SESSIONS; i++)
        while (close_step(run, i, 1000))
            ;
}

static void begin_close(struct run *run, uint32_t number)
{
    hd_session_close(&run->sessions[number]);
    for (uint32_t i = 0; i < MODEL_SLOTS; i++)
        run->model.held[number][i] = (struct model_value){.word = HD_ABSENT};
}

void run_sessions_end(struct run *run)
{
    for (uint32_t i = 0; i < MODEL_SESSIONS; i++)
        if (!run->sessions[i].closing)
            begin_close(run, i);
    run_sessions_settle(run);
    for (uint32_t i = 0; i < MODEL_SESSIONS; i++) {
        hd_session_close(&run->sessions[i]);
        while (hd_session_close_step(&run->sessions[i], 1000))
            ;
        hd_session_fini(&run->sessions[i]);
    }
}

static void fill(struct run *run, uint32_t number, uint32_t slot)
{
    struct hd_session *session = &run->sessions[number];
    hd_handle handle = hd_handle_make(slot + 1, run->generations[number][slot] + 1);
    if (!run_expect(run, hd_session_prepare(session, handle), 0))
        return;
    struct model_value value = run->model.roots[run_below(run, MODEL_ROOTS)];
    hd_session_fill(session, handle, hd_gc_retain(run->gc, value.word));
    run->generations[number][slot]++;
    run->model.held[number][slot] = value;
}

static void look(struct run *run, uint32_t number, uint32_t slot)
{
    const struct hd_session *session = &run->sessions[number];
    hd_value word = HD_ABSENT;
    uint64_t failed;
    hd_handle handle = handle_at(run, number, slot);
    MODEL_ASSERT(hd_session_get(session, handle, &word, &failed) == 0);
    MODEL_ASSERT(word == run->model.held[number][slot].word);
    /* One of an earlier use is no handle any more. */
    handle = hd_handle_make(slot + 1, run->generations[number][slot] - 1);
    if (run->generations[number][slot] > 1)
        MODEL_ASSERT(hd_session_get(session, handle, &word, &failed) == HD_EHANDLE_STALE);
    MODEL_ASSERT(hd_session_check(session) == NULL);
}

static void release(struct run *run, uint32_t number, uint32_t slot)
{
    uint64_t failed;
    MODEL_ASSERT(hd_session_release(&run->sessions[number], handle_at(run, number, slot), &failed) == 0);
    run->model.held[number][slot] = (struct model_value){.word = HD_ABSENT};
}

void run_session(struct run *run)
{
    uint32_t number = run_below(run, MODEL_SESSIONS), slot = run_below(run, MODEL_SLOTS);
    if (run->sessions[number].closing) {
        (void)close_step(run, number, 1 + run_below(run, 4));
        return;
    }
    if (run_below(run, 60) == 0)
        begin_close(run, number);
    else if (is_empty(&run->model.held[number][slot]))
        fill(run, number, slot);
    else if (run_below(run, 2))
        look(run, number, slot);
    else
        release(run, number, slot);
}
