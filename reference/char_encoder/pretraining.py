"""Towers, each trained by itself on a base that they share."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

from reference.char_encoder.base import CCLMModelBase, CharModel, check_base
from reference.char_encoder.training import Trainable, initial, read
from reference.errors import CheckpointError
from reference.families.tasks import MASKED_LM, TOKEN_CLASSIFICATION, Task
from reference.families.towers import TRANSPOSED, TowerConfig
from reference.training.objectives.masked_characters import SAMPLED_SOFTMAX, MaskedCharacters
from reference.training.objectives.token_classification import TokenClassification


class Pretrainer(Trainable):
    """One tower with a head on it. `model` is the tower on its base, without the head.

    downsample_factor, n_strided_convs, stride_len: how many times shorter a text becomes, in
        how many steps, by how much in each; stride_len ** n_strided_convs must be
        downsample_factor. Other lengths are padded to the next multiple and cut again.
    n_conv_filters: how wide the tower is, and its output.
    num_layers, num_heads, hidden_dim: of the transformer on the shortened text.
    window: attention among so many characters on each side, before the text is shortened.
    upsample: "transposed", or "repeat" for vectors that are repeated and then convolved.
    backend, device: what computes, as in reference.load.
    seed: of the first weights.
    """

    usual_task: ClassVar[Task]

    def __init__(
        self,
        base: CCLMModelBase,
        downsample_factor: int = 16,
        n_strided_convs: int = 4,
        stride_len: int = 2,
        n_conv_filters: int = 128,
        *,
        num_layers: int = 2,
        num_heads: int = 4,
        hidden_dim: int = 256,
        window: int | None = None,
        upsample: str = TRANSPOSED,
        backend: str = "torch",
        device: str | None = None,
        seed: int = 0,
    ) -> None:
        self.base = check_base(base)
        tower = TowerConfig(
            downsample_factor=downsample_factor,
            n_strided_convs=n_strided_convs,
            stride_len=stride_len,
            n_conv_filters=n_conv_filters,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            window=window,
            upsample=upsample,
        )
        config = base.with_towers([tower])
        tensors = initial(base, config, self.usual_task, seed)
        super().__init__(base.preprocessor, config, tensors, self.usual_task, backend, device)
        self.fitted = False

    @property
    def model(self) -> CharModel:
        """The tower on its base, without the head: on the base as it is now while the tower
        has not been trained, and later on as it was then."""
        if not self.fitted:
            self._stand_on_base()
        return super().model

    def _stand_on_base(self) -> None:
        prefix = self.architecture.base_prefix
        self.tensors |= {prefix + key: own for key, own in self.base.tensors.items()}

    def _fit(
        self,
        dataset: Any,
        objective: str,
        freeze_base: bool | None,
        output: str | os.PathLike[str] | None,
        resume: bool,
        show_progress: bool,
        **settings: Any,
    ) -> Self:
        frozen = self.base.frozen if freeze_base is None else freeze_base
        self._stand_on_base()  # another tower may have been trained on it meanwhile
        self.train(
            dataset,
            objective,
            self.task,
            ["embeddings"] if frozen else [],
            output,
            resume,
            show_progress,
            **settings,
        )
        self.fitted = True
        self.base.learned(self.model.tensors)
        return self

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        backend: str = "torch",
        device: str | None = None,
    ) -> Self:
        """What `save` has written, on a base of its own."""
        preprocessor, checkpoint = read(folder)
        task, config = checkpoint.architecture.task, checkpoint.config
        if task is not cls.usual_task or len(config.towers) != 1:
            raise CheckpointError(
                f"{folder} holds a {checkpoint.architecture.name} with {len(config.towers)} "
                f"towers; {cls.__name__} is one tower with a head for {cls.usual_task.name}"
            )
        made = cls.__new__(cls)
        Trainable.__init__(
            made, preprocessor, config, checkpoint.tensors, task, backend, device
        )
        made.fitted = True
        made.base = CCLMModelBase.of(preprocessor, config, made.model.tensors)
        made._restore()
        return made

    def _restore(self) -> None:
        """What a subclass keeps besides."""

    def __repr__(self) -> str:
        (tower,) = self.config.towers
        return (
            f"<{type(self).__name__}: {tower.stride_len} ** {tower.n_strided_convs} characters "
            f"a position, {tower.n_conv_filters} features, on {self.backend}>"
        )


class MaskedLanguagePretrainer(Pretrainer):
    """A tower that learns to tell which output token was hidden.

    min_mask_len: the least characters of a hidden span; None is the preprocessor's.
    loss, num_negatives: "sampled-softmax", "negative-sampling" or "softmax", and how many wrong
        answers the first two draw.
    """

    usual_task = MASKED_LM

    def __init__(
        self,
        base: CCLMModelBase,
        downsample_factor: int = 16,
        n_strided_convs: int = 4,
        stride_len: int = 2,
        n_conv_filters: int = 128,
        *,
        min_mask_len: int | None = None,
        loss: str = SAMPLED_SOFTMAX,
        num_negatives: int | None = None,
        **settings: Any,
    ) -> None:
        """settings: Pretrainer's."""
        MaskedCharacters(mlm_loss=loss, num_negatives=num_negatives)  # checks them
        sizes = (downsample_factor, n_strided_convs, stride_len, n_conv_filters)
        super().__init__(base, *sizes, **settings)
        self.loss, self.num_negatives = loss, num_negatives
        if min_mask_len is not None:
            self.preprocessor = self.preprocessor.altered(min_mask_len=min_mask_len)

    def fit(
        self,
        dataset: Any,
        epochs: int = 3,
        *,
        freeze_base: bool | None = None,
        output: str | os.PathLike[str] | None = None,
        resume: bool = False,
        show_progress: bool = False,
        **settings: Any,
    ) -> Self:
        """Learn from texts: a list or an iterator of strings, a Hugging Face dataset or a file.

        freeze_base: whether the base stays as it is; None: only if a model was trained on it
            before, or it was frozen.
        output: a new folder for the trained model and its logs, in which a run that was ended
            can be resumed; None writes none.
        settings: `validation`, `columns`, and the fields of reference.training.Settings.
        """
        settings |= {
            "epochs": epochs,
            "mlm_loss": self.loss,
            "num_negatives": self.num_negatives,
        }
        how = (freeze_base, output, resume, show_progress)
        return self._fit(dataset, MaskedCharacters.name, *how, **settings)

    def _restore(self) -> None:
        self.loss, self.num_negatives = SAMPLED_SOFTMAX, None


class TaggingPretrainer(Pretrainer):
    """A tower that learns to label characters by the spans that they are in."""

    usual_task = TOKEN_CLASSIFICATION

    def fit(
        self,
        dataset: Any,
        epochs: int = 3,
        *,
        freeze_base: bool | None = None,
        output: str | os.PathLike[str] | None = None,
        resume: bool = False,
        show_progress: bool = False,
        **settings: Any,
    ) -> Self:
        """Learn from texts and their spans, (text, [(start, end, tag), ...]), or from what the
        objective token-classification takes besides; the rest is MaskedLanguagePretrainer's.
        Its settings have class_weights."""
        how = (freeze_base, output, resume, show_progress)
        return self._fit(dataset, TokenClassification.name, *how, epochs=epochs, **settings)
