//! Questions and answers, on the small ModernBERT that the package carries.

use encoders_page::Session;
use serde_json::{Value, json};

const FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../reference/models/modernbert-docstrings");
const TEXT: &str = "Returns the [MASK] of the array along the given axis.";

fn ask(session: &mut Session, question: Value) -> Value {
    serde_json::from_str(&session.answer(&question.to_string())).unwrap()
}

fn load(session: &mut Session, name: &str, dtype: &str, faults: Value) {
    let question = json!({
        "do": "load", "name": name, "folder": FOLDER, "task": "fill", "dtype": dtype,
        "faults": faults,
    });
    let answer = ask(session, question);
    assert!(answer.get("error").is_none(), "{answer}");
}

fn session() -> Session {
    let mut session = Session::default();
    load(&mut session, "small", "float32", Value::Null);
    session
}

#[test]
fn masks_are_filled_best_first() {
    let mut session = session();
    let answer = ask(&mut session, json!({"do": "fill", "name": "small", "text": TEXT}));
    assert_eq!(answer["masks"], json!([3]));
    assert_eq!(answer["tokens"][3], "[MASK]");
    let answers = answer["answers"][0].as_array().unwrap();
    let shares: Vec<f64> = answers.iter().map(|a| a["probability"].as_f64().unwrap()).collect();
    assert_eq!(shares.len(), 5);
    assert!(shares.is_sorted_by(|a, b| a >= b) && shares.iter().sum::<f64>() < 1.0);
    let none = json!({"do": "fill", "name": "small", "text": "No gap."});
    assert_eq!(ask(&mut session, none)["answers"], json!([]));
}

#[test]
fn what_is_hidden_is_not_looked_at() {
    let mut session = session();
    let fill = |session: &mut Session, text: &str, visible: usize| {
        let question = json!({"do": "fill", "name": "small", "text": text, "visible": visible});
        ask(session, question)
    };
    let one = fill(&mut session, TEXT, 1);
    let seen: Vec<u64> =
        one["seen"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(seen[..6], [1, 0, 1, 1, 1, 0]);
    assert_eq!(seen.last(), Some(&1));
    let other = "Returns the [MASK] of the table along the given axis.";
    assert_eq!(one["answers"], fill(&mut session, other, 1)["answers"]);
    assert_ne!(one["answers"], fill(&mut session, TEXT, 50)["answers"]);
}

#[test]
fn each_fault_departs_by_many_floors_and_the_sound_model_by_none() {
    let mut session = session();
    load(&mut session, "truth", "float64", Value::Null);
    let text = "Returns the [MASK] of the array along the given axis. If the axis is None, the \
                array is flattened first.";
    let mut ratio = |faults: Value| {
        load(&mut session, "faulty", "float32", faults);
        let question = json!({
            "do": "measure", "name": "faulty", "sound": "small", "truth": "truth",
            "text": text,
        });
        ask(&mut session, question)["ratio"].as_f64().unwrap()
    };
    assert!(ratio(Value::Null) <= 1.0);
    for fault in encoders_page::FAULTS {
        assert!(ratio(json!([fault])) > 100.0, "{fault}");
    }
    assert!(ratio(json!(["weights_through_half", "modernbert_tanh_gelu"])) > 100.0);
}

#[test]
fn the_weights_of_heads_sum_to_one_and_keep_to_the_window() {
    let mut session = session();
    let long = "the array ".repeat(20);
    for (layer, kind) in [(0, "full_attention"), (1, "sliding_attention")] {
        let question =
            json!({"do": "attention", "name": "small", "text": long, "layer": layer});
        let answer = ask(&mut session, question);
        assert_eq!(answer["kind"], kind);
        let tokens = answer["tokens"].as_array().unwrap().len();
        assert_eq!(answer["weights"]["shape"], json!([3, tokens, tokens]));
        let numbers: Vec<f64> = answer["weights"]["numbers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_f64().unwrap())
            .collect();
        for row in numbers.chunks(tokens) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let far = numbers[17]; // of the first head, from token 0 to token 17
        assert_eq!(far == 0.0, kind == "sliding_attention", "{far}");
    }
}

#[test]
fn what_cannot_be_answered_is_told() {
    let mut session = session();
    let cases = [
        (json!({"do": "sing"}), "do is \"sing\""),
        (json!({"do": "fill", "name": "large", "text": TEXT}), "no model \"large\""),
        (json!({"do": "fill", "name": "small"}), "text is missing"),
        (json!({"do": "embed", "name": "small", "texts": ["a"]}), "fills masks"),
        (json!({"do": "load", "name": "a", "folder": "no/such/one"}), "there is no folder"),
        (
            json!({
                "do": "load", "name": "a", "folder": FOLDER, "task": "fill", "faults": ["x"],
            }),
            "fault \"x\" is unknown",
        ),
        (
            json!({"do": "attention", "name": "small", "text": TEXT, "layer": 4}),
            "layer is 4; there are 4",
        ),
        (json!({"do": "fill", "name": "small", "text": "a [MASK] ".repeat(600)}), ""),
        (
            json!({"do": "forward", "name": "small", "input_ids": [[1, 2], [3]]}),
            "rows of whole numbers",
        ),
    ];
    for (question, part) in cases {
        let answer = ask(&mut session, question.clone());
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(!error.is_empty() && error.contains(part), "{question}: {answer}");
    }
    assert!(session.answer("{").contains("not valid JSON"));
}
