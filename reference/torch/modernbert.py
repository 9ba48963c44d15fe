"""ModernBERT (Warner et al. 2024): rotary positions, local and global attention, pre-norm, a
gated network.

Axes: batch, tokens, hidden, as in book/notation.md; a packed batch has no batch axis, its texts
stand in a row. Attribute names are the keys of Transformers' checkpoints.
"""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reference.config import ModernBertConfig
from reference.torch.attention import (
    Attend,
    blockwise_attention,
    merge_heads,
    packed_attention,
    padding_mask,
    positions,
    split_heads,
)
from reference.torch.layers import Embedding, GatedMLP, LayerNorm, Linear
from reference.torch.rope import Tables, apply_rope, rope_tables

Ids = Int[Tensor, "*batch tokens"]
Hidden = Float[Tensor, "*batch tokens hidden"]


@dataclass
class ModernBertModelOutput:
    """What ModernBertModel returns; hidden_states holds the normed embeddings and then each
    layer's output, the last of them after the final norm."""

    last_hidden_state: Tensor
    hidden_states: list[Tensor] | None = None


class ModernBertEmbeddings(nn.Module):
    """A looked-up vector and a norm. Positions are no part of it: they come in with
    attention."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.tok_embeddings = Embedding(
            config.vocab_size, config.hidden_size, config.pad_token_id
        )
        self.norm = LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias)

    def forward(self, input_ids: Ids) -> Hidden:
        return self.norm(self.tok_embeddings(input_ids))


class ModernBertAttention(nn.Module):
    """One projection to queries, keys and values, a turn of queries and keys by position,
    attention, a projection."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.Wqkv = Linear(config.hidden_size, 3 * config.hidden_size, config.attention_bias)
        self.Wo = Linear(config.hidden_size, config.hidden_size, config.attention_bias)
        self.heads = config.num_attention_heads

    def forward(self, hidden: Hidden, tables: Tables, attend: Attend) -> Hidden:
        query, key, value = (
            split_heads(part, self.heads) for part in self.Wqkv(hidden).chunk(3, dim=-1)
        )
        context = attend(apply_rope(query, *tables), apply_rope(key, *tables), value)
        return self.Wo(merge_heads(context))


class ModernBertEncoderLayer(nn.Module):
    """Attention and the gated network, each behind a norm and added to what went in. Layer 0
    has no norm before its attention, for the embeddings end with one."""

    def __init__(self, config: ModernBertConfig, number: int) -> None:
        super().__init__()
        self.attn_norm = (
            LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias) if number else None
        )
        self.attn = ModernBertAttention(config)
        self.mlp_norm = LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias)
        self.mlp = GatedMLP(
            config.hidden_size,
            config.intermediate_size,
            config.hidden_activation,
            config.mlp_bias,
        )

    def forward(self, hidden: Hidden, tables: Tables, attend: Attend) -> Hidden:
        normed = hidden if self.attn_norm is None else self.attn_norm(hidden)
        hidden = hidden + self.attn(normed, tables, attend)
        return hidden + self.mlp(self.mlp_norm(hidden))


class ModernBertModel(nn.Module):
    """Ids in, one vector a token out. Each layer attends to the whole text or to a window, as
    its layer_type says."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = ModernBertEmbeddings(config)
        self.layers = nn.ModuleList(
            ModernBertEncoderLayer(config, n) for n in range(config.num_hidden_layers)
        )
        self.final_norm = LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias)

    def forward(
        self,
        input_ids: Ids,
        attention_mask: Ids | None = None,
        cu_seqlens: Int[Tensor, "texts_plus_one"] | None = None,
        output_hidden_states: bool = False,
    ) -> ModernBertModelOutput:
        """Padded: ids and mask [batch, tokens]. Packed: ids [tokens] and cu_seqlens, the
        cumulative lengths 0, n1, n1 + n2, ... of the texts that stand in the row."""
        hidden = self.embeddings(input_ids)
        tables = self.tables(input_ids, cu_seqlens, hidden.dtype)
        attends = {
            kind: attend_to(window, attention_mask, cu_seqlens)
            for kind, window in self.config.windows.items()
        }
        states = [hidden]
        for layer, kind in zip(self.layers, self.config.layer_types, strict=True):
            states.append(layer(states[-1], tables[kind], attends[kind]))
        states[-1] = self.final_norm(states[-1])
        return ModernBertModelOutput(states[-1], states if output_hidden_states else None)

    def tables(
        self,
        input_ids: Ids,
        cu_seqlens: Int[Tensor, "texts_plus_one"] | None,
        dtype: torch.dtype,
    ) -> dict[str, Tables]:
        """RoPE's tables for each kind of layer. Positions begin at 0 in every text of a packed
        row, and at the left edge of a padded one, pads included."""
        tokens = input_ids.shape[-1]
        places = (
            torch.arange(tokens, device=input_ids.device)
            if cu_seqlens is None
            else positions(cu_seqlens)
        )
        thetas = self.config.rope_thetas
        return {
            kind: rope_tables(places, self.config.head_dim, theta, dtype)
            for kind, theta in thetas.items()
        }


def attend_to(
    window: int | None,
    attention_mask: Ids | None,
    cu_seqlens: Int[Tensor, "texts_plus_one"] | None,
) -> Attend:
    """Attention over a whole text, or over `window` tokens on each side."""
    if cu_seqlens is not None:
        return partial(packed_attention, cu_seqlens=cu_seqlens, window=window)
    mask = None if attention_mask is None else padding_mask(attention_mask)
    return partial(blockwise_attention, mask=mask, window=window)
