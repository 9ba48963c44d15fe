"""What fill makes of long texts, and of bad input."""

import json
import shutil
import warnings

import pytest
from safetensors.numpy import load_file, save_file

import reference
from reference.errors import CheckpointError, InputError
from tests.pipelines.small_models import (
    KINDS,
    MODERNBERT,
    loader_of_masked_models,
    masked_model,
)

COPY = "Return a [MASK] of the given array."


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("masked")
    return {kind: masked_model(kind, root / kind) for kind in KINDS}


@pytest.fixture(scope="module")
def load(folders):
    return loader_of_masked_models(folders)


@pytest.fixture
def trained(load, backend):
    """The small ModernBERT that comes with the package."""
    return load(MODERNBERT, backend)


# Long texts


def test_what_is_cut_is_told_once_and_where_it_was_called(trained):
    long = f"{COPY} " + "word " * 600
    with pytest.warns(UserWarning, match="2 of 3 texts were longer than 512") as told:
        found = trained.fill([long, COPY, long], top_k=1)
    assert len(told) == 1 and told[0].filename == __file__
    assert found[0][0][0].text.endswith("word ") and len(found) == 3
    with pytest.warns(UserWarning, match="1 of 1 texts") as told:
        trained.fill(long)
    assert told[0].filename == __file__
    with pytest.raises(InputError, match=r"texts\[1\] has .* tokens more than the 512"):
        trained.fill([COPY, long], truncation="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.fill(long, truncation="ignore")


def test_a_mask_is_never_cut_away(trained):
    for text in ["word " * 600 + "[MASK]", f"{COPY} {'word ' * 600}[MASK] [MASK]"]:
        with pytest.raises(InputError, match=r"texts\[0\] has .*, . of them beyond the 512"):
            trained.fill(text, truncation="ignore")


def test_a_target_makes_the_text_longer(trained):
    """With two masks for one it is cut by a token more."""
    fits = "word " * 508 + "[MASK]."
    assert len(trained.tokenizer([fits])[0]) == 512
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.fill(fits, targets=["copy"])
    with pytest.warns(UserWarning, match=r"1 of 1 texts .*, 1 tokens in all"):
        trained.fill(fits, targets=["copy", "new copy"])
    with pytest.raises(InputError, match="no room for a target of 3 tokens"):
        trained.fill("word " * 509 + "[MASK]", targets=["a new copy"])


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"texts": ["no mask"]}, r"texts\[0\], 'no mask', has no mask; .* writes it \[MASK\]"),
        ({"texts": [COPY, "a <mask>"]}, r"texts\[1\], 'a <mask>', has no mask"),
        ({"texts": [""]}, "has no mask"),
        ({"texts": [5]}, r"texts\[0\] is int"),
        ({"texts": None}, "must be a list of strings"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_k": 1001, "joint": True}, "top_k is 1001; with joint=True it may be 1000"),
        ({"targets": {"copy": 1}}, "targets must be a list of strings, not dict"),
        ({"top_k": "5"}, "top_k is '5'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"targets": []}, "targets is empty"),
        ({"targets": ["copy", " "]}, r"targets\[1\] is ' ', which has no tokens"),
        ({"targets": ["copy", ""]}, r"targets\[1\] is '', which has no tokens"),
        ({"targets": [5]}, r"targets\[0\] is int"),
        ({"targets": ["a [MASK]"]}, r"targets\[0\], 'a \[MASK\]', holds the mask"),
        ({"targets": ["copy"], "joint": True}, "joint=True leave targets=None"),
        ({"joint": "yes"}, "joint is 'yes'; it must be True or False"),
        ({"texts": "[MASK] " * 9, "joint": True}, r"texts\[0\] has 9 masks; .* may be 8"),
        ({"truncation": "cut"}, "truncation 'cut' is unknown"),
    ],
)
def test_bad_input_is_refused(trained, options, message):
    with pytest.raises(InputError, match=message):
        trained.fill(**{"texts": COPY} | options)


def test_a_target_that_no_vocabulary_has(load, backend):
    for kind, mask in (("bert", "[MASK]"), ("sentencepiece", "<mask>")):
        with pytest.raises(InputError, match=r"targets\[1\], 'snow☃', is not in this model's"):
            load(kind, backend).fill(f"the {mask}", targets=["river", "snow☃"])


def test_a_tokenizer_without_a_mask(folders, tmp_path, backend):
    folder = shutil.copytree(folders["modernbert"], tmp_path / "maskless")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("[MASK]", "[GAP]"))
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    settings["mask_token"] = None
    path.write_text(json.dumps(settings))
    model = reference.load(folder, backend=backend, pipeline="masked-lm")
    with pytest.raises(CheckpointError, match="this tokenizer has no mask token"):
        model.fill("a [GAP]")


def test_logits_that_are_not_finite_are_an_error(folders, tmp_path, backend):
    folder = shutil.copytree(folders["roberta"], tmp_path / "overflowing")
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.layer_norm.weight"] *= 1e38
    tensors["lm_head.bias"][:] = 3e38
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    model = reference.load(folder, backend=backend, pipeline="masked-lm")
    with pytest.raises(CheckpointError, match=r"logits come out as NaN .* dtype='float64'"):
        model.fill("the <mask>")


def test_ids_that_the_tokenizer_has_no_token_for_are_not_shown(tmp_path):
    folder = masked_model("modernbert", tmp_path / "padded", vocab_size=6200)
    model = reference.load(folder, pipeline="masked-lm")
    (found,) = model.fill("the [MASK]", top_k=10**6)
    assert len(found) == 6144 and 0.5 < sum(f.probability for f in found) < 1
