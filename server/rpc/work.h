/* Requests whose work the object layer does in slices (object/work.h). */
#ifndef HEAPD_RPC_WORK_H
#define HEAPD_RPC_WORK_H

#include "object/work.h"
#include "rpc/private.h"

/* What of the work's outcome is the reply. */
enum hd_answer {
    HD_ANSWER_NOTHING,
    HD_ANSWER_TRUTH,
    HD_ANSWER_NUMBER,
    HD_ANSWER_VALUE,  /* plain if it can be, else it goes into the slot */
    HD_ANSWER_OBJECT, /* into the slot in any case */
};

/*
 * Does the work and replies, or goes on with it in slices: then the session's
 * later requests wait for it, since they may be about what it changes, and other
 * sessions go on. Takes the work over, whatever comes out: it is finished, or
 * moved to memory of its own. Slots of results are prepared (hd_call_into). An
 * answer of HD_ANSWER_VALUE that is in the work from the beginning is known to fit
 * before anything changes. The errors are said in terms of `object` (HD_ABSENT: in
 * general ones). 0, HD_CALL_CONTINUES, or an error.
 */
int hd_call_work(struct hd_call *call, struct hd_work *work, enum hd_answer answer, hd_value object) HD_MUST_USE;

#endif
