"""An array in a .npy file that rows are added to, so that it may be larger than memory."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np


class GrowingArray:
    """Rows like those of `like`, written one after another; NumPy leaves room in a header for
    the number of rows to grow, and `finish` puts it there."""

    def __init__(self, file: BinaryIO, like: np.ndarray, rows: int = 0) -> None:
        self.file = file
        self.row = like.shape[1:]
        self.dtype = like.dtype
        self.rows = rows  # that are there already; what comes after them is overwritten
        self._write_header()
        if rows:
            file.seek(rows * int(np.prod(self.row)) * self.dtype.itemsize, os.SEEK_CUR)
            file.truncate()

    def append(self, rows: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self.rows += len(rows)

    def finish(self) -> None:
        self.file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        described = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.row),
        }
        np.lib.format.write_array_header_1_0(self.file, described)
