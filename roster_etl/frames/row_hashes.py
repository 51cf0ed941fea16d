"""Convert row hashes between integers and their text form of 16 hex digits, without a Python loop."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_DIGITS = 16


def hash_texts(numbers: np.ndarray) -> pa.Array:
    """Return `numbers` (uint64) as texts of 16 hex digits."""
    digits = numbers.astype(">u8").tobytes().hex().encode("ascii")
    offsets = np.arange(0, len(digits) + 1, _DIGITS, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])


def hash_numbers(texts: pa.ChunkedArray) -> np.ndarray:
    """Return texts of 16 hex digits as integers (uint64). Raises ValueError for any other text."""
    digits = b"".join(_digits(chunk) for chunk in texts.chunks)
    if len(digits) != len(texts) * _DIGITS:
        raise ValueError("a row hash has 16 hex digits")
    return np.frombuffer(bytes.fromhex(digits.decode("ascii")), dtype=">u8").astype(np.uint64)


def _digits(texts: pa.Array) -> bytes:
    if not len(texts):
        return b""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return data[int(ends[0]) : int(ends[-1])].to_pybytes()
