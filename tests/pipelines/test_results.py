"""Results that read well, and that JSON can hold."""

import json

from reference.pipelines.results import Classification, Results


def test_a_classification():
    result = Classification(("sport", "war & peace"), (0.75, 0.25), 0.0125)
    assert repr(result) == "Classification('sport': 0.7500, 'war & peace': 0.2500, mass=0.0125)"
    assert json.loads(json.dumps(result.to_dict())) == {
        "labels": ["sport", "war & peace"],
        "probabilities": [0.75, 0.25],
        "mass": 0.0125,
        "kind": "probability",
    }
    assert "<td>war &amp; peace</td><td>0.2500</td>" in result._repr_html_()
    assert result == Classification(("sport", "war & peace"), (0.75, 0.25), 0.0125)


def test_a_classification_of_many_labels_shows_the_first():
    labels = tuple(f"label {number}" for number in range(30))
    shown = repr(Classification(labels, (1 / 30,) * 30))
    assert shown.endswith("'label 9': 0.0333, … 20 more)") and "mass" not in shown


def test_a_classification_into_numbers_says_so():
    result = Classification(("stars",), (3.5,), kind="value")
    assert repr(result) == "Classification('stars': 3.5000, kind='value')"
    assert "<th>value</th>" in result._repr_html_() and result.to_dict()["kind"] == "value"


def test_several_share_a_table():
    one, two = Classification(("a",), (1.0,)), Classification(("b",), (1.0,))
    shown = Results([one, two])._repr_html_()
    assert shown.count("<tr>") == 3 and shown.count("<th>") == 2
