"""ModernBERT (Warner et al. 2024): rotary positions, local and global attention, pre-norm, a
gated network; and its heads.

Axes: batch, tokens, hidden, as in book/notation.md; a packed batch has no batch axis, its texts
stand in a row. Attribute names are the keys of Transformers' checkpoints.
"""

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from reference.families.modernbert import ModernBertConfig
from reference.inputs import Inputs
from reference.torch.attention import (
    Attend,
    attend_to,
    first_tokens,
    merge_heads,
    pad_packed,
    positions,
    split_heads,
)
from reference.torch.heads import (
    ChoiceHead,
    EncoderOutput,
    Head,
    HeadOutput,
    TextHead,
    tie_decoder,
)
from reference.torch.layers import (
    Embedding,
    GatedMLP,
    LayerNorm,
    Linear,
    activation,
    dropout,
)
from reference.torch.pooling import cls_pooling, mean_pooling
from reference.torch.rope import Tables, apply_rope, rope_tables

Ids = Int[Tensor, "*batch tokens"]
Hidden = Float[Tensor, "*batch tokens hidden"]


class ModernBertEmbeddings(nn.Module):
    """A looked-up vector and a norm. Positions are no part of it: they come in with
    attention."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.tok_embeddings = Embedding(
            config.vocab_size, config.hidden_size, config.pad_token_id
        )
        self.norm = LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias)
        self.rate = config.embedding_dropout

    def forward(self, input_ids: Ids) -> Hidden:
        return dropout(self.norm(self.tok_embeddings(input_ids)), self.rate)


class ModernBertAttention(nn.Module):
    """One projection to queries, keys and values, a turn of queries and keys by position,
    attention, a projection."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.Wqkv = Linear(config.hidden_size, 3 * config.hidden_size, config.attention_bias)
        self.Wo = Linear(config.hidden_size, config.hidden_size, config.attention_bias)
        self.heads = config.num_attention_heads
        self.rate = config.attention_dropout

    def forward(self, hidden: Hidden, tables: Tables, attend: Attend) -> Hidden:
        # (1) one projection gives queries, keys and values of all heads
        query, key, value = (
            split_heads(part, self.heads) for part in self.Wqkv(hidden).chunk(3, dim=-1)
        )
        # (2) tokens attend, queries and keys turned by their positions
        context = attend(apply_rope(query, *tables), apply_rope(key, *tables), value)
        # (3) the heads lie side by side again, and are mixed
        return dropout(self.Wo(merge_heads(context)), self.rate)


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
            config.mlp_dropout,
        )

    def forward(self, hidden: Hidden, tables: Tables, attend: Attend) -> Hidden:
        # (1) the norm comes before attention; layer 0 has none
        normed = hidden if self.attn_norm is None else self.attn_norm(hidden)
        # (2) what attention found is added to the stream
        hidden = hidden + self.attn(normed, tables, attend)
        # (3) the same with the MLP, after its norm
        return hidden + self.mlp(self.mlp_norm(hidden))


class ModernBertModel(nn.Module):
    """Ids in, one vector a token out. Each layer attends to the whole text or to a window, as
    its layer_type says."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = ModernBertEmbeddings(config)
        layers = (ModernBertEncoderLayer(config, n) for n in range(config.num_hidden_layers))
        self.layers = nn.ModuleList(layers)
        self.final_norm = LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias)

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        """The last of the hidden states is what the final norm gave."""
        hidden = self.embeddings(inputs.input_ids)
        tables = self.tables(inputs, hidden.dtype)
        windows, rate = self.config.windows.items(), self.config.attention_dropout
        attends = {kind: attend_to(inputs, window, rate=rate) for kind, window in windows}
        states = [hidden]
        for layer, kind in zip(self.layers, self.config.layer_types, strict=True):
            states.append(layer(states[-1], tables[kind], attends[kind]))
        states[-1] = self.final_norm(states[-1])
        return EncoderOutput(states[-1], hidden_states=states if output_hidden_states else None)

    def tables(self, inputs: Inputs, dtype: torch.dtype) -> dict[str, Tables]:
        """RoPE's tables for each kind of layer. Positions begin at 0 in every text of a packed
        row, and at the left edge of a padded one, pads included."""
        ids = inputs.input_ids
        if inputs.cu_seqlens is None:
            places = torch.arange(ids.shape[-1], device=ids.device)
        else:
            places = positions(inputs.cu_seqlens)
        return {
            kind: rope_tables(places, self.config.head_dim, theta, dtype)
            for kind, theta in self.config.rope_thetas.items()
        }


class ModernBertPredictionHead(nn.Module):
    """What ModernBERT puts in front of every decoder and classifier: dense, activation,
    norm."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size, config.classifier_bias)
        self.norm = LayerNorm(config.hidden_size, config.norm_eps, config.norm_bias)
        self.activation = activation(config.classifier_activation)

    def forward(self, hidden: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch hidden"]:
        return self.norm(self.activation(self.dense(hidden)))


class ModernBertHead(Head):
    """What ModernBERT's heads share: the prediction head, and how a text becomes one vector."""

    base = "model"

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config, ModernBertModel(config))
        self.head = ModernBertPredictionHead(config)

    def pool(self, hidden: Hidden, inputs: Inputs) -> Float[Tensor, "batch hidden"]:
        """One vector a text, as classifier_pooling says: that at index 0, be it a pad, or the
        mean of real tokens."""
        if self.config.classifier_pooling == "cls":
            return first_tokens(hidden, inputs.cu_seqlens)
        mask = inputs.attention_mask
        if inputs.cu_seqlens is not None:
            hidden, mask = pad_packed(hidden, inputs.cu_seqlens)
        elif mask is None:
            mask = torch.ones_like(hidden[..., 0], dtype=torch.long)
        return mean_pooling(hidden, mask)


class ModernBertForMaskedLM(ModernBertHead):
    """Scores over the vocabulary at every position."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        words = self.model.embeddings.tok_embeddings
        self.decoder = tie_decoder(config, words, config.decoder_bias)

    def forward(
        self,
        inputs: Inputs,
        output_hidden_states: bool = False,
        labels: Num[Tensor, "*batch tokens"] | None = None,
    ) -> HeadOutput:
        """With sparse_prediction and labels, only the labelled positions are scored: logits are
        [masked, vocab]."""
        if labels is None or not self.config.sparse_prediction:
            return super().forward(inputs, output_hidden_states, labels)
        outputs = self.model(inputs, output_hidden_states)
        masked = labels != self.config.sparse_pred_ignore_index
        logits = self.decoder(self.head(outputs.last_hidden_state[masked]))
        return HeadOutput(logits, self.loss(logits, labels[masked]), outputs.hidden_states)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[Tensor, "*batch tokens vocab"]:
        return self.decoder(self.head(outputs.last_hidden_state))


class ModernBertForSequenceClassification(ModernBertHead, TextHead):
    """Scores over the labels for each text. The classifier has a bias always; classifier_bias
    is the head's."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "batch labels"]:
        pooled = self.head(self.pool(outputs.last_hidden_state, inputs))
        return self.classifier(dropout(pooled, self.config.classifier_dropout))


class ModernBertForTokenClassification(ModernBertHead):
    """Scores over the labels for each token."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[Tensor, "*batch tokens labels"]:
        hidden = self.head(outputs.last_hidden_state)
        return self.classifier(dropout(hidden, self.config.classifier_dropout))


class ModernBertForMultipleChoice(ModernBertHead, ChoiceHead):
    """One score for each of several texts that answer one question."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, 1)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "texts 1"]:
        pooled = self.head(self.pool(outputs.last_hidden_state, inputs))
        return self.classifier(dropout(pooled, self.config.classifier_dropout))

    def pool(self, hidden: Hidden, inputs: Inputs) -> Float[Tensor, "texts hidden"]:
        """As ModernBertHead.pool, but here "cls" is the first real token: padding on the left
        does no harm."""
        if self.config.classifier_pooling == "cls" and inputs.attention_mask is not None:
            return cls_pooling(hidden, inputs.attention_mask)
        return super().pool(hidden, inputs)
