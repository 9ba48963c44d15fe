"""A batch whose loss compares vectors, learned from a chunk at a time: the gradient is that of
the whole batch at once, as autograd has it in float64 through Transformers' model or a stock
one."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reference.backend import learner
from reference.checkpoint import read_checkpoint
from reference.dropout import Dropout, training_pass
from reference.errors import InputError
from reference.inputs import pad
from reference.learning import AdamW, Way, take_step
from reference.parity import random_checkpoint
from reference.parity.oracle import oracle_for
from reference.training.objectives.comparing import Comparison, Side, matryoshka, temperature
from reference.training.objectives.contrastive import ranking
from reference.training.objectives.scored_pairs import cosent

# MLX computes exp and erf in single precision, in float64 too.
EXACT = {"torch": 1e-10, "candle": 1e-10, "mlx": 1e-5}
MODELS = [
    "BertModel",
    "RobertaModel",
    "ModernBertModel",
    "DistilBertModel",
    "MPNetModel",
    "ElectraModel",
    "RopeEncoderModel",
]


PLAIN = Way()


def texts(number, seed=0):
    generator = np.random.default_rng(seed)
    return [
        generator.integers(5, 60, length).tolist()
        for length in generator.integers(2, 12, number)
    ]


def sides(pairs=4, negatives=3, way=PLAIN):
    return tuple(
        Side(texts(number, seed), way)
        for seed, number in enumerate((pairs, pairs, negatives))
        if number
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    made = {}

    def folder(name, **config):
        key = f"{name}-{len(config)}"
        if key not in made:
            made[key] = random_checkpoint(base / key, name, **config)
        return made[key]

    return folder


def learner_of(folder, backend, dtype="float64"):
    """Whose first moments after a step are the gradients."""
    checkpoint = read_checkpoint(folder)
    return learner(
        backend,
        checkpoint.config,
        checkpoint.architecture,
        checkpoint.tensors,
        AdamW(betas=(0.0, 0.0)),
        dtype,
    )


def learned(subject, lesson, seed=None):
    """Loss and gradients of one batch; those that no loss has reached are left out."""
    loss = take_step(subject, [lesson], 0.0, seed=seed)
    found = {
        name.removeprefix("first."): moment
        for name, moment in subject.moments().items()
        if name.startswith("first.")
    }
    return loss, found


def pooled(model, rows, pad_token_id, way=PLAIN):
    """The mean of a padded batch, by hand."""
    ids, mask = pad(rows, pad_token_id)
    given = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}
    hidden = model(**given)["last_hidden_state"]
    real = given["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * real).sum(1) / real.sum(1)
    parts = {
        "mean": lambda: mean,
        "cls": lambda: hidden[:, 0],
        "max": lambda: hidden.masked_fill(real == 0, -torch.inf).amax(1),
    }
    vectors = torch.cat([parts[name]() for name in way.pooling], dim=-1)
    return F.normalize(vectors, dim=-1) if way.normalize else vectors


def in_one_go(folder, own_sides, scale=20.0, both=False, widths=None):
    """Loss and gradients of ranking, without chunks."""
    checkpoint = read_checkpoint(folder)
    model = oracle_for(checkpoint, "float64").model
    vectors = [
        pooled(model, side.texts, checkpoint.config.pad_token_id, side.way)
        for side in own_sides
    ]
    factor = torch.exp(-model.log_temperature) if scale is None else scale
    loss = 0.0
    for width in widths or [vectors[0].shape[1]]:
        cut = [F.normalize(array[:, :width], dim=-1) for array in vectors]
        own = torch.arange(len(cut[0]))
        part = F.cross_entropy(factor * cut[0] @ torch.cat(cut[1:]).T, own)
        if both:
            part = (part + F.cross_entropy(factor * cut[1] @ cut[0].T, own)) / 2
        loss = loss + part
    names = list(checkpoint.tensors)
    found = torch.autograd.grad(
        loss,
        [model.get_parameter(name) for name in names],
        allow_unused=True,
        materialize_grads=True,
    )
    gradients = {name: one.numpy() for name, one in zip(names, found, strict=True)}
    return loss.item(), {name: one for name, one in gradients.items() if one.any()}


def check(found, expected, gate):
    assert found[0] == pytest.approx(expected[0], rel=gate)
    largest = max(np.abs(gradient).max() for gradient in expected[1].values())
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(
            found[1].get(name, 0), gradient, rtol=0, atol=gate * largest, err_msg=name
        )


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_is_that_of_the_whole_batch(folders, backend, model):
    folder = folders(model)
    own_sides = sides()
    lesson = Comparison(own_sides, ranking, 4, chunk_tokens=12)
    gate = EXACT[backend]
    if model == "ModernBertModel":  # whose tables are made in float32
        gate = max(gate, 1e-6)
    check(learned(learner_of(folder, backend), lesson), in_one_go(folder, own_sides), gate)


@pytest.mark.parametrize("tokens", [1, 20, 10_000])
def test_chunks_of_any_size_have_the_same_gradient(folders, backend, tokens):
    """One text at a time, a few, all."""
    folder = folders("BertModel")
    lesson = Comparison(sides(), ranking, 4, chunk_tokens=tokens)
    expected = in_one_go(folder, sides())
    check(learned(learner_of(folder, backend), lesson), expected, EXACT[backend])


def test_ways_of_a_folder_are_followed_back(folders, backend):
    """Several poolings side by side, scaled to length one, and cut to two widths."""
    way = Way(("cls", "mean", "max"), normalize=True)
    own_sides = sides(way=way)
    compare = matryoshka(partial(ranking, both=True), [5, 96])
    lesson = Comparison(own_sides, compare, 4, chunk_tokens=30)
    expected = in_one_go(folders("BertModel"), own_sides, both=True, widths=[5, 96])
    check(learned(learner_of(folders("BertModel"), backend), lesson), expected, EXACT[backend])


def test_a_learned_temperature_divides_cosines_and_has_a_gradient(folders, backend):
    folder, own_sides = folders("RopeEncoderModel"), sides(negatives=0)
    lesson = Comparison(own_sides, ranking, 4, temperature="log_temperature", chunk_tokens=25)
    expected = in_one_go(folder, own_sides, scale=None)
    assert abs(expected[1]["log_temperature"]).max() > 1e-3
    subject = learner_of(folder, backend)
    own = float(np.exp(subject.model.state()["log_temperature"][0]))
    assert temperature(subject.model) == pytest.approx(own, rel=1e-6)
    check(learned(subject, lesson), expected, EXACT[backend])


def test_a_prompt_that_is_not_pooled_is_left_out(folders, backend):
    subject = learner_of(folders("BertModel"), backend)
    way = Way(("mean", "lasttoken"), normalize=True, skip=2)
    ((_, inputs),) = Side(texts(3), way).chunks(10_000)
    options = (way.pooling, way.normalize)
    made = subject.vectors(inputs, way)
    np.testing.assert_allclose(made, subject.model.embed(inputs, *options, 2), rtol=1e-12)
    assert not np.allclose(made, subject.model.embed(inputs, *options, 0))


def test_a_chunk_drops_the_same_in_both_passes(folders, backend):
    """Otherwise the gradient is that of another function: here of one graph, in PyTorch."""
    folder = folders("BertModel", hidden_dropout_prob=0.2)
    lesson = Comparison(sides(), ranking, 4, chunk_tokens=20)
    found = learned(learner_of(folder, backend), lesson, seed=3)
    subject = learner_of(folder, "torch")
    number, vectors = 0, []
    for side in lesson.sides:
        made = []
        for places, inputs in side.chunks(20):
            number += 1
            with training_pass(Dropout(3, 0, number), inputs):
                part = subject.model.vectors(inputs, ("mean",), False)
            made += zip(places.tolist(), part, strict=True)
        vectors.append(torch.stack([vector for _, vector in sorted(made, key=lambda x: x[0])]))
    vectors = [F.normalize(part, dim=-1) for part in vectors]
    loss = F.cross_entropy(20 * vectors[0] @ torch.cat(vectors[1:]).T, torch.arange(4))
    loss.backward()
    expected = {
        key: parameter.grad.numpy()
        for key, parameter in subject.parameters.items()
        if parameter.grad is not None
    }
    check(found, (loss.item(), expected), EXACT[backend])
    assert found[0] != pytest.approx(learned(learner_of(folder, backend), lesson)[0], rel=1e-3)


def test_batches_weigh_by_their_pairs_in_a_group(folders, backend):
    """Losses that compare within a batch do not add up to that of a larger one; they are
    averaged over pairs."""
    small, large = (
        Comparison(sides(pairs, 0), ranking, pairs, chunk_tokens=30) for pairs in (2, 4)
    )
    subject = learner_of(folders("BertModel"), backend)
    parts = [learned(subject, lesson) for lesson in (small, large)]
    loss = take_step(subject, [small, large], 0.0)
    assert loss == pytest.approx((2 * parts[0][0] + 4 * parts[1][0]) / 6)
    key = "encoder.layer.0.output.dense.weight"
    expected = (2 * parts[0][1][key] + 4 * parts[1][1][key]) / 6
    np.testing.assert_allclose(subject.moments()[f"first.{key}"], expected, atol=1e-6)


@pytest.mark.parametrize("compare", [ranking, partial(cosent, scores=[0.1, 0.9, 0.4, 0.2])])
def test_the_loss_falls(folders, backend, compare):
    checkpoint = read_checkpoint(folders("BertModel"))
    subject = learner(
        backend, checkpoint.config, checkpoint.architecture, checkpoint.tensors, AdamW()
    )
    lesson = Comparison(sides(negatives=0), compare, 4, chunk_tokens=30)
    losses = [take_step(subject, [lesson], 5e-3, 1.0) for _ in range(8)]
    assert losses[-1] < 0.5 * losses[0]


def test_chunks_hold_every_text_once():
    side = Side([[1] * length for length in (9, 2, 5, 1, 30, 2)], Way())
    chunks = list(side.chunks(10))
    assert sorted(place for places, _ in chunks for place in places) == [0, 1, 2, 3, 4, 5]
    sizes = [len(inputs.input_ids) for _, inputs in chunks]
    assert sizes == [10, 9, 30]
    for places, inputs in chunks:
        lengths = np.diff(inputs.cu_seqlens).tolist()
        assert lengths == [len(side.texts[place]) for place in places]


def test_a_gradient_of_another_shape_is_refused_by_the_compiled_port(folders):
    subject = learner_of(folders("BertModel"), "candle")
    (_, inputs), *_ = Side(texts(2), Way()).chunks(100)
    with pytest.raises(InputError, match="gradient has shape"):
        subject.follow(inputs, Way(), np.zeros((3, 32)))
    with pytest.raises(InputError, match="no parameter log_temperature"):
        subject.add("log_temperature", np.zeros(1))
