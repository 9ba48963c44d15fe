"""BERT (Devlin et al. 2018): the encoder and its heads.

Axes: batch, tokens, hidden, as in book/notation.md; a packed batch has no batch axis, its texts
stand in a row. Attribute names are the keys of Transformers' checkpoints.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reference.families.bert import BertConfig, BertLayerConfig
from reference.families.config import TransformerConfig
from reference.inputs import Inputs
from reference.torch.attention import (
    Attend,
    attend_to,
    first_tokens,
    merge_heads,
    positions,
    split_heads,
)
from reference.torch.heads import EncoderOutput, Head, TextHead, TokenHead, tie_decoder
from reference.torch.layers import Embedding, LayerNorm, Linear, activation, dropout

Ids = Int[Tensor, "*batch tokens"]
CuSeqlens = Int[Tensor, "texts_plus_one"]
Hidden = Float[Tensor, "*batch tokens hidden"]


class BertEmbeddings(nn.Module):
    """The sum of three looked-up vectors - the word's, its position's, its segment's - and a
    layer norm. The vectors are as wide as the model unless a size is given."""

    def __init__(self, config: BertConfig, size: int | None = None) -> None:
        super().__init__()
        size = size or config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, size, config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, size)
        self.token_type_embeddings = Embedding(config.type_vocab_size, size)
        self.LayerNorm = LayerNorm(size, config.layer_norm_eps)
        self.rate = config.hidden_dropout_prob

    def forward(self, inputs: Inputs) -> Hidden:
        ids, types = inputs.input_ids, inputs.token_type_ids
        types = torch.zeros_like(ids) if types is None else types
        words = self.word_embeddings(ids) + self.token_type_embeddings(types)
        places = self.position_embeddings(self.position_ids(ids, inputs.cu_seqlens))
        return dropout(self.LayerNorm(words + places), self.rate)

    def position_ids(self, input_ids: Ids, cu_seqlens: CuSeqlens | None = None) -> Ids:
        """0, 1, 2, ... in each text."""
        if cu_seqlens is not None:
            return positions(cu_seqlens)
        tokens = input_ids.shape[-1]
        return torch.arange(tokens, device=input_ids.device).expand_as(input_ids)


class BertSelfAttention(nn.Module):
    """Three projections, and attention in every head."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)
        self.heads = config.num_attention_heads

    def forward(self, hidden: Hidden, attend: Attend) -> Hidden:
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
        self.rate = config.hidden_dropout_prob

    def forward(self, context: Hidden, residual: Hidden) -> Hidden:
        return self.LayerNorm(dropout(self.dense(context), self.rate) + residual)


class BertAttention(nn.Module):
    """Self-attention and its output block."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.self = BertSelfAttention(config)
        self.output = BertSelfOutput(config)

    def forward(self, hidden: Hidden, attend: Attend) -> Hidden:
        return self.output(self.self(hidden, attend), hidden)


class BertIntermediate(nn.Module):
    """The widening half of the feed-forward network."""

    def __init__(self, config: BertLayerConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size)
        self.activation = activation(config.hidden_act)

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens intermediate"]:
        return self.activation(self.dense(hidden))


class BertOutput(nn.Module):
    """The narrowing half of the feed-forward network, the residual, and the norm after it."""

    def __init__(self, config: BertLayerConfig) -> None:
        super().__init__()
        self.dense = Linear(config.intermediate_size, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.rate = config.hidden_dropout_prob

    def forward(
        self, wide: Float[Tensor, "*batch tokens intermediate"], residual: Hidden
    ) -> Hidden:
        return self.LayerNorm(dropout(self.dense(wide), self.rate) + residual)


class BertLayer(nn.Module):
    """One block: tokens look at each other, then each token is transformed by itself."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = BertAttention(config)
        self.intermediate = BertIntermediate(config)
        self.output = BertOutput(config)

    def forward(self, hidden: Hidden, attend: Attend) -> Hidden:
        # (1) tokens look at each other
        attended = self.attention(hidden, attend)
        # (2) each token is transformed by itself
        return self.output(self.intermediate(attended), attended)


class BertEncoder(nn.Module):
    """The layers, one after another."""

    block = BertLayer

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(self.block(config) for _ in range(config.num_hidden_layers))

    def forward(self, hidden: Hidden, attend: Attend) -> list[Hidden]:
        states = [hidden]
        for layer in self.layer:
            states.append(layer(states[-1], attend))
        return states


class BertPooler(nn.Module):
    """A dense layer and tanh on the first token of each text."""

    def __init__(self, config: BertLayerConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)

    def forward(self, first: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch hidden"]:
        return torch.tanh(self.dense(first))


class BertModel(nn.Module):
    """Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
    pooler."""

    def __init__(self, config: BertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.rate = config.attention_probs_dropout_prob

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        attend = attend_to(inputs, rate=self.rate)
        states = self.encoder(self.embeddings(inputs), attend)
        last = states[-1]
        pooled = None
        if self.pooler is not None:
            pooled = self.pooler(first_tokens(last, inputs.cu_seqlens))
        return EncoderOutput(last, pooled, states if output_hidden_states else None)


class BertPredictionHeadTransform(nn.Module):
    """One more dense layer, activation and norm before the words are scored."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.activation = activation(config.hidden_act)

    def forward(self, hidden: Hidden) -> Hidden:
        return self.LayerNorm(self.activation(self.dense(hidden)))


class BertLMPredictionHead(nn.Module):
    """A score for every word of the vocabulary; the decoder's weight is the word embedding
    itself, unless the config unties them."""

    def __init__(self, config: BertConfig, words: Embedding) -> None:
        super().__init__()
        self.transform = BertPredictionHeadTransform(config)
        self.bias = nn.Parameter(torch.empty(config.vocab_size))
        self.decoder = tie_decoder(config, words, bias=self)

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens vocab"]:
        return self.decoder(self.transform(hidden))


class BertOnlyMLMHead(nn.Module):
    """The name under which checkpoints keep the prediction head: cls.predictions."""

    def __init__(self, config: BertConfig, words: Embedding) -> None:
        super().__init__()
        self.predictions = BertLMPredictionHead(config, words)

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens vocab"]:
        return self.predictions(hidden)


class BertForMaskedLM(Head):
    """Scores over the vocabulary at every position."""

    base = "bert"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, BertModel(config, add_pooling_layer=False))
        self.cls = BertOnlyMLMHead(config, self.bert.embeddings.word_embeddings)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[Tensor, "*batch tokens vocab"]:
        return self.cls(outputs.last_hidden_state)


class BertForSequenceClassification(TextHead):
    """Scores over the labels for each text, from the pooler's vector."""

    base = "bert"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, BertModel(config))
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "batch labels"]:
        pooled = dropout(outputs.pooler_output, self.config.classifier_rate)
        return self.classifier(pooled)


class BertForTokenClassification(TokenHead):
    """Scores over the labels for each token."""

    base = "bert"

    def __init__(self, config: BertConfig) -> None:
        encoder = BertModel(config, add_pooling_layer=False)
        super().__init__(config, encoder, config.classifier_rate)
