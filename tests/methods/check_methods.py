"""
client/METHODS.md against a real Python: no method is missing or made up, and each test that a row names is there. Of the
other pages: each function is declared, and each test that a row names is there; every page is linked from client/README.md.
"""
import glob
import os
import re
import sys
import weakref

COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__"}
# Said once at the top of the page.
EVERYWHERE = {"__class_getitem__", "__getnewargs__"}
TYPES = {"list": list, "tuple": tuple, "dict": dict, "set": set, "frozenset": frozenset, "ref (weakref)": weakref.ref}


def methods_of(kind):
    return (set(dir(kind)) - set(dir(object)) | COMPARISONS) - EVERYWHERE


def rows_of(text):
    """(section, names, shown by) of each row of a table."""
    section = None
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 4:
            yield section, re.findall(r"`([^`]+)`", cells[0]), cells[3].rstrip(" |")


def check_test(root, reference):
    path, _, name = reference.partition("::")
    full = os.path.join(root, path)
    if not os.path.exists(full):
        return "%s: there is no such file" % path
    if name and not re.search(r"\b%s\b" % re.escape(name), open(full, encoding="utf-8").read()):
        return "%s: nothing in it is called %s" % (path, name)
    return None


# Short names that the pages explain in their first lines.
SHORT = {"METHODS_SYNC.md": {"sync": "tests/unit/rpc/test_sync.c", "model": "tests/unit/object/test_sync.c",
                             "library": "tests/blackbox/client/test_sync.c", "contend": "tests/crash/contend.c"},
         "METHODS_SEQUENCES.md": {"work": "tests/unit/object/test_work.c"}}


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def check_other_page(root, name):
    """Problems of a page whose rows end with tests by short names, or differential:NAME,NAME."""
    text, short = read(root, "client", name), SHORT[name]
    headers = "".join(read(path) for path in glob.glob(os.path.join(root, "client/include/heapd/*.h")))
    operations = "".join(read(path) for path in glob.glob(os.path.join(root, "tests/differential/*.py")))
    problems, rows = [], 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or set(line) <= set("| -"):
            continue
        rows += 1
        for function in re.findall(r"`(heapd_\w+)`", line):
            if not re.search(r"\b%s\(" % function, headers):
                problems.append("%s: %s is not declared" % (name, function))
        last = cells[-1].rstrip(" |")
        for group in last.split(";"):
            kind, colon, tests = group.strip().partition(":")
            if colon and kind == "differential":
                problems += ["%s: no operation %s" % (name, test.strip()) for test in tests.split(",")
                             if not re.search(r"def %s\(" % re.escape(test.strip()), operations)]
        for word in re.findall(r"[a-z]+", last) if set(re.findall(r"[a-z]+", last)) <= set(short) else []:
            problems += filter(None, [check_test(root, short[word])])
    if "(%s)" % name not in read(root, "client/README.md"):
        problems.append("client/README.md does not lead to %s" % name)
    return rows, problems


def main():
    root = sys.argv[1]
    text = open(os.path.join(root, "client/METHODS.md"), encoding="utf-8").read()
    problems, seen = [], {}
    for section, names, shown in rows_of(text):
        seen.setdefault(section, []).extend(names)
        references = re.findall(r"`([^`]+)`", shown)
        if not references and not shown.startswith("left out: "):
            problems.append("%s: %s: neither a test nor a reason" % (section, " ".join(names)))
        problems += filter(None, (check_test(root, reference) for reference in references))
    for section, kind in TYPES.items():
        listed, real = seen.get(section, []), methods_of(kind)
        problems += ["%s: %s is missing" % (section, name) for name in sorted(real - set(listed))]
        problems += ["%s: Python has no %s" % (section, name) for name in sorted(set(listed) - real)]
        problems += ["%s: %s is there twice" % (section, name) for name in sorted(set(listed)) if listed.count(name) > 1]
    for name in SHORT:
        rows, more = check_other_page(root, name)
        problems += more
        seen[name] = range(rows)
    for problem in problems:
        print(problem)
    print("%d rows, %d problems" % (sum(map(len, seen.values())), len(problems)))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
