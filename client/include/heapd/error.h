/*
 * What went wrong: codes, and words.
 *
 * Included by heapd.h, whose rules on results, errors and ownership hold here too.
 */
#ifndef HEAPD_ERROR_H
#define HEAPD_ERROR_H

#ifndef HEAPD_HEAPD_H
#error "include <heapd/heapd.h>"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The codes, as the daemon has them. Numbers keep their meaning for ever.
 * heapd_code_text says of each what it means and what to do.
 */
enum heapd_code {
    HEAPD_OK = 0,
    HEAPD_ENOMEM = -1,           /* the heap's limit is reached, or this process has no memory */
    HEAPD_ELIMIT = -2,           /* a limit of the session, of the daemon or of the connection */
    HEAPD_EINVALID = -3,         /* an argument is not valid */
    HEAPD_EPROTOCOL = -4,        /* bytes that are not what the method has */
    HEAPD_ETYPE = -5,            /* the object's type does not have this operation */
    HEAPD_EINDEX = -6,           /* no such index */
    HEAPD_EKEY = -7,             /* no such key */
    HEAPD_ENAME = -8,            /* no such name */
    HEAPD_EATTRIBUTE = -9,       /* no such attribute */
    HEAPD_EUNHASHABLE = -10,     /* a list, dict or set as a key */
    HEAPD_EHANDLE_STALE = -11,   /* the handle was released */
    HEAPD_EHANDLE_UNKNOWN = -12, /* the session does not hold it */
    HEAPD_ESLOT_OCCUPIED = -13,
    HEAPD_ESLOT_PENDING = -14, /* the handle waits for an earlier request's reply */
    HEAPD_ESLOT_GENERATION = -15,
    HEAPD_EABORTED = -16, /* an earlier link of the chain failed: error.failed_request */
    HEAPD_ECHANGED = -17, /* an object changed meanwhile: nothing was done, try again */
    HEAPD_ECANCELLED = -18,
    HEAPD_EDEADLINE = -19,    /* the time that the request may wait is over */
    HEAPD_EPERMISSION = -20,  /* for the daemon's own user alone */
    HEAPD_EMETHOD = -21,      /* the daemon does not know this method */
    HEAPD_ETOO_LARGE = -22,   /* send or ask for it in parts */
    HEAPD_EUTF8 = -23,        /* a str that is not valid UTF-8 */
    HEAPD_ECYCLE = -24,       /* a literal that refers to a container that is still open */
    HEAPD_EDEPTH = -25,       /* nested deeper than the limit */
    HEAPD_EUNAVAILABLE = -26, /* no daemon answers there */
    HEAPD_EINTERNAL = -27,
    HEAPD_ENOT_PLAIN = -28, /* the result is an object, and HEAPD_PLAIN was asked for */
    HEAPD_EHELLO = -29,     /* no common version of the protocol */
    HEAPD_ECLOSED = -30,    /* the connection is lost; whether the request ran is not known */
    HEAPD_EOVERFLOW = -31,  /* the number does not fit */
    HEAPD_ESYNTAX = -32,    /* an address that does not follow its grammar */
    HEAPD_ESYSTEM = -33,    /* the operating system refused */
    HEAPD_EEXISTS = -34,
    HEAPD_EVALUE = -35,         /* Python's ValueError: of the right type, and yet nothing that this takes */
    HEAPD_EZERO_DIVISION = -36, /* Python's ZeroDivisionError */
    HEAPD_ERECURSION = -37,     /* Python's RecursionError: objects that contain themselves have no end */
    /* Containers, cursors, weak references. */
    HEAPD_EGONE = -40,        /* the object that the weak reference was to is gone */
    HEAPD_EITERATION = -41,   /* the container changed while a cursor went through it */
    HEAPD_EEMPTY = -42,       /* nothing to pop */
    HEAPD_ESEALED = -53,      /* the buffer is sealed: nobody can write to it */
    HEAPD_ENOT_SEALED = -54,  /* the buffer is not sealed yet, or never will be: its writer has gone */
    HEAPD_EMAPPED = -55,      /* somebody has the buffer mapped for writing */
    HEAPD_EDESCRIPTORS = -56, /* the daemon has no descriptor left */

    HEAPD_EQUEUE_FULL = -45,     /* queue.Full */
    HEAPD_EQUEUE_EMPTY = -46,    /* queue.Empty */
    HEAPD_ENOT_LOCKED = -47,     /* a lock was released that nobody holds */
    HEAPD_ENOT_OWNED = -48,      /* somebody else holds the lock, or nobody does */
    HEAPD_EOVER_RELEASE = -49,   /* a bounded semaphore, or task_done */
    HEAPD_EBROKEN_BARRIER = -50, /* threading.BrokenBarrierError */
    HEAPD_EBATCH = -57,          /* not in a batch, or no batch is open */
    HEAPD_ETOKEN = -59,          /* the token has run out */

    /* Of this library alone; never on the wire. */
    HEAPD_EFORKED = -1001, /* the connection belongs to the parent process */
    HEAPD_ETICKET = -1002, /* no such ticket, or its result was fetched before */
};

/* What heapd_wait returns when the time is over and the request still runs; nothing failed. */
#define HEAPD_PENDING 1

/* What went wrong with one call. All zero after a success. */
struct heapd_error {
    int code;                /* enum heapd_code */
    int status;              /* gRPC's status number: 3 INVALID_ARGUMENT, 5 NOT_FOUND, ... */
    uint64_t request;        /* the ticket of the request that failed; 0: it was never sent */
    uint64_t failed_request; /* HEAPD_EABORTED: the ticket of the request that failed first */
    char message[232];       /* what was wrong and what to do, as text that ends in NUL */
};

/* "HEAPD_EKEY" and so on. Never NULL. */
HEAPD_API const char *heapd_code_name(int code);
/* What it means and what to do. Never NULL. */
HEAPD_API const char *heapd_code_text(int code);
/* "NOT_FOUND" and so on, of error.status. Never NULL. */
HEAPD_API const char *heapd_status_name(int status);

#ifdef __cplusplus
}
#endif

#endif
