//! Labels for tokens, and spans.

use candle_core::Device;
use encoders::token_classification::{Aggregation, Options, Span};
use encoders::{Error, TokenClassification};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::headed::{folder, max_length, path};

const ALL: [Aggregation; 5] = [
    Aggregation::None,
    Aggregation::Simple,
    Aggregation::First,
    Aggregation::Average,
    Aggregation::Max,
];

fn tagger(labels: Value) -> TempDir {
    folder("BertForTokenClassification", json!({"id2label": labels}))
}

fn model(folder: &TempDir) -> TokenClassification {
    TokenClassification::from_pretrained(path(folder), &Device::Cpu).unwrap()
}

fn no_outside() -> TempDir {
    tagger(json!({"0": "a", "1": "b", "2": "c"}))
}

#[test]
fn offsets_are_bytes_between_characters() {
    let folder = no_outside();
    let model = model(&folder);
    let texts = ["é the  cats 中文 sat — on\u{a0}the mat.", "", "   ", "İthe ﷺ 🙂 cat"];
    for aggregation in ALL {
        let options = Options::new().aggregation(aggregation);
        let found = model.tag_with(&texts, options).unwrap();
        assert_eq!((found[1].len(), found[2].len()), (0, 0));
        for (text, spans) in texts.iter().zip(&found) {
            assert!(spans.is_sorted_by_key(|span| span.start));
            for span in spans {
                assert_eq!(&text[span.start..span.end], span.text);
                let letters = span.characters(text);
                let piece: String =
                    text.chars().skip(letters.start).take(letters.len()).collect();
                assert_eq!(piece, span.text);
                assert_eq!(span.text.trim(), span.text);
                assert!(span.score > 0.0 && span.score <= 1.0);
            }
        }
        assert_ne!(found[0], []);
    }
}

#[test]
fn words_are_whole_and_tokens_are_not() {
    let folder = no_outside();
    let model = model(&folder);
    let texts = |aggregation| -> Vec<String> {
        let options = Options::new().aggregation(aggregation);
        let found = model.tag_with(&["cats"], options).unwrap().remove(0);
        found.into_iter().map(|span: Span| span.text).collect()
    };
    assert_eq!(texts(Aggregation::None), ["cat", "s"]);
    for aggregation in [Aggregation::First, Aggregation::Average, Aggregation::Max] {
        assert_eq!(texts(aggregation), ["cats"]);
    }
    let read = model.probabilities(&["cats sat"]).unwrap().remove(0);
    assert_eq!(read.offsets, [(0, 3), (3, 4), (5, 8)]);
    assert_eq!(read.words, [Some(0), Some(0), Some(1)]);
    for row in &read.probabilities {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    let both =
        |label: usize| (read.probabilities[0][label] + read.probabilities[1][label]) / 2.0;
    let best = (0..3).map(both).fold(0.0, f64::max);
    let options = Options::new().aggregation(Aggregation::Average);
    let spans = model.tag_with(&["cats sat"], options).unwrap().remove(0);
    if spans.len() == 2 {
        assert!((spans[0].score - best).abs() < 1e-12);
    }
}

#[test]
fn a_long_text_is_read_whole() {
    let folder = no_outside();
    max_length(&folder, 10);
    let model = model(&folder);
    let long = "the cat sat on the mat . ".repeat(9);
    let read = model.probabilities(&[long.as_str()]).unwrap().remove(0);
    assert_eq!(read.offsets.len(), 7 * 9);
    assert_eq!(read.words.last(), Some(&Some(62)));
    // What a token is depends on its window alone: the first 5 of 8 are read in the first.
    let window = "the cat sat on the mat . the";
    let alone = model.probabilities(&[window]).unwrap().remove(0);
    for (row, own) in read.probabilities.iter().zip(&alone.probabilities).take(7) {
        assert!(row.iter().zip(own).all(|(a, b)| (a - b).abs() < 1e-6));
    }
    for size in [1, 3] {
        let options = Options::new().batch_size(size);
        let spans = model.tag_with(&[long.as_str()], options).unwrap();
        let whole = model.tag(&[long.as_str()]).unwrap();
        let places = |spans: &[Vec<Span>]| -> Vec<(usize, usize)> {
            spans[0].iter().map(|span| (span.start, span.end)).collect()
        };
        assert_eq!(places(&spans), places(&whole));
    }
    match model.tag_with(&["the cat"], Options::new().overlap(8)) {
        Err(Error::Input(text)) => assert!(text.contains("overlap is 8"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert!(model.tag_with(&[long.as_str()], Options::new().overlap(7)).is_ok());
}

#[test]
fn outside_is_no_span_and_viterbi_is_legal() {
    let text = "the cat sat on the mat . cats sat on mats . ".repeat(3);
    let orders = [["O", "B-x", "I-x"], ["I-x", "O", "B-x"], ["B-x", "I-x", "O"]];
    let (mut outside, mut tokens) = (0, 0);
    for [first, second, third] in orders {
        let folder = tagger(json!({"0": first, "1": second, "2": third}));
        let model = model(&folder);
        let found = |viterbi| {
            let options = Options::new().aggregation(Aggregation::None).viterbi(viterbi);
            model.tag_with(&[text.as_str()], options).unwrap().remove(0)
        };
        let read = model.probabilities(&[text.as_str()]).unwrap().remove(0);
        tokens = read.offsets.len();
        outside += tokens - found(false).len();
        let mut last: Option<Span> = None;
        for span in found(true) {
            if span.label == "I-x" {
                let token = read.offsets.iter().position(|place| place.0 == span.start);
                let before = read.offsets[token.unwrap() - 1].0;
                assert_eq!(last.map(|last| last.start), Some(before));
            }
            last = Some(span);
        }
    }
    assert_eq!(outside, tokens); // each token's label is O in one of the three
}

#[test]
fn unknown_ways_are_refused() {
    assert_eq!("max".parse::<Aggregation>().unwrap(), Aggregation::Max);
    let error = "mean".parse::<Aggregation>().unwrap_err().to_string();
    assert_eq!(
        error,
        "aggregation \"mean\" is unknown; it is one of none, simple, first, average, max"
    );
    let folder = no_outside();
    let none = model(&folder).tag_with(&["the"], Options::new().batch_size(0));
    assert!(none.unwrap_err().to_string().contains("batch_size is 0"));
}
