"""The RoPE encoder: a small embedding model with rotary positions inside of attention, and a
temperature for what its vectors are compared by.

Axes: batch, tokens, hidden, as in book/notation.md; a packed batch has no batch axis, its texts
stand in a row. Attribute names are the keys of the checkpoint.
"""

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from jaxtyping import Float, Int
from mlx import nn

from reference.families.initial import initial_tensors
from reference.families.rope_encoder import RopeEncoderConfig, embedding_config
from reference.inputs import Inputs, check_padded
from reference.mlx.attention import (
    Attend,
    attend_to,
    merge_heads,
    pad_packed,
    positions,
    split_heads,
)
from reference.mlx.heads import EncoderOutput, Head, TextHead, TokenHead, tie_decoder
from reference.mlx.layers import Embedding, LayerNorm, Linear, activation, dropout
from reference.mlx.pooling import cosine_similarity, mean_pooling, normalize
from reference.mlx.rope import Tables, apply_exact_rope, exact_rope_tables

Ids = Int[mx.array, "*batch tokens"]
Hidden = Float[mx.array, "*batch tokens hidden"]


class RopeEncoderEmbeddings(nn.Module):
    """A looked-up vector, and nothing of its position."""

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__()
        self.word_embeddings = Embedding(
            config.vocab_size, config.hidden_size, config.pad_token_id
        )
        self.rate = config.dropout

    def __call__(self, inputs: Inputs) -> Hidden:
        return dropout(self.word_embeddings(inputs.input_ids), self.rate)


class RopeEncoderAttention(nn.Module):
    """Queries and keys turned by position, attention, a projection."""

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.query = Linear(size, size)
        self.key = Linear(size, size)
        self.value = Linear(size, size)
        self.output = Linear(size, size)
        self.heads = config.num_attention_heads
        self.rate = config.dropout

    def __call__(self, hidden: Hidden, tables: Tables, attend: Attend) -> Hidden:
        projections = (self.query, self.key, self.value)
        query, key, value = (
            split_heads(project(hidden), self.heads) for project in projections
        )
        query, key = apply_exact_rope(query, *tables), apply_exact_rope(key, *tables)
        return dropout(self.output(merge_heads(attend(query, key, value))), self.rate)


class RopeEncoderFeedForward(nn.Module):
    """Widen, activate, narrow."""

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__()
        self.up = Linear(config.hidden_size, config.intermediate_size)
        self.down = Linear(config.intermediate_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.rate = config.dropout

    def __call__(self, hidden: Hidden) -> Hidden:
        wide = dropout(self.activation(self.up(hidden)), self.rate)
        return dropout(self.down(wide), self.rate)


class RopeEncoderLayer(nn.Module):
    """Attention and the feed-forward network, each behind a norm and added to what went in."""

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__()
        self.attention_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.attention = RopeEncoderAttention(config)
        self.feed_forward_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.feed_forward = RopeEncoderFeedForward(config)

    def __call__(self, hidden: Hidden, tables: Tables, attend: Attend) -> Hidden:
        hidden = hidden + self.attention(self.attention_norm(hidden), tables, attend)
        return hidden + self.feed_forward(self.feed_forward_norm(hidden))


class RopeEncoderModel(nn.Module):
    """Ids in, one vector a token out, and one a text."""

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = RopeEncoderEmbeddings(config)
        self.layers = [RopeEncoderLayer(config) for _ in range(config.num_hidden_layers)]
        self.final_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        # Its logarithm, which may become any number, so that the temperature stays positive.
        self.log_temperature = mx.zeros((1,)) if config.use_temperature else None

    def __call__(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        """The last of the hidden states is what the final norm gave; pooler_output is `embed`
        of it."""
        states = [self.embeddings(inputs)]
        tables = self.tables(inputs, states[0].dtype)
        attend = attend_to(inputs, rate=self.config.dropout)
        for layer in self.layers:
            states.append(layer(states[-1], tables, attend))
        states[-1] = self.final_norm(states[-1])
        embedded = self.embed(states[-1], inputs)
        return EncoderOutput(states[-1], embedded, states if output_hidden_states else None)

    def tables(self, inputs: Inputs, dtype: mx.Dtype) -> Tables:
        """RoPE's tables [tokens, head_dim]. Positions begin at 0 in every text of a packed row,
        and at the left edge of a padded one, pads included."""
        ids = inputs.input_ids
        if inputs.cu_seqlens is None:
            places = mx.arange(ids.shape[-1])
        else:
            places = positions(inputs.cu_seqlens)
        config = self.config
        return exact_rope_tables(places, config.head_dim, config.rope_theta, dtype)

    def pool(self, hidden: Hidden, inputs: Inputs) -> Float[mx.array, "batch hidden"]:
        """The mean of each text's real tokens."""
        mask = inputs.attention_mask
        if inputs.cu_seqlens is not None:
            hidden, mask = pad_packed(hidden, inputs.cu_seqlens)
        elif mask is None:
            mask = mx.ones(hidden.shape[:2], dtype=mx.int64)
        return mean_pooling(hidden, mask)

    def embed(self, hidden: Hidden, inputs: Inputs) -> Float[mx.array, "batch hidden"]:
        """One vector of length one a text. A number that all of it is divided by is gone once
        it has that length, so the temperature has no place here."""
        return normalize(self.pool(hidden, inputs))

    def temperature(self) -> Float[mx.array, "1"]:
        """As training has left it; 1 where none is learned."""
        if self.log_temperature is None:
            return mx.ones_like(self.final_norm.weight[:1])
        return mx.exp(self.log_temperature)

    def similarity(
        self,
        vectors: Float[mx.array, "texts hidden"],
        references: Float[mx.array, "references hidden"],
    ) -> Float[mx.array, "texts references"]:
        """The cosine of every vector with every reference, divided by the temperature: what a
        contrastive loss takes for logits."""
        return cosine_similarity(vectors, references) / self.temperature()


class RopeEncoderForMaskedLM(Head):
    """Scores over the vocabulary at every position, with the very vectors that embed the
    words."""

    base = "model"

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__(config, RopeEncoderModel(config))
        self.decoder = tie_decoder(config, self.model.embeddings.word_embeddings)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[mx.array, "*batch tokens vocab"]:
        return self.decoder(outputs.last_hidden_state)


class RopeEncoderForSequenceClassification(TextHead):
    """Scores over the labels for each text, from the mean of its tokens."""

    base = "model"

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__(config, RopeEncoderModel(config))
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[mx.array, "batch labels"]:
        return self.classifier(self.model.pool(outputs.last_hidden_state, inputs))


class RopeEncoderForTokenClassification(TokenHead):
    """Scores over the labels for each token."""

    base = "model"

    def __init__(self, config: RopeEncoderConfig) -> None:
        super().__init__(config, RopeEncoderModel(config))


@dataclass
class EmbeddingOutput:
    """What an EmbeddingModel returns: vectors of length one [batch, hidden], and of a masked
    language model the logits [batch, tokens, vocab] too."""

    embeddings: mx.array
    logits: mx.array | None = None


class EmbeddingModel(nn.Module):
    """A RoPE encoder to build and train by yourself: ids and mask in, vectors of length one
    out. Its first weights are drawn by the seed.

    `network` is what a checkpoint holds: its parameters have the checkpoint's keys, and
    `config` is what config.json says.
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
        for three. Dropout is for training, and acts inside of reference.dropout.training_pass
        only."""
        super().__init__()
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
        kind = RopeEncoderForMaskedLM if is_masked_language else RopeEncoderModel
        self.network = kind(self.config)
        drawn = initial_tensors(self.config, seed=seed)
        self.network.load_weights([(key, mx.array(value)) for key, value in drawn.items()])

    @property
    def encoder(self) -> RopeEncoderModel:
        return self.network.encoder if isinstance(self.network, Head) else self.network

    def __call__(self, input_ids: Any, attention_mask: Any = None) -> EmbeddingOutput:
        """Ids and mask are [batch, tokens], as lists or as any array; ids outside of the
        vocabulary and texts longer than the context raise an InputError."""
        checked = check_padded(self.config, input_ids, attention_mask)
        inputs = checked.map(mx.array)
        outputs = self.encoder(inputs)
        logits = None
        if isinstance(self.network, Head):
            logits = self.network.score(outputs, inputs)
        return EmbeddingOutput(outputs.pooler_output, logits)

    def similarity(
        self,
        vectors: Float[mx.array, "texts hidden"],
        references: Float[mx.array, "references hidden"],
    ) -> Float[mx.array, "texts references"]:
        """The cosine of every vector with every reference, divided by the temperature."""
        return self.encoder.similarity(vectors, references)
