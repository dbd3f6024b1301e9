#!/usr/bin/env python3
"""Checks that the sources keep the rules of the architecture.

    check_layers.py [--root DIR]     walks DIR (the repository by default); exit code 1 and a line for each violation
    check_layers.py --self-check     plants one violation of each rule in a copy and expects each to be found

The rules are in README.md beside this file.
"""

import argparse
import pathlib
import re
import sys
import tempfile

# Lowest first. A layer includes its own headers and those of layers below.
LAYERS = ["common", "os", "alloc", "gc", "object", "heap", "inspect", "session", "rpc", "net", "daemon"]
# These are linked into tests, benchmarks and fuzzers as an in-process library.
ENGINE = ["common", "os", "alloc", "gc", "object", "heap", "inspect"]

# (rule, pattern over code without comments and strings, files that may, where it applies)
CALLS = [
    ("bare allocation; use struct hd_allocator",
     re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|aligned_alloc|posix_memalign)\s*\("),
     ["server/alloc/account.c"]),
    ("pages, clocks and randomness belong to server/os",
     re.compile(r"(?<![\w.>])(mmap|munmap|mremap|madvise|clock_gettime|gettimeofday|getrandom|getentropy|rand|random)\s*\("),
     ["server/os/"]),
    ("the server does not end itself but in its main",
     re.compile(r"(?<![\w.>])(exit|_exit|abort)\s*\("),
     ["server/daemon/"]),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def strip(text):
    """Blanks comments, strings and characters, keeping lines, so that patterns see code only."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
    return token.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def strip_comments(text):
    """As strip, but strings stay: an #include has one."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return token.sub(lambda match: match.group(0) if match.group(0)[0] == '"' else re.sub(r"[^\n]", " ", match.group(0)),
                     text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def layer_of(path):
    """The layer of a file, given relative to the root; None outside of server/ and common/."""
    parts = path.parts
    if parts[0] == "common":
        return "common"
    if parts[0] == "server" and len(parts) > 2:
        return parts[1]
    return None


def target_layer(root, path, name):
    """The layer that an #include "name" or <name> reaches, as the compiler would look for it; None: outside."""
    for folder in (root / path.parent, root, root / "server"):
        candidate = folder / name
        if candidate.is_file():
            try:
                return layer_of(candidate.resolve().relative_to(root.resolve()))
            except ValueError:
                return None
    first = name.split("/")[0]
    return first if first in LAYERS and "/" in name else None


def check_includes(root, path, text, report):
    own = layer_of(path)
    for match in INCLUDE.finditer(strip_comments(text)):
        name, line = match.group(2), line_of(text, match.start())
        target = target_layer(root, path, name)
        if target and LAYERS.index(target) > LAYERS.index(own):
            report(path, line, f"layer {own} includes {name} of layer {target}, which is above it")
        if own in ENGINE and (name == "uv.h" or name.startswith("uv/")):
            report(path, line, f"the engine's layer {own} includes libuv")
        if own in ENGINE and ("protobuf-c" in name or name.endswith(".pb-c.h")):
            report(path, line, f"the engine's layer {own} includes protobuf")
        if name.startswith(("client/", "heapd/heapd")) or "/client/" in name:
            report(path, line, f"the server includes {name} of the client")


def check_calls(path, text, report):
    if path.parts[0] != "server":
        return
    code = strip(text)
    for rule, pattern, allowed in CALLS:
        if any(path.as_posix().startswith(prefix) for prefix in allowed):
            continue
        for match in pattern.finditer(code):
            report(path, line_of(code, match.start()), f"{match.group(1)}(): {rule}")


def check_explained(root, folders, report):
    for folder in sorted(folders):
        if not any((root / folder / name).is_file() for name in ("README.md", "DESIGN.md")):
            report(folder, 0, "has sources but neither README.md nor DESIGN.md")


def check(root):
    violations = []

    def report(path, line, what):
        violations.append(f"{path.as_posix()}:{line}: {what}" if line else f"{path.as_posix()}: {what}")

    folders = set()
    count = 0
    for top in ("common", "server"):
        for file in sorted((root / top).rglob("*.[ch]")):
            path = file.relative_to(root)
            text = file.read_text(errors="replace")
            count += 1
            folders.add(path.parent)
            layer = layer_of(path)
            if layer not in LAYERS:
                report(path, 1, "belongs to no layer; name it in LAYERS or move it")
                continue
            check_includes(root, path, text, report)
            check_calls(path, text, report)
    check_explained(root, folders, report)
    return count, violations


# What is planted, where, and a word of the line that must come of it.
PLANTED = [
    ("server/os/planted.c", '#include "alloc/alloc.h"\n', "above"),
    ("common/planted.c", '#include "server/heap/heap.h"\n', "above"),
    ("common/planted.h", '#  include <session/session.h>\n', "above"),
    ("server/gc/planted.c", '#include "../object/object.h"\n', "above"),
    ("server/rpc/planted.c", '/* over */ int x; /*\n*/\n#include "net/net.h"\n', "above"),
    ("server/heap/planted.c", "#include <uv.h>\n", "libuv"),
    ("server/alloc/planted.h", "#include <protobuf-c/protobuf-c.h>\n", "protobuf"),
    ("server/object/planted.c", '#include "heapd/v1/value.pb-c.h"\n', "protobuf"),
    ("server/net/planted.c", '#include "client/heapd/heapd.h"\n', "client"),
    ("server/net/planted.c", "void *f(void) { return malloc(1); }\n", "malloc"),
    ("server/heap/planted.c", "void f(void *p) { free (p); }\n", "free"),
    ("server/rpc/planted.c", 'char *f(const char *s) { return strdup(s); }\n', "strdup"),
    ("server/alloc/planted.c", "void f(void) { mmap(0, 1, 0, 0, 0, 0); }\n", "mmap"),
    ("server/net/planted.c", "int f(void) { return clock_gettime(0, 0); }\n", "clock_gettime"),
    ("server/object/planted.c", "void f(void) { abort(); }\n", "abort"),
    ("server/nowhere/planted.c", "int x;\n", "no layer"),
    ("server/daemon/inner/planted.c", "int x;\n", "neither README.md"),
]
# What must not be taken for a violation.
HARMLESS = [
    ("server/net/planted.c", '#include "rpc/rpc.h"\n#include <uv.h>\n#include "common/buffer.h"\n'),
    ("server/rpc/planted.c", '/* malloc(1) */ // free(x)\nconst char *s = "malloc(1)"; char c = \'"\';\n'),
    ("server/rpc/planted.c", "void f(void) { hd_x_free(a); a->free(b); a.realloc(c); }\n"),
    ("server/alloc/account.c", "void *f(void *p) { return realloc(p, 1); }\n"),
    ("server/heap/planted.c", '/*\n#include "rpc/rpc.h"\n*/\n// #include <uv.h>\n'),
    ("server/gc/planted.c", '#include "alloc/alloc.h"\n#include <stdlib.h>\n#include "gc/gc.h"\n'),
]


def with_planted(path, text):
    """Checks a small tree that has a file in each layer, and this one in its place."""
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        for layer in LAYERS:
            folder = root / ("common" if layer == "common" else f"server/{layer}")
            folder.mkdir(parents=True)
            (folder / f"{layer}.h").write_text("int x;\n")
            (folder / "README.md").write_text("a layer\n")
        before = check(root)[1]
        if before:
            raise SystemExit(f"the self-check's own tree is not clean: {before}")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        return check(root)[1]


def self_check():
    failures = 0
    for path, text, word in PLANTED:
        found = with_planted(path, text)
        if not any(path.rsplit("/", 1)[0] in line and word in line for line in found):
            print(f"not found: {word!r} in {path}: {text!r}; got {found}")
            failures += 1
    for path, text in HARMLESS:
        found = with_planted(path, text)
        if found:
            print(f"wrongly found in {path}: {text!r}: {found}")
            failures += 1
    print(f"{len(PLANTED)} planted violations, {len(HARMLESS)} harmless texts, {failures} taken wrongly")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-check", action="store_true")
    options = parser.parse_args()
    if options.self_check:
        return 1 if self_check() else 0
    count, violations = check(options.root)
    for line in violations:
        print(line)
    print(f"{count} files, {len(violations)} violations")
    return 1 if violations or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
