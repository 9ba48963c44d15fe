"""Bugs of the RoPE encoder: where positions and the temperature are put, and what is pooled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reference.families.rope_encoder import RopeEncoderConfig
from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import edited, with_settings
from reference.parity.random_models import draw
from reference.parity.sample import Tensors

MODEL = "RopeEncoderModel"
ATTENTION = r"^layer 0, layers\.0\.attention\.output\.input \("


def _pairs_side_by_side(code: Code) -> list[Patch]:
    return [(code.rope_encoder, "apply_exact_rope", code.rope.apply_rope_interleaved)]


def _on_the_embeddings(code: Code) -> list[Patch]:
    """Once, in neighbouring pairs of the whole vector, and not inside of attention."""
    room, plain = code.rope_encoder, getattr(code.rope_encoder.RopeEncoderEmbeddings, code.call)

    def embeddings(self: Any, inputs: Any) -> Any:
        words = plain(self, inputs)
        places, size = _places(code, inputs), words.shape[-1]
        tables = code.rope.exact_rope_tables(places, size, 10_000.0, words.dtype)
        return code.rope.apply_rope_interleaved(words, *tables)

    return [
        (room.RopeEncoderEmbeddings, code.call, embeddings),
        (room, "apply_exact_rope", lambda x, cos, sin: x),
    ]


def _places(code: Code, inputs: Any) -> Any:
    if inputs.cu_seqlens is None:
        return code.framework.arange(inputs.input_ids.shape[-1])
    return code.attention.positions(inputs.cu_seqlens)


def _no_positions(code: Code) -> list[Patch]:
    return [(code.rope_encoder, "apply_exact_rope", lambda x, cos, sin: x)]


def _pads_in_the_mean(code: Code) -> list[Patch]:
    return [(code.rope_encoder, "mean_pooling", lambda hidden, mask: hidden.mean(1))]


def _not_normalized(code: Code) -> list[Patch]:
    return [(code.rope_encoder, "normalize", lambda vectors: vectors)]


def _temperature_before_normalizing(code: Code) -> list[Patch]:
    """The vectors are none the worse for it, and the temperature does nothing."""
    model = code.rope_encoder.RopeEncoderModel

    def embed(self: Any, hidden: Any, inputs: Any) -> Any:
        return code.pooling.normalize(self.pool(hidden, inputs) / self.temperature())

    def similarity(self: Any, vectors: Any, references: Any) -> Any:
        return code.pooling.cosine_similarity(vectors, references)

    return [(model, "embed", embed), (model, "similarity", similarity)]


def _temperature_multiplied(code: Code) -> list[Patch]:
    def similarity(self: Any, vectors: Any, references: Any) -> Any:
        return code.pooling.cosine_similarity(vectors, references) * self.temperature()

    return [(code.rope_encoder.RopeEncoderModel, "similarity", similarity)]


def _norm_behind(code: Code) -> list[Patch]:
    """Post-norm where pre-norm is meant."""

    def layer(self: Any, hidden: Any, tables: Any, attend: Any) -> Any:
        hidden = self.attention_norm(hidden + self.attention(hidden, tables, attend))
        return self.feed_forward_norm(hidden + self.feed_forward(hidden))

    return [(code.rope_encoder.RopeEncoderLayer, code.call, layer)]


def _decoder_of_its_own(
    config: RopeEncoderConfig, tensors: Tensors
) -> tuple[RopeEncoderConfig, Tensors]:
    weight = draw("decoder.weight", (config.vocab_size, config.hidden_size), seed=1)
    own = {"decoder.weight": weight.astype(np.float32)}
    return replace(config, tie_word_embeddings=False), tensors | own


FAULTS = (
    Fault(
        "rope_encoder_interleaved",
        "neighbouring features turned as pairs, where the checkpoint has them half a head "
        "apart",
        MODEL,
        departs=ATTENTION,
        patch=_pairs_side_by_side,
    ),
    Fault(
        "rope_on_the_embeddings",
        "positions turn the embeddings once, before the first layer, and no query or key",
        MODEL,
        departs=r"^embeddings \(",
        patch=_on_the_embeddings,
    ),
    Fault(
        "rope_encoder_without_positions",
        "neither queries nor keys turned: a text is a bag of words",
        MODEL,
        departs=ATTENTION,
        patch=_no_positions,
    ),
    Fault(
        "rope_encoder_base_ignored",
        "RoPE's usual base 10,000, whatever rope_theta says",
        MODEL,
        settings={"rope_theta": 100.0},
        departs=ATTENTION,
        alter=with_settings(rope_theta=10_000.0),
    ),
    Fault(
        "rope_encoder_pads_in_the_mean",
        "the mean of all positions, those of the padding too",
        MODEL,
        departs=r"^pooler_output; the hidden states agree",
        patch=_pads_in_the_mean,
    ),
    Fault(
        "rope_encoder_not_normalized",
        "the mean as it is, where vectors have length one",
        MODEL,
        departs=r"^pooler_output; the hidden states agree",
        patch=_not_normalized,
    ),
    Fault(
        "temperature_before_normalizing",
        "the pooled vector divided by the temperature and then scaled to length one, which "
        "undoes it: no cosine is divided by anything",
        MODEL,
        departs=r"^similarity; the hidden states agree",
        patch=_temperature_before_normalizing,
    ),
    Fault(
        "temperature_multiplied",
        "cosines times the temperature, where they are divided by it",
        MODEL,
        departs=r"^similarity; the hidden states agree",
        patch=_temperature_multiplied,
    ),
    Fault(
        "temperature_not_loaded",
        "a temperature of 1, whatever training has made of it",
        MODEL,
        departs=r"^similarity; the hidden states agree",
        alter=edited((r"log_temperature$", np.zeros_like)),
    ),
    Fault(
        "rope_encoder_norm_behind",
        "post-norm, as BERT has it, where what goes into a block is normed",
        MODEL,
        departs=r"^layer 0, layers\.0",
        patch=_norm_behind,
    ),
    Fault(
        "rope_encoder_untied_decoder",
        "a decoder with random weights of its own where it shares the word embeddings",
        "RopeEncoderForMaskedLM",
        settings={"tie_word_embeddings": True},
        departs=r"^decoder \(",
        alter=_decoder_of_its_own,
    ),
)
