"""Labels and templates."""

from reference.pipelines.choices import Choices, Template, read_choices


def test_a_template_says_where_its_places_are():
    question, places = Template("a {{b}} {text}, {mask}!", ["text", "mask"]).fill(
        {"text": "{mask} and {text}", "mask": "[MASK]"}
    )
    assert question == "a {b} {mask} and {text}, [MASK]!"
    assert question[slice(*places["text"])] == "{mask} and {text}"
    assert question[slice(*places["mask"])] == "[MASK]"


def test_choices():
    assert read_choices(("a", "b"), None, "model") == Choices(("a", "b"))
    described = read_choices(None, {"a": "x", "b": "y"}, "model")
    assert described.listed(letters=True) == "- A: a: x\n- B: b: y"
    assert Choices(("a", "b")).listed(letters=False) == "- a\n- b"
