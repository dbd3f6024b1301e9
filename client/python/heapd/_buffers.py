"""Buffers: large bytes and arrays in shared memory, sealed, and mapped by every process that holds them."""
from __future__ import annotations

from typing import Any

from ._heapd import Proxy

BUFFER = 25
ARRAY_CLASS = "heapd.Array"


class Buffer(Proxy):
    """Bytes in shared memory. Nobody can change them; every process maps the same pages."""

    __slots__ = ()

    def memory(self) -> memoryview:
        """The bytes, without a copy. They stay mapped as long as the memoryview or an array on it is in use."""
        return memoryview(self._map())  # type: ignore[arg-type]

    @property
    def nbytes(self) -> int:
        return self.memory().nbytes

    def __bytes__(self) -> bytes:
        return bytes(self.memory())

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def __repr__(self) -> str:
        return f"<heapd.Buffer of {self.nbytes} bytes>"


class Array(Proxy):
    """An array in shared memory: a buffer, a format and a shape."""

    __slots__ = ()

    @property
    def buffer(self) -> Buffer:
        return self._get_attribute("buffer")  # type: ignore[no-any-return]

    @property
    def format(self) -> str:
        return self._get_attribute("format")  # type: ignore[no-any-return]

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self._get_attribute("shape")
        return tuple(shape)

    def memory(self) -> memoryview:
        """The elements as a memoryview, without a copy."""
        memory = self.buffer.memory()
        return memory.cast("B").cast(self.format, self.shape)  # type: ignore[call-overload, no-any-return]

    def numpy(self) -> Any:
        """The elements as a NumPy array, without a copy; read only."""
        import numpy

        return numpy.frombuffer(self.buffer.memory(), dtype=numpy.dtype(self.format)).reshape(self.shape)

    def __array__(self, dtype: Any = None) -> Any:
        found = self.numpy()
        return found if dtype is None or found.dtype == dtype else found.astype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def __repr__(self) -> str:
        return f"<heapd.Array of format {self.format!r} and shape {self.shape}>"
