"""The messages of workers: a JSON header, then the raw bytes of arrays. Reading them executes nothing.

A message has two lengths (of the header, 4 bytes; of the arrays, 8), the header, and the arrays. In the
header, an array is `{"float32": [shape]}`; the bytes follow in the order of the arrays.
"""

from __future__ import annotations

import json
import math
import pickle
import socket
import struct
from typing import Any, TypeAlias

import numpy as np

from fsbench.errors import BadReply

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | np.ndarray | None"
"""What can be sent to the parent. Tuples arrive as lists, arrays are float32."""

LARGEST_HEADER = 1 << 20
_LENGTHS = struct.Struct("<IQ")
_ARRAY = "float32"
_MOST_AXES, _LONGEST_AXIS = 8, 1 << 32


def encode(value: Any) -> bytes:
    """A value as one message. Raises TypeError or ValueError for what cannot be sent."""
    arrays: list[bytes] = []

    def store(item: object) -> object:
        if isinstance(item, np.ndarray) and item.dtype == np.float32:
            arrays.append(np.ascontiguousarray(item).tobytes())
            return {_ARRAY: item.shape}
        if isinstance(item, np.generic):
            return item.item()
        kind = f"{item.dtype} array" if isinstance(item, np.ndarray) else type(item).__name__
        raise TypeError(f"a worker returned {kind}; expected float32 arrays, numbers, texts, lists or dicts")

    header = json.dumps(value, default=store).encode()
    if len(header) > LARGEST_HEADER:
        raise ValueError(
            f"a worker returned {len(header)} bytes beside its arrays; expected at most {LARGEST_HEADER}"
        )
    return b"".join((_LENGTHS.pack(len(header), sum(map(len, arrays))), header, *arrays))


class Reader:
    """Assembles messages from bytes as they come, with at most `largest` bytes of arrays in each."""

    def __init__(self, largest: int = 0) -> None:
        self.largest = largest
        self._bytes = bytearray()

    @property
    def begun(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._bytes)

    def feed(self, data: bytes) -> list[Value]:
        """The messages that are complete with these bytes. Raises BadReply."""
        self._bytes += data
        found: list[Value] = []
        while len(self._bytes) >= _LENGTHS.size:
            header, body = _LENGTHS.unpack_from(self._bytes)
            if header > LARGEST_HEADER or body > self.largest:
                raise BadReply(
                    f"the worker began a message of {header} + {body} bytes; "
                    f"expected at most {LARGEST_HEADER} + {self.largest}"
                )
            first, end = _LENGTHS.size + header, _LENGTHS.size + header + body
            if len(self._bytes) < end:
                break
            found.append(_decode(bytes(self._bytes[_LENGTHS.size : first]), bytes(self._bytes[first:end])))
            del self._bytes[:end]
        return found


def _decode(header: bytes, body: bytes) -> Value:
    used = 0

    def restore(item: dict[str, Any]) -> Any:
        nonlocal used
        if item.keys() != {_ARRAY}:
            return item
        shape = item[_ARRAY]
        if len(shape) > _MOST_AXES or not all(
            type(size) is int and 0 <= size <= _LONGEST_AXIS for size in shape
        ):
            raise ValueError("an array of an impossible shape")
        begin, used = used, used + 4 * math.prod(shape)
        if used > len(body):
            raise ValueError(f"an array of {shape} in {len(body)} bytes")
        return np.frombuffer(body[begin:used], dtype="<f4").reshape(shape)

    try:
        value: Value = json.loads(header, object_hook=restore)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadReply(
            f"the worker sent something that is not a message: {' '.join(str(error).split())[:200]}"
        ) from None
    if used != len(body):
        raise BadReply(f"the worker sent {len(body)} bytes of arrays; its header names {used}")
    return value


def send_object(connection: socket.socket, value: object) -> None:
    """Send a job or a setup to a worker as a pickle, because a worker may trust its parent."""
    data = pickle.dumps(value)
    connection.sendall(struct.pack("<Q", len(data)) + data)


def receive_object(connection: socket.socket) -> Any:
    """Wait for what `send_object` sends. Raises EOFError if the parent has closed the connection."""
    (length,) = struct.unpack("<Q", _exactly(connection, 8))
    return pickle.loads(_exactly(connection, length))


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = connection.recv(min(length - len(data), 1 << 20))
        if not part:
            raise EOFError("the parent closed the connection")
        data += part
    return bytes(data)
