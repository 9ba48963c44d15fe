"""Damage to a folder, as data: a list of edits, each a JSON object that names a file and one
thing to do to it.

    {"file": "config.json", "at": ["id2label", "0"], "value": 7}    a value inside the JSON
    {"file": "config.json", "at": ["vocab_size"]}                   ... taken out
    {"file": "model.safetensors", "at": ["pooler.dense.bias", "dtype"], "value": "F16"}
    {"file": "model.safetensors", "tensor": "pooler.dense.bias", "first": "nan"}
    {"file": "vocab.txt", "text": "..."}                            the whole content
    {"file": "vocab.txt", "line": 3, "value": "..."}     one line; without a value, no line
    {"file": "tokenizer.json", "cut": 100}                          so many bytes are left
    {"file": "tokenizer.json", "bytes": [10, "ff00"]}               some are overwritten
    {"file": "config.json", "remove": true}
    {"file": "config.json", "link": "/dev/zero"}    {"file": "config.json", "fifo": true}

In a safetensors file "at" leads into its header.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

Edit = dict[str, Any]
_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def apply_edits(folder: Path, edits: list[Edit]) -> None:
    for edit in edits:
        apply_edit(folder, edit)


def apply_edit(folder: Path, edit: Edit) -> None:
    """An edit that finds nothing to change, since one before it changed more, changes
    nothing."""
    path = folder / edit["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.is_file() else b""
    if edit.keys() & {"remove", "link", "fifo"}:
        path.unlink(missing_ok=True)
        if "link" in edit:
            path.symlink_to(edit["link"])
        elif "fifo" in edit:
            os.mkfifo(path)
        return
    path.unlink(missing_ok=True)  # what is mapped into memory may not change
    path.write_bytes(changed(content, edit))


def changed(content: bytes, edit: Edit) -> bytes:
    if "text" in edit:
        return edit["text"].encode("utf-8", "surrogatepass")
    if "cut" in edit:
        return content[: edit["cut"]]
    if "bytes" in edit:
        start, new = edit["bytes"][0], bytes.fromhex(edit["bytes"][1])
        return content[:start] + new + content[start + len(new) :]
    try:
        if edit["file"].endswith(".safetensors"):
            return _change_tensors(content, edit)
        if "line" in edit:
            lines = content.decode().split("\n")
            lines[edit["line"] : edit["line"] + 1] = [edit["value"]] if "value" in edit else []
            return "\n".join(lines).encode("utf-8", "surrogatepass")
        values = json.loads(content)
        return json.dumps(_with(values, edit)).encode()
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return content


def split_tensors(content: bytes) -> tuple[dict[str, Any], bytes]:
    """A safetensors file's header and its data."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def _change_tensors(content: bytes, edit: Edit) -> bytes:
    header, data = split_tensors(content)
    if "tensor" in edit:
        entry, array = header[edit["tensor"]], bytearray(data)
        first = np.array(float(edit["first"]), _TYPES[entry["dtype"]]).tobytes()
        start = entry["data_offsets"][0]
        array[start : start + len(first)] = first
        data = bytes(array)
    else:
        header = _with(header, edit)
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + data


def _with(values: Any, edit: Edit) -> Any:
    """JSON with the value at a path set, or taken out where the edit has none."""
    *way, last = edit["at"] or [None]
    if last is None:
        return edit["value"]
    place = values
    for step in way:
        place = place[step]
    if "value" not in edit:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(edit["value"])
    else:
        place[last] = edit["value"]
    return values
