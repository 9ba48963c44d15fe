"""What a family of models is: the questions that all other rooms ask of one.

A family answers them in its own file. Nowhere else does a name of a family or of one of its
classes decide anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reference.families import detections
from reference.families.config import EncoderConfig
from reference.families.tasks import BASE, MASKED_LM, MASKED_SEQUENCE, Task

Shapes = dict[str, tuple[int, ...]]
Entries = Iterator[tuple[str, tuple[int, ...]]]  # key and shape, one tensor after another

# A configuration small enough for a test: what every transformer's says.
TINY = {
    "vocab_size": 61,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 96,
}
TOKEN, TEXT, ANSWER = "token", "text", "answer"  # what a row of a traced tensor is


@dataclass(frozen=True)
class Operation:
    """A step of the computation that a trace records, in order of evaluation."""

    path: str  # the module's in Transformers; {} stands for a layer's number
    meaning: str  # for the reader of a report
    row: str = TOKEN  # or TEXT, or ANSWER: whatever the task's result has a row of
    first: int = 0  # the first layer that has it


DETECTION_OPERATIONS = (
    Operation("detection_head.dense", "the detection head's projection", ANSWER),
    Operation("detection_head.norm", "its activation and norm", ANSWER),
    Operation("detection_head.classifier", "the scores over the labels", ANSWER),
)


@dataclass(frozen=True)
class Place:
    """Where in a model an operation is."""

    layer: int | None  # None of the embeddings and the heads
    meaning: str
    row: str


class Family(ABC):
    """One family; each has one instance, the FAMILY of its file."""

    room: str  # the file's name, here and in each port
    config: type[EncoderConfig]
    # Each model type, and what its classes begin with in Transformers; in the ports they begin
    # as those of the first.
    prefixes: Mapping[str, str]
    # Each model type, and the class by which Transformers opens its tokenizer where the folder
    # names none.
    tokenizers: Mapping[str, str]
    attribute: str  # of the encoder under a head, and so what its keys begin with there
    tasks: tuple[Task, ...]
    # Whether pads before a text push it to later positions.
    pads_take_positions: bool = True
    in_transformers: bool = True  # whether Transformers has it
    # Whether it is made for embeddings: the mean of a text's tokens, with length one, where no
    # modules.json says otherwise.
    embeds: bool = False
    # What becomes of a text that is too long, where the caller does not say: "warn" cuts it and
    # tells, "error" refuses it.
    truncation: str = "warn"
    operations: tuple[Operation, ...]  # of the encoder
    head_operations: tuple[Operation, ...]
    tiny: Mapping[str, Any]  # a configuration small enough for a test, for random models
    # What the keys of heads begin with that checkpoints have and nothing reads.
    other_heads: tuple[str, ...] = ("qa_outputs.",)
    # Who knows the truth about it: a class of parity's, or of a file beside it.
    oracle: str = "reference.parity.oracle:TransformersOracle"

    @abstractmethod
    def encoder(self, config: Any, pooler: bool) -> Entries:
        """The tensors of the encoder, without prefix."""

    @abstractmethod
    def head(self, config: Any, task: Task) -> Entries:
        """The tensors of a head, under their whole keys."""

    @property
    def all_tasks(self) -> tuple[Task, ...]:
        """Its own, and that of any encoder."""
        return (*self.tasks, MASKED_SEQUENCE)

    def head_keys(self, config: Any, task: Task) -> tuple[str, ...]:
        return tuple(key for key, _ in self.whole_head(config, task))

    def whole_head(self, config: Any, task: Task) -> Entries:
        """The tensors of a head, of its own or of one that is the same on every encoder."""
        return _detection_head(config) if task is MASKED_SEQUENCE else self.head(config, task)

    def places(self, config: Any) -> dict[str, Place]:
        """Every operation of the encoder, by its path in it, and where it is."""
        found = {}
        for operation in self.operations:
            layered = "{}" in operation.path
            last = config.num_hidden_layers if layered else operation.first + 1
            for number in range(operation.first, last):
                place = Place(number if layered else None, operation.meaning, operation.row)
                found[operation.path.format(number)] = place
        return found

    def ties(self, config: Any) -> dict[str, str]:
        """Key -> key of the tensor that it shares, for what a masked-LM checkpoint may repeat
        where its word embeddings are tied."""
        return {}

    def head_prefixes(self, config: Any) -> tuple[str, ...]:
        """What the keys of its heads begin with, whatever the task."""
        keys = [key for task in self.all_tasks for key in self.head_keys(config, task)]
        return tuple({key.split(".")[0] + ".": None for key in [*keys, *self.ties(config)]})

    def pooled(self, task: Task) -> bool:
        """Whether that head reads the pooler."""
        return False

    def first_weight(self, key: str, config: Any) -> tuple[float, float]:
        """How Transformers draws a matrix before training: the standard deviation, and how many
        of them out a normal distribution is cut."""
        return config.initializer_range, float("inf")

    def first_vector(self, key: str, config: Any) -> float:
        """What the numbers of a vector begin as: norms as the identity, biases as nothing."""
        return 0.0 if key.endswith("bias") else 1.0

    def zero_row(self, key: str, config: Any) -> int | None:
        """The row of an embedding that begins as zeros."""
        return None

    def config_of(
        self, config: EncoderConfig, architecture: Architecture, **changes: Any
    ) -> EncoderConfig:
        """The configuration of a checkpoint of that architecture, with these changes."""
        if architecture.task is MASKED_SEQUENCE:
            own = changes.get("detections") or config.detections or detections.Detections()
            problem = config.problem_type or detections.PROBLEM_TYPES["multilabel"]
            changes = {"problem_type": problem} | changes
            changes["detections"] = replace(own, base=self.attribute)
        else:
            changes = {"detections": None} | changes
        return replace(config, architectures=(architecture.name,), **changes)

    def temperature(self, config: Any) -> str | None:
        """The key, in the encoder, of the logarithm of what Model.similarity divides cosines
        by, where that is learned."""
        return None

    def facts(self, config: Any) -> dict[str, Any]:
        """What `info` prints of a configuration."""
        settings = config.to_dict()
        names = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers")
        names += ("num_attention_heads", "intermediate_size", "hidden_act")
        names += ("max_position_embeddings", "type_vocab_size", "layer_norm_eps")
        spelled = map(config.spelled, names)
        return {name: settings[name] for name in spelled if name in settings}

    def transformers_options(self, pooler: bool) -> dict[str, Any]:
        """What Transformers' base class is built with besides the configuration."""
        return {}


@dataclass(frozen=True)
class Architecture:
    """One of Transformers' model classes: a family with something on top."""

    name: str
    family: Family
    task: Task

    @property
    def port_class(self) -> str:
        """What the ports call it: model types of one family share their classes. A head that
        is put on any encoder is put on this one."""
        task = BASE if self.task is MASKED_SEQUENCE else self.task
        return next(iter(self.family.prefixes.values())) + task.suffix

    @property
    def in_transformers(self) -> bool:
        """Whether Transformers has a class of this name."""
        return self.family.in_transformers and self.task is not MASKED_SEQUENCE

    @property
    def oracle(self) -> str:
        """Who knows the truth about it."""
        if self.task is MASKED_SEQUENCE:
            kind = "Wrapper" if self.family.in_transformers else "Assembled"
            return f"reference.parity.detections:{kind}Oracle"
        return self.family.oracle

    @property
    def base_prefix(self) -> str:
        """What the encoder's keys begin with here: nothing in a base model."""
        return "" if self.task is BASE else f"{self.family.attribute}."

    def shapes(self, config: EncoderConfig, pooler: bool) -> Shapes:
        """Key -> shape of every tensor, as Transformers saves them; tied ones are not
        listed."""
        encoder = self.family.encoder(config, pooler)
        shapes = {self.base_prefix + key: shape for key, shape in encoder}
        return shapes | dict(self.family.whole_head(config, self.task))

    def ties(self, config: EncoderConfig) -> dict[str, str]:
        """Key -> key of the tensor that it shares, for keys that a checkpoint may repeat."""
        tied = self.task is MASKED_LM and config.tie_word_embeddings
        return self.family.ties(config) if tied else {}

    def has_pooler(self, keys: Collection[str] = ()) -> bool:
        """A head has a pooler if it reads one; a base model, if its checkpoint has."""
        if self.task is BASE:
            return any(key.startswith("pooler.") for key in keys)
        return self.family.pooled(self.task)

    def places(self, config: EncoderConfig) -> dict[str, Place]:
        """Every operation of the model, by its path, and where it is."""
        encoder = self.family.places(config).items()
        heads = () if self.task is BASE else self.family.head_operations
        heads = DETECTION_OPERATIONS if self.task is MASKED_SEQUENCE else heads
        places = {self.base_prefix + path: place for path, place in encoder}
        places |= {head.path: Place(None, head.meaning, head.row) for head in heads}
        return {
            path: replace(place, row=self.task.row) if place.row == ANSWER else place
            for path, place in places.items()
        }


def dense(name: str, inputs: int, outputs: int, bias: bool = True) -> Entries:
    """A linear layer's tensors."""
    yield f"{name}.weight", (outputs, inputs)
    if bias:
        yield f"{name}.bias", (outputs,)


def norm(name: str, size: int, bias: bool = True) -> Entries:
    """A layer norm's tensors."""
    yield f"{name}.weight", (size,)
    if bias:
        yield f"{name}.bias", (size,)


def _detection_head(config: EncoderConfig) -> Entries:
    size, name = config.hidden_size, detections.HEAD
    yield from dense(f"{name}.dense", size, size)
    yield from norm(f"{name}.norm", size)
    yield from dense(f"{name}.classifier", size, config.num_labels)
