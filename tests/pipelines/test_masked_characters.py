"""Output tokens for hidden characters."""

import json

import numpy as np
import pytest

import reference
from reference.backend import BACKENDS
from reference.char_encoder import CCLMModelBase, MaskedLanguagePretrainer, MLMPreprocessor
from reference.errors import CheckpointError, InputError
from tests.char_encoder.conftest import FOUR, TEXTS

MASK = "[MASK]"
HIDDEN = f"The{MASK * 7} is red."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A new model, which knows nothing yet and reads 32 characters."""
    preprocessor = MLMPreprocessor(200, 32).fit(TEXTS)
    tower = MaskedLanguagePretrainer(CCLMModelBase(preprocessor, 8, 32), **FOUR)
    place = tmp_path_factory.mktemp("masked")
    tower.save(place)
    return place


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_gap_is_filled_by_what_the_logits_say(folder, backend):
    model = reference.load(folder, backend=backend)
    assert type(model).__name__ == "MaskedCharacters"
    texts = [HIDDEN, f"{MASK * 3} river is{MASK * 4}."]
    found = model.fill(texts, top_k=200)
    assert [len(gaps) for gaps in found] == [1, 2]
    outputs = model.outputs
    for gaps in found:
        for filled in gaps:
            assert len(filled) == outputs.count
            assert sum(one.probability for one in filled) == pytest.approx(1, abs=1e-5)
    ids = model.tokenizer.vocabulary.ids("The")
    row = np.array([*ids, *[2] * 7, *model.tokenizer.vocabulary.ids(" is red.")])
    logits = model.forward(row[None])["logits"][0, 3].astype(np.float64)
    chances = np.exp(logits - np.logaddexp.reduce(logits))
    best = int(chances.argmax())
    assert found[0][0][0].probability == pytest.approx(chances[best], rel=1e-4)
    assert found[0][0][0].text == f"The{outputs.text(best)} is red."
    assert model.fill(HIDDEN) == model.fill([HIDDEN])[0]


def test_a_target_is_a_token_with_or_without_its_space(folder):
    model = reference.load(folder)
    words = {outputs_text.strip() for outputs_text in model._known}
    assert "garden" in words
    (filled,) = model.fill(HIDDEN, targets=["garden", "river"])
    assert {one.token for one in filled} == {"garden", "river"}
    whole = {one.token: one.probability for one in model.fill(HIDDEN, top_k=200)[0]}
    for one in filled:
        assert one.probability == pytest.approx(whole[one.token], rel=1e-5)
        assert one.text == f"The {one.token} is red."


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("nothing", {}, r"texts\[0\], 'nothing', hides nothing; write \[MASK\] for each"),
        ("a" * 40 + MASK, {}, r"texts\[0\] hides characters beyond the 32"),
        (HIDDEN, {"targets": ["xyz"]}, r"targets\[0\] is 'xyz', which is no output token"),
        (HIDDEN, {"targets": []}, "targets is empty"),
        (HIDDEN, {"top_k": 0}, "top_k is 0"),
        (HIDDEN, {"joint": True}, "joint=True is for words"),
        (f"\ud800{MASK}", {}, "surrogate"),
        (3, {}, "texts"),
    ],
)
def test_what_cannot_be_filled_is_told(folder, text, options, message):
    with pytest.raises(InputError, match=message):
        reference.load(folder).fill([text], **options)


def test_a_long_text_is_cut_behind_the_masks_and_told(folder):
    with pytest.warns(UserWarning, match="cut there"):
        reference.load(folder).fill(HIDDEN + " and red" * 10)


def test_the_command_line_fills_too(folder, capsys):
    from reference.__main__ import main

    assert main(["fill", HIDDEN, "--model", str(folder), "--top-k", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_files_that_do_not_belong_together_are_refused(folder, tmp_path):
    model = reference.load(folder)
    model.save(tmp_path)
    assert (tmp_path / "output_tokens.json").is_file()
    characters = json.loads((tmp_path / "characters.json").read_text())
    (tmp_path / "characters.json").write_text(json.dumps(characters | {"num_outputs": 3}))
    with pytest.raises(CheckpointError, match="num_outputs is 3, but the model chooses among"):
        reference.load(tmp_path).fill(HIDDEN)
    more = characters | {"characters": characters["characters"] + "ßµ"}
    (tmp_path / "characters.json").write_text(json.dumps(more))
    with pytest.raises(CheckpointError, match="ids, but the model's vocab_size is"):
        reference.load(tmp_path).fill(HIDDEN)
    (tmp_path / "characters.json").unlink()
    with pytest.raises(CheckpointError, match=r"no characters\.json"):
        reference.load(tmp_path, pipeline="embeddings").encode(["a"])
