//! Any bytes as model.safetensors: tensors or an error.
#![no_main]

use std::sync::LazyLock;

use candle_core::Device;
use encoders::checkpoint::read_tensors;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

fuzz_target!(|content: &[u8]| {
    let folder = FOLDER.path();
    std::fs::write(folder.join("model.safetensors"), content).expect("a file");
    if let Ok(tensors) = read_tensors(folder, &Device::Cpu) {
        // Nothing comes out that did not go in: four bytes a number at least two bytes each.
        let numbers: usize = tensors.values().map(|tensor| tensor.elem_count()).sum();
        assert!(2 * numbers <= content.len(), "{numbers} numbers in {} bytes", content.len());
    }
});
