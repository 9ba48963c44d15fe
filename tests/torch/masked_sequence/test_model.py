"""A head at chosen positions on Transformers' encoders: its numbers, its labels, what it
refuses and what it keeps."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.errors import CheckpointError, ConfigError, InputError
from reference.torch.masked_sequence import (
    AutoModelForMaskedSeqModeling,
    DetectionCollator,
    MaskedSeqConfig,
    run_self_test,
)

FAMILIES = {
    "BertModel": "bert",
    "RobertaModel": "roberta",
    "ModernBertModel": "model",
    "MPNetModel": "mpnet",
}
IGNORED = -100


@pytest.fixture(scope="module", params=FAMILIES)
def base(request, tmp_path_factory):
    return reference.parity.random_checkpoint(
        tmp_path_factory.mktemp("base") / request.param, request.param
    )


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return reference.parity.random_checkpoint(
        tmp_path_factory.mktemp("bert"), "BertForMaskedLM"
    )


@pytest.fixture(scope="module")
def model(bert):
    return AutoModelForMaskedSeqModeling.from_pretrained(bert, num_labels=3)


@pytest.fixture(scope="module")
def multiclass(bert):
    return AutoModelForMaskedSeqModeling.from_pretrained(bert, 3, "multiclass")


def batch(seed=0, texts=3, tokens=9, detections=2):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(detections + 1, tokens + 1, (texts,), generator=generator)
    lengths[0] = tokens
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    ids = torch.randint(3, 60, (texts, tokens), generator=generator) * mask
    at = (torch.rand(texts, detections, generator=generator) * lengths[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask, "mask_indices": at}


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_it_computes_what_it_says(base, task):
    measured = run_self_test(base, task=task, num_labels=4)
    assert set(measured) == {"logits", "loss", "ignored", "accumulated", "saved"}
    assert max(measured.values()) < 1e-4


def test_the_encoder_has_the_name_of_its_type(base):
    model = AutoModelForMaskedSeqModeling.from_pretrained(base, num_labels=2)
    name = FAMILIES[base.name]
    assert model.config.base_model_attr_name == name
    assert model.get_base_model() is getattr(model, name)
    assert any(key.startswith(f"{name}.") for key in model.state_dict())


def test_another_name_is_kept(bert, tmp_path):
    model = AutoModelForMaskedSeqModeling.from_pretrained(
        bert, num_labels=2, base_model_attr_name="encoder"
    )
    model.save_pretrained(tmp_path)
    again = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path)
    assert again.encoder is again.get_base_model()
    for name in ("detection_head", "forward", "no name", 3):
        with pytest.raises(InputError, match="base_model_attr_name"):
            AutoModelForMaskedSeqModeling.from_pretrained(
                bert, num_labels=2, base_model_attr_name=name
            )


def test_the_gathered_vectors_are_those_of_the_text_alone(base):
    """Padding, and the other texts of a batch, change nothing."""
    model = AutoModelForMaskedSeqModeling.from_pretrained(base, num_labels=3)
    together = batch()
    logits = model(**together).logits
    for row, length in enumerate(together["attention_mask"].sum(1).tolist()):
        alone = model(
            together["input_ids"][row : row + 1, :length],
            mask_indices=together["mask_indices"][row : row + 1],
        ).logits
        torch.testing.assert_close(alone[0], logits[row], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("way", ["first", "mean", "first_last"])
def test_several_tokens_are_pooled(bert, way):
    model = AutoModelForMaskedSeqModeling.from_pretrained(bert, num_labels=3, span_pooling=way)
    inputs = batch(texts=1)
    inputs["mask_indices"] = torch.tensor([[2, 4]])
    hidden = model.get_base_model()(
        inputs["input_ids"], attention_mask=inputs["attention_mask"]
    ).last_hidden_state[0]
    vector = {
        "first": hidden[2],
        "mean": hidden[2:6].mean(0),
        "first_last": (hidden[2] + hidden[5]) / 2,
    }[way]
    logits = model(**inputs, mask_ends=torch.tensor([[5, 4]])).logits[0]
    torch.testing.assert_close(logits[0], model.detection_head(vector[None, None])[0, 0])
    torch.testing.assert_close(logits[1], model.detection_head(hidden[None, 4:5])[0, 0])


@given(st.integers(0, 2**31), st.sampled_from(["multilabel", "multiclass"]))
def test_ignored_labels_have_no_say(model, multiclass, seed, task):
    subject = model if task == "multilabel" else multiclass
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 3, generator=generator, requires_grad=True)
    shape = (2, 3, 3) if task == "multilabel" else (2, 3)
    high = 2 if task == "multilabel" else 3
    labels = torch.randint(high, shape, generator=generator)
    ignored = torch.rand(shape, generator=generator) < 0.4
    labels[ignored] = IGNORED
    loss = subject.loss(logits, labels)
    loss.backward()
    counted = (labels != IGNORED).numpy()
    if task == "multilabel":
        counted &= counted[..., :1]
        terms = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, labels.clamp(min=0).float(), reduction="none"
        )
    else:
        terms = -logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    terms = terms.detach().numpy()[counted]
    assert loss.item() == pytest.approx(terms.mean() if terms.size else 0.0, abs=1e-6)
    moved = (logits.grad != 0).numpy()
    moved = moved if task == "multilabel" else moved.any(-1)
    assert not moved[~counted].any() and moved[counted].all()


def test_all_ignored_is_zero_even_beside_infinity(model, multiclass):
    logits = torch.full((1, 2, 3), float("inf"), requires_grad=True)
    for subject, shape in ((model, (1, 2, 3)), (multiclass, (1, 2))):
        loss = subject.loss(logits, torch.full(shape, IGNORED))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.item() == 0 and not gradient.any()


def test_four_times_two_is_once_eight(model):
    """With as many detections as chance will have it."""
    inputs = batch(texts=8, detections=4)
    labels = torch.randint(2, (8, 4, 3), generator=torch.Generator().manual_seed(1))
    labels[torch.rand(8, 4, generator=torch.Generator().manual_seed(2)) < 0.5] = IGNORED

    def gradient(parts):
        model.zero_grad()
        for rows in parts:
            own = {name: array[rows] for name, array in inputs.items()}
            items = (labels != IGNORED).sum()
            model(**own, labels=labels[rows], num_items_in_batch=items).loss.backward()
        return torch.cat([p.grad.flatten() for p in model.detection_head.parameters()])

    whole = gradient([slice(0, 8)])
    model.zero_grad()
    model(**inputs, labels=labels).loss.backward()
    alone = torch.cat([p.grad.flatten() for p in model.detection_head.parameters()])
    parts = gradient([slice(start, start + 2) for start in range(0, 8, 2)])
    torch.testing.assert_close(whole, alone)
    torch.testing.assert_close(whole, parts, atol=1e-6, rtol=1e-4)


def test_weights_are_pytorchs(bert):
    weighted = AutoModelForMaskedSeqModeling.from_pretrained(
        bert, 3, "multiclass", class_weights=[1, 2, 5]
    )
    logits = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 2], [IGNORED, 1]])
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), torch.tensor([1.0, 2, 5])
    )
    torch.testing.assert_close(weighted.loss(logits, labels), expected)
    many = AutoModelForMaskedSeqModeling.from_pretrained(
        bert, 3, pos_weight=[1, 2, 5], class_weights=[2, 1, 1]
    )
    answers = torch.tensor([[[0.0, 1, 1], [1, 0, 0]], [[1, 1, 0], [0, 0, 1]]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, answers, torch.tensor([2.0, 1, 1]), pos_weight=torch.tensor([1.0, 2, 5])
    )
    torch.testing.assert_close(many.loss(logits, answers), expected)
    with pytest.raises(ConfigError, match="pos_weight"):
        AutoModelForMaskedSeqModeling.from_pretrained(bert, 3, "multiclass", pos_weight=[1] * 3)
    for wrong in ([1, 2], [1, 2, -1], [1, 2, float("nan")], "abc"):
        with pytest.raises(ConfigError, match="class_weights"):
            AutoModelForMaskedSeqModeling.from_pretrained(bert, 3, class_weights=wrong)


WRONG_PLACES = {
    "missing": None,
    "a tensor of int64": torch.tensor([[1, 2]] * 3, dtype=torch.int32),
    "row for each text": torch.tensor([1, 2, 3]),
    r"\[1, 0\] is 9": torch.tensor([[1, 2], [9, 0], [0, 0]]),
    r"\[2, 1\] is -1": torch.tensor([[1, 2], [0, 0], [0, -1]]),
}


@pytest.mark.parametrize("message", WRONG_PLACES)
def test_places_are_checked(model, message):
    inputs = batch() | {"mask_indices": WRONG_PLACES[message]}
    with pytest.raises(InputError, match=message):
        model(**inputs)


def test_a_detection_on_padding_is_refused_unless_it_is_ignored(model):
    inputs = batch()
    inputs["attention_mask"][1, 4:] = 0
    inputs["mask_indices"] = torch.tensor([[0, 1], [2, 6], [0, 1]])
    labels = torch.zeros(3, 2, 3)
    for given_labels in (None, labels):
        with pytest.raises(InputError, match=r"mask_indices\[1, 1\] is 6, which is padding"):
            model(**inputs, labels=given_labels)
    labels[1, 1, 0] = IGNORED
    assert torch.isfinite(model(**inputs, labels=labels).loss)


WRONG_LABELS = {
    "those of a multilabel model": torch.zeros(3, 2),
    "here it must be": torch.zeros(3, 2, 4),
    "labels hold 2": torch.full((3, 2, 3), 2),
    "labels hold nan": torch.full((3, 2, 3), float("nan")),
    "must be a tensor": np.zeros((3, 2, 3)),
}
WRONG_CLASSES = {
    "those of a multiclass model": torch.zeros(3, 2, 3).long(),
    "classes are whole numbers": torch.zeros(3, 2),
    "labels hold 3": torch.full((3, 2), 3),
    "labels hold -1": torch.full((3, 2), -1),
}


@pytest.mark.parametrize("message", WRONG_LABELS)
def test_labels_are_checked(model, message):
    with pytest.raises(InputError, match=message):
        model(**batch(), labels=WRONG_LABELS[message])


@pytest.mark.parametrize("message", WRONG_CLASSES)
def test_classes_are_checked(multiclass, message):
    with pytest.raises(InputError, match=message):
        multiclass(**batch(), labels=WRONG_CLASSES[message])


def test_labels_and_their_names(bert):
    def of(**given):
        return AutoModelForMaskedSeqModeling.from_pretrained(bert, **given).config

    assert of(num_labels=2).id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert of(id2label={0: "a", 1: "b"}).label2id == {"a": 0, "b": 1}
    assert of(num_labels=2, label2id={"b": 1, "a": 0}).id2label == {0: "a", 1: "b"}
    assert of(id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1}).num_labels == 2
    for wrong in (
        {},
        {"num_labels": 0},
        {"num_labels": 3, "id2label": {0: "a"}},
        {"id2label": {0: "a", 1: "b"}, "label2id": {"a": 1, "b": 0}},
        {"id2label": {0: "a", 2: "b"}},
        {"id2label": {0: "a", 1: "a"}},
        {"label2id": {"a": 0, "b": 0}},
    ):
        with pytest.raises(ConfigError):
            of(**wrong)


def test_the_task_and_the_problem_type_go_together(model, multiclass):
    assert model.config.problem_type == "multi_label_classification"
    assert multiclass.config.problem_type == "single_label_classification"
    with pytest.raises(ConfigError, match="problem_type"):
        MaskedSeqConfig(task="multiclass", num_labels=2, problem_type="regression")
    with pytest.raises(ConfigError, match="multilabel or multiclass"):
        MaskedSeqConfig(task="regression", num_labels=2)


def test_a_saved_model_is_itself_again_without_its_base(tmp_path):
    """In a process that has seen none of the bases, which are gone."""
    inputs, logits = batch(), {}
    for kind in FAMILIES:
        base = reference.parity.random_checkpoint(tmp_path / "base" / kind, kind)
        model = AutoModelForMaskedSeqModeling.from_pretrained(
            base, id2label={0: "a", 1: "b"}, task="multiclass", span_pooling="mean"
        )
        model.save_pretrained(tmp_path / kind)
        logits[kind] = model(**inputs).logits.tolist()
    shutil.rmtree(tmp_path / "base")
    code = """
import json, sys, torch
from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling
inputs = {name: torch.tensor(array) for name, array in json.loads(sys.argv[1]).items()}
for folder in sys.argv[2:]:
    model = AutoModelForMaskedSeqModeling.from_pretrained(folder)
    settings = [model.config.task, model.config.span_pooling, model.config.id2label[1]]
    print(json.dumps([settings, model(**inputs).logits.tolist()]))
"""
    given = json.dumps({name: array.tolist() for name, array in inputs.items()})
    folders = [str(tmp_path / kind) for kind in FAMILIES]
    done = subprocess.run(
        [sys.executable, "-c", code, given, *folders], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[[")]
    assert len(found) == len(FAMILIES)
    for (settings, own), expected in zip(found, logits.values(), strict=True):
        assert settings == ["multiclass", "mean", "b"]
        assert np.allclose(own, expected, atol=1e-6)


def test_it_is_told_from_a_base_by_its_configuration(model, bert, tmp_path):
    model.save_pretrained(tmp_path)
    again = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path)
    assert again.config.num_labels == 3
    auto = transformers.AutoModel.from_pretrained(tmp_path)
    assert isinstance(auto, AutoModelForMaskedSeqModeling)
    for wrong in ({"num_labels": 4}, {"task": "multiclass"}, {"id2label": {0: "x"}}):
        with pytest.raises(ConfigError, match="was saved with"):
            AutoModelForMaskedSeqModeling.from_pretrained(tmp_path, **wrong)
    with pytest.raises(ConfigError, match="strict_mlm_check"):
        AutoModelForMaskedSeqModeling.from_pretrained(tmp_path, strict_mlm_check=True)
    assert "base_config" in repr(again.config)
    for folder, options in ((bert, {"num_labels": 3}), (tmp_path, {})):
        found, loading = AutoModelForMaskedSeqModeling.from_pretrained(
            folder, **options, output_loading_info=True
        )
        assert found.config.num_labels == 3 and not loading["missing_keys"]
    same = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path, 3, "multilabel")
    torch.testing.assert_close(
        same.detection_head.dense.weight, model.detection_head.dense.weight
    )


def test_shards(model, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    again = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path)
    inputs = batch()
    torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)


def test_decoders_are_refused(tmp_path):
    decoders = {
        "GPT2": transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=9),
        "T5": transformers.T5Config(d_model=8, num_layers=1, num_heads=2, vocab_size=9),
        "BertLMHead": transformers.BertConfig(is_decoder=True, vocab_size=9),
    }
    for name, config in decoders.items():
        config.save_pretrained(tmp_path / name)
        with pytest.raises(ConfigError, match="decoder"):
            AutoModelForMaskedSeqModeling.from_pretrained(tmp_path / name, num_labels=2)


def test_an_encoder_with_an_old_name_is_none(tmp_path):
    """XLM's class for masked words is called as others call their decoders'."""
    sizes = {"emb_dim": 8, "n_layers": 1, "n_heads": 2, "vocab_size": 64}
    config = transformers.XLMConfig(**sizes, max_position_embeddings=16)
    transformers.XLMWithLMHeadModel(config).save_pretrained(tmp_path)
    model = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path, num_labels=2)
    assert torch.isfinite(model(**batch()).logits).all()


def test_a_masked_language_model_is_asked_for(bert, tmp_path):
    AutoModelForMaskedSeqModeling.from_pretrained(bert, num_labels=2, strict_mlm_check=True)
    plain = reference.parity.random_checkpoint(tmp_path / "plain", "BertModel")
    with pytest.raises(CheckpointError, match="no masked language model"):
        AutoModelForMaskedSeqModeling.from_pretrained(
            plain, num_labels=2, strict_mlm_check=True
        )


def test_the_vocabulary_can_grow(bert, tmp_path):
    model = AutoModelForMaskedSeqModeling.from_pretrained(bert, num_labels=2)
    size = model.config.vocab_size
    model.resize_token_embeddings(size + 5)
    assert model.config.vocab_size == size + 5
    model.save_pretrained(tmp_path)
    again = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path)
    assert again.get_input_embeddings().num_embeddings == size + 5


def test_thresholds_are_chosen_and_kept(bert, tmp_path):
    model = AutoModelForMaskedSeqModeling.from_pretrained(bert, num_labels=3)
    # The first is told apart at 0, the second nowhere, the third is always there.
    logits = torch.tensor([[[-1.0, 0, 1], [1.0, 0, 1]], [[2.0, 0, 1], [-3.0, 0, 1]]])
    labels = torch.tensor([[[0, 1, 1], [1, 0, 1]], [[1, 1, 1], [IGNORED, 0, 0]]])
    found = model.calibrate(logits, labels)
    shares = torch.sigmoid(torch.tensor([-1.0, 1.0]))
    assert found[0] == pytest.approx(shares.mean().item())
    assert found[2] == 0.5
    given_labels = model.predict(logits)
    assert given_labels[..., 0].tolist() == [[False, True], [True, False]]
    model.save_pretrained(tmp_path)
    again = AutoModelForMaskedSeqModeling.from_pretrained(tmp_path)
    assert again.config.thresholds == found
    # It is the labels that differ, and not the thresholds.
    with pytest.raises(ConfigError, match="num_labels 3, not 5"):
        AutoModelForMaskedSeqModeling.from_pretrained(tmp_path, num_labels=5)
    started = AutoModelForMaskedSeqModeling.from_pretrained(bert, 2, thresholds=[0.3, 0.4])
    assert started.config.thresholds == [0.3, 0.4]


def test_probabilities(model, multiclass):
    logits = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.predict_proba(logits), logits.sigmoid())
    torch.testing.assert_close(multiclass.predict_proba(logits).sum(-1), torch.ones(2, 3))
    assert multiclass.predict(logits).tolist() == logits.argmax(-1).tolist()
    with pytest.raises(InputError, match="multiclass"):
        multiclass.calibrate(logits, torch.zeros(2, 3, 3))


def test_gradients_can_be_computed_again(bert):
    model = AutoModelForMaskedSeqModeling.from_pretrained(bert, num_labels=2).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    inputs, labels = batch(), torch.ones(3, 2, 2)

    def gradient():
        model.zero_grad()
        model(**inputs, labels=labels).loss.backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    plain = gradient()
    model.gradient_checkpointing_enable()
    torch.testing.assert_close(gradient(), plain)


def test_it_can_be_compiled(model):
    inputs = batch() | {"labels": torch.ones(3, 2, 3)}
    compiled = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(compiled(**inputs).loss, model(**inputs).loss)
    with pytest.raises(InputError, match="mask_indices"):
        compiled(**inputs | {"mask_indices": torch.full((3, 2), 99)})


class Padding:
    """What the collator asks of a tokenizer."""

    def __init__(self, side):
        self.padding_side = side

    def pad(self, texts, return_tensors):
        longest = max(len(text["input_ids"]) for text in texts)
        rows = {"input_ids": [], "attention_mask": []}
        for text in texts:
            pads = [0] * (longest - len(text["input_ids"]))
            ids, ones = list(text["input_ids"]), [1] * len(text["input_ids"])
            left = self.padding_side == "left"
            rows["input_ids"].append(pads + ids if left else ids + pads)
            rows["attention_mask"].append(pads + ones if left else ones + pads)
        return {name: torch.tensor(array) for name, array in rows.items()}


@pytest.mark.parametrize("side", ["right", "left"])
def test_texts_with_fewer_detections_are_filled_up(model, side):
    """The loss is that of the detections one by one, and whoever counts labels counts none of
    what was filled in."""
    examples = [
        {
            "input_ids": [5, 6, 7, 8, 9],
            "mask_indices": [1, 3],
            "labels": [[1, 0, 1], [0, 0, 1]],
        },
        {"input_ids": [9, 8, 7], "mask_indices": [2], "labels": [[1, 1, 0]]},
        {"input_ids": [4, 4, 5, 6], "mask_indices": [], "labels": []},
    ]
    together = DetectionCollator(Padding(side))(examples)
    assert together["mask_indices"].shape == (3, 2)
    assert (together["labels"] != IGNORED).sum() == 9
    assert (together["labels"][2] == IGNORED).all() and (
        together["labels"][1, 1] == IGNORED
    ).all()
    for row, one in enumerate(examples):
        at = together["mask_indices"][row, : len(one["mask_indices"])]
        tokens = [one["input_ids"][place] for place in one["mask_indices"]]
        assert together["input_ids"][row, at].tolist() == tokens
    found = model(**together)
    terms = []
    for one in examples[:2]:
        alone = model(
            torch.tensor([one["input_ids"]]),
            mask_indices=torch.tensor([one["mask_indices"]]),
            labels=torch.tensor([one["labels"]]),
        )
        terms += [alone.loss] * len(one["labels"])
    if side == "right":  # BERT's positions count pads, so on the left its numbers differ
        torch.testing.assert_close(found.loss, torch.stack(terms).mean())
    assert torch.isfinite(found.loss)
    with pytest.raises(InputError, match="no examples"):
        DetectionCollator(Padding(side))([])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask_indices": None}, "example 1 has no mask_indices"),
        ({"labels": None}, "example 0 has labels, and example 1 has none"),
        ({"mask_ends": [3, 4]}, "example 1 has mask_ends, and example 0 has none"),
        ({"labels": [[1, 0, 1]]}, "2 mask_indices and 1 labels"),
    ],
)
def test_examples_that_do_not_go_together(changes, message):
    first = {"input_ids": [5, 6, 7], "mask_indices": [1, 2], "labels": [[1, 0, 1]] * 2}
    other = {key: own for key, own in (first | changes).items() if own is not None}
    with pytest.raises(InputError, match=message):
        DetectionCollator(Padding("right"))([first, other])


CODE = {
    "configuration_plain.py": """
from transformers import PreTrainedConfig


class PlainConfig(PreTrainedConfig):
    model_type = "plain_words"
    hidden_size: int = 8
    vocab_size: int = 40
""",
    "modeling_plain.py": """
import safetensors.torch
import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from .configuration_plain import PlainConfig


class PlainModel(PreTrainedModel):
    config_class = PlainConfig
    base_model_prefix = "plain"

    def __init__(self, config):
        super().__init__(config)
        self.words = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.words

    def forward(self, input_ids, attention_mask=None, **_):
        return BaseModelOutput(last_hidden_state=self.words(input_ids))
""",
}


def test_code_of_an_encoders_own_has_to_be_trusted(tmp_path):
    """And goes along when it is saved, since the folder is all there is."""
    folder, saved = tmp_path / "base", tmp_path / "saved"
    folder.mkdir()
    for name, text in CODE.items():
        (folder / name).write_text(text)
    classes = {"AutoConfig": "configuration_plain.PlainConfig"}
    classes |= {"AutoModel": "modeling_plain.PlainModel"}
    config = {"model_type": "plain_words", "hidden_size": 8, "vocab_size": 40}
    config["auto_map"] = classes
    (folder / "config.json").write_text(json.dumps(config))
    weights = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    safetensors.torch.save_file(
        {"words.weight": weights}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForMaskedSeqModeling.from_pretrained(folder, num_labels=2)
    model = AutoModelForMaskedSeqModeling.from_pretrained(
        folder, num_labels=2, trust_remote_code=True
    )
    assert model.plain is model.get_base_model()
    inputs = {"input_ids": torch.tensor([[1, 2, 3]]), "mask_indices": torch.tensor([[0, 2]])}
    with pytest.warns(UserWarning, match="no tokenizer"):
        model.save_pretrained(saved)
    shutil.rmtree(folder)
    with pytest.raises(ConfigError, match="trust_remote_code=True"):
        AutoModelForMaskedSeqModeling.from_pretrained(saved)
    again = AutoModelForMaskedSeqModeling.from_pretrained(saved, trust_remote_code=True)
    torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)
