//! Any text as config.json: a configuration or an error.
#![no_main]

use encoders::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &str| {
    if let Err(error) = Config::from_json(content) {
        assert!(!error.to_string().is_empty());
    }
});
