"""One tower of the character encoder: its configuration, its tensors, its operations."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reference.errors import ConfigError, shown
from reference.families import rope_encoder
from reference.families.checks import check_choice, check_integer
from reference.families.config import MOST_LAYERS
from reference.families.family import Entries, Operation, dense, norm
from reference.families.rope_encoder import RopeEncoderConfig

# Every text is filled up to a multiple of the factor, however short it is.
LARGEST_FACTOR = 4096
TRANSPOSED, REPEAT = UPSAMPLINGS = ("transposed", "repeat")


def check_heads(name: str, size: int, heads: int, where: str = "") -> None:
    if size % heads or size // heads % 2:
        raise ConfigError(
            f"{where}{name} {size} and num_heads {heads} leave a head {size / heads:g} "
            "features; RoPE turns pairs, so it must be an even number"
        )


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """One tower: how far it shortens a text and in how many steps, how it attends there, and
    how wide it is.

    window: so many characters on each side of one it attends to before the text is shortened;
    None is no such attention. upsample says how the length is restored: by transposed
    convolutions, or by repeating each vector and convolving.
    """

    downsample_factor: int = 16
    n_strided_convs: int = 4
    stride_len: int = 2
    n_conv_filters: int = 128
    num_layers: int = 2
    num_heads: int = 4
    hidden_dim: int = 256
    window: int | None = None
    upsample: str = TRANSPOSED

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            if item.type == "int":
                check_integer(item.name, getattr(self, item.name), minimum=1)
        if self.window is not None:
            check_integer("window", self.window, minimum=1)
        check_choice("upsample", self.upsample, UPSAMPLINGS)
        if self.num_layers > MOST_LAYERS or self.n_strided_convs > MOST_LAYERS:
            raise ConfigError(f"a tower has no more than {MOST_LAYERS} layers of a kind")
        factor = self.stride_len**self.n_strided_convs
        if factor != self.downsample_factor:
            # Python does not write a number of thousands of digits.
            found = factor if factor < 2**63 else "more than any text is long"
            raise ConfigError(
                f"stride_len {self.stride_len} ** n_strided_convs {self.n_strided_convs} is "
                f"{found}; it must be downsample_factor {self.downsample_factor}"
            )
        if factor > LARGEST_FACTOR:
            raise ConfigError(
                f"downsample_factor is {factor}; {LARGEST_FACTOR} is the most, for the "
                "shortest text is filled up to as many characters"
            )
        check_heads("n_conv_filters", self.n_conv_filters, self.num_heads)

    @classmethod
    def of(cls, values: Any, place: int) -> TowerConfig:
        """From what config.json lists at that place."""
        if isinstance(values, cls):
            return values
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"towers[{place}] is {shown(values)}; it must be an object from key to value"
            )
        known = [item.name for item in dataclasses.fields(cls)]
        unknown = sorted(map(str, set(values) - set(known)))
        if unknown:
            raise ConfigError(
                f"towers[{place}] has {shown(unknown[0])}, which no tower has; it may have "
                f"{', '.join(known)}"
            )
        try:
            return cls(**values)
        except ConfigError as error:
            raise ConfigError(f"towers[{place}]: {error}") from None


def blocks(size: int, multiple: int = 1) -> str:
    """What a row of a traced tensor is where so many characters have become one position. The
    tensor is laid out as the model works on it: each text from its first character on, and all
    of them filled up to a multiple of so many characters."""
    return f"{size} of {multiple} characters"


def block_size(row: str) -> tuple[int, int] | None:
    """The same two numbers, back; None of rows of another kind."""
    found = re.fullmatch(r"(\d+) of (\d+) characters", row)
    return None if found is None else (int(found[1]), int(found[2]))


def convolution(name: str, inputs: int, outputs: int, width: int) -> Entries:
    """A convolution's tensors, as PyTorch's Conv1d has them, and those of the norm behind."""
    yield f"{name}.convolution.weight", (outputs, inputs, width)
    yield f"{name}.convolution.bias", (outputs,)
    yield from norm(f"{name}.norm", outputs)


def tensors(
    name: str,
    filters: int,
    tower: TowerConfig,
    local: RopeEncoderConfig,
    short: RopeEncoderConfig,
) -> Entries:
    """Those of a tower on a base of so many filters; `local` and `short` are what its layers
    are built from, before the text is shortened and after."""
    size, stride = tower.n_conv_filters, tower.stride_len
    if tower.window is not None:
        yield from rope_encoder.layer(f"{name}.local", local)
    for step in range(tower.n_strided_convs):
        inputs = size if step else filters
        yield from convolution(f"{name}.down.{step}", inputs, size, stride)
    for number in range(tower.num_layers):
        yield from rope_encoder.layer(f"{name}.layers.{number}", short)
    yield from norm(f"{name}.final_norm", size)
    for step in range(tower.n_strided_convs):
        yield from convolution(f"{name}.up.{step}", size, size, stride)
    yield from dense(f"{name}.merge.projection", filters + size, size)
    yield from norm(f"{name}.merge.norm", size)


def operations(tower: TowerConfig) -> Iterator[Operation]:
    """In order of evaluation."""
    if tower.window is not None:
        yield Operation("local", "attention among neighbouring characters", blocks(1))
    stride, factor = tower.stride_len, tower.downsample_factor
    for step in range(tower.n_strided_convs):
        row = blocks(stride ** (step + 1), factor)
        yield Operation(f"down.{step}.convolution", "the strided convolution", row)
        yield Operation(f"down.{step}", "the norm and the activation", row)
    for number in range(tower.num_layers):
        for operation in rope_encoder.FAMILY.operations:
            if operation.path.startswith("layers.{}"):
                path = operation.path.format(number)
                yield Operation(path, operation.meaning, blocks(factor, factor))
    yield Operation("final_norm", "the last norm of the shortened text", blocks(factor, factor))
    for step in range(tower.n_strided_convs):
        row = blocks(factor // stride ** (step + 1), factor)
        yield Operation(f"up.{step}.convolution", "the convolution that lengthens", row)
        yield Operation(f"up.{step}", "the norm and the activation", row)
    yield Operation("merge.projection", "both lengths side by side, projected", blocks(1))
    yield Operation("merge", "the norm and the activation", blocks(1))
