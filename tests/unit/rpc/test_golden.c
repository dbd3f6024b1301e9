/* Recorded conversations, replayed: tests/golden/README.md. */
#include <dirent.h>
#include <unistd.h>

#include "test.h"

/* ---- replaying ---- */

struct line {
    char direction;
    uint8_t *bytes;
    size_t count;
};

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next line that says something; false at the end. */
static bool read_line(FILE *file, struct line *line)
{
    static char text[1 << 18];
    do {
        if (!fgets(text, sizeof text, file))
            return false;
    } while (text[0] != '>' && text[0] != '<');
    line->direction = text[0];
    line->bytes = malloc(strlen(text));
    assert_non_null(line->bytes);
    line->count = 0;
    for (const char *at = text + 2; digit(at[0]) >= 0; at += 2) {
        assert_true(digit(at[1]) >= 0);
        line->bytes[line->count++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
    }
    return true;
}

static void compare_errors(const struct rpc_reply *wanted, const struct rpc_reply *got)
{
    Heapd__V1__Error *old = rpc_unpack(wanted, &heapd__v1__error__descriptor);
    Heapd__V1__Error *new = rpc_unpack(got, &heapd__v1__error__descriptor);
    assert_int_equal(old->status, new->status);
    assert_int_equal(old->code, new->code);
    assert_int_equal(old->failed_request, new->failed_request);
    assert_true(strlen(new->message) > 0);
    free_message(old);
    free_message(new);
}

static void compare_hellos(const struct rpc_reply *wanted, const struct rpc_reply *got)
{
    Heapd__V1__HelloReply *old = rpc_unpack(wanted, &heapd__v1__hello_reply__descriptor);
    Heapd__V1__HelloReply *new = rpc_unpack(got, &heapd__v1__hello_reply__descriptor);
    assert_int_equal(old->version, new->version);
    assert_int_equal(old->features, new->features);
    assert_int_equal(old->session_id, new->session_id);
    assert_int_equal(old->max_frame_bytes, new->max_frame_bytes);
    assert_int_equal(old->max_slots, new->max_slots);
    assert_int_equal(old->max_depth, new->max_depth);
    free_message(old);
    free_message(new);
}

static void compare(const struct line *line, const struct rpc_reply *got)
{
    struct rpc_reply wanted = {.body = line->bytes + HD_FRAME_HEADER_BYTES};
    assert_int_equal(hd_frame_read(line->bytes, line->count, HD_FRAME_MAX_BODY_BYTES, &wanted.frame), 0);
    assert_int_equal(wanted.frame.method, got->frame.method);
    assert_int_equal(wanted.frame.flags, got->frame.flags);
    assert_int_equal(wanted.frame.descriptors, got->frame.descriptors);
    assert_int_equal(wanted.frame.request_id, got->frame.request_id);
    if (wanted.frame.flags & HD_FRAME_ERROR) {
        compare_errors(&wanted, got);
    } else if (wanted.frame.method == METHOD(HELLO)) {
        compare_hellos(&wanted, got);
    } else {
        assert_int_equal(wanted.frame.body_bytes, got->frame.body_bytes);
        assert_memory_equal(wanted.body, got->body, wanted.frame.body_bytes);
    }
}

static void replay(const char *path)
{
    struct rpc_world world;
    struct rpc_client client;
    struct line line;
    struct rpc_reply reply;
    unsigned long number = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot read %s", path);
    rpc_world_init(&world);
    rpc_world_start(&world);
    rpc_client_connect(&client, &world, true);
    while (read_line(file, &line)) {
        number++;
        if (line.direction == '>') {
            /* Nothing may be left over that was not in the recording. */
            assert_false(rpc_take_any(&client, &reply));
            rpc_send_bytes(&client, line.bytes, line.count);
            rpc_world_run(&world);
        } else {
            if (!rpc_take_any(&client, &reply))
                fail_msg("%s: frame %lu: no answer", path, number);
            compare(&line, &reply);
        }
        free(line.bytes);
    }
    assert_false(rpc_take_any(&client, &reply));
    assert_true(number > 0);
    (void)fclose(file);
    rpc_client_close(&client);
    rpc_world_fini(&world);
}

static void recorded_conversations_go_as_they_went(void **state)
{
    (void)state;
    char path[512];
    unsigned count = 0;
    DIR *directory = opendir(GOLDEN_DIRECTORY);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".hex") != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", GOLDEN_DIRECTORY, entry->d_name);
        replay(path);
        count++;
    }
    (void)closedir(directory);
    assert_true(count > 0);
}

/* ---- recording ---- */

struct recorder {
    FILE *file;
    struct rpc_world world;
    struct rpc_client client;
};

static void write_line(FILE *file, char direction, const uint8_t *bytes, size_t count)
{
    (void)fprintf(file, "%c ", direction);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(file, "%02x", bytes[i]);
    (void)fprintf(file, "\n");
}

/* Writes down what the daemon has answered. */
static void take_answers(struct recorder *recorder)
{
    struct rpc_client *client = &recorder->client;
    size_t count;
    const uint8_t *bytes = hd_rpc_output(client->connection, &count);
    for (size_t at = 0; at < count;) {
        struct hd_frame frame = {0};
        assert_int_equal(hd_frame_read(bytes + at, count - at, HD_FRAME_MAX_BODY_BYTES, &frame), 0);
        write_line(recorder->file, '<', bytes + at, HD_FRAME_HEADER_BYTES + frame.body_bytes);
        at += HD_FRAME_HEADER_BYTES + frame.body_bytes;
    }
    hd_rpc_sent(client->connection, count);
}

/* Sends what `send` put into the client's input while it was held back, and writes both sides down. */
static void exchange(struct recorder *recorder, const char *comment)
{
    struct rpc_client *client = &recorder->client;
    struct hd_buffer *input = &client->input;
    (void)fprintf(recorder->file, "# %s\n", comment);
    write_line(recorder->file, '>', hd_buffer_head(input), hd_buffer_readable(input));
    size_t taken = hd_rpc_receive(client->connection, hd_buffer_head(input), hd_buffer_readable(input));
    assert_int_equal(taken, hd_buffer_readable(input));
    hd_buffer_consume(input, taken);
    rpc_world_run(&recorder->world);
    take_answers(recorder);
}

/* Puts one request's frame into the input, without giving it to the server. */
static void queue(struct recorder *recorder, int method, const void *message)
{
    struct rpc_client *client = &recorder->client;
    size_t bytes = message ? protobuf_c_message_get_packed_size(message) : 0;
    struct hd_frame frame = {.body_bytes = (uint32_t)bytes, .method = (uint16_t)method};
    frame.request_id = ++client->last_id;
    uint8_t *room;
    assert_int_equal(hd_buffer_reserve(&client->input, HD_FRAME_HEADER_BYTES + bytes, &room), 0);
    hd_frame_write(room, &frame);
    if (message)
        protobuf_c_message_pack(message, room + HD_FRAME_HEADER_BYTES);
    hd_buffer_commit(&client->input, HD_FRAME_HEADER_BYTES + bytes);
}

static void say(struct recorder *recorder, const char *comment, int method, const void *message)
{
    queue(recorder, method, message);
    exchange(recorder, comment);
}

static void say_session(struct recorder *recorder)
{
    Heapd__V1__HelloRequest hello = HEAPD__V1__HELLO_REQUEST__INIT;
    Heapd__V1__PingRequest ping = HEAPD__V1__PING_REQUEST__INIT;
    hello.min_version = hello.max_version = 1;
    hello.client_name = (char *)(uintptr_t) "golden";
    say(recorder, "Hello", METHOD(HELLO), &hello);
    ping.payload = rpc_bytes("there and back");
    say(recorder, "Ping", METHOD(PING), &ping);
    say(recorder, "an unknown method", 4000, NULL);
}

static void say_objects(struct recorder *recorder)
{
    struct builder builder;
    uint64_t captures[] = {1, 2};
    Heapd__V1__CreateRequest create = HEAPD__V1__CREATE_REQUEST__INIT;
    Heapd__V1__CreateClassRequest class_request = HEAPD__V1__CREATE_CLASS_REQUEST__INIT;
    ProtobufCBinaryData attribute = rpc_bytes("x");
    class_request.name = rpc_bytes("Point");
    class_request.attributes = &attribute;
    class_request.n_attributes = 1;
    class_request.into = HANDLE(1, 1);
    say(recorder, "CreateClass Point(x) into slot 1", METHOD(CREATE_CLASS), &class_request);
    builder_init(&builder);
    add_node(&builder, HD_KIND_LIST, 13);
    add_node(&builder, HD_KIND_DICT, 1);
    add_text(&builder, HD_KIND_STR, "key");
    add_node(&builder, HD_KIND_INT, 5);
    add_node(&builder, HD_KIND_SET, 1);
    add_text(&builder, HD_KIND_STR, "an element of the set");
    add_node(&builder, HD_KIND_TUPLE, 0);
    add_node(&builder, HD_KIND_NONE, 0);
    add_node(&builder, HD_KIND_FALSE, 0);
    add_node(&builder, HD_KIND_TRUE, 0);
    add_node(&builder, HD_KIND_INT, (uint64_t)-3);
    add_text(&builder, HD_KIND_BIG_INT, "ten bytes!");
    add_node(&builder, HD_KIND_FLOAT, 0x3ff8000000000000);
    add_text(&builder, HD_KIND_STR, "text \xe2\x82\xac");
    add_text(&builder, HD_KIND_BYTES, "\xff\xfe");
    add_node(&builder, HD_KIND_SHARED, 1);
    add_node(&builder, HD_KIND_INSTANCE, 1);
    add_node(&builder, HD_KIND_HANDLE, HANDLE(1, 1));
    add_text(&builder, HD_KIND_STR, "x");
    add_node(&builder, HD_KIND_INT, 10);
    Heapd__V1__Literal literal = built(&builder);
    create.literal = &literal;
    create.into = HANDLE(2, 1);
    create.captures = captures;
    create.n_captures = 2;
    create.captures_into = HANDLE(3, 1);
    say(recorder, "Create a list of every kind into 2, capture its dict and set into 3 and 4", METHOD(CREATE), &create);
    builder_fini(&builder);
    Heapd__V1__ExportRequest export = HEAPD__V1__EXPORT_REQUEST__INIT;
    export.object = HANDLE(2, 1);
    say(recorder, "Export it", METHOD(EXPORT), &export);
    Heapd__V1__Literal list = rpc_empty(HEAPD__V1__KIND__KIND_LIST);
    Heapd__V1__ExtendRequest extend = HEAPD__V1__EXTEND_REQUEST__INIT;
    extend.object = HANDLE(2, 1);
    extend.literal = &list;
    say(recorder, "Extend it by an empty list", METHOD(EXTEND), &extend);
    Heapd__V1__LengthRequest length = HEAPD__V1__LENGTH_REQUEST__INIT;
    length.object = HANDLE(2, 1);
    say(recorder, "Length", METHOD(LENGTH), &length);
}

static void say_items(struct recorder *recorder)
{
    Heapd__V1__GetItemRequest get = HEAPD__V1__GET_ITEM_REQUEST__INIT;
    Heapd__V1__Value key, value;
    get.object = HANDLE(2, 1);
    get.key = &key;
    for (int64_t i = 0; i < 12; i++) {
        key = rpc_int(i);
        get.into = HANDLE(20 + (uint32_t)i, 1);
        say(recorder, "GetItem", METHOD(GET_ITEM), &get);
    }
    key = rpc_int(100);
    get.into = HANDLE(40, 1);
    say(recorder, "GetItem out of range, slot 40 fails", METHOD(GET_ITEM), &get);
    Heapd__V1__LengthRequest length = HEAPD__V1__LENGTH_REQUEST__INIT;
    length.object = HANDLE(40, 1);
    say(recorder, "Length of slot 40: ABORTED", METHOD(LENGTH), &length);
    Heapd__V1__SetItemRequest set = HEAPD__V1__SET_ITEM_REQUEST__INIT;
    key = rpc_str("a key of the dict");
    value = rpc_real(-0.25);
    set.object = HANDLE(3, 1);
    set.key = &key;
    set.value = &value;
    say(recorder, "SetItem", METHOD(SET_ITEM), &set);
    Heapd__V1__ContainsRequest contains = HEAPD__V1__CONTAINS_REQUEST__INIT;
    contains.object = HANDLE(3, 1);
    contains.key = &key;
    say(recorder, "Contains", METHOD(CONTAINS), &contains);
    Heapd__V1__AddRequest add = HEAPD__V1__ADD_REQUEST__INIT;
    value = rpc_int(1);
    add.object = HANDLE(3, 1);
    add.key = &key;
    add.delta = &value;
    say(recorder, "Add", METHOD(ADD), &add);
    Heapd__V1__DelItemRequest del = HEAPD__V1__DEL_ITEM_REQUEST__INIT;
    del.object = HANDLE(3, 1);
    del.key = &key;
    say(recorder, "DelItem", METHOD(DEL_ITEM), &del);
    say(recorder, "DelItem again: NOT_FOUND", METHOD(DEL_ITEM), &del);
}

static void say_lists(struct recorder *recorder)
{
    Heapd__V1__Literal list = rpc_empty(HEAPD__V1__KIND__KIND_LIST);
    Heapd__V1__CreateRequest create = HEAPD__V1__CREATE_REQUEST__INIT;
    Heapd__V1__AppendRequest append = HEAPD__V1__APPEND_REQUEST__INIT;
    Heapd__V1__InsertRequest insert = HEAPD__V1__INSERT_REQUEST__INIT;
    Heapd__V1__PopRequest pop = HEAPD__V1__POP_REQUEST__INIT;
    Heapd__V1__ClearRequest clear = HEAPD__V1__CLEAR_REQUEST__INIT;
    Heapd__V1__BindRequest bind = HEAPD__V1__BIND_REQUEST__INIT;
    Heapd__V1__ReleaseRequest release = HEAPD__V1__RELEASE_REQUEST__INIT;
    Heapd__V1__Value value = rpc_str("appended"), object = rpc_handle(HANDLE(50, 1));
    uint64_t handle = HANDLE(50, 1);
    create.literal = &list;
    append.object = insert.object = pop.object = clear.object = create.into = HANDLE(50, 1);
    append.value = insert.value = &value;
    insert.index = -1;
    bind.name = rpc_bytes("list");
    bind.value = &object;
    release.handles = &handle;
    release.n_handles = 1;
    queue(recorder, METHOD(CREATE), &create);
    queue(recorder, METHOD(APPEND), &append);
    queue(recorder, METHOD(INSERT), &insert);
    queue(recorder, METHOD(BIND), &bind);
    queue(recorder, METHOD(POP), &pop);
    queue(recorder, METHOD(CLEAR), &clear);
    queue(recorder, METHOD(RELEASE), &release);
    queue(recorder, METHOD(RELEASE), &release);
    exchange(recorder, "a chain: Create, Append, Insert, Bind, Pop, Clear, Release, and Release of a stale handle");
}

static void say_sets_and_attributes(struct recorder *recorder)
{
    Heapd__V1__SetAddRequest add = HEAPD__V1__SET_ADD_REQUEST__INIT;
    Heapd__V1__SetDiscardRequest discard = HEAPD__V1__SET_DISCARD_REQUEST__INIT;
    Heapd__V1__SetAttrRequest set = HEAPD__V1__SET_ATTR_REQUEST__INIT;
    Heapd__V1__GetAttrRequest get = HEAPD__V1__GET_ATTR_REQUEST__INIT;
    Heapd__V1__DelAttrRequest del = HEAPD__V1__DEL_ATTR_REQUEST__INIT;
    Heapd__V1__DuplicateRequest duplicate = HEAPD__V1__DUPLICATE_REQUEST__INIT;
    Heapd__V1__ReadRequest read = HEAPD__V1__READ_REQUEST__INIT;
    Heapd__V1__Value value = rpc_bool(true);
    add.object = discard.object = HANDLE(4, 1);
    add.value = discard.value = &value;
    say(recorder, "SetAdd", METHOD(SET_ADD), &add);
    say(recorder, "SetDiscard", METHOD(SET_DISCARD), &discard);
    set.object = get.object = del.object = HANDLE(1, 1);
    set.name = get.name = del.name = rpc_bytes("shared");
    set.value = &value;
    say(recorder, "SetAttr of the class", METHOD(SET_ATTR), &set);
    get.into = HANDLE(60, 1);
    get.as_object = true;
    say(recorder, "GetAttr as an object", METHOD(GET_ATTR), &get);
    say(recorder, "DelAttr", METHOD(DEL_ATTR), &del);
    duplicate.object = HANDLE(60, 1);
    duplicate.into = HANDLE(61, 1);
    say(recorder, "Duplicate", METHOD(DUPLICATE), &duplicate);
    read.object = HANDLE(61, 1);
    say(recorder, "Read of a bool: wrong type", METHOD(READ), &read);
}

static void say_names(struct recorder *recorder)
{
    Heapd__V1__OpenScopeRequest open = HEAPD__V1__OPEN_SCOPE_REQUEST__INIT;
    Heapd__V1__CloseScopeRequest close = HEAPD__V1__CLOSE_SCOPE_REQUEST__INIT;
    Heapd__V1__BindRequest bind = HEAPD__V1__BIND_REQUEST__INIT;
    Heapd__V1__LookupRequest lookup = HEAPD__V1__LOOKUP_REQUEST__INIT;
    Heapd__V1__UnbindRequest unbind = HEAPD__V1__UNBIND_REQUEST__INIT;
    Heapd__V1__ListNamesRequest list = HEAPD__V1__LIST_NAMES_REQUEST__INIT;
    Heapd__V1__ResolveRequest resolve = HEAPD__V1__RESOLVE_REQUEST__INIT;
    Heapd__V1__Step step = HEAPD__V1__STEP__INIT;
    Heapd__V1__Step *steps[] = {&step};
    Heapd__V1__Value value = rpc_int(1), index = rpc_int(0);
    open.into = HANDLE(70, 1);
    say(recorder, "OpenScope", METHOD(OPEN_SCOPE), &open);
    bind.scope = lookup.scope = unbind.scope = list.scope = close.scope = HANDLE(70, 1);
    bind.name = lookup.name = unbind.name = rpc_bytes("n\xc3\xa4me");
    bind.value = &value;
    lookup.wait_ms = 60000;
    queue(recorder, METHOD(LOOKUP), &lookup);
    queue(recorder, METHOD(BIND), &bind);
    exchange(recorder, "a parked Lookup, and the Bind that wakes it: the second is answered first");
    say(recorder, "ListNames", METHOD(LIST_NAMES), &list);
    say(recorder, "Unbind", METHOD(UNBIND), &unbind);
    lookup.wait_ms = 0;
    say(recorder, "Lookup: NOT_FOUND", METHOD(LOOKUP), &lookup);
    say(recorder, "CloseScope", METHOD(CLOSE_SCOPE), &close);
    resolve.name = rpc_bytes("list");
    step.kind_case = HEAPD__V1__STEP__KIND_ITEM;
    step.item = &index;
    resolve.steps = steps;
    resolve.n_steps = 1;
    say(recorder, "Resolve list[0] of an empty list: OUT_OF_RANGE", METHOD(RESOLVE), &resolve);
    resolve.n_steps = 0;
    resolve.into = HANDLE(71, 1);
    say(recorder, "Resolve list", METHOD(RESOLVE), &resolve);
}

static void say_the_rest(struct recorder *recorder)
{
    Heapd__V1__Thresholds thresholds = HEAPD__V1__THRESHOLDS__INIT;
    Heapd__V1__SetEnabledRequest enabled = HEAPD__V1__SET_ENABLED_REQUEST__INIT;
    Heapd__V1__CollectRequest collect = HEAPD__V1__COLLECT_REQUEST__INIT;
    Heapd__V1__KillSessionRequest kill = HEAPD__V1__KILL_SESSION_REQUEST__INIT;
    thresholds.threshold0 = 500;
    thresholds.threshold1 = 20;
    say(recorder, "GcSetThreshold", METHOD(GC_SET_THRESHOLD), &thresholds);
    say(recorder, "GcGetThreshold", METHOD(GC_GET_THRESHOLD), NULL);
    say(recorder, "GcSetEnabled", METHOD(GC_SET_ENABLED), &enabled);
    collect.generation = 9;
    say(recorder, "GcCollect of no generation", METHOD(GC_COLLECT), &collect);
    kill.id = 1000;
    say(recorder, "KillSession: NOT_FOUND", METHOD(KILL_SESSION), &kill);
    say(recorder, "Goodbye", METHOD(GOODBYE), NULL);
}

static void record(const char *path)
{
    struct recorder recorder = {.file = fopen(path, "wx")};
    if (!recorder.file)
        fail_msg("cannot make %s, which must not be there yet", path);
    rpc_world_init(&recorder.world);
    rpc_world_start(&recorder.world);
    rpc_client_connect(&recorder.client, &recorder.world, true);
    say_session(&recorder);
    say_objects(&recorder);
    say_items(&recorder);
    say_lists(&recorder);
    say_sets_and_attributes(&recorder);
    say_names(&recorder);
    say_the_rest(&recorder);
    (void)fclose(recorder.file);
    rpc_client_close(&recorder.client);
    rpc_world_fini(&recorder.world);
}

/* As record, of a client that says what a file has: its comments and its lines with '>'. */
static void record_said(const char *said, const char *path)
{
    static char text[1 << 18];
    struct recorder recorder = {.file = fopen(path, "wx")};
    FILE *file = fopen(said, "r");
    if (!recorder.file || !file)
        fail_msg("cannot make %s, which must not be there yet, or read %s", path, said);
    rpc_world_init(&recorder.world);
    rpc_world_start(&recorder.world);
    rpc_client_connect(&recorder.client, &recorder.world, true);
    while (fgets(text, sizeof text, file)) {
        (void)fputs(text, recorder.file);
        if (text[0] != '>')
            continue;
        static uint8_t bytes[sizeof text / 2];
        size_t count = 0;
        for (const char *at = text + 2; digit(at[0]) >= 0; at += 2)
            bytes[count++] = (uint8_t)(digit(at[0]) << 4 | digit(at[1]));
        size_t taken = hd_rpc_receive(recorder.client.connection, bytes, count);
        assert_int_equal(taken, count);
        rpc_world_run(&recorder.world);
        take_answers(&recorder);
    }
    (void)fclose(file);
    (void)fclose(recorder.file);
    rpc_client_close(&recorder.client);
    rpc_world_fini(&recorder.world);
}

/* What the present test would say, it can replay. */
static void a_recording_can_be_replayed(void **state)
{
    (void)state;
    char path[] = "/tmp/heapd-golden-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
    record(path);
    replay(path);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const char *path = getenv("HEAPD_GOLDEN_RECORD");
    const char *said = getenv("HEAPD_GOLDEN_SAY");
    if (path) {
        if (said)
            record_said(said, path);
        else
            record(path);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_conversations_go_as_they_went),
        cmocka_unit_test(a_recording_can_be_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
