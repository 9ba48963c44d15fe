"""A plugin of pytest for running tests or notebooks in two processes within 5 GB."""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# A gigabyte or more above what the libraries take.
NEEDS_MEMORY = (
    "tests/bench/test_bench.py",
    "tests/found/test_replay.py",
    "tests/parity/test_base_size.py",
    "tests/parity/test_compare.py",
    "tests/test_long_texts.py",
    "tests/test_scale.py",
    "chapters/04_tokens_padding_truncation.ipynb",
    "chapters/05_bert_block_by_block.ipynb",
    "chapters/07_how_parity_is_measured.ipynb",
    "chapters/09_local_and_global_attention.ipynb",
    "chapters/13_unpadded_sequences.ipynb",
    "book/status.ipynb",
)


class InPairs(LoadFileScheduling):
    """A file is run by one process; and all files that need much memory by the same one, so
    that no two of them need it at once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "needs memory" if file in NEEDS_MEMORY else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InPairs:
    if missing := [file for file in NEEDS_MEMORY if not Path(file).is_file()]:
        raise pytest.UsageError(f"{__file__} lists what is not there: {', '.join(missing)}")
    return InPairs(config, log)
