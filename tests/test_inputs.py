"""Bad input: one stated behaviour, the same in the three ports because it is checked above
them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.checks import check_name
from reference.errors import InputError
from reference.inputs import pack, pad


@pytest.fixture
def model(tiny, backend):
    return reference.load(tiny("BertForTokenClassification"), backend=backend)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[5, 40]],), r"input_ids\[0, 1\] is 40; ids lie from 0 to 39"),
        (([[5, -1]],), r"input_ids\[0, 1\] is -1"),
        (([[5, 6], [7]],), "ragged"),
        (([[5.0, 6.0]],), "whole numbers"),
        (([[5, float("nan")]],), "whole numbers"),
        (([["5"]],), "whole numbers"),
        (([5, 6],), r"must be \[batch, tokens\]"),
        (([],), r"must be \[batch, tokens\]"),
        (([[]],), "at least one text of at least one token"),
        ((np.zeros((0, 3), int),), "at least one text"),
        ((None,), r"input_ids holds NoneType None"),
        ((np.array([[5, None]], object),), r"input_ids holds NoneType None"),
        (([[2**63]],), r"input_ids holds 9223372036854775808"),
        (([[5, 2**70]],), r"input_ids holds int 1180591620717411303424"),
        ((5,), r"input_ids has shape \(\)"),
        ((np.full((1, 41), 5),), "a text of 41 tokens is longer than the model's 40"),
        (([[5, 6]], [[1]]), r"attention_mask has shape \(1, 1\)"),
        (([[5, 6]], [[1, 2]]), "attention_mask holds 2"),
        (([[5, 6]], [[1, float("nan")]]), "attention_mask holds nan"),
        (([[5, 6]], [[1, 0.5]]), "attention_mask holds 0.5"),
        (([[5, 6]], np.empty((1, 0), "datetime64[s]")), "attention_mask holds datetime64"),
        (([[5, 6], [7, 8]], [[1, 1], [0, 0]]), "hides every token of row 1"),
        (([[5, 6]], [[1, 1], [1]]), "ragged"),
        (([[5, 6]], None, [[0, 2]]), r"token_type_ids\[0, 1\] is 2"),
        (([[5, 6]], None, [[0]]), "token_type_ids has shape"),
    ],
)
def test_padded_input_that_cannot_be_used(model, arguments, message):
    with pytest.raises(InputError, match=message):
        model.forward(*arguments)


@pytest.mark.parametrize(
    ("ids", "cu_seqlens", "message"),
    [
        ([[5, 6]], [0, 2], "stand in one row"),
        ([], [0], "stand in one row"),
        ([5, 6], [0, 3], r"from 0 to the number of tokens, 2; it is \[0 3\]"),
        ([5, 6], [1, 2], "must run from 0"),
        ([5, 6], [0], "must run from 0"),
        ([5, 6], [0, 0, 2], "does not after text 0"),
        ([5, 6, 7], [0, 2, 1, 3], "does not after text 1"),
        ([5, 6, 7], [0, 2**62, -(2**63), -(2**62), 3], "does not after text 1"),
        ([5, 6], [0.0, 2.0], "whole numbers"),
        ([5] * 41, [0, 41], "longer than the model's 40"),
        ([5, 99], [0, 2], r"input_ids\[1\] is 99"),
    ],
)
def test_packed_input_that_cannot_be_used(model, ids, cu_seqlens, message):
    with pytest.raises(InputError, match=message):
        model.forward_packed(ids, cu_seqlens)


@pytest.mark.parametrize("value", ["no", None, 1, 0.0, np.array([True, False])])
def test_output_hidden_states_is_a_switch(model, value):
    with pytest.raises(InputError, match="output_hidden_states is"):
        model.forward([[5, 6]], output_hidden_states=value)
    with pytest.raises(InputError, match="output_hidden_states is"):
        model.forward_packed([5, 6], [0, 2], output_hidden_states=value)


def test_numpys_switches_are_switches(model):
    assert len(model.forward([[5, 6]], output_hidden_states=np.True_)["hidden_states"]) == 3
    assert "hidden_states" not in model.forward([[5, 6]], output_hidden_states=np.False_)


def test_xlm_roberta_has_fewer_positions(tiny, backend):
    """Its positions start after the pad id: of 40 there are 38 left."""
    model = reference.load(tiny("XLMRobertaForTokenClassification"), backend=backend)
    model.forward(np.full((1, 38), 5))
    with pytest.raises(InputError, match="a text of 39 tokens is longer than the model's 38"):
        model.forward(np.full((1, 39), 5))


def test_masks_of_other_types_mean_the_same(model):
    ids = [[5, 6, 0], [7, 0, 0]]
    masks = [
        np.array([[1, 1, 0], [1, 0, 0]], dtype) for dtype in (bool, "int32", "int64", "float32")
    ]
    first, *others = [model.forward(ids, mask)["logits"] for mask in masks]
    assert all(np.array_equal(first, other) for other in others)


def test_the_callers_arrays_are_left_alone(model):
    ids, mask = np.array([[5, 6, 0]]), np.array([[1, 1, 0]])
    model.forward(ids, mask)
    assert ids.tolist() == [[5, 6, 0]] and mask.tolist() == [[1, 1, 0]]


def test_tensors_are_taken_too(model):
    import torch

    np.testing.assert_array_equal(
        model.forward(torch.tensor([[5, 6]]))["logits"], model.forward([[5, 6]])["logits"]
    )


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=9), min_size=1, max_size=6))
def test_pad_and_pack_hold_the_same_tokens(sequences):
    packed, cu_seqlens = pack(sequences)
    assert [packed[a:b].tolist() for a, b in itertools.pairwise(cu_seqlens)] == sequences
    for side in ("left", "right"):
        ids, mask = pad(sequences, pad_token_id=0, side=side)
        assert ids[mask == 1].tolist() == packed.tolist() and (ids[mask == 0] == 0).all()
        assert mask[:, -1 if side == "left" else 0].all()


def test_an_unknown_side():
    with pytest.raises(InputError, match="side 'middle'"):
        pad([[1]], 0, side="middle")


def test_nothing_to_pack():
    with pytest.raises(InputError, match="nothing to pack"):
        pack([])


@pytest.mark.parametrize("value", ["jax", None, ["torch"], np.array(["torch", "mlx"]), "Torch"])
def test_names_are_checked_whatever_they_are(value):
    with pytest.raises(InputError, match="is unknown; it is one of torch, mlx"):
        check_name(value, ("torch", "mlx"), "backend")
