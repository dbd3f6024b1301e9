"""Finding a leak: what grows, who holds it, and what the collector finds.

    leak_hunt.py
"""
import heapd


def serve(h: heapd.Heap, request: int, log: heapd.List) -> None:
    session = h.dict(request=request, steps=[])
    session["log"] = log
    log.append(session)  # the leak: every session stays in the log, and the log in every session


def main() -> None:
    with heapd.start() as h:
        log = h.list()
        before = h.stats()
        for request in range(100):
            serve(h, request, log)
        after = h.stats()
        grown = {name: after[name] - before[name] for name in after
                 if name.startswith("objects_") and name.endswith("_count") and after[name] > before[name]}
        print("what grew:", {name: count for name, count in grown.items() if "created" not in name})
        assert grown["objects_dict_count"] == 100
        print("the log:", len(log), "entries; held", log._inspect()["reference_count"], "times")
        del log
        # Nothing names the log any more, and yet it lives: it is part of cycles. A dry run says so, a collection ends it.
        unreachable, held_bytes = h.gc.dry_run()
        print(f"unreachable: {unreachable} objects, {held_bytes} bytes")
        assert unreachable >= 200
        print("collected:", h.gc.collect())
        assert h.stats()["objects_dict_count"] <= before["objects_dict_count"]


if __name__ == "__main__":
    main()
