"""A user's own data: pairs of texts in a file of two or three columns, or queries, documents
and relevance in the files that BEIR and TREC use."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from reference.errors import InputError, shown
from reference.evaluation.pairs import ScoredPairs
from reference.evaluation.retrieval import Retrieval
from reference.files import read_lines

FORMS = 'two columns, "query<TAB>document", or three, "a<TAB>b<TAB>score"'
BEIR_HEADER = ["query-id", "corpus-id", "score"]


def read_pairs(file: str, option: str = "--tsv") -> Retrieval | ScoredPairs:
    """Lines of two columns are queries with the document that answers each, of three pairs with
    a score; the first line decides which. There is no line of headings. Empty lines are
    skipped."""
    rows, scores = [], []
    for place, row in _rows(file, option):
        if len(row) not in (2, 3):
            raise InputError(f"{place}: {_columns(row)}; there must be {FORMS}")
        if rows and len(row) != 2 + bool(scores):
            raise InputError(f"{place}: {_columns(row)}, where the lines before have others")
        if not all(text.strip() for text in row):
            raise InputError(f"{place}: a column is empty")
        rows.append(row[:2])
        scores += [_number(score, f"{place}: the score") for score in row[2:]]
    if not rows:
        raise InputError(f"{_named(file)} is empty; it must hold lines of {FORMS}")
    if not scores:
        return pairs_to_retrieval(rows)
    left, right = zip(*rows, strict=True)
    return _told(file, lambda: ScoredPairs(left, right, scores))


def pairs_to_retrieval(pairs: Sequence[Sequence[str]], *notes: str) -> Retrieval:
    """Each query is answered by the documents of all the pairs that it is in. Every query and
    every document counts once."""
    queries = list(dict.fromkeys(query for query, _ in pairs))
    documents = list(dict.fromkeys(document for _, document in pairs))
    numbers = [{text: n for n, text in enumerate(side)} for side in (queries, documents)]
    relevance: dict[int, set[int]] = {}
    for query, document in pairs:
        relevance.setdefault(numbers[0][query], set()).add(numbers[1][document])
    return Retrieval(queries, documents, relevance, (*notes, f"pairs: {len(pairs)}"))


def read_collection(queries: str, documents: str, relevance: str) -> Retrieval:
    """Three files. Queries and documents: JSON lines with _id, text and perhaps title, as
    BEIR's, or "id<TAB>text". Relevance: BEIR's query-id, corpus-id, score with tabs between,
    or TREC's four columns, query, a number that means nothing, document, relevance."""
    asked, held = _texts(queries, "--queries"), _texts(documents, "--documents")
    judged: dict[str, dict[str, int]] = {}
    for place, query, document, value in _relevance(relevance):
        for key, known, file in ((query, asked, queries), (document, held, documents)):
            if key not in known:
                raise InputError(f"{place}: {_named(file)} has no {shown(key)}")
        of_query = judged.setdefault(query, {})
        if of_query.setdefault(document, value) != value:
            raise InputError(
                f"{place}: document {shown(document)} was judged {of_query[document]} for the "
                f"query {shown(query)} before, and {value} here"
            )
    return _told(relevance, lambda: Retrieval(asked, held, judged))


def _texts(file: str, option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    read = _json_texts if file.endswith((".jsonl", ".json")) else _tab_texts
    for place, key, text in read(file, option):
        if key in found:
            raise InputError(f"{place}: the id {shown(key)} is there twice")
        found[key] = text
    if not found:
        raise InputError(f"{_named(file)} is empty; {option} names a file with a text a line")
    return found


def _json_texts(file: str, option: str) -> Iterator[tuple[str, str, str]]:
    for place, line in _lines(file, option):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise InputError(f"{place} is not valid JSON: {problem}") from None
        if not isinstance(record, dict):
            raise InputError(f"{place} holds a JSON {type(record).__name__}, not an object")
        key, text = record.get("_id"), record.get("text")
        title = record.get("title") or ""
        if not isinstance(key, (str, int)) or not isinstance(text, str):
            raise InputError(f"{place}: an object must have _id, and text, which is a string")
        if not isinstance(title, str):
            raise InputError(f"{place}: title is {shown(title)}; it must be a string")
        yield place, str(key), f"{title} {text}" if title else text


def _tab_texts(file: str, option: str) -> Iterator[tuple[str, str, str]]:
    for place, row in _rows(file, option):
        if len(row) != 2:
            raise InputError(
                f'{place}: {_columns(row)}; there must be two, "id<TAB>text" '
                "(JSON lines are in a file that is called .jsonl)"
            )
        yield place, row[0], row[1]


def _relevance(file: str) -> Iterator[tuple[str, str, str, int]]:
    empty = True
    for number, (place, line) in enumerate(_lines(file, "--qrels")):
        row = line.split("\t") if line.count("\t") == 2 else line.split()
        if number == 0 and row == BEIR_HEADER:
            continue
        if len(row) not in (3, 4):
            raise InputError(
                f"{place}: {_columns(row)}; there must be three (query, document, relevance, "
                "with tabs between) or TREC's four"
            )
        value = _number(row[-1], f"{place}: the relevance")
        if value != int(value):
            raise InputError(f"{place}: the relevance is {value}; it must be a whole number")
        empty = False
        yield place, row[0], row[-2], int(value)
    if empty:
        raise InputError(
            f"{_named(file)} is empty; it says which document is relevant to which query"
        )


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{what} is {shown(text)}; it must be a number") from None
    if not math.isfinite(value):
        raise InputError(f"{what} is {shown(text)}; it must be a finite number")
    return value


def _rows(file: str, option: str) -> Iterator[tuple[str, list[str]]]:
    return ((place, line.split("\t")) for place, line in _lines(file, option))


def _lines(file: str, option: str) -> Iterator[tuple[str, str]]:
    """Lines, each with what an error calls it, without the empty ones."""
    for number, line in enumerate(read_lines(file, option), 1):
        if line.strip():
            yield f"{_named(file)}, line {number}", line


def _named(file: str) -> str:
    return "standard input" if file == "-" else file


def _columns(row: list[str]) -> str:
    return f"there is {len(row)} column" if len(row) == 1 else f"there are {len(row)} columns"


def _told(file: str, make: Any) -> Any:
    """What is wrong with the data as a whole is said of its file."""
    try:
        return make()
    except InputError as error:
        raise InputError(f"{_named(file)}: {error}") from None
