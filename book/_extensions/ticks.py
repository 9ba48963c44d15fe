"""What ticks.js counts: the chapters, and the exercises of each."""

from built_pages import articles, is_html, write_data
from sphinx.application import Sphinx


def write_counts(app: Sphinx, exception: Exception | None) -> None:
    if not is_html(app, exception):
        return
    exercises = {
        name: [node["id"] for node in article.select("p[id^=exercise-]")]
        for name, article in articles(app).items()
        if name.startswith("chapters/")
    }
    landing = app.config.root_doc
    write_data(app, "ticks_data.js", "chapters", {"landing": landing, "exercises": exercises})


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_counts)
    app.add_css_file("ticks.css")
    app.add_js_file("ticks_data.js", loading_method="defer")
    app.add_js_file("ticks.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
