"""python -m reference evaluate."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import reference
from reference.arguments import explain
from reference.checkpoint import EMBEDDED_MODEL, locate
from reference.checks import check_names, check_whole
from reference.commands.options import add_backend, add_encoding, load_model
from reference.commands.results import Part, add_output, target_of, write
from reference.errors import InputError
from reference.evaluation import BM25, OwnEncoder, Retrieval, ScoredPairs, TfIdf, random_weights
from reference.evaluation.contestant import Contestant
from reference.evaluation.docstrings import DOCUMENTS, docstring_retrieval
from reference.evaluation.lee import lee_pairs
from reference.evaluation.reading import read_collection, read_pairs
from reference.evaluation.results import header_line, row_lines
from reference.pipelines.embeddings import Embeddings

WORDS, RANDOM, KNOWN = "words", "random", "minilm"
BESIDE = (WORDS, RANDOM, KNOWN)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Judge embedding models: by what they find, beside BM25, or by how their scores follow "
        "what people said of pairs of texts, beside TF-IDF; and beside the same architecture "
        "with random weights, and all-MiniLM-L6-v2. Without data of your own it is retrieval "
        "among docstrings of the installed packages, held out from training.",
        "python -m reference evaluate --lee",
        "python -m reference evaluate my-model --docstrings --beside words",
        "printf 'is it fed\\tThe cat eats.\\nis it full\\tThe moon is.\\n' > pairs.tsv",
        "python -m reference evaluate --tsv pairs.tsv",
        "python -m reference evaluate --queries queries.jsonl --documents corpus.jsonl "
        "--qrels test.tsv",
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help=f"folders or hub ids (default {EMBEDDED_MODEL})",
    )
    _add_data(parser)
    parser.add_argument(
        "--beside",
        nargs="+",
        metavar="WHAT",
        default=list(BESIDE),
        help=f"what else is judged: {', '.join(BESIDE)} (default all), or none",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the sample and of random weights"
    )
    add_encoding(parser)
    add_backend(parser)
    add_output(parser)


def _add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data, one of these")
    data.add_argument(
        "--docstrings",
        action="store_true",
        help="first lines of held-out docstrings ask for the bodies (the default)",
    )
    data.add_argument("--lee", action="store_true", help="50 news texts, which gensim brings")
    data.add_argument(
        "--tsv",
        metavar="FILE",
        help='lines of "query<TAB>document", where the corpus is all documents, or of '
        '"a<TAB>b<TAB>score" (- is standard input)',
    )
    data.add_argument(
        "--queries",
        metavar="FILE",
        help="with the next two: JSON lines with _id and text, as BEIR has them, or lines of "
        '"id<TAB>text"',
    )
    data.add_argument("--documents", metavar="FILE", help="likewise, with a title or without")
    data.add_argument(
        "--qrels", metavar="FILE", help="which document answers: BEIR's or TREC's"
    )
    data.add_argument(
        "--at-most",
        type=int,
        metavar="N",
        help=f"of --docstrings: documents in the sample (default {DOCUMENTS})",
    )


def main(options: argparse.Namespace) -> int:
    """Print or write a row for each contestant as soon as there is one."""
    target = target_of(options)
    options.beside = check_names(options.beside, BESIDE, "--beside")
    options.models = list(dict.fromkeys(options.models or [EMBEDDED_MODEL]))
    check_whole("--seed", options.seed, 0)
    for model in options.models:
        locate(model, options.revision)  # a wrong name is told before the work and not after
    return write(options, target, _parts(_data(options), options))


def _data(options: argparse.Namespace) -> Retrieval | ScoredPairs:
    three = (options.queries, options.documents, options.qrels)
    files = any(file is not None for file in three)
    if (options.docstrings, options.lee, options.tsv is not None, files).count(True) > 1:
        raise InputError(
            "name one kind of data: --docstrings, --lee, --tsv, or --queries with --documents "
            "and --qrels"
        )
    if options.at_most is not None and (options.lee or options.tsv is not None or files):
        raise InputError("--at-most is for --docstrings")
    if options.lee:
        return lee_pairs()
    if options.tsv is not None:
        return read_pairs(options.tsv)
    if not files:
        documents = DOCUMENTS if options.at_most is None else options.at_most
        return docstring_retrieval(documents, options.seed)
    if None in three:
        raise InputError("--queries, --documents and --qrels go together; name all three")
    return read_collection(*three)


def _parts(data: Retrieval | ScoredPairs, options: argparse.Namespace) -> Iterator[Part]:
    names, contestants = _contestants(data, options)
    width = max(map(len, names))
    above = list(data.notes)
    for name, contestant in zip(names, contestants, strict=True):
        row = data.judge(name, contestant)
        above += [header_line(row, width)] if name == names[0] else []
        yield Part([row.to_dict()], [*above, *row_lines(row, width)])
        above = []


def _contestants(
    data: Retrieval | ScoredPairs, options: argparse.Namespace
) -> tuple[list[str], Iterator[Contestant]]:
    """Names, and what bears them, made as it is needed: one model in memory, not all."""
    words = {"BM25": BM25} if isinstance(data, Retrieval) else {"TF-IDF": TfIdf}
    words = words if WORDS in options.beside else {}
    known = KNOWN in options.beside and EMBEDDED_MODEL not in options.models
    names = list(words)
    for model in options.models:
        names += [f"{model}, random", model][RANDOM not in options.beside :]
    names += [EMBEDDED_MODEL] * known

    def made() -> Iterator[Contestant]:
        yield from (kind() for kind in words.values())
        for model in options.models:
            loaded = load_model(options, "embeddings", model)
            if RANDOM in options.beside:
                yield _encoder(random_weights(loaded, options.seed), options)
            yield _encoder(loaded, options)
            del loaded
        if known:
            where = (options.backend, options.dtype, options.device)
            yield _encoder(_known(*where), options)

    return names, made()


def _known(backend: str, dtype: str, device: str | None) -> Embeddings:
    return reference.load(EMBEDDED_MODEL, backend=backend, dtype=dtype, device=device)


def _encoder(model: Embeddings, options: argparse.Namespace) -> OwnEncoder:
    return OwnEncoder(model, None, options.batch_size, options.progress)
