"""What the search page searches: the text of every section, with the anchor to land on.

Sphinx's own search finds pages, and a chapter is long. Here sections, terms of the glossary,
exercises and references are found, each by itself. The page `search.html` is made anew by a
template beside this folder; search.js, in _static, does the finding.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from bs4 import Tag
from built_pages import articles, classes, is_html, without_address, words, write_data
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

# In the order of search.js. Solutions are in no text: they are folded for a reason.
SECTION, TERM, EXERCISE, REFERENCE = range(4)
# Words that mean the same to someone who searches. The glossary adds those that it names.
SYNONYMS = [
    ["RoPE", "rotary", "rotary embedding", "rotary position embedding", "rotary positions"],
    ["layer norm", "layer normalization", "LayerNorm"],
    ["masked language model", "MLM", "fill mask"],
    ["byte pair encoding", "BPE"],
    ["natural language inference", "NLI"],
    ["named entity", "NER", "token classification"],
    ["feed-forward block", "FFN", "MLP"],
    ["gated linear unit", "GLU", "GEGLU"],
    ["local attention", "sliding window"],
    ["reranker", "cross-encoder"],
    ["unit in the last place", "ulp"],
    ["quantization", "fewer bits", "int8"],
    ["half precision", "bfloat16", "float16"],
    ["typo", "misspelling"],
    ["sentence embedding", "sentence vector"],
    ["zero-shot", "zero-shot classification"],
    ["tokenizer", "tokenization"],
    ["retrieval", "semantic search"],
    ["in-batch negatives", "InfoNCE", "contrastive learning"],
    ["speed", "latency", "how fast"],
]
SOLUTIONS = ["solution", "tag_hide-cell"]
NAMED_IN_BRACKETS = re.compile(r"^(?P<long>.+?) \((?P<short>[^)]+)\)$")
NAMED_AT_ONCE = re.compile(r"^(?P<short>\w+): ")
# A section for a second reading has its heading in a summary.
HEADING = (
    ":scope > :is(h1, h2, h3, h4, h5, h6), :scope > details > summary > :is(h2, h3, h4, h5)"
)
DEFINED = re.compile(
    r"^\s*(?:pub(?:\([a-z]+\))? )?(?:def|class|fn|struct|enum|trait) (\w+)", re.M
)
CALLED = re.compile(r"\b((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w+)\(")
# Calls that say nothing of a section: one short word, and those that draw or only count.
EVERYWHERE = re.compile(
    r"[a-z]+|(?:np|plt|axes|axis|figure|math|Math)\..*|.*\.(?:append|items)"
)


def entries(article: Tag, papers: dict[str, str]) -> Iterator[tuple[str, int, str, str, str]]:
    """Anchor, kind, title, text and names of code of all that a page has to be found."""
    for section in article.find_all("section", id=True):
        heading = section.select_one(HEADING)
        if heading is not None:
            title = words(heading, is_furniture)
            text = words(section, is_not_of_the_section)
            yield section["id"], SECTION, title, text, code_names(section)
    for term in article.select("dl.glossary > dt[id]"):
        text = words(term.find_next_sibling("dd"))
        yield term["id"], TERM, words(term, is_furniture), text, ""
    for exercise in article.select("p[id^=exercise-]"):
        title = words(exercise.strong)
        yield exercise["id"], EXERCISE, title, words(exercise).removeprefix(title).strip(), ""
    for reference in article.select("div.citation[id]"):
        title = papers.get(reference["id"], "")
        text = without_address(words(reference, is_furniture))
        yield reference["id"], REFERENCE, title, text, ""


def titles(app: Sphinx) -> dict[str, str]:
    """Of each entry of the bibliography the title of what it names, by its anchor."""
    citations = app.env.get_domain("cite").data["citations"]
    return {
        one.citation_id: re.sub(r"[{}]", "", one.entry.fields.get("title", ""))
        for one in citations
    }


def is_furniture(tag: Tag) -> bool:
    return bool({"headerlink", "label"} & set(classes(tag)))


def is_not_of_the_section(tag: Tag) -> bool:
    """What has an entry of its own, what is code or numbers, and what does not say anything."""
    kinds = set(classes(tag))
    if "cell_output" in kinds:
        return tag.find("figcaption") is None
    return bool(
        tag.name in ("section", "pre", "h1", "h2", "h3", "h4", "h5", "h6")
        or tag.name in ("input", "label", "img")
        or str(tag.get("id", "")).startswith("exercise-")
        or kinds & {"headerlink", "solution", "cell_input", "listing-path", "parity-report"}
        or kinds & {"glossary", "citation-list", "collapsed", "expanded", "toctree-wrapper"}
    )


def code_names(section: Tag) -> str:
    """The files and definitions of a section's listings, and what its cells call."""
    found: dict[str, None] = {}
    for tag in section.select(".listing-path, pre"):
        if tag.find_parent("section") is not section or tag.find_parent(class_=SOLUTIONS):
            continue
        text = tag.get_text()
        if tag.name == "p":
            found |= dict.fromkeys(name.get_text() for name in tag.find_all("code"))
        elif tag.find_parent(class_="cell_input"):
            names = CALLED.findall(text)
            found |= dict.fromkeys(name for name in names if not EVERYWHERE.fullmatch(name))
        else:
            found |= dict.fromkeys(DEFINED.findall(text))
    return " ".join(found)


def synonyms(terms: list[tuple[str, str]]) -> list[list[str]]:
    """The groups above, and the short forms that the glossary gives: "a long name (AB)" as the
    term, or "AB: …" as the beginning of what it says."""
    groups = [list(group) for group in SYNONYMS]
    for term, text in terms:
        bracketed, at_once = NAMED_IN_BRACKETS.match(term), NAMED_AT_ONCE.match(text)
        if bracketed:
            names = [bracketed["long"], bracketed["short"]]
        elif at_once:
            names = [term, at_once["short"]]
        else:
            continue
        known = {name.casefold(): group for group in groups for name in group}
        group = next((known[n.casefold()] for n in names if n.casefold() in known), None)
        if group is None:
            groups.append(names)
        else:
            there = {name.casefold() for name in group}
            group += [name for name in names if name.casefold() not in there]
    return groups


def write_index(app: Sphinx, exception: Exception | None) -> None:
    if not is_html(app, exception):
        return
    pages, found, terms, papers = [], [], [], titles(app)
    for place, (name, article) in enumerate(articles(app).items()):
        pages.append([app.builder.get_target_uri(name), words(article.h1, is_furniture)])
        for anchor, kind, title, text, code in entries(article, papers):
            found.append([place, anchor, kind, title, text, code])
            if kind == TERM:
                terms.append((title, text))
    data = {"pages": pages, "entries": found, "synonyms": synonyms(terms)}
    write_data(app, "search_index.js", "sections", data)


def find_template(app: Sphinx, config: Config) -> None:
    config.templates_path.append(str(Path(__file__).parents[1] / "_templates"))


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict, document: nodes.document | None
) -> None:
    """The index is for the page that searches; the others only mark what was found."""
    if page == "search":
        app.add_js_file("search_index.js", loading_method="defer")
        app.add_js_file("search_page.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", find_template)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_index)
    app.add_css_file("search.css")
    app.add_js_file("search.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
