"""The same work as a user of another library would have it done.

Each function takes a folder and returns what takes texts. Left to themselves the peers would
open pickled weights, which this package never does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.errors import InputError
from reference.families.reading import read_config
from reference.pipelines.wanted import check_wanted
from reference.sentence import read_sentence_settings
from reference.text import read_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

SAFE = {"use_safetensors": True}
BATCH = 32
LEARNING_RATE = 1e-4
MAX_NORM = 1.0


def embed_with_transformers(folder: str, dtype: str = "float32") -> Callable[[list[str]], Any]:
    """With sdpa attention."""
    model = encoder(folder, dtype)
    return embedder(folder, lambda batch: model(**batch).last_hidden_state.float())


def encoder(folder: str, dtype: str = "float32") -> Any:
    """The checkpoint as Transformers opens it."""
    import torch
    from transformers import AutoModel

    return AutoModel.from_pretrained(
        folder, attn_implementation="sdpa", dtype=getattr(torch, dtype), **SAFE
    ).eval()


def embedder(folder: str, run: Callable[[dict[str, Any]], Any]) -> Callable[[list[str]], Any]:
    """From texts to vectors by `run`, which makes hidden states of a padded batch: batches of
    32, sorted by length so that as little as possible is padding.

    What comes before and after the model, the checkpoint's prompt, its poolings and the modules
    that follow, is what the others do as well.
    """
    import torch

    tokenizer = tokenizer_of(folder)
    hidden_size = read_config(Path(folder)).hidden_size
    settings = read_sentence_settings(Path(folder), hidden_size)
    if not settings.include_prompt:
        raise InputError("a prompt that is left out of the pooling: only ours is timed")
    wanted = check_wanted(settings)
    pool = {
        "cls": lambda hidden, mask: hidden[:, 0],
        "max": lambda hidden, mask: hidden.masked_fill(mask == 0, -torch.inf).amax(1),
        "mean": lambda hidden, mask: (hidden * mask).sum(1) / mask.sum(1),
        "mean_sqrt_len_tokens": lambda hidden, mask: (
            (hidden * mask).sum(1) / mask.sum(1).sqrt()
        ),
        "weightedmean": lambda hidden, mask: _weighted_mean(hidden, mask * mask.cumsum(1)),
        "lasttoken": lambda hidden, mask: hidden[range(len(mask)), mask.sum(1)[:, 0] - 1],
    }

    @torch.inference_mode()
    def encode(texts: list[str]) -> torch.Tensor:
        texts = [wanted.prompt + text for text in texts]
        order = _by_length(texts)
        vectors = torch.empty(len(texts), hidden_size * len(settings.pooling))
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            batch = tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, return_tensors="pt"
            )
            hidden = run(dict(batch))
            mask = batch["attention_mask"].unsqueeze(-1)
            vectors[rows] = torch.cat(
                [pool[way](hidden, mask) for way in settings.pooling], dim=1
            )
        vectors = torch.nn.functional.normalize(vectors) if wanted.unit_first else vectors
        return torch.from_numpy(wanted.finish(vectors.numpy()))

    return encode


def embed_with_sentence_transformers(folder: str) -> Callable[[list[str]], Any]:
    return _sentence_transformer(folder).encode


def search_with_sentence_transformers(folder: str, top_k: int) -> Callable[..., Any]:
    """The whole corpus as vectors, and then util.semantic_search."""
    from sentence_transformers import util

    model = _sentence_transformer(folder)

    def search(queries: list[str], corpus: list[str]) -> Any:
        asked = model.encode_query(queries, convert_to_tensor=True)
        held = model.encode_document(corpus, convert_to_tensor=True)
        score = model.similarity
        return util.semantic_search(asked, held, top_k=top_k, score_function=score)

    return search


def rank_with_sentence_transformers(folder: str) -> Callable[[str, list[str]], Any]:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(folder, device="cpu", model_kwargs=SAFE).rank


def transformers_pipeline(
    task: str, folder: str, **options: Any
) -> Callable[[list[str]], list[Any]]:
    """The pipeline of that task, in batches of texts of like length, which it does not sort
    itself."""
    import torch
    from transformers import pipeline

    tokenizer = tokenizer_of(folder)
    sdpa = SAFE | {"attn_implementation": "sdpa"}
    run = pipeline(
        task,
        model=folder,
        tokenizer=tokenizer,
        device="cpu",
        dtype=torch.float32,
        model_kwargs=sdpa,
        batch_size=BATCH,
        **options,
    )

    def work(texts: list[str]) -> list[Any]:
        order = _by_length(texts)
        results: list[Any] = [None] * len(texts)
        found = run([texts[row] for row in order])
        if task == "fill-mask" and len(texts) == 1:  # it takes a list of one for its one text
            found = [found]
        for row, result in zip(order, found, strict=True):
            results[row] = result
        return results

    return work


def train_with_transformers(folder: str) -> Callable[[list[str]], list[float]]:
    """A step of torch's AdamW for each 32 texts of like length, of whose tokens the library's
    collator hides 15 %. Without dropout: ours would draw the same numbers, one by one."""
    import torch
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

    tokenizer = tokenizer_of(folder)
    collate = DataCollatorForLanguageModeling(tokenizer, seed=0)
    model = AutoModelForMaskedLM.from_pretrained(
        folder, attn_implementation="sdpa", dtype=torch.float32, **SAFE
    ).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)

    def work(texts: list[str]) -> list[float]:
        losses = []
        texts = [texts[row] for row in _by_length(texts)]
        for start in range(0, len(texts), BATCH):
            encodings = tokenizer(texts[start : start + BATCH], truncation=True)
            batch = collate(
                [
                    dict(zip(encodings, row, strict=True))
                    for row in zip(*encodings.values(), strict=True)
                ]
            )
            if not (batch["labels"] != -100).any():  # of one text perhaps no word is hidden
                continue
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        return losses

    return work


def _sentence_transformer(folder: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder, device="cpu", model_kwargs=SAFE)


def tokenizer_of(folder: str) -> Any:
    """Transformers' own, which cuts where ours does."""
    from transformers import AutoTokenizer

    length = read_tokenizer(Path(folder), read_config(Path(folder))).max_length
    return AutoTokenizer.from_pretrained(folder, padding_side="right", model_max_length=length)


def _by_length(texts: list[str]) -> list[int]:
    return sorted(range(len(texts)), key=lambda row: len(texts[row]))


def _weighted_mean(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (hidden * weights).sum(1) / weights.sum(1)
