"""What can go wrong, as exceptions that a Python programmer expects.

Each is a ``heapd.Error`` and, where Python has a word for it, that word too: a lost connection is a
``ConnectionError``, a full heap a ``MemoryError``. KeyError, IndexError, TypeError and AttributeError are Python's own.
"""
from __future__ import annotations

import queue
import threading

from . import _heapd


class Error(Exception):
    """Base of what heapd adds. ``code`` is the daemon's number, ``code_name`` its name."""

    code: int = 0
    request: int = 0
    failed_request: int = 0

    @property
    def code_name(self) -> str:
        return _heapd.code_text(self.code)[0]


class HeapFull(Error, MemoryError):
    """The heap's memory limit is reached."""


class LimitReached(Error, RuntimeError):
    """A limit of the session or of the daemon is reached."""


class ConnectionLost(Error, ConnectionError):
    """The daemon is gone; whether a request without an answer ran is not known."""


class NotRunning(Error, ConnectionRefusedError):
    """No daemon answers at the address."""


class Forked(Error, RuntimeError):
    """The connection belongs to the parent process."""


class Aborted(Error, RuntimeError):
    """An earlier request of the chain failed."""


class Changed(Error, RuntimeError):
    """An object changed while a long request looked at it; nothing was done."""


class Cancelled(Error, RuntimeError):
    """The request was cancelled."""


class TimedOut(Error, TimeoutError):
    """The time to wait is over."""


class Forbidden(Error, PermissionError):
    """Only the daemon's own user may do this."""


class TokenExpired(Error, LookupError):
    """The token of a pickled proxy has run out: its time is over, or it was used as often as it may be."""


class ForeignProxy(Error, ValueError):
    """The proxy belongs to another heap."""


class PickleRefused(Error, TypeError):
    """The object is none of the heap's types, and this connection does not pickle."""


class NotLocked(Error, RuntimeError):
    """A lock was released that nobody holds, or that somebody else does."""


class AbandonedWarning(RuntimeWarning):
    """Who held the lock before died with it: what it guards may be half done."""


class InvalidValue(Error, ValueError):
    """An argument that the daemon does not accept."""


class TooLarge(Error, OverflowError):
    """Larger than the limit allows."""


class TooDeep(Error, RecursionError):
    """Nested deeper than the limit."""


class InvalidHandle(Error, ReferenceError):
    """The object is not held any more."""


class Unsupported(Error, NotImplementedError):
    """The daemon does not know this method."""


class Refused(Error, OSError):
    """The operating system refused."""


class AlreadyExists(Error, FileExistsError):
    """It exists already."""


_CLASSES: dict[str, type[BaseException]] = {
    "HEAPD_ENOMEM": HeapFull,
    "HEAPD_ELIMIT": LimitReached,
    "HEAPD_EINVALID": InvalidValue,
    "HEAPD_EATTRIBUTE": AttributeError,
    "HEAPD_ENAME": KeyError,
    "HEAPD_EHANDLE_STALE": InvalidHandle,
    "HEAPD_EHANDLE_UNKNOWN": InvalidHandle,
    "HEAPD_EABORTED": Aborted,
    "HEAPD_ECHANGED": Changed,
    "HEAPD_ECANCELLED": Cancelled,
    "HEAPD_EDEADLINE": TimedOut,
    "HEAPD_EPERMISSION": Forbidden,
    "HEAPD_EMETHOD": Unsupported,
    "HEAPD_ETOO_LARGE": TooLarge,
    "HEAPD_EUTF8": UnicodeError,
    "HEAPD_ECYCLE": InvalidValue,
    "HEAPD_EDEPTH": TooDeep,
    "HEAPD_EUNAVAILABLE": NotRunning,
    "HEAPD_ECLOSED": ConnectionLost,
    "HEAPD_EOVERFLOW": TooLarge,
    "HEAPD_ESYNTAX": InvalidValue,
    "HEAPD_ESYSTEM": Refused,
    "HEAPD_EEXISTS": AlreadyExists,
    "HEAPD_EFORKED": Forked,
    "HEAPD_ETOKEN": TokenExpired,
    "HEAPD_EQUEUE_EMPTY": queue.Empty,
    "HEAPD_EQUEUE_FULL": queue.Full,
    "HEAPD_EBROKEN_BARRIER": threading.BrokenBarrierError,
    "HEAPD_ENOT_LOCKED": NotLocked,
    "HEAPD_ENOT_OWNED": NotLocked,
    "HEAPD_EOVER_RELEASE": ValueError,
    "HEAPD_EVALUE": ValueError,
    "HEAPD_EZERO_DIVISION": ZeroDivisionError,
    "HEAPD_ERECURSION": RecursionError,
    "HEAPD_EGONE": InvalidHandle,
    "HEAPD_EITERATION": RuntimeError,
    "HEAPD_EEMPTY": KeyError,
}


def _make_error(code: int, message: str, request: int = 0, failed_request: int = 0) -> BaseException:
    error = _CLASSES.get(_heapd.code_text(code)[0], Error)(message)
    if isinstance(error, Error):
        error.code = code
        error.request = request
        error.failed_request = failed_request
    return error


_heapd._set_make_error(_make_error)
