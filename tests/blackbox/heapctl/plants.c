/*
 * Plants what inspect.py looks for: objects that live for a reason, each in a way of
 * its own; random graphs; and watches that must tell of each death once.
 *
 * Usage: heapctl_plants ADDRESS leaks | graph SEED | cycles COUNT | tags COUNT | follow | unread
 *
 * leaks prints "WHAT IDENTITY" for each, and holds on until its input ends. graph
 * binds the name graph. follow and unread do all by themselves.
 */
#include <heapd/heapd.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct heapd_connection *heap;
static const char *address;
static struct heapd_error error;

static void must(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, heapd_code_name(code), error.message);
    exit(1);
}

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

static heapd_handle new_list(void)
{
    heapd_handle list;
    must(heapd_new_list(heap, &list, &error), "new list");
    return list;
}

static uint64_t identity_of(heapd_handle object)
{
    struct heapd_result result;
    must(heapd_inspect(heap, object, &result, &error), "inspect");
    uint64_t identity = result.as.info.identity;
    heapd_result_clear(&result);
    return identity;
}

static void bind_to(const char *name, heapd_handle object)
{
    must(heapd_bind(heap, HEAPD_GLOBAL, heapd_text(name), heapd_ref(object), &error), "bind");
}

/* Says what it is, and lets go of it: from now on only what was planted keeps it. */
static void planted(const char *what, heapd_handle object)
{
    printf("%s %" PRIu64 "\n", what, identity_of(object));
    must(heapd_release(heap, object), "release");
}

static heapd_handle literal_of(void (*fill)(struct heapd_literal *literal, heapd_handle inner), heapd_handle inner)
{
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle made;
    expect(literal != NULL, "there is memory for a literal");
    fill(literal, inner);
    must(heapd_create(heap, literal, &made, &error), "create");
    heapd_literal_free(literal);
    return made;
}

static void fill_tuple(struct heapd_literal *literal, heapd_handle inner)
{
    heapd_literal_open_tuple(literal);
    heapd_literal_add(literal, heapd_int(1));
    if (inner)
        heapd_literal_add(literal, heapd_ref(inner));
    else
        heapd_literal_add(literal, heapd_str("a text that is boxed"));
    heapd_literal_close(literal);
}

static void plant_in_containers(void)
{
    heapd_handle target = new_list(), outer = new_list(), tuple, dict, set, key;
    bind_to("leak_list", outer);
    must(heapd_append(heap, outer, heapd_int(0), &error), "append");
    must(heapd_append(heap, outer, heapd_ref(target), &error), "append");
    planted("list", target);
    must(heapd_release(heap, outer), "release");

    target = new_list();
    tuple = literal_of(fill_tuple, target);
    bind_to("leak_tuple", tuple);
    planted("tuple", target);
    must(heapd_release(heap, tuple), "release");

    target = new_list();
    must(heapd_new_dict(heap, &dict, &error), "new dict");
    bind_to("leak_dict", dict);
    must(heapd_set_item(heap, dict, heapd_str("under this key"), heapd_ref(target), &error), "set item");
    planted("dict", target);
    key = literal_of(fill_tuple, 0);
    must(heapd_set_item(heap, dict, heapd_ref(key), heapd_int(1), &error), "set item");
    planted("key", key);
    must(heapd_release(heap, dict), "release");

    must(heapd_new_set(heap, &set, &error), "new set");
    bind_to("leak_set", set);
    key = literal_of(fill_tuple, 0);
    must(heapd_set_add(heap, set, heapd_ref(key), NULL, &error), "set add");
    planted("set", key);
    must(heapd_release(heap, set), "release");
}

static void plant_in_instance(void)
{
    const struct heapd_bytes attribute = heapd_text("held");
    struct heapd_literal *literal = heapd_literal_new();
    heapd_handle class_handle, instance, target = new_list();
    must(heapd_create_class(heap, heapd_text("Holder"), 0, &attribute, 1, &class_handle, &error), "create class");
    heapd_literal_open_instance(literal, class_handle);
    heapd_literal_add(literal, heapd_str("held"));
    heapd_literal_add(literal, heapd_ref(target));
    heapd_literal_close(literal);
    must(heapd_create(heap, literal, &instance, &error), "create");
    heapd_literal_free(literal);
    bind_to("leak_instance", instance);
    must(heapd_release(heap, instance), "release");
    planted("instance", target);
    planted("class", class_handle);
}

/* What an interned str keeps is itself: it is held by the heap alone. */
static void plant_interned(void)
{
    heapd_handle text;
    must(heapd_intern(heap, heapd_str("an interned text"), true, &text, &error), "intern");
    planted("interned", text);
}

static void plant_cycles(void)
{
    heapd_handle a = new_list(), b = new_list(), lonely = new_list();
    must(heapd_append(heap, a, heapd_ref(b), &error), "append");
    must(heapd_append(heap, b, heapd_ref(a), &error), "append");
    bind_to("leak_cycle", a);
    must(heapd_release(heap, a), "release");
    planted("cycle", b);
    must(heapd_append(heap, lonely, heapd_ref(lonely), &error), "append");
    must(heapd_gc_freeze(heap, &error), "freeze");
    planted("frozen", lonely);
    lonely = new_list();
    must(heapd_append(heap, lonely, heapd_ref(lonely), &error), "append");
    planted("garbage", lonely);
}

static void plant_elsewhere(void)
{
    const struct heapd_sync_options options = {.type = HEAPD_TYPE_QUEUE};
    heapd_handle target = new_list(), scope, queue, soft;
    struct heapd_result token;
    bind_to("leak_name", target);
    planted("name", target);

    target = new_list();
    must(heapd_open_scope(heap, 0, &scope, &error), "open scope");
    must(heapd_bind(heap, scope, heapd_text("local"), heapd_ref(target), &error), "bind");
    planted("scope", target);

    target = new_list();
    must(heapd_create_sync(heap, &options, &queue, &error), "create queue");
    bind_to("leak_queue", queue);
    must(heapd_put(heap, queue, heapd_ref(target), 0, &error), "put");
    must(heapd_release(heap, queue), "release");
    planted("queue", target);

    target = new_list();
    must(heapd_make_token(heap, target, 0, 1, &token, &error), "make token");
    heapd_result_clear(&token);
    planted("token", target);

    target = new_list();
    must(heapd_make_soft(heap, heapd_ref(target), &soft, &error), "make soft");
    bind_to("leak_soft", soft);
    must(heapd_release(heap, soft), "release");
    planted("soft", target);

    target = new_list(); /* and the handle stays */
    printf("handle %" PRIu64 "\n", identity_of(target));
}

static void plant_leaks(void)
{
    char byte;
    plant_in_containers();
    plant_in_instance();
    plant_cycles();
    plant_interned();
    plant_elsewhere();
    puts("planted");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

/* ---- tags ---- */

/* So many more objects of the tag "import", below one list; the session had another tag before and has it again. */
static void make_tagged(unsigned count)
{
    struct heapd_tag before;
    heapd_handle top;
    must(heapd_set_tag(heap, heapd_text("outer"), NULL, &error), "set tag");
    must(heapd_set_tag(heap, heapd_text("import"), &before, &error), "set tag");
    expect(strcmp(before.text, "outer") == 0, "the tag before");
    top = new_list();
    for (unsigned i = 1; i < count; i++) {
        heapd_handle inner = new_list();
        must(heapd_append(heap, top, heapd_ref(inner), &error), "append");
        must(heapd_release(heap, inner), "release");
    }
    must(heapd_set_tag(heap, heapd_text(before.text), NULL, &error), "set tag");
    bind_to("tagged", top);
    must(heapd_get_object_tag(heap, top, &before, &error), "get object tag");
    expect(strcmp(before.text, "import") == 0, "what was made has the tag");
    must(heapd_release(heap, top), "release");
    heapd_handle other = new_list();
    must(heapd_tag_object(heap, other, heapd_text("by hand"), &before, &error), "tag object");
    expect(strcmp(before.text, "outer") == 0, "the object had the session's tag");
    expect(heapd_set_tag(heap, heapd_text("a tag that is a good deal longer than the sixty-four bytes that there are"),
                         NULL, &error) == HEAPD_ETOO_LARGE,
           "a long tag is refused");
    expect(heapd_set_tag(heap, heapd_slice("\xff", 1), NULL, &error) == HEAPD_EUTF8, "a tag is UTF-8");
    must(heapd_get_tag(heap, &before, &error), "get tag");
    expect(strcmp(before.text, "outer") == 0, "what failed changed nothing");
    must(heapd_release(heap, other), "release");
}

/* ---- a random graph ---- */

static void plant_graph(uint64_t seed)
{
    enum { COUNT = 120 };
    heapd_handle lists[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        lists[i] = new_list();
    bind_to("graph", lists[0]);
    bind_to("graph_too", lists[1]);
    for (unsigned i = 0; i < COUNT * 2; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned from = (unsigned)(seed >> 33) % COUNT;
        unsigned to = (unsigned)(seed >> 48) % COUNT;
        must(heapd_append(heap, lists[from], heapd_ref(lists[to]), &error), "append");
        if (i % 5 == 0)
            must(heapd_append(heap, lists[from], heapd_str("a text that is boxed, and not shared"), &error), "append");
    }
    for (unsigned i = 0; i < COUNT; i++)
        must(heapd_release(heap, lists[i]), "release");
}

/* Pairs of lists that refer to each other, and nobody to them. */
static void plant_cycles_only(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        heapd_handle a = new_list(), b = new_list();
        must(heapd_append(heap, a, heapd_ref(b), &error), "append");
        must(heapd_append(heap, b, heapd_ref(a), &error), "append");
        must(heapd_release(heap, a), "release");
        must(heapd_release(heap, b), "release");
    }
}

/* ---- deaths ---- */

static void expect_death(struct heapd_follow *follow, uint64_t sequence, size_t position, uint64_t identity)
{
    struct heapd_follow_event event;
    expect(heapd_follow_next(follow, 20000, &event, &error) == 1, "an event comes");
    expect(event.kind == HEAPD_FOLLOW_DIED && event.lost == 0, "it is a death");
    expect(event.sequence == sequence && event.position == position && event.identity == identity, "and the right one");
}

static void watch_deaths(void)
{
    heapd_handle objects[3] = {new_list(), new_list(), new_list()};
    uint64_t identities[3];
    struct heapd_follow *follow, *other;
    struct heapd_follow_event event;
    struct heapd_collection found;
    const struct heapd_follow_options options = {.objects = objects, .object_count = 3};
    for (unsigned i = 0; i < 3; i++)
        identities[i] = identity_of(objects[i]);
    must(heapd_follow_open(heap, &options, &follow, &error), "follow");
    must(heapd_follow_open(heap, &options, &other, &error), "follow");
    expect(heapd_follow_next(follow, 0, &event, &error) == 0, "nothing has happened");
    /* By counting; by a collection; and one that another follow was told of, too. */
    must(heapd_release(heap, objects[1]), "release");
    expect_death(follow, 1, 1, identities[1]);
    must(heapd_append(heap, objects[0], heapd_ref(objects[0]), &error), "append");
    must(heapd_release(heap, objects[0]), "release");
    must(heapd_gc_collect(heap, 2, &found, &error), "collect");
    expect_death(follow, 2, 0, identities[0]);
    expect_death(other, 1, 1, identities[1]);
    heapd_follow_close(other);
    must(heapd_release(heap, objects[2]), "release");
    expect_death(follow, 3, 2, identities[2]);
    heapd_follow_close(follow);
    /* Collections are told as well, from their beginning on. */
    const struct heapd_follow_options collections = {.collections = true};
    must(heapd_follow_open(heap, &collections, &follow, &error), "follow");
    must(heapd_gc_collect(heap, 2, &found, &error), "collect");
    bool begun = false, ended = false;
    while (!ended) {
        expect(heapd_follow_next(follow, 20000, &event, &error) == 1, "an event comes");
        begun |= event.kind == HEAPD_FOLLOW_COLLECTION_BEGINS && event.generation == 2;
        ended |= event.kind == HEAPD_FOLLOW_COLLECTION_ENDS && event.generation == 2;
        expect(!ended || begun, "a collection begins before it ends");
    }
    heapd_follow_close(follow);
    /* A handle that was never given, and nothing to follow at all. */
    const struct heapd_follow_options nothing = {.object_count = 0};
    expect(heapd_follow_open(heap, &nothing, &follow, &error) == HEAPD_EINVALID, "nothing to follow is refused");
    heapd_handle stale = objects[0];
    const struct heapd_follow_options wrong = {.objects = &stale, .object_count = 1};
    expect(heapd_follow_open(heap, &wrong, &follow, &error) != 0, "a released handle is refused");
}

/* ---- one that does not read ---- */

static uint64_t bookkeeping(void)
{
    struct heapd_result result;
    must(heapd_memory(heap, &result, &error), "memory");
    uint64_t bytes = result.as.memory->bookkeeping_bytes;
    heapd_result_clear(&result);
    return bytes;
}

static void ping_often(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        must(heapd_begin_ping(heap, heapd_slice("", 0), NULL, &error), "ping");
    must(heapd_finish(heap, &error), "finish");
}

/* What it is not told in time is counted; nobody waits for it, and it costs what it cost when it began. */
static void watch_without_reading(void)
{
    enum { PINGS = 40000, ROOM = 64, DEATHS = 200, MORE_BYTES = 1 << 20 };
    struct heapd_connection *mine = heap, *lazy;
    heapd_handle objects[DEATHS];
    struct heapd_follow *requests, *deaths;
    struct heapd_follow_event event;
    uint64_t told = 0, lost = 0;
    must(heapd_connect(address, NULL, &lazy, &error), "connect");
    const struct heapd_follow_options options = {.requests = true, .room = ROOM};
    must(heapd_follow_open(lazy, &options, &requests, &error), "follow");
    heap = lazy;
    for (unsigned i = 0; i < DEATHS; i++)
        objects[i] = new_list();
    const struct heapd_follow_options dying = {.objects = objects, .object_count = DEATHS};
    must(heapd_follow_open(lazy, &dying, &deaths, &error), "follow");
    for (unsigned i = 0; i < DEATHS; i++)
        must(heapd_release(lazy, objects[i]), "release");
    heap = mine;
    uint64_t before = bookkeeping();
    ping_often(PINGS);
    expect(bookkeeping() < before + MORE_BYTES, "who does not read costs little");
    /* Each was told or counted, from the number 1 on. A further one says what was lost last. */
    do {
        ping_often(1);
        expect(heapd_follow_next(requests, 20000, &event, &error) == 1, "an event comes");
        lost += event.lost;
        told++;
        expect(event.kind == HEAPD_FOLLOW_REQUEST && event.sequence == told + lost, "the numbers tell what was lost");
    } while (event.sequence <= PINGS);
    expect(lost > 0, "there were more than it had room for");
    /* Deaths are never lost. */
    for (unsigned i = 0; i < DEATHS; i++)
        expect(heapd_follow_next(deaths, 20000, &event, &error) == 1 && event.lost == 0 && event.sequence == i + 1,
               "each death is told");
    heapd_follow_close(requests);
    heapd_follow_close(deaths);
    heapd_close(lazy);
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    address = arguments[1];
    must(heapd_connect(address, NULL, &heap, &error), "connect");
    if (!strcmp(arguments[2], "leaks"))
        plant_leaks();
    else if (!strcmp(arguments[2], "graph") && count > 3)
        plant_graph(strtoull(arguments[3], NULL, 0));
    else if (!strcmp(arguments[2], "cycles") && count > 3)
        plant_cycles_only((unsigned)strtoul(arguments[3], NULL, 0));
    else if (!strcmp(arguments[2], "tags") && count > 3)
        make_tagged((unsigned)strtoul(arguments[3], NULL, 0));
    else if (!strcmp(arguments[2], "follow"))
        watch_deaths();
    else if (!strcmp(arguments[2], "unread"))
        watch_without_reading();
    else
        return 2;
    heapd_close(heap);
    return 0;
}
