"""Embedding models trained by fit: pairs and scored pairs in every form of data, whole folders,
batches without duplicates, and the memory of a large one."""

import json
import subprocess
import sys

import datasets
import numpy as np
import pytest

import reference
from reference.backend import BACKENDS
from reference.errors import ConfigError, InputError
from reference.learning import Way
from reference.parity import random_checkpoint
from reference.training import fit
from reference.training.fitting import prepare
from reference.training.objectives import Contrastive, ScoredPairs, Size
from reference.training.objectives.contrastive import Pair, PairRow, apart
from reference.training.objectives.scored_pairs import Scored
from tests.training.conftest import COLOURS, NAMES, SMALL, sentences

PAIRS = [
    (f"Where is the {colour} {name}?", f"The {name} that is {colour} is here.")
    for name in NAMES
    for colour in COLOURS
]
LONGER = {"rope_encoder": {"context_window": 40}}
COLUMNS = {"query": "query", "document": "document", "negative": "negative"}


def begin(family, tokenizers, **more):
    return {
        "objective": "contrastive",
        "family": family,
        "tokenizer": tokenizers[family],
        "model_config": SMALL[family] | LONGER.get(family, {}),
        "epochs": 6,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "backend": "torch",
    } | more


def scores(folder):
    return json.loads((folder / "recipe.json").read_text())["scores"]


@pytest.mark.parametrize("family", ["modernbert", "rope_encoder"])
def test_pairs_are_learned_alike_in_three_frameworks(family, tokenizers, tmp_path):
    """What is written is an embedding model; the temperature of one that learns it has
    moved."""
    vectors = {}
    for backend in BACKENDS:
        options = begin(family, tokenizers, backend=backend)
        model = fit(PAIRS, tmp_path / backend, **options)
        assert scores(tmp_path / backend)["loss"] < 0.5 * np.log(2)
        documents = [document for _, document in PAIRS]
        vectors[backend] = model.encode(documents)
        np.testing.assert_allclose(np.linalg.norm(vectors[backend], axis=1), 1, atol=1e-5)
        state = model.model.state()
        if "log_temperature" in state:
            assert abs(state["log_temperature"][0]) > 1e-2
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(vectors[backend], vectors["torch"], atol=5e-3)


def test_cut_texts_are_told_at_the_callers_line(tokenizers):
    run = prepare(PAIRS, **begin("modernbert", tokenizers, max_tokens=5))
    with pytest.warns(UserWarning, match="they are cut") as told:
        assert max(len(row.document) for row in run.rows) == 5
    assert {warning.filename for warning in told} == {__file__}


def test_scored_pairs_are_learned(tokenizers, tmp_path):
    """Two texts are alike if they speak of the same thing."""
    texts = sentences(40, 1)
    generator = np.random.default_rng(0)
    first, second = generator.choice(texts, 80), generator.choice(texts, 80)
    data = [
        {"first": a, "second": b, "score": float(a.split()[1] == b.split()[1])}
        for a, b in zip(first, second, strict=True)
    ]
    for pair_loss in ("cosent", "cosine-mse"):
        options = begin("modernbert", tokenizers, objective="scored-pairs", pair_loss=pair_loss)
        fit(data, tmp_path / pair_loss, **options, widths=[4, 16])
        assert scores(tmp_path / pair_loss)["spearman"] > 0.6


def test_data_in_every_form_is_the_same(tmp_path):
    lines = [
        {"query": "a", "document": "b", "negative": ["c", "d"]},
        {"query": "e", "document": "f"},
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "pairs.tsv").write_text("query\tdocument\tnegative\na\tb\tc\n")
    expected = [Pair("a", "b", ("c", "d")), Pair("e", "f")]
    samples = lambda data: Contrastive().samples(data, COLUMNS)
    assert samples([("a", "b", "c", "d"), ("e", "f")]) == expected
    assert samples(lines) == expected == samples(str(tmp_path / "pairs.jsonl"))
    assert samples(str(tmp_path / "pairs.tsv")) == [Pair("a", "b", ("c",))]
    made = datasets.Dataset.from_dict({"anchor": ["a"], "positive": ["b"], "x": ["c"]})
    named = {"query": "anchor", "document": "positive", "negative": "negative"}
    assert Contrastive().samples(made, named) == [Pair("a", "b")]
    columns = ScoredPairs.columns
    assert ScoredPairs().samples([("a", "b", "0.5")], columns) == [Scored("a", "b", 0.5)]
    for data, message in (
        ([("a", "")], "document is ''"),
        ([("a",)], "has 1 entries"),
        ([("a", "b", 3)], "negative"),
    ):
        with pytest.raises(InputError, match=message):
            samples(data)
    with pytest.raises(InputError, match="the score is 'x'"):
        ScoredPairs().samples([("a", "b", "x")], columns)
    with pytest.raises(InputError, match="it must lie in -1 to 1"):
        ScoredPairs(pair_loss="cosine-mse").samples([("a", "b", 4)], columns)


def rows_of(*pairs):
    return [PairRow(Pair(*pair), [1], [1, 1], ()) for pair in pairs]


def test_no_two_rows_of_a_batch_share_a_text():
    """Neither a query nor a document, nor is one's negative the other's answer."""
    rows = rows_of(
        ("a", "b"),
        ("a", "c"),
        ("d", "b"),
        ("b", "e"),
        ("f", "g", ("b",)),
        ("h", "i", ("x",)),
        ("j", "k", ("x",)),
    )
    batches, left = apart(rows, Size(4), range(len(rows)))
    assert [batch.tolist() for batch in batches] == [[0, 5, 6], [1, 2]] and left == 2
    generator = np.random.default_rng(0)
    words = generator.integers(0, 30, (200, 2)).astype(str)
    rows = rows_of(*map(tuple, words))
    batches, left = apart(rows, Size(8), generator.permutation(200))
    assert sum(map(len, batches)) + left == 200
    for batch in batches:
        texts = [
            text
            for place in batch
            for text in {rows[place].pair.query, rows[place].pair.document}
        ]
        assert len(texts) == len(set(texts)) and len(batch) <= 8


def test_batches_are_full_where_nothing_is_shared():
    rows = rows_of(*((f"q{n}", f"d{n}") for n in range(21)))
    batches, left = apart(rows, Size(8), range(21))
    assert [len(batch) for batch in batches] == [8, 8, 5] and left == 0
    batches, left = apart(rows, Size(8, tokens=7), range(21))
    assert {len(batch) for batch in batches} == {2, 1} and left == 0


def test_what_has_no_place_is_told(tokenizers):
    run = prepare([("a", f"d {n}") for n in range(20)], **begin("modernbert", tokenizers))
    with pytest.warns(UserWarning, match="pairs are left out of an epoch"):
        assert sum(len(one.batches) for one in run.plan)


@pytest.fixture
def whole(tmp_path, minilm):
    return random_checkpoint(tmp_path / "whole", pooling="cls", tokenizer=minilm)


def test_a_whole_folder_is_trained_as_it_embeds(whole, tmp_path):
    """Its pooling, its prompts, which are not pooled; and they are there again afterwards."""
    pooling = json.loads((whole / "1_Pooling" / "config.json").read_text())
    (whole / "1_Pooling" / "config.json").write_text(
        json.dumps(pooling | {"include_prompt": False})
    )
    settings = {"prompts": {"query": "query: ", "document": "a passage: "}}
    (whole / "config_sentence_transformers.json").write_text(json.dumps(settings))
    run = prepare(PAIRS, objective="contrastive", model=whole, batch_size=4, epochs=1)
    lesson = run.plan[0].batches[0]()
    assert [side.way for side in lesson.sides] == [Way(("cls",), False, n) for n in (3, 4)]
    _, vectors = lesson.judge(run.learner().model)
    loaded = reference.load(whole)
    queries = [
        run.rows[place].pair.query
        for place in Contrastive().batches(run.rows, Size(4), np.random.default_rng([42, 0]))[0]
    ]
    np.testing.assert_allclose(vectors[0], loaded.encode_query(queries), atol=1e-5)
    trained = run.train(tmp_path / "trained")
    assert trained.settings.prompts["query"] == "query: "
    assert trained.settings.pooling == ("cls",) and not trained.settings.include_prompt


def test_modules_with_weights_are_refused_by_name(whole):
    modules = json.loads((whole / "modules.json").read_text())
    entry = {
        "idx": 2,
        "name": "2",
        "path": "2_Dense",
        "type": "sentence_transformers.models.Dense",
    }
    (whole / "modules.json").write_text(json.dumps([*modules, entry]))
    (whole / "2_Dense").mkdir()
    sizes = {"in_features": 32, "out_features": 8, "bias": False}
    sizes["activation_function"] = "torch.nn.modules.linear.Identity"
    (whole / "2_Dense" / "config.json").write_text(json.dumps(sizes))
    from safetensors.numpy import save_file

    weight = np.ones((8, 32), np.float32)
    save_file({"linear.weight": weight}, whole / "2_Dense" / "model.safetensors")
    run = prepare(PAIRS, objective="contrastive", model=whole, batch_size=4)
    with pytest.raises(ConfigError, match="has a Dense module"):
        _ = run.rows


def test_settings_that_cannot_be_meant_are_refused():
    for settings, message in (
        ({"scale": 0}, "scale is 0"),
        ({"widths": []}, "there must be one"),
        ({"both": 3}, "both"),
    ):
        with pytest.raises(InputError, match=message):
            Contrastive(**settings)
    with pytest.raises(InputError, match="has no scale"):
        ScoredPairs(pair_loss="cosine-mse", scale=3.0)


PROGRAM = """
import sys
import numpy as np
from reference.backend import learner
from reference.checkpoint import read_checkpoint
from reference.learning import AdamW, Way, take_step
from reference.training.objectives.comparing import Comparison, Side
from reference.training.objectives.contrastive import ranking

model = read_checkpoint(sys.argv[1])
subject = learner(sys.argv[2], model.config, model.architecture, model.tensors, AdamW())
generator = np.random.default_rng(0)


def learn(pairs):
    side = lambda: Side(generator.integers(5, 60, (pairs, 16)).tolist(), Way())
    take_step(subject, [Comparison((side(), side()), ranking, pairs)], 1e-3)


def peak():  # ru_maxrss begins with what the process had that started this one
    found = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(next(found))


learn(8)
before = peak()
learn(1024)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")
def test_a_batch_of_a_thousand_takes_the_memory_of_a_chunk(tmp_path, backend):
    """32,768 tokens, of which the feed-forward networks alone hold half a gigabyte for their
    gradients."""
    sizes = {"hidden_size": 32, "intermediate_size": 1024, "num_hidden_layers": 2}
    folder = random_checkpoint(tmp_path / "model", **sizes)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder), backend]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 1024 * int(done.stdout) < 300 * 10**6
