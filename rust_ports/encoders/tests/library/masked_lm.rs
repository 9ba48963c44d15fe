//! Words for masks.

use candle_core::Device;
use encoders::masked_lm::{Filled, Options};
use encoders::{Error, MaskedLM};
use serde_json::json;
use tempfile::TempDir;

use crate::headed::{WORDS, beside, folder, max_length, path};

fn model(folder: &TempDir) -> MaskedLM {
    MaskedLM::from_pretrained(path(folder), &Device::Cpu).unwrap()
}

fn bert() -> TempDir {
    folder("BertForMaskedLM", json!({}))
}

fn refused(found: encoders::Result<Vec<Vec<Vec<Filled>>>>, part: &str) {
    match found {
        Err(Error::Input(text)) => assert!(text.contains(part), "{part:?} is not in {text:?}"),
        other => panic!("{part}: {other:?}"),
    }
}

fn probability(candidates: &[Filled], token: &str) -> f64 {
    candidates.iter().find(|filled| filled.token == token).unwrap().probability
}

#[test]
fn every_mask_gets_its_likeliest_tokens() {
    let folder = bert();
    let model = model(&folder);
    assert_eq!(model.tokenizer().mask_token().as_deref(), Some("[MASK]"));
    let texts = ["The [MASK] sat on the [MASK].", "[MASK]"];
    let found = model.fill(&texts).unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert!(found.iter().flatten().all(|candidates| candidates.len() == 5));
    for candidates in found.iter().flatten() {
        let falling = candidates.windows(2).all(|two| two[0].probability >= two[1].probability);
        assert!(falling && candidates.iter().all(|one| WORDS.contains(&one.token.as_str())));
    }
    let all = model.fill_with(&texts, Options::new().top_k(99)).unwrap();
    let candidates = &all[0][0];
    assert_eq!(candidates.len(), WORDS.len()); // and no row without a word
    let total: f64 = candidates.iter().map(|one| one.probability).sum();
    assert!(total > 0.5 && total < 1.0, "{total}");
    let text = |token: &str| {
        candidates.iter().find(|one| one.token == token).map(|one| one.text.as_str())
    };
    assert_eq!(text("cat"), Some("The cat sat on the [MASK]."));
    assert_eq!(text("##s"), Some("Thes sat on the [MASK]."));
}

#[test]
fn neighbours_and_batches_change_nothing() {
    let folder = bert();
    let model = model(&folder);
    let texts = ["[MASK] sat.", "the cat sat on the [MASK] on the mat.", "a [MASK]"];
    let whole = model.fill(&texts).unwrap();
    for size in [1, 2] {
        let found = model.fill_with(&texts, Options::new().batch_size(size)).unwrap();
        for (a, b) in found.iter().flatten().flatten().zip(whole.iter().flatten().flatten()) {
            assert_eq!((&a.token, &a.text), (&b.token, &b.text));
            assert!((a.probability - b.probability).abs() < 1e-6);
        }
    }
    assert!(model.fill::<&str>(&[]).unwrap().is_empty());
}

#[test]
fn targets_are_the_only_words_asked_for() {
    let folder = bert();
    let model = model(&folder);
    let asked = |text: &str, targets: &[&str]| {
        let options = Options::new().targets(targets);
        model.fill_with(&[text], options).unwrap().remove(0).remove(0)
    };
    let text = "the [MASK] sat";
    let all = model.fill_with(&[text], Options::new().top_k(99)).unwrap();
    let found = asked(text, &["mat", "cat"]);
    assert_eq!(found.len(), 2);
    for target in ["mat", "cat"] {
        let whole = probability(&all[0][0], target);
        assert!((probability(&found, target) - whole).abs() < 1e-6 * whole);
    }
    assert!(found[0].probability >= found[1].probability);
    // Two tokens stand at two masks, from left to right.
    let found = asked(text, &["cats"]);
    let any = |text: &str| {
        model.fill_with(&[text], Options::new().top_k(99)).unwrap().remove(0).remove(0)
    };
    let first = probability(&any("the [MASK][MASK] sat"), "cat");
    let second = probability(&any("the cat[MASK] sat"), "##s");
    assert!((found[0].probability - first * second).abs() < 1e-5 * first * second);
    assert_eq!(found[0].text, "the cats sat");
    assert_eq!(asked("the cat[MASK]", &["s"])[0].text, "the cats");
    let best = model.fill_with(&[text], Options::new().targets(&["mat", "cat"]).top_k(1));
    assert_eq!(best.unwrap()[0][0].len(), 1);
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let folder = bert();
    max_length(&folder, 6);
    let model = model(&folder);
    let options = Options::new;
    let with = |text: &str, options: Options| model.fill_with(&[text], options);
    refused(model.fill(&["the cat"]), "texts[0], \"the cat\", has no mask; this tokenizer");
    refused(model.fill(&["[MASK]", "a"]), "texts[1]");
    let long = "the cat sat on [MASK] the [MASK]";
    refused(model.fill(&[long]), "has 2 times [MASK], 2 of them beyond the 6 tokens");
    assert_eq!(model.fill(&["[MASK] the cat sat on the mat"]).unwrap()[0].len(), 1);
    let long = "[MASK] the cat sat on the mat";
    refused(with(long, options().truncate(false)), "texts[0] has 3 tokens more than the 6");
    let wide = options().targets(&["cats"]).truncate(false);
    refused(with("[MASK] cat sat on", wide), "texts[0] has 1 tokens more than the 6");
    refused(with("[MASK]", options().top_k(0)), "top_k is 0");
    refused(with("[MASK]", options().batch_size(0)), "batch_size is 0");
    refused(with("[MASK]", options().targets::<&str>(&[])), "targets is empty");
    refused(
        with("[MASK]", options().targets(&["cat", "dog"])),
        "targets[1], \"dog\", is not in",
    );
    refused(with("[MASK]", options().targets(&[" "])), "targets[0] is \" \"");
    refused(with("[MASK]", options().targets(&["[MASK]"])), "holds the mask");
    let room = with("the cat sat [MASK]", options().targets(&["cats"]));
    refused(room, "texts[0] has no room for a target of 2 tokens");
}

#[test]
fn what_has_no_head_or_no_mask_is_refused() {
    let encoder = crate::headed::folder("BertModel", json!({}));
    let error = MaskedLM::from_pretrained(path(&encoder), &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("is missing"), "{error}");
    let folder = bert();
    beside(&folder, "tokenizer_config.json", json!({"mask_token": null}));
    match model(&folder).fill(&["the cat"]) {
        Err(Error::Checkpoint(_)) | Err(Error::Input(_)) => {}
        other => panic!("{other:?}"),
    }
}
