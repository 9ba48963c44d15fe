"""BERT (Devlin et al. 2018) and its XLM-RoBERTa and RoBERTa relatives.

Axes: batch, tokens, hidden, as in book/notation.md; a packed batch has no batch axis, its texts
stand in a row. Attribute names are the keys of Transformers' checkpoints.
"""

from dataclasses import dataclass
from functools import partial

import mlx.core as mx
from jaxtyping import Float, Int
from mlx import nn

from reference.config import BertConfig
from reference.mlx.attention import (
    Attend,
    merge_heads,
    packed_attention,
    padding_mask,
    positions,
    scaled_dot_product_attention,
    split_heads,
)
from reference.mlx.layers import Embedding, LayerNorm, Linear, activation

Ids = Int[mx.array, "*batch tokens"]
Hidden = Float[mx.array, "*batch tokens hidden"]


@dataclass
class BertModelOutput:
    """What BertModel returns; hidden_states holds the embeddings' output and then each
    layer's."""

    last_hidden_state: mx.array
    pooler_output: mx.array | None = None
    hidden_states: list[mx.array] | None = None


class BertEmbeddings(nn.Module):
    """The sum of three looked-up vectors - the word's, its position's, its segment's - and a
    layer norm."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.counts_from_padding = config.model_type != "bert"
        self.pad_token_id = config.pad_token_id
        # The RoBERTa family gives every pad the position of that number, which is trained as
        # little as the pad itself.
        unused_position = config.pad_token_id if self.counts_from_padding else None
        self.word_embeddings = Embedding(
            config.vocab_size, config.hidden_size, config.pad_token_id
        )
        self.position_embeddings = Embedding(
            config.max_position_embeddings, config.hidden_size, unused_position
        )
        self.token_type_embeddings = Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(
        self,
        input_ids: Ids,
        token_type_ids: Ids | None,
        cu_seqlens: Int[mx.array, "texts_plus_one"] | None,
    ) -> Hidden:
        if token_type_ids is None:
            token_type_ids = mx.zeros_like(input_ids)
        words = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        return self.LayerNorm(
            words + self.position_embeddings(self.position_ids(input_ids, cu_seqlens))
        )

    def position_ids(
        self, input_ids: Ids, cu_seqlens: Int[mx.array, "texts_plus_one"] | None
    ) -> Ids:
        """BERT counts 0, 1, 2, ...; the RoBERTa family counts real tokens, from the pad id on
        (Transformers' create_position_ids_from_input_ids)."""
        if not self.counts_from_padding:
            if cu_seqlens is not None:
                return positions(cu_seqlens)
            return mx.broadcast_to(mx.arange(input_ids.shape[-1]), input_ids.shape)
        real = (input_ids != self.pad_token_id).astype(input_ids.dtype)
        count = real.cumsum(axis=-1)
        if cu_seqlens is not None:
            start = mx.arange(input_ids.shape[-1]) - positions(
                cu_seqlens
            )  # of each token's text
            count = count - mx.pad(count, (1, 0))[start]  # without the real tokens before it
        return count * real + self.pad_token_id


class BertSelfAttention(nn.Module):
    """Three projections, and attention in every head."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)
        self.heads = config.num_attention_heads

    def __call__(self, hidden: Hidden, attend: Attend) -> Hidden:
        query = split_heads(self.query(hidden), self.heads)
        key = split_heads(self.key(hidden), self.heads)
        value = split_heads(self.value(hidden), self.heads)
        return merge_heads(attend(query, key, value))


class BertSelfOutput(nn.Module):
    """The projection that mixes the heads, the residual, and the norm after it."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(self, context: Hidden, residual: Hidden) -> Hidden:
        return self.LayerNorm(self.dense(context) + residual)


class BertAttention(nn.Module):
    """Self-attention and its output block."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.self = BertSelfAttention(config)
        self.output = BertSelfOutput(config)

    def __call__(self, hidden: Hidden, attend: Attend) -> Hidden:
        return self.output(self.self(hidden, attend), hidden)


class BertIntermediate(nn.Module):
    """The widening half of the feed-forward network."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size)
        self.activation = activation(config.hidden_act)

    def __call__(self, hidden: Hidden) -> Float[mx.array, "*batch tokens intermediate"]:
        return self.activation(self.dense(hidden))


class BertOutput(nn.Module):
    """The narrowing half of the feed-forward network, the residual, and the norm after it."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.intermediate_size, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def __call__(
        self, wide: Float[mx.array, "*batch tokens intermediate"], residual: Hidden
    ) -> Hidden:
        return self.LayerNorm(self.dense(wide) + residual)


class BertLayer(nn.Module):
    """One block: tokens look at each other, then each token is transformed by itself."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = BertAttention(config)
        self.intermediate = BertIntermediate(config)
        self.output = BertOutput(config)

    def __call__(self, hidden: Hidden, attend: Attend) -> Hidden:
        attended = self.attention(hidden, attend)
        return self.output(self.intermediate(attended), attended)


class BertEncoder(nn.Module):
    """The layers, one after another."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = [BertLayer(config) for _ in range(config.num_hidden_layers)]

    def __call__(self, hidden: Hidden, attend: Attend) -> list[Hidden]:
        states = [hidden]
        for layer in self.layer:
            states.append(layer(states[-1], attend))
        return states


class BertPooler(nn.Module):
    """A dense layer and tanh on the first token of each text."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)

    def __call__(
        self, first: Float[mx.array, "batch hidden"]
    ) -> Float[mx.array, "batch hidden"]:
        return mx.tanh(self.dense(first))


class BertModel(nn.Module):
    """Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
    pooler."""

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def __call__(
        self,
        input_ids: Ids,
        attention_mask: Ids | None = None,
        token_type_ids: Ids | None = None,
        cu_seqlens: Int[mx.array, "texts_plus_one"] | None = None,
        output_hidden_states: bool = False,
    ) -> BertModelOutput:
        """Padded: ids and mask [batch, tokens]. Packed: ids [tokens] and cu_seqlens, the
        cumulative lengths 0, n1, n1 + n2, ... of the texts that stand in the row."""
        if cu_seqlens is not None:
            attend = partial(packed_attention, cu_seqlens=cu_seqlens)
        else:
            mask = None if attention_mask is None else padding_mask(attention_mask)
            attend = partial(scaled_dot_product_attention, mask=mask)

        states = self.encoder(self.embeddings(input_ids, token_type_ids, cu_seqlens), attend)
        last = states[-1]
        pooled = None if self.pooler is None else self.pooler(first_tokens(last, cu_seqlens))
        return BertModelOutput(last, pooled, states if output_hidden_states else None)


def first_tokens(
    hidden: Hidden, cu_seqlens: Int[mx.array, "texts_plus_one"] | None
) -> Float[mx.array, "batch hidden"]:
    """Index 0 of every row, even if the padding is on the left: so Transformers' BertPooler
    reads it."""
    return hidden[:, 0] if cu_seqlens is None else hidden[cu_seqlens[:-1]]
