"""The RoPE encoder to build and to call; the source is
rust_ports/models/src/rope_encoder.rs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from reference.candle import port
from reference.candle.pooling import mean_pooling, normalize
from reference.families import architecture_for
from reference.families.initial import initial_tensors
from reference.families.rope_encoder import embedding_config
from reference.inputs import check_padded

__all__ = ["EmbeddingModel", "EmbeddingOutput"]


@dataclass
class EmbeddingOutput:
    """What an EmbeddingModel returns: vectors of length one [batch, hidden], and of a masked
    language model the logits [batch, tokens, vocab] too."""

    embeddings: np.ndarray
    logits: np.ndarray | None = None


class EmbeddingModel:
    """A RoPE encoder to build by yourself: ids and mask in, vectors of length one out, all of
    them NumPy's. Its first weights are drawn by the seed.

    `network` is the compiled model: its state() has the checkpoint's keys, and `config` is what
    config.json says.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 256,
        context_window: int = 16,
        hidden_dim: int = 512,
        is_masked_language: bool = False,
        use_temperature: bool = True,
        temperature_init: float = 1.0,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        """settings: other keys of the configuration, num_layers=6, num_heads=8 and dropout=0.1
        for three."""
        self.config = embedding_config(
            vocab_size=vocab_size,
            embedding_dim=embedding_dim,
            context_window=context_window,
            hidden_dim=hidden_dim,
            is_masked_language=is_masked_language,
            use_temperature=use_temperature,
            temperature_init=temperature_init,
            **settings,
        )
        drawn = initial_tensors(self.config, seed=seed)
        self.network = port.build(self.config, architecture_for(self.config), drawn, "float32")

    def __call__(self, input_ids: Any, attention_mask: Any = None) -> EmbeddingOutput:
        """Ids and mask are [batch, tokens], as lists or as any array; ids outside of the
        vocabulary and texts longer than the context raise an InputError."""
        inputs = check_padded(self.config, input_ids, attention_mask)
        outputs = self.network.forward(inputs, True)
        pooled = mean_pooling(outputs["hidden_states"][-1], inputs.real.astype(np.int64))
        return EmbeddingOutput(normalize(pooled), outputs.get("logits"))

    def similarity(self, vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
        """The cosine of every vector with every reference, divided by the temperature."""
        return self.network.similarity(vectors, references)
