"""The heads on top of the encoder: masked language model, text and token classification.

Class and attribute names are Transformers' own, so that a checkpoint's architecture and keys
name them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from reference.config import BertConfig, ModernBertConfig
from reference.torch.attention import pad_packed
from reference.torch.bert import BertModel, BertModelOutput, Hidden, Ids, first_tokens
from reference.torch.layers import LayerNorm, Linear, activation, gelu
from reference.torch.losses import classification_loss, cross_entropy
from reference.torch.modernbert import ModernBertModel
from reference.torch.pooling import cls_pooling, mean_pooling

CuSeqlens = Int[Tensor, "texts_plus_one"]


@dataclass
class HeadOutput:
    """What a head returns: raw scores, never a softmax; the loss where labels were given."""

    logits: Tensor
    loss: Tensor | None = None
    hidden_states: list[Tensor] | None = None


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
    itself when tied."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.transform = BertPredictionHeadTransform(config)
        self.decoder = Linear(config.hidden_size, config.vocab_size)
        self.bias = nn.Parameter(torch.empty(config.vocab_size))

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens vocab"]:
        return self.decoder(self.transform(hidden))


class BertOnlyMLMHead(nn.Module):
    """The name under which checkpoints keep the prediction head: cls.predictions."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.predictions = BertLMPredictionHead(config)

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens vocab"]:
        return self.predictions(hidden)


class XLMRobertaLMHead(nn.Module):
    """RoBERTa's prediction head: the same idea under other names, and always with the exact
    GELU."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.decoder = Linear(config.hidden_size, config.vocab_size)
        self.bias = nn.Parameter(torch.empty(config.vocab_size))

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens vocab"]:
        return self.decoder(self.layer_norm(gelu(self.dense(hidden))))


class XLMRobertaClassificationHead(nn.Module):
    """RoBERTa's sentence classifier: dense, tanh, and a projection to the labels."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.out_proj = Linear(config.hidden_size, config.num_labels)

    def forward(self, first: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch labels"]:
        return self.out_proj(torch.tanh(self.dense(first)))


def tie_decoder(
    head: BertLMPredictionHead | XLMRobertaLMHead, base: BertModel, config: BertConfig
) -> None:
    """Score words with the very vectors that embed them (Press & Wolf 2017), unless the config
    unties them."""
    if config.tie_word_embeddings:
        head.decoder.weight = base.embeddings.word_embeddings.weight
        head.decoder.bias = head.bias


class Head(nn.Module):
    """An encoder with something on top. A head says where its encoder is, how it scores and how
    it is trained."""

    base: str  # the attribute, and so the key prefix, of the encoder: "bert" or "roberta"

    def __init__(self, config: BertConfig, add_pooling_layer: bool = False) -> None:
        super().__init__()
        self.config = config
        setattr(self, self.base, BertModel(config, add_pooling_layer))

    def forward(
        self,
        input_ids: Ids,
        attention_mask: Ids | None = None,
        token_type_ids: Ids | None = None,
        cu_seqlens: CuSeqlens | None = None,
        output_hidden_states: bool = False,
        labels: Num[Tensor, "..."] | None = None,
    ) -> HeadOutput:
        encoder = getattr(self, self.base)
        outputs = encoder(
            input_ids, attention_mask, token_type_ids, cu_seqlens, output_hidden_states
        )
        logits = self.score(outputs, cu_seqlens)
        loss = None if labels is None else self.loss(logits, labels)
        return HeadOutput(logits, loss, outputs.hidden_states)

    def score(
        self, outputs: BertModelOutput, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "..."]:
        raise NotImplementedError

    def loss(
        self, logits: Float[Tensor, "..."], labels: Num[Tensor, "..."]
    ) -> Float[Tensor, ""]:
        return cross_entropy(logits, labels)


class BertForMaskedLM(Head):
    """Scores over the vocabulary at every position."""

    base = "bert"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.cls = BertOnlyMLMHead(config)
        tie_decoder(self.cls.predictions, self.bert, config)

    def score(
        self, outputs: BertModelOutput, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "*batch tokens vocab"]:
        return self.cls(outputs.last_hidden_state)


class BertForSequenceClassification(Head):
    """Scores over the labels for each text, from the pooler's vector."""

    base = "bert"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=True)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(
        self, outputs: BertModelOutput, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "batch labels"]:
        return self.classifier(outputs.pooler_output)

    def loss(
        self, logits: Float[Tensor, "batch labels"], labels: Num[Tensor, "..."]
    ) -> Float[Tensor, ""]:
        return classification_loss(
            logits, labels, self.config.problem_type, self.config.num_labels
        )


class BertForTokenClassification(Head):
    """Scores over the labels for each token."""

    base = "bert"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(
        self, outputs: BertModelOutput, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "*batch tokens labels"]:
        return self.classifier(outputs.last_hidden_state)


class XLMRobertaForMaskedLM(Head):
    """BertForMaskedLM under RoBERTa's keys."""

    base = "roberta"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.lm_head = XLMRobertaLMHead(config)
        tie_decoder(self.lm_head, self.roberta, config)

    def score(
        self, outputs: BertModelOutput, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "*batch tokens vocab"]:
        return self.lm_head(outputs.last_hidden_state)


class XLMRobertaForSequenceClassification(Head):
    """Scores over the labels for each text, from its first token; there is no pooler."""

    base = "roberta"

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.classifier = XLMRobertaClassificationHead(config)

    def score(
        self, outputs: BertModelOutput, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "batch labels"]:
        return self.classifier(first_tokens(outputs.last_hidden_state, cu_seqlens))

    def loss(
        self, logits: Float[Tensor, "batch labels"], labels: Num[Tensor, "..."]
    ) -> Float[Tensor, ""]:
        return classification_loss(
            logits, labels, self.config.problem_type, self.config.num_labels
        )


class XLMRobertaForTokenClassification(BertForTokenClassification):
    """BertForTokenClassification under RoBERTa's keys."""

    base = "roberta"


# RoBERTa differs from XLM-RoBERTa in nothing but the names of its classes.
RobertaForMaskedLM = XLMRobertaForMaskedLM
RobertaForSequenceClassification = XLMRobertaForSequenceClassification
RobertaForTokenClassification = XLMRobertaForTokenClassification


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


class ModernBertHead(nn.Module):
    """A ModernBERT with something on top. A head says how it scores and how it is trained."""

    base = "model"

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.config = config
        self.model = ModernBertModel(config)
        self.head = ModernBertPredictionHead(config)

    def forward(
        self,
        input_ids: Ids,
        attention_mask: Ids | None = None,
        cu_seqlens: CuSeqlens | None = None,
        output_hidden_states: bool = False,
        labels: Num[Tensor, "..."] | None = None,
    ) -> HeadOutput:
        outputs = self.model(input_ids, attention_mask, cu_seqlens, output_hidden_states)
        logits = self.score(outputs.last_hidden_state, attention_mask, cu_seqlens)
        loss = None if labels is None else self.loss(logits, labels)
        return HeadOutput(logits, loss, outputs.hidden_states)

    def score(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "..."]:
        raise NotImplementedError

    def loss(
        self, logits: Float[Tensor, "..."], labels: Num[Tensor, "..."]
    ) -> Float[Tensor, ""]:
        return cross_entropy(logits, labels)

    def pool(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "batch hidden"]:
        """One vector a text, as classifier_pooling says: that at index 0, be it a pad, or the
        mean of real tokens."""
        if self.config.classifier_pooling == "cls":
            return first_tokens(hidden, cu_seqlens)
        if cu_seqlens is not None:
            hidden, attention_mask = pad_packed(hidden, cu_seqlens)
        elif attention_mask is None:
            attention_mask = torch.ones_like(hidden[..., 0], dtype=torch.long)
        return mean_pooling(hidden, attention_mask)


class ModernBertForMaskedLM(ModernBertHead):
    """Scores over the vocabulary at every position."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.decoder = Linear(config.hidden_size, config.vocab_size, config.decoder_bias)
        tie_modernbert_decoder(self)

    def forward(
        self,
        input_ids: Ids,
        attention_mask: Ids | None = None,
        cu_seqlens: CuSeqlens | None = None,
        output_hidden_states: bool = False,
        labels: Int[Tensor, "*batch tokens"] | None = None,
    ) -> HeadOutput:
        """With sparse_prediction and labels, only the labelled positions are scored: logits are
        [masked, vocab]."""
        if labels is None or not self.config.sparse_prediction:
            return super().forward(
                input_ids, attention_mask, cu_seqlens, output_hidden_states, labels
            )
        outputs = self.model(input_ids, attention_mask, cu_seqlens, output_hidden_states)
        masked = labels != self.config.sparse_pred_ignore_index
        logits = self.decoder(self.head(outputs.last_hidden_state[masked]))
        return HeadOutput(logits, self.loss(logits, labels[masked]), outputs.hidden_states)

    def score(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "*batch tokens vocab"]:
        return self.decoder(self.head(hidden))


def tie_modernbert_decoder(network: ModernBertForMaskedLM) -> None:
    """Score words with the very vectors that embed them, unless the config unties them; the
    bias is separate."""
    if network.config.tie_word_embeddings:
        network.decoder.weight = network.model.embeddings.tok_embeddings.weight


class ModernBertForSequenceClassification(ModernBertHead):
    """Scores over the labels for each text. The classifier has a bias always; classifier_bias
    is the head's."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "batch labels"]:
        return self.classifier(self.head(self.pool(hidden, attention_mask, cu_seqlens)))

    def loss(
        self, logits: Float[Tensor, "batch labels"], labels: Num[Tensor, "..."]
    ) -> Float[Tensor, ""]:
        return classification_loss(
            logits, labels, self.config.problem_type, self.config.num_labels
        )


class ModernBertForTokenClassification(ModernBertHead):
    """Scores over the labels for each token."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "*batch tokens labels"]:
        return self.classifier(self.head(hidden))


class ModernBertForMultipleChoice(ModernBertHead):
    """One score for each of several texts that answer one question."""

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__(config)
        self.classifier = Linear(config.hidden_size, 1)

    def forward(
        self,
        input_ids: Int[Tensor, "*batch tokens"],
        attention_mask: Int[Tensor, "batch choices tokens"] | None = None,
        cu_seqlens: CuSeqlens | None = None,
        output_hidden_states: bool = False,
        labels: Int[Tensor, "batch"] | None = None,
    ) -> HeadOutput:
        """Padded: ids and mask [batch, choices, tokens]. Packed: the texts of the row are the
        choices of one question. Logits are [batch, choices], and a label is the number of the
        right choice."""
        if cu_seqlens is None:
            choices, input_ids = input_ids.shape[1], input_ids.flatten(0, 1)
            attention_mask = None if attention_mask is None else attention_mask.flatten(0, 1)
        else:
            choices = len(cu_seqlens) - 1
        outputs = super().forward(input_ids, attention_mask, cu_seqlens, output_hidden_states)
        logits = outputs.logits.unflatten(0, (-1, choices))
        return HeadOutput(
            logits, None if labels is None else self.loss(logits, labels), outputs.hidden_states
        )

    def score(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "texts"]:
        return self.classifier(
            self.head(self.pool(hidden, attention_mask, cu_seqlens))
        ).squeeze(-1)

    def pool(
        self, hidden: Hidden, attention_mask: Ids | None, cu_seqlens: CuSeqlens | None
    ) -> Float[Tensor, "texts hidden"]:
        """As ModernBertHead.pool, but here "cls" is the first real token: padding on the left
        does no harm."""
        if self.config.classifier_pooling == "cls" and attention_mask is not None:
            return cls_pooling(hidden, attention_mask)
        return super().pool(hidden, attention_mask, cu_seqlens)
