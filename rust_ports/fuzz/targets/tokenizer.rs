//! Any text as tokenizer.json: ids inside the vocabulary, or an error.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use encoders::Tokenizer;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const CONFIG: &str = r#"{"model_type": "bert", "architectures": ["BertModel"]}"#;
const TEXTS: [&str; 4] = ["the cat", "", "Über café 12", "你好\u{200b} aab"];

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("config.json"), CONFIG).expect("a file");
    folder
});

// A panic that the library catches is no finding, but libFuzzer's hook would end the process;
// without it, one that nobody catches still does.
fuzz_target!(init: drop(std::panic::take_hook()), |content: &str| {
    let folder: &Path = FOLDER.path();
    std::fs::write(folder.join("tokenizer.json"), content).expect("a file");
    let Ok(tokenizer) = Tokenizer::from_pretrained(folder.to_str().expect("a name")) else {
        return;
    };
    if let Ok(ids) = tokenizer.ids(&TEXTS) {
        assert!(ids.iter().all(|text| (1..=512).contains(&text.len())));
    }
});
