"""MPNet (Song et al. 2020): BERT's layers with RoBERTa's positions and heads, no token types,
and a bias on the scores of attention that depends on how far apart two tokens stand.

Class and attribute names are Transformers' own.
"""

import mlx.core as mx
from jaxtyping import Float, Int
from mlx import nn

from reference.families.mpnet import BUCKET_STARTS, BUCKETS, PAD, MPNetConfig
from reference.inputs import Inputs
from reference.mlx.attention import (
    Attend,
    attend_to,
    first_tokens,
    merge_heads,
    split_heads,
)
from reference.mlx.bert import (
    BertEncoder,
    BertIntermediate,
    BertOutput,
    BertPooler,
    Hidden,
)
from reference.mlx.distilbert import Embeddings
from reference.mlx.heads import ChoiceHead, EncoderOutput, Head, TextHead, TokenHead
from reference.mlx.layers import Embedding, LayerNorm, Linear, dropout
from reference.mlx.roberta import (
    XLMRobertaClassificationHead,
    XLMRobertaEmbeddings,
    XLMRobertaLMHead,
)


class MPNetEmbeddings(Embeddings):
    """The sum of two looked-up vectors - the word's and its position's - and a layer norm."""

    pad_token_id = PAD
    position_ids = XLMRobertaEmbeddings.position_ids  # real tokens, counted from the pad id on

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__(config, config.hidden_dropout_prob)
        self.position_embeddings.padding_idx = PAD


class MPNetSelfAttention(nn.Module):
    """Three projections, attention in every head, and the projection that mixes the heads."""

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__()
        self.q = Linear(config.hidden_size, config.hidden_size)
        self.k = Linear(config.hidden_size, config.hidden_size)
        self.v = Linear(config.hidden_size, config.hidden_size)
        self.o = Linear(config.hidden_size, config.hidden_size)
        self.heads = config.num_attention_heads

    def __call__(self, hidden: Hidden, attend: Attend) -> Hidden:
        projections = (self.q, self.k, self.v)
        heads = (split_heads(project(hidden), self.heads) for project in projections)
        return self.o(merge_heads(attend(*heads)))


class MPNetAttention(nn.Module):
    """Self-attention, the residual, and the norm after it."""

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__()
        self.attn = MPNetSelfAttention(config)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.rate = config.hidden_dropout_prob

    def __call__(self, hidden: Hidden, attend: Attend) -> Hidden:
        return self.LayerNorm(dropout(self.attn(hidden, attend), self.rate) + hidden)


class MPNetLayer(nn.Module):
    """One block: tokens look at each other, then each token is transformed by itself."""

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__()
        self.attention = MPNetAttention(config)
        self.intermediate = BertIntermediate(config)
        self.output = BertOutput(config)

    def __call__(self, hidden: Hidden, attend: Attend) -> Hidden:
        attended = self.attention(hidden, attend)
        return self.output(self.intermediate(attended), attended)


def relative_position_bucket(
    relative_position: Int[mx.array, "*shape"],
) -> Int[mx.array, "*shape"]:
    """Which bucket it is when a key stands so many tokens behind the query, or before it: fine
    near by, coarse far away (Raffel et al. 2020, section 2.1)."""
    bucket = (mx.abs(relative_position)[..., None] >= mx.array(BUCKET_STARTS)).sum(axis=-1)
    return bucket + (relative_position > 0) * (BUCKETS // 2)


class MPNetEncoder(BertEncoder):
    """The layers, one after another, and the one table of biases that they share."""

    block = MPNetLayer

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__(config)
        self.relative_attention_bias = Embedding(BUCKETS, config.num_attention_heads)
        self.rate = config.attention_probs_dropout_prob

    def __call__(self, hidden: Hidden, inputs: Inputs) -> list[Hidden]:
        bias = self.position_bias(inputs.longest)
        return super().__call__(hidden, attend_to(inputs, bias=bias, rate=self.rate))

    def position_bias(self, tokens: int) -> Float[mx.array, "heads tokens tokens"]:
        """What is added to the score of each query and key of a text, whatever stands there."""
        table = self.relative_attention_bias.weight  # [buckets, heads]
        places = mx.arange(tokens)
        return table.T[:, relative_position_bucket(places - places[:, None])]


class MPNetModel(nn.Module):
    """Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
    pooler."""

    def __init__(self, config: MPNetConfig, add_pooling_layer: bool = True) -> None:
        super().__init__()
        self.embeddings = MPNetEmbeddings(config)
        self.encoder = MPNetEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def __call__(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        states = self.encoder(self.embeddings(inputs), inputs)
        pooled = None
        if self.pooler is not None:
            pooled = self.pooler(first_tokens(states[-1], inputs.cu_seqlens))
        return EncoderOutput(states[-1], pooled, states if output_hidden_states else None)


class MPNetForMaskedLM(Head):
    """Scores over the vocabulary at every position."""

    base = "mpnet"

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__(config, MPNetModel(config, add_pooling_layer=False))
        self.lm_head = XLMRobertaLMHead(config, self.mpnet.embeddings.word_embeddings)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[mx.array, "*batch tokens vocab"]:
        return self.lm_head(outputs.last_hidden_state)


class MPNetForSequenceClassification(TextHead):
    """Scores over the labels for each text, from its first token and without the pooler."""

    base = "mpnet"

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__(config, MPNetModel(config, add_pooling_layer=False))
        self.classifier = XLMRobertaClassificationHead(config)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[mx.array, "batch labels"]:
        return self.classifier(first_tokens(outputs.last_hidden_state, inputs.cu_seqlens))


class MPNetForTokenClassification(TokenHead):
    """Scores over the labels for each token."""

    base = "mpnet"

    def __init__(self, config: MPNetConfig) -> None:
        encoder = MPNetModel(config, add_pooling_layer=False)
        super().__init__(config, encoder, config.classifier_rate)


class MPNetForMultipleChoice(ChoiceHead):
    """One score for each of several texts that answer one question, from the pooler's
    vector."""

    base = "mpnet"

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__(config, MPNetModel(config))
        self.classifier = Linear(config.hidden_size, 1)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[mx.array, "texts 1"]:
        pooled = dropout(outputs.pooler_output, self.config.classifier_rate)
        return self.classifier(pooled)
