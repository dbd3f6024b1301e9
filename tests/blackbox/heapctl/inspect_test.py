#!/usr/bin/env python3
"""What heapctl says about the whole heap, against what is known or computed by other means.

Usage: inspect_test.py HEAPD HEAPCTL PLANTS

- why names the right path in each of the planted leaks;
- retained sizes are those that this script finds, by taking each object away from an exported snapshot;
- a snapshot keeps the published form of .heapsnapshot;
- following objects tells of each death once;
- bad input has a clear answer, and the daemon lives on.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import time


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(part) for part in what))


class World:
    def __init__(self, heapd, heapctl, plants, folder):
        self.heapctl, self.plants = heapctl, plants
        self.address = "unix:" + os.path.join(folder, "socket")
        self.folder = folder
        with open(os.path.join(folder, "log"), "w") as log:
            self.daemon = subprocess.Popen([heapd, "--listen", self.address], stdin=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + 30
        while self.run("ping", status=None).returncode:
            check(time.monotonic() < deadline and self.daemon.poll() is None, "the daemon does not answer")
            time.sleep(0.02)

    def run(self, *arguments, status=0):
        done = subprocess.run([self.heapctl, *arguments, "--address", self.address], capture_output=True, text=True,
                              timeout=120)
        check(status is None or done.returncode == status, arguments, done.returncode, done.stderr)
        return done

    def ask(self, *arguments):
        return json.loads(self.run(*arguments, "--json").stdout)

    def plant(self, *arguments):
        subprocess.run([self.plants, self.address, *arguments], check=True, timeout=120)

    def log(self):
        with open(os.path.join(self.folder, "log")) as log:
            return log.read()

    def end(self):
        self.daemon.terminate()
        check(self.daemon.wait(30) == 0, "the daemon ended with", self.daemon.returncode)


# What the planter prints, and what why is to say: the root, and the edges from there.
LEAKS = {
    "name": ("globals", ["name leak_name"]),
    "list": ("globals", ["name leak_list", "index 1"]),
    "tuple": ("globals", ["name leak_tuple", "index 1"]),
    "dict": ("globals", ["name leak_dict", 'key "under this key"']),
    "key": ("globals", ["name leak_dict", "is_key"]),
    "set": ("globals", ["name leak_set", "member"]),
    "instance": ("globals", ["name leak_instance", "attribute held"]),
    "class": ("globals", ["name leak_instance", "class"]),
    "cycle": ("globals", ["name leak_cycle", "index 0"]),
    "queue": ("globals", ["name leak_queue", "part 0"]),
    "soft": ("globals", ["name leak_soft", "part 0"]),
    "scope": ("session", ["", "name local"]),
    "token": ("token", [""]),
    "handle": ("session", [""]),
    "frozen": ("frozen", [""]),
    "garbage": (None, []),
    "interned": ("interned", [""]),
}


def edge(step):
    if step["edge"] in ("index", "part"):
        return f"{step['edge']} {step['number']}"
    return f"{step['edge']} {step['text']}" if "text" in step else step["edge"]


def test_leaks(world):
    planter = subprocess.Popen([world.plants, world.address, "leaks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    planted = {}
    for line in planter.stdout:
        if line.strip() == "planted":
            break
        what, identity = line.split()
        planted[what] = int(identity)
    check(set(planted) == set(LEAKS), "planted", sorted(planted))
    for what, (root, edges) in LEAKS.items():
        answer = world.ask("why", hex(planted[what]))
        if root is None:
            check(answer["paths"] == [], what, answer)
            continue
        check(answer["paths"], what, "has no path", answer)
        path = answer["paths"][0]
        check(path["root"] == root, what, path)
        steps = path["steps"]
        check(steps[-1]["identity"] == planted[what], what, "does not end at the object", path)
        if root == "globals":
            check(steps[0]["type"] == "scope", what, path)
            steps = steps[1:]
            found = [edge(step) for step in steps]
        else:
            found = [""] + [edge(step) for step in steps[1:]]
        check(found == edges, what, found, "and not", edges)
        if root == "session":
            check(path["pid"] == planter.pid, what, path)
    text = world.run("why", hex(planted["dict"])).stdout
    check('["under this key"]' in text and "leak_dict" in text, text)
    planter.stdin.close()
    check(planter.wait(30) == 0, "the planter ended with", planter.returncode)
    world.run("gc", "unfreeze")
    for what in ("handle", "scope"):
        answer = world.run("why", hex(planted[what]), "--json", status=None)
        check(answer.returncode == 4 or json.loads(answer.stdout)["paths"] == [], what, "outlives its session")


# ---- .heapsnapshot -----------------------------------------------------------

NODE_TYPES = ["hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
              "concatenated string", "sliced string", "symbol", "bigint", "object shape"]
EDGE_TYPES = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"]


def check_snapshot(picture):
    """The form that V8 writes and DevTools read, field by field. Returns nodes and edges."""
    check(set(picture) == {"snapshot", "nodes", "edges", "trace_function_infos", "trace_tree", "samples", "locations",
                           "strings"}, "members", sorted(picture))
    meta = picture["snapshot"]["meta"]
    check(meta["node_fields"] == ["type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness"],
          meta["node_fields"])
    check(meta["node_types"] == [NODE_TYPES, "string", "number", "number", "number", "number", "number"],
          meta["node_types"])
    check(meta["edge_fields"] == ["type", "name_or_index", "to_node"], meta["edge_fields"])
    check(meta["edge_types"] == [EDGE_TYPES, "string_or_number", "node"], meta["edge_types"])
    nodes, edges, strings = picture["nodes"], picture["edges"], picture["strings"]
    for column in (nodes, edges):
        check(all(type(value) is int and value >= 0 for value in column), "a column has what is no number")
    check(all(type(text) is str for text in strings), "a string is none")
    check(len(set(strings)) == len(strings), "a string is there twice: DevTools group objects by its number")
    width = len(meta["node_fields"])
    check(len(nodes) == width * picture["snapshot"]["node_count"], "node_count")
    check(len(edges) == 3 * picture["snapshot"]["edge_count"], "edge_count")
    check(picture["snapshot"]["trace_function_count"] == 0 and picture["trace_tree"] == [], "traces")
    rows = [nodes[i:i + width] for i in range(0, len(nodes), width)]
    ids = set()
    for kind, name, identity, size, count, trace, detached in rows:
        check(kind < len(NODE_TYPES) and name < len(strings), "a node's type or name", kind, name)
        check(identity not in ids, "an id is used twice", identity)
        ids.add(identity)
        check(trace == 0 and detached == 0, "traces")
    check(sum(row[4] for row in rows) == len(edges) // 3, "the nodes' edge counts are all the edges")
    check(rows[0][0] == NODE_TYPES.index("synthetic") and rows[0][3] == 0, "the first node is the root")
    graph, at = [], 0
    for row in rows:
        targets = []
        for _ in range(row[4]):
            kind, name, to = edges[at:at + 3]
            check(kind < len(EDGE_TYPES), "an edge's type", kind)
            check(EDGE_TYPES[kind] == "element" or name < len(strings), "an edge's name", name)
            check(to % width == 0 and to // width < len(rows), "an edge leads to a node", to)
            targets.append(to // width)
            at += 3
        graph.append(targets)
    return rows, graph


def snapshot(world):
    file = os.path.join(world.folder, "x.heapsnapshot")
    world.run("snapshot", file, "--quiet")
    with open(file) as stream:
        return check_snapshot(json.load(stream))


def reached(graph, without=None):
    """Nodes that the root leads to, without passing through one."""
    seen, stack = {0}, [0]
    while stack:
        for to in graph[stack.pop()]:
            if to != without and to not in seen:
                seen.add(to)
                stack.append(to)
    return seen


def test_retained(world):
    seed = int(os.environ.get("HEAPD_TEST_SEED", random.randrange(1 << 32)))
    print("HEAPD_TEST_SEED=%d" % seed)
    chance = random.Random(seed)
    for _ in range(3):
        world.plant("graph", str(chance.randrange(1 << 60)))
        rows, graph = snapshot(world)
        everything = reached(graph)
        objects = [node for node in everything if rows[node][2] % 2 and rows[node][2] > 1]
        for node in chance.sample(objects, min(25, len(objects))):
            gone = everything - reached(graph, node)
            answer = world.ask("retained", hex(rows[node][2] // 2))
            check(answer["reachable"], answer)
            check(answer["object"]["retained_bytes"] == sum(rows[n][3] for n in gone), node, answer, gone)
            check(answer["object"]["retained_count"] == len(gone), node, answer, gone)
    census = world.ask("census")
    check(census["reachable_count"] <= census["count"], census)
    check(sum(row["count"] for row in census["types"]) == census["count"], census)
    text = world.run("graph", "-N", "5").stdout
    check(text.startswith("digraph heap {") and text.count("&lt;") == 0 and text.count(" [label=<<table") == 5, text)


def test_diff(world):
    before, after = (os.path.join(world.folder, name) for name in ("before.json", "after.json"))
    with open(before, "w") as file:
        file.write(world.run("census", "--json").stdout)
    world.run("set", "grown", json.dumps([["a text that is boxed %d" % i] for i in range(50)]))
    answer = world.ask("diff", before)
    types = {row["name"]: row["count"] for row in answer["types"]}
    check(types["list"] == 51 and types["str"] == 50, answer)
    check({row["name"]: row["count"] for row in answer["names"]}["grown"] == 101, answer)
    with open(before) as file:
        other = json.load(file)
    other["heap"] += 1
    with open(after, "w") as file:
        json.dump(other, file)
    check("different heaps" in world.run("diff", after, status=1).stderr, "unrelated points are compared")
    with open(after, "w") as file:
        file.write("[]")
    check("no census" in world.run("diff", after, status=1).stderr, "what is no census is read")


def test_bad_input(world):
    world.run("why", "0xfffff", status=4)
    world.run("retained", "0x123456789abc", status=4)
    world.run("why", "nothing_there", status=4)
    world.run("why", "[", status=2)
    world.run("set", "number", "5")
    world.run("why", "number", status=1)
    world.run("why", "graph", "-N", "1000", status=1)
    world.run("slowlog", "never", status=2)
    world.run("slowlog", "threshold", "1")
    check(isinstance(world.ask("slowlog")["requests"], list), "slowlog")
    world.run("slowlog", "reset")
    check(isinstance(world.ask("doctor"), list), "doctor")
    check(world.ask("scopes")[0]["global"], "scopes")
    check("MEMORY" in world.run("top", "--count", "1").stdout, "top")
    monitor = subprocess.Popen([world.heapctl, "monitor", "--json", "-N", "1", "--address", world.address],
                               stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while monitor.poll() is None and time.monotonic() < deadline:
        world.run("ping")
    check(json.loads(monitor.communicate(timeout=30)[0])["event"] == "request", "monitor")


def test_tags(world):
    check(world.ask("tags") == [], "there are no tags yet")
    world.plant("tags", "1000")
    check(world.ask("tags") == [{"tag": "import", "count": 1000, "sessions": 0}], world.ask("tags"))
    before = os.path.join(world.folder, "before.json")
    first = world.run("census", "--json").stdout
    with open(before, "w") as file:
        file.write(first)
    rows = {row["name"]: row for row in json.loads(first)["tags"]}
    check(rows["import"]["count"] == 1000, rows)
    retained = world.ask("retained", "tagged")["object"]["retained_bytes"]
    check(rows["import"]["retained_bytes"] == retained, "the list dominates the others, so nothing counts twice", rows)
    world.plant("tags", "3000")
    rows = {row["name"]: row for row in world.ask("diff", before)["tags"]}
    check(rows["import"]["count"] == 2000 and rows["import"]["retained_bytes"] > 2000 * 16, rows)
    check("import" in world.run("diff", before).stdout, "diff says which tag grew")
    world.run("del", "tagged")
    world.run("gc", "collect")
    check(world.ask("tags") == [], "a tag goes with the last object that has it")


def test_json(world):
    """What draws or writes has a form for programs, too."""
    file = os.path.join(world.folder, "y.heapsnapshot")
    done = world.ask("snapshot", file)
    check(done["file"] == file and done["objects"] > 0, done)
    drawn = world.ask("graph", "graph", "-N", "5")
    check(len(drawn) <= 5 and drawn[0]["identity"] == world.ask("inspect", "graph")["identity"], drawn)
    check(world.ask("slowlog", "reset")["requests"] == [], "slowlog reset")
    check(world.ask("slowlog", "threshold", "10")["threshold_ns"] == 10_000_000, "slowlog threshold")
    check(world.ask("locks") == [], "locks")
    check("nobody" in world.run("locks").stdout, "locks")


def test_map(world):
    picture = world.ask("map")
    check(picture["arena_count"] >= 1 and len(picture["arenas"]) == min(32, picture["arena_count"]), picture)
    granules = picture["arena_bytes"] // picture["granule_bytes"]
    for arena in picture["arenas"]:
        check(sum(run["count"] for run in arena["granules"]) == granules, arena)
        free = sum(run["count"] for run in arena["granules"] if run["use"] == "free")
        check(free == arena["free_granules"], arena)
        check(arena["live_bytes"] <= picture["arena_bytes"], arena)
    text = world.run("map", "--count", "1").stdout
    check("\033" not in text and len(text.splitlines()) <= 7, text)


def main():
    heapd, heapctl, plants = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="heapd-inspect-") as folder:
        world = World(heapd, heapctl, plants, folder)
        try:
            test_leaks(world)
            test_retained(world)
            test_diff(world)
            test_tags(world)
            test_map(world)
            test_json(world)
            world.plant("follow")
            world.plant("unread")
            test_bad_input(world)
        finally:
            world.end()


if __name__ == "__main__":
    main()
