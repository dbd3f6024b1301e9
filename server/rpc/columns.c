/*
 * Create and Extend with long literals: the message is taken apart in steps.
 *
 * As with a long Release, the frame stays at the front of the input, and each turn
 * of the connection reads on in it by hand: first where the columns lie (pieces),
 * then how many numbers each has, then the numbers and bytes themselves, into memory
 * of our own. What is beside the literal is left to protobuf-c. The last step runs the
 * handler with a message that looks as if protobuf-c had made all of it.
 */
#include <heapd/v1/method.pb-c.h>
#include <heapd/v1/object.pb-c.h>
#include <string.h>

#include "common/varint.h"
#include "rpc/private.h"

/* Bodies up to this are taken apart at once. */
#define AT_ONCE_BYTES ((size_t)64 << 10)
/* Encoders write each column as one piece; who writes numbers one by one writes small literals. */
#define PIECES_MAX 64u
/* In a step. */
#define STEP_NUMBERS 8192u
#define STEP_BYTES ((size_t)128 << 10)

/* Columns have the numbers of Literal's fields. */
enum { KINDS = 1, INTEGERS, REALS, SIZES, DATA, COUNTS, HANDLES, SHARED, COLUMNS };

struct piece {
    size_t at, end; /* positions in the body */
    unsigned column;
};

struct column {
    size_t count;  /* of numbers, or of bytes */
    size_t filled; /* of these */
    void *numbers; /* in the arena */
};

struct hd_reading {
    struct hd_rpc_arena arena; /* own */
    ProtobufCMessage *message; /* in the arena: all but the literal */
    struct piece pieces[PIECES_MAX];
    unsigned piece_count;
    unsigned piece; /* the one that is being read */
    size_t at;      /* position in the body */
    bool is_counted;
    struct column columns[COLUMNS];
};

bool hd_reading_is_long(const struct hd_rpc_connection *connection, const struct hd_frame *frame)
{
    return (frame->method == HEAPD__V1__METHOD__CREATE || frame->method == HEAPD__V1__METHOD__EXTEND) &&
           frame->body_bytes > AT_ONCE_BYTES && !connection->batch;
}

void hd_reading_free(struct hd_rpc_connection *connection)
{
    struct hd_reading *reading = connection->reading;
    if (!reading)
        return;
    connection->reading = NULL;
    hd_rpc_arena_fini(&reading->arena);
    hd_allocator_free(connection->server->allocator, reading, sizeof *reading);
}

static int new_reading(struct hd_rpc_connection *connection)
{
    const struct hd_allocator *allocator = connection->server->allocator;
    struct hd_reading *reading = hd_allocator_new_zeroed(allocator, sizeof *reading);
    if (!reading)
        return HD_ENOMEM;
    if (hd_rpc_arena_init(&reading->arena, allocator)) {
        hd_allocator_free(allocator, reading, sizeof *reading);
        return HD_ENOMEM;
    }
    connection->reading = reading;
    return 0;
}

/* ---- where things lie ---- */

/* One field: its tag, and its contents from *from (of a length-delimited one) to *at, which moves behind it. */
static int next_field(const uint8_t *body, size_t end_at, size_t *at, uint64_t *tag, size_t *from)
{
    const uint8_t *p = body + *at, *end = body + end_at;
    uint64_t number, bytes = 0;
    if (!hd_varint_get(&p, end, tag) || *tag >> 3 == 0)
        return HD_EPROTOCOL;
    *from = (size_t)(p - body);
    switch (*tag & 7) {
    case HD_WIRE_VARINT:
        if (!hd_varint_get(&p, end, &number))
            return HD_EPROTOCOL;
        break;
    case HD_WIRE_BYTES:
        if (!hd_varint_get(&p, end, &bytes))
            return HD_EPROTOCOL;
        *from = (size_t)(p - body);
        break;
    case HD_WIRE_FIXED64:
        bytes = 8;
        break;
    case 5:
        bytes = 4;
        break;
    default:
        return HD_EPROTOCOL;
    }
    if (bytes > (size_t)(end - p))
        return HD_EPROTOCOL;
    *at = (size_t)(p - body) + (size_t)bytes;
    return 0;
}

static bool is_bytes(unsigned column)
{
    return column == KINDS || column == DATA;
}

/* A packed column, or one number of it. */
static int add_piece(struct hd_reading *reading, uint64_t tag, size_t from, size_t end)
{
    unsigned column = tag >> 3 < COLUMNS ? (unsigned)(tag >> 3) : 0;
    unsigned alone = column == REALS ? HD_WIRE_FIXED64 : HD_WIRE_VARINT;
    if (column == 0)
        return 0; /* of a later version */
    if ((tag & 7) != HD_WIRE_BYTES && (is_bytes(column) || (tag & 7) != alone))
        return HD_EPROTOCOL;
    if (reading->piece_count == PIECES_MAX)
        return HD_ETOO_LARGE;
    /* Of bytes the last one counts. */
    for (unsigned i = 0; is_bytes(column) && i < reading->piece_count; i++)
        if (reading->pieces[i].column == column)
            reading->pieces[i].end = reading->pieces[i].at;
    reading->pieces[reading->piece_count++] = (struct piece){.at = from, .end = end, .column = column};
    return 0;
}

static int find_columns(struct hd_reading *reading, const uint8_t *body, size_t at, size_t end)
{
    /* Fields of later versions are passed over, but not any number of them. */
    for (unsigned fields = 0; at < end; fields++) {
        uint64_t tag;
        size_t from;
        int error = fields > 2 * PIECES_MAX ? HD_ETOO_LARGE : next_field(body, end, &at, &tag, &from);
        if (!error)
            error = add_piece(reading, tag, from, at);
        if (error)
            return error;
    }
    return 0;
}

/* Finds the columns, and leaves what is not the literal to protobuf-c. */
static int find_all(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    struct hd_reading *reading = call->connection->reading;
    const unsigned literal = frame->method == HEAPD__V1__METHOD__CREATE ? 1 : 2;
    size_t rest_bytes = 0;
    uint8_t *rest = hd_rpc_arena_get(&reading->arena, frame->body_bytes);
    if (!rest)
        return HD_ENOMEM;
    unsigned fields = 0;
    for (size_t at = 0; at < frame->body_bytes; fields++) {
        uint64_t tag;
        size_t begin = at, from;
        int error = fields > 2 * PIECES_MAX ? HD_ETOO_LARGE : next_field(body, frame->body_bytes, &at, &tag, &from);
        if (!error && tag == HD_WIRE_TAG(literal, HD_WIRE_BYTES)) {
            error = find_columns(reading, body, from, at);
        } else if (!error) {
            memcpy(rest + rest_bytes, body + begin, at - begin);
            rest_bytes += at - begin;
        }
        if (error)
            return error;
    }
    hd_rpc_arena_limit(&reading->arena, rest_bytes);
    reading->message = protobuf_c_message_unpack(call->operation->request, &reading->arena.protobuf, rest_bytes, rest);
    if (!reading->message)
        return reading->arena.error ? reading->arena.error : HD_EPROTOCOL;
    return 0;
}

/* ---- reading ---- */

/* Each number ends with the one byte of its that is below 128. */
static size_t count_ends(const uint8_t *bytes, size_t count)
{
    size_t ends = 0, i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        ends += (size_t)__builtin_popcountll(~word & UINT64_C(0x8080808080808080));
    }
    for (; i < count; i++)
        ends += bytes[i] < 0x80;
    return ends;
}

static int count_piece(struct hd_reading *reading, const struct piece *piece, const uint8_t *body)
{
    struct column *column = &reading->columns[piece->column];
    size_t left = piece->end - reading->at, bytes = left < 4 * STEP_BYTES ? left : 4 * STEP_BYTES;
    if (is_bytes(piece->column) || piece->column == REALS) {
        bytes = left;
        column->count += piece->column == REALS ? left / sizeof(double) : left;
        if (piece->column == REALS && left % sizeof(double))
            return HD_EPROTOCOL;
    } else {
        column->count += count_ends(body + reading->at, bytes);
        if (bytes && bytes == left && body[piece->end - 1] >= 0x80)
            return HD_EPROTOCOL;
    }
    reading->at += bytes;
    return 0;
}

static int make_columns(struct hd_reading *reading)
{
    for (unsigned i = KINDS; i < COLUMNS; i++) {
        struct column *column = &reading->columns[i];
        if (!column->count)
            continue;
        column->numbers = hd_rpc_arena_get(&reading->arena, column->count * (is_bytes(i) ? 1 : sizeof(uint64_t)));
        if (!column->numbers)
            return HD_ENOMEM;
    }
    return 0;
}

static int fill_numbers(struct hd_reading *reading, const struct piece *piece, const uint8_t *body)
{
    struct column *column = &reading->columns[piece->column];
    uint64_t *numbers = column->numbers;
    const uint8_t *at = body + reading->at, *end = body + piece->end;
    for (unsigned i = 0; i < STEP_NUMBERS && at < end; i++) {
        uint64_t number;
        if (!hd_varint_get(&at, end, &number))
            return HD_EPROTOCOL;
        numbers[column->filled++] = piece->column == INTEGERS ? (uint64_t)hd_unzigzag(number) : number;
    }
    reading->at = (size_t)(at - body);
    return 0;
}

static int fill_piece(struct hd_reading *reading, const struct piece *piece, const uint8_t *body)
{
    struct column *column = &reading->columns[piece->column];
    if (!is_bytes(piece->column) && piece->column != REALS)
        return fill_numbers(reading, piece, body);
    size_t left = piece->end - reading->at, bytes = left < STEP_BYTES ? left : STEP_BYTES;
    size_t width = piece->column == REALS ? sizeof(double) : 1;
    if (bytes)
        memcpy((uint8_t *)column->numbers + column->filled * width, body + reading->at, bytes);
    column->filled += bytes / width;
    reading->at += bytes;
    return 0;
}

/* Goes on with a piece. 1: everything was read; 0: there is more. */
static int read_on(struct hd_reading *reading, const uint8_t *body)
{
    if (reading->piece < reading->piece_count) {
        const struct piece *piece = &reading->pieces[reading->piece];
        if (reading->at < piece->at)
            reading->at = piece->at;
        int error = 0;
        if (piece->at < piece->end)
            error = reading->is_counted ? fill_piece(reading, piece, body) : count_piece(reading, piece, body);
        if (!error && (reading->at >= piece->end || piece->at == piece->end)) {
            reading->piece++;
            reading->at = 0;
        }
        return error;
    }
    if (reading->is_counted)
        return 1;
    reading->is_counted = true;
    reading->piece = 0;
    reading->at = 0;
    return make_columns(reading);
}

/* ---- running ---- */

static void make_literal(const struct hd_reading *reading, Heapd__V1__Literal *out)
{
    const struct column *columns = reading->columns;
    heapd__v1__literal__init(out);
    out->kinds = (ProtobufCBinaryData){columns[KINDS].count, columns[KINDS].numbers};
    out->data = (ProtobufCBinaryData){columns[DATA].count, columns[DATA].numbers};
    out->n_integers = columns[INTEGERS].count;
    out->integers = columns[INTEGERS].numbers;
    out->n_reals = columns[REALS].count;
    out->reals = columns[REALS].numbers;
    out->n_sizes = columns[SIZES].count;
    out->sizes = columns[SIZES].numbers;
    out->n_counts = columns[COUNTS].count;
    out->counts = columns[COUNTS].numbers;
    out->n_handles = columns[HANDLES].count;
    out->handles = columns[HANDLES].numbers;
    out->n_shared = columns[SHARED].count;
    out->shared = columns[SHARED].numbers;
}

/* The handler finds the message where it would have been decoded to, and may keep that memory. */
static int run(struct hd_call *call, struct hd_reading *reading)
{
    struct hd_rpc_arena *arena = &call->server->arena;
    Heapd__V1__Literal literal;
    make_literal(reading, &literal);
    if (call->method == HEAPD__V1__METHOD__CREATE)
        ((Heapd__V1__CreateRequest *)reading->message)->literal = &literal;
    else
        ((Heapd__V1__ExtendRequest *)reading->message)->literal = &literal;
    hd_rpc_arena_exchange(arena, &reading->arena);
    int result = call->operation->run(call, reading->message);
    hd_rpc_arena_reset(arena);
    hd_rpc_arena_exchange(arena, &reading->arena);
    return result;
}

static int fail(struct hd_call *call, const struct hd_frame *frame, int error)
{
    if (error == HD_ETOO_LARGE)
        return hd_fail(call, HD_ELIMIT, "the literal of %s is long and in many pieces; send packed columns",
                       call->operation->name);
    if (error == HD_EPROTOCOL)
        return hd_fail(call, error, "%u bytes are no %s", frame->body_bytes, call->operation->request->short_name);
    return error;
}

int hd_reading_step(struct hd_call *call, const struct hd_frame *frame, const uint8_t *body)
{
    struct hd_rpc_connection *connection = call->connection;
    int result;
    if (!connection->reading) {
        result = new_reading(connection);
        if (!result)
            result = find_all(call, frame, body);
    } else {
        result = read_on(connection->reading, body);
    }
    if (result == 0)
        return HD_CALL_LATER;
    result = result == 1 ? run(call, connection->reading) : fail(call, frame, result);
    hd_reading_free(connection);
    return result;
}
