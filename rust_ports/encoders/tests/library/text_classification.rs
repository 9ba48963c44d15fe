//! Labels for texts and pairs, and documents ranked.

use candle_core::Device;
use encoders::text_classification::{Kind, Options};
use encoders::{Error, TextClassification};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::headed::{beside, folder, max_length, path};

const SIGMOID: &str = "torch.nn.modules.activation.Sigmoid";
const IDENTITY: &str = "torch.nn.modules.linear.Identity";
const TEXTS: [&str; 3] = ["the cat sat", "", "the cat sat on the mat on the mat ."];

fn classifier(changes: Value) -> TempDir {
    folder("BertForSequenceClassification", changes)
}

fn model(folder: &TempDir) -> TextClassification {
    TextClassification::from_pretrained(path(folder), &Device::Cpu).unwrap()
}

fn refusal<T>(found: encoders::Result<T>) -> String {
    match found {
        Err(Error::Input(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("nothing was refused"),
    }
}

/// The value of each label, in the order of the labels.
fn values(found: &encoders::text_classification::Classification) -> Vec<f64> {
    let mut pairs: Vec<_> = found.labels.iter().zip(&found.probabilities).collect();
    pairs.sort_by_key(|(label, _)| *label);
    pairs.into_iter().map(|(_, value)| *value).collect()
}

#[test]
fn the_problem_decides_what_labels_have() {
    let of = |changes: Value| model(&classifier(changes)).classify(&TEXTS).unwrap();
    let softmax = of(json!({}));
    let raw = of(json!({"problem_type": "regression"}));
    let each = of(json!({"problem_type": "multi_label_classification"}));
    for ((softmax, raw), each) in softmax.iter().zip(&raw).zip(&each) {
        assert_eq!((softmax.kind, raw.kind), (Kind::Probability, Kind::Value));
        assert!((softmax.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(softmax.probabilities.is_sorted_by(|a, b| a >= b));
        let logits = values(raw);
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for ((logit, one), own) in logits.iter().zip(values(softmax)).zip(values(each)) {
            assert!((logit.exp() / total - one).abs() < 1e-12);
            assert!((1.0 / (1.0 + (-logit).exp()) - own).abs() < 1e-12);
        }
    }
    assert_eq!(softmax[0].labels.len(), 3);
    let one = model(&classifier(json!({"num_labels": 1}))).classify(&TEXTS).unwrap();
    assert!(one.iter().all(|found| found.kind == Kind::Probability));
}

#[test]
fn pairs_are_read_together_and_batches_change_nothing() {
    let folder = classifier(json!({}));
    let model = model(&folder);
    let pairs = ["the mat .", "the cat", ""];
    let alone = model.classify(&TEXTS).unwrap();
    let together = model.classify_with(&TEXTS, Options::new().pairs(&pairs)).unwrap();
    assert_ne!(values(&alone[0]), values(&together[0]));
    let options = Options::new().pairs(&pairs).batch_size(1).top_k(2);
    let singly = model.classify_with(&TEXTS, options).unwrap();
    for (few, all) in singly.iter().zip(&together) {
        assert_eq!(few.labels, all.labels[..2]);
        let same = few.probabilities.iter().zip(&all.probabilities);
        assert!(same.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[test]
fn what_cannot_be_classified_is_refused() {
    let folder = classifier(json!({}));
    let model = model(&folder);
    let with = |options: Options| refusal(model.classify_with(&["the cat"], options));
    assert!(with(Options::new().top_k(0)).contains("top_k is 0"));
    assert!(with(Options::new().batch_size(0)).contains("batch_size is 0"));
    assert!(with(Options::new().pairs(&["a", "b"])).contains("there are 1 texts and 2 pairs"));
    let error = refusal(model.rank("the cat", &["the mat"]));
    assert!(error.contains("one label") && error.contains("LABEL_0, LABEL_1"), "{error}");

    let one = classifier(json!({"num_labels": 1}));
    let ranks = self::model(&one);
    assert!(refusal(ranks.rank::<&str>("cat", &[])).contains("documents is empty"));
    let paired = ranks.rank_with("cat", &["mat"], Options::new().pairs(&["a"]));
    assert!(refusal(paired).contains("pairs are for classify"));

    // The frame of this tokenizer puts nothing between two texts.
    let folder = classifier(json!({}));
    beside(&folder, "tokenizer.json", crate::embedder::tokenizer_json());
    let class = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
    beside(&folder, "tokenizer_config.json", class);
    let model = self::model(&folder);
    let paired = model.classify_with(&["a cat"], Options::new().pairs(&["a mat"]));
    assert!(refusal(paired).contains("takes no pairs"));
    assert_eq!(model.classify(&["a cat"]).unwrap().len(), 1);
}

#[test]
fn documents_are_ranked_by_what_the_checkpoint_says() {
    let documents = ["the mat .", "the cat sat", "", "the mat ."];
    let of = |changes: Value| {
        let mut config = json!({"num_labels": 1});
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        model(&classifier(config)).rank("the cat", &documents).unwrap()
    };
    let found = of(json!({}));
    assert_eq!(found.len(), 4);
    assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    assert!(found.iter().all(|one| documents[one.index] == one.text));
    let places: Vec<usize> = found.iter().map(|one| one.index).collect();
    let first = places.iter().position(|place| *place == 0).unwrap();
    assert_eq!(places[first + 1], 3); // of two alike the first comes first
    let inside = |named: Value| json!({"sentence_transformers": {"activation_fn": named}});
    let old = json!({"sbert_ce_default_activation_function": IDENTITY});
    let both = |mut inside: Value| {
        inside["sbert_ce_default_activation_function"] = json!(IDENTITY);
        inside
    };
    for (changes, kind) in [
        (json!({}), Kind::Probability),
        (old, Kind::Logit),
        (inside(json!(IDENTITY)), Kind::Logit),
        (both(inside(json!(SIGMOID))), Kind::Probability),
        (both(inside(Value::Null)), Kind::Probability),
        (both(json!({"sentence_transformers": {}})), Kind::Logit),
        (json!({"problem_type": "regression"}), Kind::Probability),
    ] {
        let ranked = of(changes.clone());
        assert!(ranked.iter().all(|one| one.kind == kind), "{changes}");
        for (one, usual) in ranked.iter().zip(&found) {
            let score = match kind {
                Kind::Logit => 1.0 / (1.0 + (-one.score).exp()),
                _ => one.score,
            };
            assert_eq!(one.index, usual.index);
            assert!((score - usual.score).abs() < 1e-12);
        }
    }
    let folder = classifier(json!({"num_labels": 1}));
    let best = model(&folder).rank_with("the cat", &documents, Options::new().top_k(2));
    assert_eq!(best.unwrap(), found[..2]);
}

fn cross_encoder(settings: Value) -> TempDir {
    let folder = classifier(json!({"num_labels": 1}));
    let mut values = json!({"model_type": "CrossEncoder"});
    values.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    beside(&folder, "config_sentence_transformers.json", values);
    let module = "sentence_transformers.base.modules.transformer.Transformer";
    beside(&folder, "modules.json", json!([{"idx": 0, "path": "", "type": module}]));
    let sentence = json!({
        "transformer_task": "sequence-classification",
        "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
        "module_output_name": "scores", "max_seq_length": 9,
    });
    beside(&folder, "sentence_bert_config.json", sentence);
    folder
}

#[test]
fn what_sentence_transformers_wrote_is_honoured() {
    let documents = ["the mat .", "the cat sat"];
    let bare = cross_encoder(json!({}));
    let plain = model(&bare);
    assert_eq!(plain.tokenizer().max_length(), 9);
    let asks = cross_encoder(json!({
        "activation_fn": IDENTITY, "prompts": {"ask": "on "}, "default_prompt_name": "ask",
    }));
    let found = model(&asks).rank("the cat", &documents).unwrap();
    let by_hand = plain.rank("on the cat", &documents).unwrap();
    for (one, usual) in found.iter().zip(&by_hand) {
        assert_eq!((one.kind, usual.kind), (Kind::Logit, Kind::Probability));
        assert!((1.0 / (1.0 + (-one.score).exp()) - usual.score).abs() < 1e-12);
    }
}

#[test]
fn what_sentence_transformers_wrote_is_refused_by_name() {
    let error = |folder: &TempDir| {
        TextClassification::from_pretrained(path(folder), &Device::Cpu)
            .err()
            .unwrap()
            .to_string()
    };
    let of = |settings: Value| error(&cross_encoder(settings));
    assert!(of(json!({"activation_fn": "torch.nn.Tanh"})).contains("activation_fn"));
    assert!(of(json!({"default_prompt_name": "ask"})).contains("default_prompt_name"));
    let with = |name: &str, value: Value| {
        let folder = cross_encoder(json!({}));
        beside(&folder, name, value);
        error(&folder)
    };
    let module =
        |kind: &str| json!({"path": "", "type": format!("sentence_transformers.{kind}")});
    let two = json!([module("models.Transformer"), module("models.Dense")]);
    assert!(with("modules.json", two).contains("supported in a cross-encoder"));
    assert!(with("modules.json", json!([])).contains("lists the modules none"));
    let chat = with("tokenizer_config.json", json!({"chat_template": "{{ x }}"}));
    assert!(chat.contains("writes every pair"), "{chat}");
    let task = json!({"transformer_task": "feature-extraction"});
    assert!(with("sentence_bert_config.json", task).contains("transformer_task"));
    let alone = cross_encoder(json!({"activation_fn": IDENTITY}));
    std::fs::remove_file(alone.path().join("modules.json")).unwrap();
    assert!(error(&alone).contains("no modules.json"));
    let odd = classifier(json!({"num_labels": 1, "sentence_transformers": 3}));
    assert!(error(&odd).contains("sentence_transformers is 3"));
}

#[test]
fn the_longer_text_of_a_pair_is_cut_first() {
    let folder = classifier(json!({}));
    max_length(&folder, 9);
    let model = model(&folder);
    let of = |text: &str, pair: &str| {
        values(&model.classify_with(&[text], Options::new().pairs(&[pair])).unwrap()[0])
    };
    let long = "the cat sat on the mat . the cat";
    assert_eq!(of(long, "the mat"), of("the cat sat on", "the mat"));
    assert_eq!(of("the mat", long), of("the mat", "the cat sat on"));
    let whole = Options::new().truncate(false);
    let error = refusal(model.classify_with(&["the cat", long], whole.clone()));
    assert!(error.contains("texts[1] has 2 tokens more than the 9"), "{error}");
    assert!(model.classify_with(&["the cat"], whole).is_ok());
}
