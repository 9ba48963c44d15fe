"""Calls with arguments of every kind.

An argument is kept as the Python that makes it, so that a case can be read, and since a
generator can be used up only once.
"""

import itertools
import random
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import reference
from reference.backend import BACKENDS
from tests.fuzz.judge import TEXTS, Refused, attempt, differences, disagreements, refusals

SOUND = {
    "input_ids": ["np.array([[2, 5, 7, 3], [2, 6, 3, 9]])", "[[2, 5, 3]]", "[[2, 5, 3]] * 3"],
    "attention_mask": ["None", "np.ones((2, 4), int)", "[[1, 1, 0]]", "[[1, 1, 1]] * 3"],
    "token_type_ids": ["None", "np.zeros((2, 4), int)", "[[0, 0, 0]]"],
    "output_hidden_states": ["True", "False"],
    "packed_ids": ["np.array([2, 5, 7, 3, 2, 6, 3])", "[2, 5, 3]"],
    "cu_seqlens": ["np.array([0, 4, 7])", "[0, 3]", "[0, 1, 2, 3]"],
    "packed_types": ["None", "[0] * 7", "[0, 0, 0]"],
    "choices": ["[[[2, 5, 3], [2, 6, 3]]]", "np.full((2, 3, 4), 5)"],
    "texts": ["['the cat sat', 'a mat']", "['']", "[]", "'the cat'", "('a', 'b')", "TEXTS"],
    "pairs": ["None", "['ran', 'to']", "['']", "[]"],
    "batch_size": ["1", "2", "32", "np.int8(3)", "10**30"],
    "normalize": ["None", "True", "False", "np.True_"],
    "show_progress": ["False"],
    "max_length": ["None", "3", "5", "24", "10**6"],
    "ids": ["[2, 5, 3]", "[]", "np.array([5, 6])", "range(9)"],
    "skip_special_tokens": ["True", "False"],
    "backend": ["'torch'", "'mlx'", "'candle'"],
    "pipeline": ["None", "'embeddings'", "'masked-lm'", "'text-classification'"],
    "dtype": ["'float32'", "'float64'", "'float16'", "'bfloat16'"],
    "revision": ["None"],
    "device": ["None", "'cpu'", "'auto'"],
    "masked": ["['the [MASK] sat', '[MASK] [MASK]']", "'a [MASK]'", "['the cat']"],
    "targets": ["None", "['cat', 'mat']", "'cat'", "[]", "['']"],
    "top_k": ["1", "3", "None", "10**9"],
    "switch": ["False", "True"],
    "query": ["'the cat'", "''"],
    "chunks": ["[(0, 3)]", "[(0, 3), (3, 7)]", "[(0, 10**9)]", "[]"],
    "prompt": ["None", "''", "'the '"],
    "prompt_name": ["None", "'query'", "'none'"],
    "truncate_dim": ["None", "1", "16", "17"],
    "precision": ["'float32'", "'binary'", "'ubinary'", "'int8'", "'uint8'"],
    "ranges": ["None", "[[-9.0] * 16, [9.0] * 16]"],
    "truncation": ["'warn'", "'error'", "'ignore'"],
    "places": ["[[0, 1], [2, 0]]", "np.array([[1], [2]])", "[[0, 2]]", "[[1]] * 3"],
    "packed_places": ["[0, 4]", "np.array([2])", "[]"],
    "ends": ["None", "[[1, 2], [2, 3]]", "[[2, 2]]"],
    "packed_ends": ["None", "[1, 5]", "[2]"],
    "marked": ["'the [[cat]] sat'", "['the [[cat]]', '[[a]] [[mat]]']", "[]", "'the cat'"],
    "spans": ["None", "['cat']", "[(0, 3)]", "[[(0, 3)], ['mat']]", "[[], [(0, 1)]]"],
    "by": ["'characters'", "'words'", "'tokens'"],
    "aggregation": ["'none'", "'simple'", "'first'", "'average'", "'max'"],
}
# Each call's parameters: the name of the argument, and which of the above it takes.
CALLS = {
    "forward": {
        name: name
        for name in ("input_ids", "attention_mask", "token_type_ids", "output_hidden_states")
    },
    "forward_packed": {
        "input_ids": "packed_ids",
        "cu_seqlens": "cu_seqlens",
        "token_type_ids": "packed_types",
        "output_hidden_states": "output_hidden_states",
    },
    "encode": {name: name for name in ("texts", "batch_size", "normalize", "show_progress")},
    "similarity": {"texts": "texts", "references": "texts", "batch_size": "batch_size"},
    "tokenizer": {name: name for name in ("texts", "pairs", "max_length")},
    "decode": {name: name for name in ("ids", "skip_special_tokens")},
    "load": {name: name for name in ("backend", "pipeline", "dtype", "revision", "device")},
}
# Those of the pipelines, by what the name of a model's class ends with; their results are words
# and spans, which a rounding may order otherwise, so only errors are compared.
PIPELINE_CALLS = {
    "Model": {
        "encode": {
            **{name: name for name in ("texts", "prompt", "prompt_name", "truncate_dim")},
            **{name: name for name in ("precision", "ranges", "truncation")},
        },
        "search": {"queries": "texts", "corpus": "texts", "top_k": "top_k"},
        "encode_chunks": {"text": "query", "chunks": "chunks"},
        "similarity": {"texts": "texts", "references": "texts", "late_interaction": "switch"},
    },
    "ForMaskedLM": {
        "fill": {"texts": "masked", "top_k": "top_k", "targets": "targets", "joint": "switch"},
    },
    "ForSequenceClassification": {
        "classify": {"texts": "texts", "pairs": "pairs", "top_k": "top_k"},
        "rank": {"query": "query", "documents": "texts", "top_k": "top_k"},
    },
    "ForTokenClassification": {"tag": {"texts": "texts", "aggregation": "aggregation"}},
    "ForMaskedSequence": {
        "predict": {
            "texts": "marked",
            "spans": "spans",
            "by": "by",
            "truncation": "truncation",
        },
    },
}
FOREIGN = (
    "None", "True", "0", "-1", "5", "2**31", "2**63", "2**64", "10**400", "10**5000", "0.5",
    "1e30", "float('nan')", "float('inf')", "1j", "''", "'the'", "b'the'", "'\\ud800'", "'\\0'",
    "'x' * 10_000", "[]", "[[]]", "[[], []]", "[[1], [2, 3]]", "[None]", "[[None]]", "[1, 'a']",
    "['a', None]", "['a', b'b']", "['\\ud800']", "['a\\0b']", "{}", "{'a': 1}", "{1, 2}", "()",
    "range(5)", "iter([5, 6])", "(text for text in ['the', 'cat'])", "object()", "object",
    "len", "lambda: 0", "...", "NotImplemented", "np", "np.int64(5)", "np.float32(5)", "np.nan",
    "np.array(5)", "np.array(['the', 'cat'])", "np.array([['the']])", "np.array([])",
    "np.zeros((0, 3), int)", "np.zeros((2, 0), int)", "np.zeros((1, 1, 1), int)",
    "np.ones((1,) * 30, int)", "np.array([[5, None]])", "np.array([[2**64]])",
    "np.array('now')", "np.ma.array([[5, 6]], mask=[[0, 1]])", "np.array([[5, 6]]).T",
    "np.array([[5, 6, 7]])[:, ::-1]", "np.broadcast_to(np.int64(5), (3, 7))",
    "np.matrix([[5, 6]])", "np.rec.array([(5, 6)])", "torch.tensor([[5, 6]])",
    "torch.tensor([[5.0]], requires_grad=True)", "torch.tensor(5)",
    "torch.tensor([[5]]).to_sparse()", "torch.empty(1, 3, device='meta')", "torch.float32",
    "mx.array([[5, 6]])", "mx.array(5)", "mx.array([[0.5]], mx.bfloat16)", "memoryview(b'abc')",
    "bytearray(b'abc')", "array.array('i', [5, 6])", "Fraction(1, 2)", "Decimal(5)",
    "Path('.')", "datetime.date(2000, 1, 1)", "collections.deque([5, 6])",
    "collections.UserString('the')", "StrSub('the')", "IntSub(5)", "['x' * 100_000]",
    "['the ' * 5000]", "[''] * 1000", "['e' + '\\u0301' * 1000]", "[[5] * 41]",
    "[[5] * 40] * 50", "[5] * 2000",
)  # fmt: skip
DTYPES = (
    "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 longdouble "
    "complex64 datetime64[s] timedelta64[s] S3 U3 V4 O >i4 >i8 >f4".split()
)
EXTREMES = (
    "-1", "0", "1", "2", "299", "300", "127", "-128", "2**31-1", "-2**31", "2**32", "2**62",
    "-2**62", "2**63-1", "-2**63", "2**63", "-2**63-1", "2**64-1", "2**70", "10**5000", "0.5",
    "1.0", "float('nan')", "float('inf')", "None", "True", "'5'", "1e300",
)  # fmt: skip


class StrSub(str):
    __slots__ = ()


class IntSub(int):
    pass


def draw_call(rng: random.Random, seed: str) -> dict[str, Any]:
    """One argument that is odd, or two, among sound ones."""
    base = seed.partition(" ")[0].endswith("Model")
    names = [name for name in CALLS if base or name not in ("encode", "similarity")]
    call = rng.choice([*names, "forward", "forward_packed", "forward_packed"])
    takes = CALLS[call]
    ending = next((e for e in PIPELINE_CALLS if seed.partition(" ")[0].endswith(e)), None)
    if ending is not None and rng.random() < 0.4:
        call, takes = rng.choice(list(PIPELINE_CALLS[ending].items()))
        call = f"pipeline.{call}"
    if call == "forward" and seed.endswith("MultipleChoice"):
        takes = takes | {"input_ids": "choices"}
    if call == "forward" and seed.endswith("MaskedSequence"):
        takes = takes | {"mask_indices": "places", "mask_ends": "ends"}
    if call == "forward_packed" and seed.endswith("MaskedSequence"):
        takes = takes | {"mask_indices": "packed_places", "mask_ends": "packed_ends"}
    arguments = {name: rng.choice(SOUND[kind]) for name, kind in takes.items()}
    for name in rng.sample(list(arguments), rng.choice([0, 1, 1, 1, 2])):
        arguments[name] = _odd(rng, arguments[name])
    return {"call": call, "arguments": arguments}


def _odd(rng: random.Random, sound: str) -> str:
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(FOREIGN)
    if kind < 0.5:
        return f"np.array({sound}).astype({rng.choice(DTYPES)!r})"
    if kind < 0.8:
        values = ", ".join(rng.choice(EXTREMES) for _ in range(rng.randint(1, 4)))
        return rng.choice(
            [f"[[{values}]]", f"[{values}]", f"[0, {values}, 3]", f"[0, {values}, 7]",
             f"np.array([[{values}]])", f"np.array([{values}])"]
        )  # fmt: skip
    change = rng.choice(
        ["[0]", "[None]", "[:0]", "[::-1]", ".T", ".tolist()", "[..., :1]", " * 1000", " - 3",
         ".reshape(-1)", ".view('u1')", " * 0", " / 2", "[[0] * 9]", "[:, ::2]"]
    )  # fmt: skip
    return f"np.array({sound}){change}"


def judge_call(folder: Path, call: str, arguments: dict[str, str]) -> list[str]:
    complaints: list[str] = []
    if call == "load":
        made = evaluate(arguments)
        attempt(complaints, lambda: reference.load(folder, **made))
        return complaints
    results = {
        backend: attempt(
            complaints, lambda name=backend: _call(_model(folder, name), call, arguments)
        )
        for backend in BACKENDS
    }
    complaints = list(dict.fromkeys(complaints)) + refusals(results)
    if complaints or isinstance(results["torch"], Refused):
        return complaints
    if trouble := disagreements(results):
        return trouble
    if call == "forward_packed":
        return _against_one_by_one(_model(folder, "torch"), results["torch"], arguments)
    return []


def evaluate(arguments: dict[str, str]) -> dict[str, Any]:
    """NumPy itself refuses some of what is drawn: then the argument is its error."""
    made = {}
    for name, text in arguments.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made[name] = eval(text, _names())
        except Exception as error:
            made[name] = error
    return made


def _call(model: Any, call: str, arguments: dict[str, str]) -> Any:
    made = evaluate(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if call.startswith("pipeline."):
            getattr(model, call.removeprefix("pipeline."))(**made)
            return None
        if call == "tokenizer":
            return [(list(found), found.token_type_ids) for found in model.tokenizer(**made)]
        if call == "similarity":
            return vars(model.similarity(**made))
        return getattr(model.tokenizer if call == "decode" else model, call)(**made)


def _against_one_by_one(
    model: Any, packed: dict[str, Any], arguments: dict[str, str]
) -> list[str]:
    """Each text of a packed row by itself."""
    made = evaluate(arguments)
    ids, bounds = (np.asarray(made[name]).astype(int) for name in ("input_ids", "cu_seqlens"))
    name = next(name for name in ("last_hidden_state", "logits") if name in packed)
    if model.checkpoint.architecture.task.row != "token":
        return []
    types = made["token_type_ids"]
    alone = []
    for start, end in itertools.pairwise(bounds):
        its_types = None if types is None else np.asarray(types)[None, start:end]
        alone.append(model.forward(ids[None, start:end], None, its_types)[name][0])
    return [
        f"a packed row is not its texts: {trouble}"
        for trouble in differences(packed[name], np.concatenate(alone))
    ]


@cache
def _model(folder: Path, backend: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reference.load(folder, backend=backend)


@cache
def _names() -> dict[str, Any]:
    import array
    import collections
    import datetime
    from decimal import Decimal
    from fractions import Fraction

    import mlx.core as mx

    return {
        "np": np, "torch": torch, "mx": mx, "array": array, "collections": collections,
        "datetime": datetime, "Decimal": Decimal, "Fraction": Fraction, "Path": Path,
        "TEXTS": TEXTS, "StrSub": StrSub, "IntSub": IntSub,
    }  # fmt: skip
