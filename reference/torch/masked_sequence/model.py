"""A head at chosen positions, on any encoder that Transformers can load."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any, no_type_check

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.dynamic_module_utils import custom_object_save
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput

from reference.errors import ConfigError, InputError, shown, warn
from reference.thresholds import best_thresholds
from reference.torch.masked_sequence.base import (
    attribute_of,
    build_base,
    check_masked_lm,
    open_base,
    read_base_config,
    trusted_config,
)
from reference.torch.masked_sequence.checks import check_places
from reference.torch.masked_sequence.config import MaskedSeqConfig, labels, relabelled
from reference.torch.masked_sequence.head import DetectionHead, pooled
from reference.torch.masked_sequence.losses import (
    check_labels,
    multiclass_loss,
    multilabel_loss,
)

# Of what is asked of the hub, and so of every file that is read from it.
HUB = ("cache_dir", "force_download", "local_files_only", "revision", "subfolder", "token")


class _Usual(str):
    """A default that can be told from the same words in a call."""


MULTILABEL = _Usual("multilabel")


class AutoModelForMaskedSeqModeling(PreTrainedModel):
    """Several detections in a text, each classified by itself from the hidden states of its
    tokens. from_pretrained makes it, of an encoder or of what save_pretrained wrote."""

    config_class = MaskedSeqConfig
    base_model_prefix = ""
    supports_gradient_checkpointing = True
    # Of these the encoder knows, which is asked when it is built.
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = True
    _supports_attention_backend = True
    accepts_loss_kwargs = True  # num_items_in_batch, for Trainer

    def __init__(self, config: MaskedSeqConfig, base: PreTrainedModel | None = None) -> None:
        asked = config._attn_implementation  # None, if the encoder may choose
        super().__init__(config)
        if base is None:
            base = build_base(config.base_config, asked)
        config.base_config = base.config  # one of them, not two that could differ
        config.base_model_attr_name = attribute_of(base, config.base_model_attr_name)
        setattr(self, config.base_model_attr_name, base)
        self.supports_gradient_checkpointing = base.supports_gradient_checkpointing
        self.detection_head = DetectionHead(base.config.hidden_size, config.num_labels)
        self.post_init()

    @classmethod
    @no_type_check
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        num_labels: int | None = None,
        task: str = MULTILABEL,
        trust_remote_code: bool = False,
        strict_mlm_check: bool = False,
        base_model_attr_name: str | None = None,
        id2label: Any = None,
        label2id: Any = None,
        *,
        span_pooling: str | None = None,
        thresholds: Sequence[float] | None = None,
        pos_weight: Sequence[float] | None = None,
        class_weights: Sequence[float] | None = None,
        config: PreTrainedConfig | None = None,
        **options: Any,
    ) -> Any:
        """On any encoder, from a folder or the hub, or as it was saved: the configuration says
        which of the two it is.

        num_labels: how many there are; an encoder needs it, unless the labels have names.
        task: "multilabel", any number of labels at once, or "multiclass", exactly one.
        strict_mlm_check: refuse an encoder that is not a whole masked language model.
        base_model_attr_name: under which attribute the encoder is, if not under that of its
            model type in Transformers.
        id2label, label2id: names of the labels; one of them is enough.
        span_pooling: of a detection of several tokens, what is classified: "first", "mean" or
            "first_last", the mean of these two.
        thresholds: of each label the probability from which on it is given, if not one half.
        pos_weight, class_weights: a number for each label, by which the loss is weighted.
        options: what Transformers' own from_pretrained takes. With output_loading_info its
            report comes beside the model.
        """
        name = pretrained_model_name_or_path
        hub = {key: options[key] for key in HUB if key in options}
        if config is None:
            values, _ = PreTrainedConfig.get_config_dict(name, **hub)
        else:
            values = config.to_dict()
        kept = {
            "num_labels": num_labels,
            "task": None if isinstance(task, _Usual) else task,
            "base_model_attr_name": base_model_attr_name,
            "id2label": id2label,
            "label2id": label2id,
            "span_pooling": span_pooling,
            "thresholds": thresholds,
            "pos_weight": pos_weight,
            "class_weights": class_weights,
        }
        given = {key: value for key, value in kept.items() if value is not None}
        if values.get("model_type") == MaskedSeqConfig.model_type:
            if strict_mlm_check:
                raise ConfigError(
                    f"{name!s:.200} has its head already, and no masked language model's: "
                    "strict_mlm_check is for an encoder"
                )
            return cls._reopened(name, values, given, trust_remote_code, hub, options)
        if strict_mlm_check:
            check_masked_lm(name, trust_remote_code, hub)
        base_config = config or read_base_config(name, trust_remote_code, hub)
        if num_labels is None and id2label is None and label2id is None:
            raise ConfigError(
                f"{name!s:.200} is an encoder without a head: say num_labels, how many labels "
                "there are"
            )
        given["id2label"], given["label2id"] = labels(num_labels, id2label, label2id)
        given.pop("num_labels", None)
        whole = MaskedSeqConfig(**{"task": str(task), **given}, name_or_path=str(name))
        told = options.pop("output_loading_info", False)
        base, loading = open_base(name, base_config, trust_remote_code, options)
        whole.dtype = base.dtype
        model = cls(whole, base).to(base.dtype)
        model._tokenizer_source = (str(name), trust_remote_code, hub)
        return (model.eval(), loading) if told else model.eval()

    @classmethod
    def _reopened(
        cls,
        name: str | os.PathLike[str],
        values: dict[str, Any],
        given: dict[str, Any],
        trust: bool,
        hub: dict[str, Any],
        options: dict[str, Any],
    ) -> Any:
        """What save_pretrained wrote; what the caller says beside it must be what it is."""
        values = dict(values)
        base = values.get("base_config")
        if isinstance(base, dict) and "AutoConfig" in base.get("auto_map", {}) and trust:
            values["base_config"] = trusted_config(base, name, hub)
        config = MaskedSeqConfig.from_dict(values)
        config.name_or_path = str(name)
        follows = {"problem_type": None}  # from the task
        if {"num_labels", "id2label", "label2id"} & set(given):
            # They may say other labels, and these have a number for each of those that were.
            follows |= dict.fromkeys(("thresholds", "pos_weight", "class_weights"))
        asked = MaskedSeqConfig.from_dict({**values, **follows, **relabelled(given, config)})
        for key in given:
            own, wanted = getattr(config, key), getattr(asked, key)
            if own != wanted:
                raise ConfigError(
                    f"{name!s:.200} was saved with {key} {shown(own)}, not {shown(wanted)}; "
                    "leave it out, or start from the encoder"
                )
        found = super().from_pretrained(name, config=config, **options)
        model = found[0] if isinstance(found, tuple) else found  # beside output_loading_info
        model._tokenizer_source = (str(name), trust, hub)
        return found

    @property
    def base(self) -> PreTrainedModel:
        return getattr(self, self.config.base_model_attr_name)

    def get_base_model(self) -> PreTrainedModel:
        """The encoder without the head."""
        return self.base

    def get_input_embeddings(self) -> nn.Module:
        return self.base.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.base.set_input_embeddings(value)

    def resize_token_embeddings(self, *args: Any, **options: Any) -> nn.Module:
        """The encoder's; its configuration, which is a part of ours, goes along."""
        return self.base.resize_token_embeddings(*args, **options)

    @cached_property
    def tokenizer(self) -> Any:
        """That of the folder that the model came from; None where it has none."""
        name, trust, hub = getattr(self, "_tokenizer_source", (None, False, {}))
        if name is None:
            return None
        try:
            found = AutoTokenizer.from_pretrained(name, trust_remote_code=trust, **hub)
        except (OSError, ValueError, KeyError):
            return None
        # Where there is none, Transformers may make one that knows the special tokens only.
        return found if len(found) > len(found.all_special_tokens) else None

    def _init_weights(self, module: nn.Module) -> None:
        """The head's; the encoder draws its own."""
        spread = getattr(self.config.base_config, "initializer_range", 0.02)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=spread)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

    @no_type_check  # what it is given is a user's, and refused in words of our own
    def forward(
        self,
        input_ids: Int[Tensor, "batch tokens"],
        attention_mask: Num[Tensor, "batch tokens"] | None = None,
        mask_indices: Int[Tensor, "batch detections"] | None = None,
        labels: Num[Tensor, "..."] | None = None,
        num_items_in_batch: Tensor | int | None = None,
        *,
        mask_ends: Int[Tensor, "batch detections"] | None = None,
        token_type_ids: Int[Tensor, "batch tokens"] | None = None,
        **options: Any,
    ) -> MaskedLMOutput:
        """Logits [batch, detections, labels], and with labels the loss.

        mask_indices: the first token of each detection, and `mask_ends` the last; without the
            latter each has one token. Where a text has fewer detections than another, its row
            is filled with any of its tokens, under labels of -100.
        labels: multilabel [batch, detections, labels], multiclass [batch, detections]. -100 is
            not counted; in the first channel it stands for the whole detection.
        num_items_in_batch: what the loss is divided by, where several batches make one step.
        """
        check_places(
            input_ids, attention_mask, mask_indices, mask_ends, labels, self.config.task
        )
        beside = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        found: BaseModelOutput = self.base(
            input_ids,
            attention_mask=attention_mask,
            **beside,
            **{**options, "return_dict": True},
        )
        vectors = pooled(
            found.last_hidden_state, mask_indices, mask_ends, self.config.span_pooling
        )
        logits = self.detection_head(vectors)
        loss = None if labels is None else self.loss(logits, labels, num_items_in_batch)
        return MaskedLMOutput(
            loss=loss,
            logits=logits,
            hidden_states=found.get("hidden_states"),
            attentions=found.get("attentions"),
        )

    @no_type_check
    def loss(
        self,
        logits: Float[Tensor, "batch detections labels"],
        labels: Num[Tensor, "..."],
        items: Tensor | int | None = None,
    ) -> Float[Tensor, ""]:
        labels = _checked_labels(labels, logits, self.config.task)
        weights = self._weights(self.config.class_weights, logits)
        if self.config.task == "multiclass":
            return multiclass_loss(logits, labels, weights, items)
        pos_weight = self._weights(self.config.pos_weight, logits)
        return multilabel_loss(logits, labels, pos_weight, weights, items)

    @staticmethod
    def _weights(values: list[float] | None, logits: Tensor) -> Tensor | None:
        return None if values is None else logits.new_tensor(values)

    def predict_proba(self, logits: Float[Tensor, "*batch labels"]) -> Float[Tensor, "..."]:
        """Of each label the probability: by itself (multilabel), or among all of them."""
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        multiclass = self.config.task == "multiclass"
        return logits.softmax(-1) if multiclass else logits.sigmoid()

    def predict(self, logits: Float[Tensor, "*batch labels"]) -> Tensor:
        """Multiclass, the number of the likeliest label [*batch]; multilabel, whether each
        label is given, by its threshold [*batch, labels]."""
        if self.config.task == "multiclass":
            return logits.argmax(-1)
        thresholds = self.config.thresholds or [0.5] * self.config.num_labels
        return self.predict_proba(logits) >= logits.new_tensor(thresholds)

    @no_type_check
    def calibrate(self, logits: Tensor, labels: Tensor) -> list[float]:
        """Of each label the threshold that gives the best F1 on these detections, which must
        not be those that were learned from; kept in the configuration, and so saved."""
        if self.config.task != "multilabel":
            raise InputError(
                "thresholds are for labels that are there or not; this model is multiclass, "
                "and the likeliest label is given"
            )
        labels = check_labels(labels, logits, "multilabel")
        shares = self.predict_proba(logits.detach())
        self.config.thresholds = best_thresholds(shares.cpu().numpy(), labels.cpu().numpy())
        return self.config.thresholds

    def save_pretrained(self, save_directory: str | os.PathLike[str], **options: Any) -> None:
        """Everything that from_pretrained needs: weights, the whole configuration, the
        tokenizer, and the encoder's code where that is its own."""
        super().save_pretrained(save_directory, **options)
        if self.base.__module__.startswith("transformers_modules"):
            custom_object_save(self.base, save_directory)
            custom_object_save(self.base.config, save_directory)
        if self.tokenizer is None:
            warn(f"no tokenizer is known, and none was saved in {save_directory!s:.200}")
        else:
            self.tokenizer.save_pretrained(save_directory)


_checked_labels = torch.compiler.disable(check_labels)


AutoModel.register(MaskedSeqConfig, AutoModelForMaskedSeqModeling, exist_ok=True)
