"""Resident bytes for each element of one large collection in Redis, in a server of its own.

    redis_elements.py COUNT ints|strings|dict|instances

The nearest that Redis has: a list, a hash, and a small hash for each instance.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time

SCRIPTS = {
    "ints": """
        for i = 1, N, 100 do
            local t = {}
            for j = 0, 99 do t[j + 1] = tostring(i + j + 999) end
            redis.call("RPUSH", "all", unpack(t))
        end""",
    "strings": """
        for i = 1, N, 100 do
            local t = {}
            for j = 0, 99 do t[j + 1] = string.format("v%09d", i + j) end
            redis.call("RPUSH", "all", unpack(t))
        end""",
    "dict": """
        for i = 1, N, 50 do
            local t = {}
            for j = 0, 49 do
                t[2 * j + 1] = string.format("%010d", i + j)
                t[2 * j + 2] = tostring(i + j + 999)
            end
            redis.call("HSET", "all", unpack(t))
        end""",
    "instances": """
        for i = 1, N do
            redis.call("HSET", string.format("%010d", i), "a", tostring(i + 999), "b", "0", "c", "1")
        end""",
}


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def connect(path, server):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            time.sleep(0.01)
    sys.exit("redis-server does not answer")


def ask(connection, *words):
    request = b"*%d\r\n" % len(words)
    for word in words:
        request += b"$%d\r\n%s\r\n" % (len(word), word)
    connection.sendall(request)
    reply = b""
    while not reply.endswith(b"\r\n"):
        part = connection.recv(65536)
        if not part:
            sys.exit("redis-server closed the connection")
        reply += part
    if reply.startswith(b"-"):
        sys.exit(reply.decode())


def main():
    count, shape = int(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "redis.sock")
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", "--appendonly", "no",
             "--lua-time-limit", "0"], stdout=subprocess.DEVNULL)
        try:
            connection = connect(path, server)
            ask(connection, b"PING")
            before = rss_bytes(server.pid)
            ask(connection, b"EVAL", SCRIPTS[shape].replace("N", str(count), 1).encode(), b"0")
            print(f"rss\t{(rss_bytes(server.pid) - before) / count:.4f}\tbytes")
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
