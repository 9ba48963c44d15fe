"""The embedder that all towers share, and what is put together on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from reference.backend import Model, build, check_place
from reference.checks import check_whole
from reference.errors import ConfigError, InputError, shown
from reference.families import BASE, architecture_for
from reference.families.char_encoder import CharEncoderConfig
from reference.families.initial import initial_tensors
from reference.families.towers import TowerConfig
from reference.inputs import check_padded
from reference.text.characters import HASHES, PAD_ID
from reference.training.characters.preprocessor import MLMPreprocessor

EMBEDDINGS = "embeddings."  # what the keys of the base's tensors begin with
Tensors = Mapping[str, np.ndarray]


class CCLMModelBase:
    """A vector for each character, from it and its neighbours: what all towers are put on.

    preprocessor: fitted; it says which characters there are, and of one that hashes them the
        base hashes too.
    char_emb_size, n_filters: how wide a character's vector is before and after the convolution
        over its neighbours, `kernel_size` characters in all.
    seed: of the first weights.
    settings: what the base and its towers have alike: activation, dropout, layer_norm_eps,
        rope_theta, num_hash_buckets.

    The first model that is trained on it trains it too; from then on it is frozen, unless
    `unfreeze` says otherwise: what was trained on it fits no other.
    """

    def __init__(
        self,
        preprocessor: MLMPreprocessor,
        char_emb_size: int = 32,
        n_filters: int = 256,
        *,
        kernel_size: int = 5,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if not isinstance(preprocessor, MLMPreprocessor):
            raise InputError(
                f"preprocessor is {shown(preprocessor)}; it must be an MLMPreprocessor"
            )
        self.preprocessor = preprocessor
        self.seed = check_whole("seed", seed, 0)
        known = ("activation", "dropout", "layer_norm_eps", "rope_theta", "num_hash_buckets")
        for name in settings:
            if name not in known:
                raise ConfigError(f"a base has no {shown(name)}; it has {', '.join(known)}")
        if "activation" in settings:
            settings["hidden_act"] = settings.pop("activation")
        self.config = CharEncoderConfig(
            vocab_size=preprocessor.num_characters,
            num_outputs=preprocessor.num_outputs,
            max_example_len=preprocessor.max_example_len,
            num_hashes=HASHES if preprocessor.hashed else 0,
            char_emb_size=char_emb_size,
            n_filters=n_filters,
            kernel_size=kernel_size,
            pad_token_id=PAD_ID,
            **settings,
        )
        first = initial_tensors(self.config, seed=self.seed)
        self.tensors = {key: own for key, own in first.items() if key.startswith(EMBEDDINGS)}
        self.fitted = self.frozen = False

    @classmethod
    def of(
        cls, preprocessor: MLMPreprocessor, config: CharEncoderConfig, tensors: Tensors
    ) -> CCLMModelBase:
        """The base of a model that was trained: its tensors under an encoder's keys."""
        base = cls.__new__(cls)
        base.preprocessor, base.seed = preprocessor, 0
        base.config = replace(
            config, architectures=(), hidden_size=None, towers=(TowerConfig(),)
        )
        base.tensors = {key: own for key, own in tensors.items() if key.startswith(EMBEDDINGS)}
        base.fitted = base.frozen = True
        return base

    def freeze(self) -> None:
        """From now on no training changes it."""
        self.frozen = True

    def unfreeze(self) -> None:
        """Training changes it again, and what was trained on it before no longer fits."""
        self.frozen = False

    def with_towers(self, towers: Sequence[TowerConfig], **changes: Any) -> CharEncoderConfig:
        """The configuration of a model on this base."""
        return replace(self.config, towers=tuple(towers), hidden_size=None, **changes)

    def learned(self, tensors: Tensors) -> None:
        """It has been trained, in a model that has these tensors."""
        self.tensors = {key: np.asarray(tensors[key]) for key in self.tensors}
        if not self.fitted:
            self.fitted = self.frozen = True

    def differing(self, tensors: Tensors) -> list[str]:
        """The keys of the base's tensors that are others in these."""
        return [
            key
            for key, own in self.tensors.items()
            if key not in tensors or not np.array_equal(own, tensors[key])
        ]

    def __repr__(self) -> str:
        config, state = self.config, "frozen" if self.frozen else "trained with what is on it"
        return (
            f"<CCLMModelBase: {config.vocab_size:,} characters, {config.char_emb_size} -> "
            f"{config.n_filters}, {state}>"
        )


class CharModel:
    """A base with towers on it, ready to compute: called with ids of characters, it gives a
    vector for each."""

    def __init__(
        self,
        preprocessor: MLMPreprocessor,
        config: CharEncoderConfig,
        tensors: Tensors,
        backend: str = "torch",
        device: str | None = None,
    ) -> None:
        check_place(backend, "float32", device)
        self.preprocessor, self.config = preprocessor, replace(config, architectures=())
        self.tensors = dict(tensors)
        self.backend, self.device = backend, device

    @cached_property
    def network(self) -> Model:
        """The encoder in its framework."""
        architecture = architecture_for(self.config, BASE)
        parts = (self.config, architecture, self.tensors)
        return build(self.backend, *parts, "float32", self.device)

    def __call__(self, ids: Any) -> np.ndarray:
        """The ids of a text's characters, or of several texts [texts, characters], as
        string_to_array gives them: float32 [texts, characters, hidden]. What stands at pads
        is zero."""
        given = np.atleast_2d(np.asarray(ids))
        inputs = check_padded(self.config, given, (given != PAD_ID).astype(np.int64))
        return self.network.forward(inputs)["last_hidden_state"]

    @property
    def towers(self) -> tuple[TowerConfig, ...]:
        return self.config.towers

    def tower(self, number: int) -> dict[str, np.ndarray]:
        """The tensors of a tower, under their names in it."""
        prefix = f"towers.{number}."
        return {
            key.removeprefix(prefix): own
            for key, own in self.tensors.items()
            if key.startswith(prefix)
        }

    def __repr__(self) -> str:
        widths = " + ".join(str(tower.n_conv_filters) for tower in self.towers)
        return f"<CharModel: {widths} features a character, on {self.backend}>"


def check_base(base: Any) -> CCLMModelBase:
    if not isinstance(base, CCLMModelBase):
        raise InputError(f"base is {shown(base)}; it must be a CCLMModelBase")
    return base
