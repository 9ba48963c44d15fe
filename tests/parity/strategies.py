"""Random tiny models and batches, drawn alike for all ports."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from reference.families import ACTIVATIONS, BASE, FAMILIES, PROBLEM_TYPES, EncoderConfig
from reference.families.tasks import MASKED_LM, TEXT_CLASSIFICATION
from reference.parity.batch import Batch, batch_of
from reference.parity.random_models import SWITCHES

HEADS = [(1, 16), (1, 40), (2, 8), (2, 17), (3, 8), (4, 4), (4, 16), (6, 3), (8, 8), (24, 1)]
# Any length up to 70, and those about the edges of windows and of the blocks in which attention
# is computed; the latter among two other texts, since all are padded to the longest.
SHORT = st.integers(1, 70)
LENGTHS = st.one_of(
    st.lists(SHORT, min_size=1, max_size=6),
    st.tuples(
        st.sampled_from([127, 128, 129, 256]), st.sampled_from([1, 63, 64, 65, 66, 128]), SHORT
    ).flatmap(st.permutations),
)
EVEN_HEADS = [(1, 16), (1, 40), (2, 8), (3, 8), (4, 4), (4, 16), (8, 2), (2, 64)]


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of random_checkpoint, for any family and any of its tasks."""
    family = draw(st.sampled_from(FAMILIES))
    task = draw(st.sampled_from(family.tasks))
    prefix = draw(st.sampled_from(sorted(family.prefixes.values())))
    model = {
        "architecture": prefix + task.suffix,
        "seed": draw(st.integers(0, 1000)),
        "num_labels": draw(st.integers(1, 5)),
    }
    if task is MASKED_LM and family.config.tie_word_embeddings:  # else there is nothing to tie
        model["tie_word_embeddings"] = draw(st.booleans())
    if task is TEXT_CLASSIFICATION:
        # Of a single label Transformers takes no cross entropy: nothing is left to decide.
        kinds = [
            kind
            for kind in PROBLEM_TYPES
            if kind != "single_label_classification" or model["num_labels"] > 1
        ]
        model["problem_type"] = draw(st.sampled_from([None, *kinds]))
    if task is BASE:
        model["pooling"] = draw(st.sampled_from([None, *SWITCHES]))
        model["normalize"] = model["pooling"] is not None and draw(st.booleans())
    return model | draw(SETTINGS[family.room])


@st.composite
def sizes(draw: st.DrawFn, heads: list[tuple[int, int]] = HEADS) -> dict[str, Any]:
    """What every transformer has. No fewer than 16 features: in a norm over fewer a token's
    variance may be next to nothing, its rounding errors then outgrow all others, and which
    float32 is closer to the truth is luck."""
    number, head_dim = draw(st.sampled_from(heads))
    return {
        "vocab_size": draw(st.sampled_from([6, 31, 300])),
        "hidden_size": number * head_dim,
        "num_attention_heads": number,
        "num_hidden_layers": draw(st.integers(1, 4)),
        "intermediate_size": draw(st.sampled_from([8, 33, 96])),
    }


@st.composite
def bert(draw: st.DrawFn) -> dict[str, Any]:
    return draw(sizes()) | {
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": draw(st.sampled_from([76, 130])),
        "type_vocab_size": draw(st.integers(1, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "pad_token_id": draw(st.sampled_from([0, 3, None])),
    }


@st.composite
def roberta(draw: st.DrawFn) -> dict[str, Any]:
    """Positions are counted from the pad's id, so there is one."""
    return draw(bert()) | {"pad_token_id": draw(st.sampled_from([0, 1, 4]))}


@st.composite
def modernbert(draw: st.DrawFn) -> dict[str, Any]:
    """Windows odd and even, any pattern of layers, any bases, every bias switch."""
    body = draw(sizes(EVEN_HEADS))
    layers = body["num_hidden_layers"]
    kinds = st.sampled_from(["full_attention", "sliding_attention"])
    switches = (
        "norm_bias",
        "attention_bias",
        "mlp_bias",
        "decoder_bias",
        "classifier_bias",
        "sparse_prediction",
    )
    own = {
        "hidden_activation": draw(st.sampled_from(ACTIVATIONS)),
        # A square before a norm makes next to nothing of what is small, and the norm a multiple
        # of its rounding errors.
        "classifier_activation": draw(
            st.sampled_from([name for name in ACTIVATIONS if name != "relu2"])
        ),
        "classifier_pooling": draw(st.sampled_from(["cls", "mean"])),
        "local_attention": draw(st.sampled_from([1, 2, 5, 8, 31, 64, 128])),
        "layer_types": draw(st.lists(kinds, min_size=layers, max_size=layers)),
        "rope_parameters": {
            kind: {
                "rope_type": "default",
                "rope_theta": draw(st.sampled_from([100.0, 10_000.0, 160_000.0])),
            }
            for kind in ("full_attention", "sliding_attention")
        },
        "norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "pad_token_id": draw(st.sampled_from([0, 3, None])),
    }
    return body | own | {switch: draw(st.booleans()) for switch in switches}


@st.composite
def distilbert(draw: st.DrawFn) -> dict[str, Any]:
    return draw(sizes()) | {
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": draw(st.sampled_from([76, 130])),
        "pad_token_id": draw(st.sampled_from([0, 3, None])),
        "sinusoidal_pos_embds": draw(st.booleans()),
    }


@st.composite
def mpnet(draw: st.DrawFn) -> dict[str, Any]:
    return draw(sizes()) | {
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": draw(st.sampled_from([76, 130, 300])),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
    }


@st.composite
def electra(draw: st.DrawFn) -> dict[str, Any]:
    """Embeddings narrower than the layers, wider, or just as wide."""
    body = draw(bert())
    return body | {
        "embedding_size": draw(st.sampled_from([17, 40, body["hidden_size"]])),
        "summary_use_proj": draw(st.booleans()),
        "summary_activation": draw(st.sampled_from(["", *ACTIVATIONS])),
    }


@st.composite
def rope_encoder(draw: st.DrawFn) -> dict[str, Any]:
    return draw(sizes(EVEN_HEADS)) | {
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": draw(st.sampled_from([16, 76, 300])),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "rope_theta": draw(st.sampled_from([100.0, 10_000.0, 160_000.0])),
        "pad_token_id": draw(st.sampled_from([0, 3, None])),
        "use_temperature": draw(st.booleans()),
    }


@st.composite
def towers(draw: st.DrawFn) -> dict[str, Any]:
    """Any stride, in one step or in several, attention before it or not."""
    stride, steps = draw(
        st.sampled_from([(1, 1), (2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (5, 1)])
    )
    heads, head_dim = draw(st.sampled_from([(1, 16), (2, 8), (4, 4), (3, 8)]))
    return {
        "stride_len": stride,
        "n_strided_convs": steps,
        "downsample_factor": stride**steps,
        "n_conv_filters": heads * head_dim,
        "num_heads": heads,
        "num_layers": draw(st.integers(1, 2)),
        "hidden_dim": draw(st.sampled_from([8, 33, 96])),
        "window": draw(st.sampled_from([None, 1, 5])),
        "upsample": draw(st.sampled_from(["transposed", "repeat"])),
    }


@st.composite
def char_encoder(draw: st.DrawFn) -> dict[str, Any]:
    """A norm stands before each activation, so any will do. All heads divide 48 features."""
    hashes, size = draw(st.sampled_from([(0, 17), (0, 32), (4, 32), (8, 32)]))
    return {
        "vocab_size": draw(st.sampled_from([6, 31, 300])),
        "char_emb_size": size,
        "num_hashes": hashes,
        "num_hash_buckets": draw(st.sampled_from([7, 64])),
        "n_filters": 48,
        "kernel_size": draw(st.sampled_from([1, 2, 3, 5, 8])),
        "max_example_len": draw(st.sampled_from([16, 76, 300])),
        "num_outputs": draw(st.sampled_from([2, 40])),
        "towers": draw(st.lists(towers(), min_size=1, max_size=3)),
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "rope_theta": draw(st.sampled_from([100.0, 10_000.0])),
        "pad_token_id": draw(st.sampled_from([0, 3, None])),
    }


# For each family, by its room, what its configuration may say.
SETTINGS = {
    "bert": bert(),
    "roberta": roberta(),
    "modernbert": modernbert(),
    "distilbert": distilbert(),
    "mpnet": mpnet(),
    "electra": electra(),
    "rope_encoder": rope_encoder(),
    "char_encoder": char_encoder(),
}


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """Lengths of texts, the sides that are padded in turn, and whether a few tokens inside the
    texts are masked."""
    return {
        "lengths": draw(LENGTHS),
        "sides": draw(st.sampled_from(["r", "l", "rl"])),
        "holes": draw(st.booleans()),
    }


@st.composite
def few_tokens(draw: st.DrawFn) -> dict[str, Any]:
    """Short texts; not of one token alone, whose numbers are too few to measure noise by."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    return draw(shapes()) | {"lengths": [*lengths, 13]}


def make_batch(
    config: EncoderConfig, lengths: list[int], sides: str, holes: bool, seed: int
) -> Batch:
    """Random words; the pad id may be one of them, as in a text that contains it."""
    generator = np.random.default_rng(seed)
    sequences = [
        generator.integers(config.vocab_size, size=min(length, config.max_tokens))
        for length in lengths
    ]
    batch = batch_of(config, sequences, sides)
    if holes:
        mask = batch.padded.attention_mask
        last = mask.cumsum(axis=1) == mask.sum(axis=1, keepdims=True)
        mask[(generator.random(last.shape) < 0.1) & ~last] = 0
    return batch
