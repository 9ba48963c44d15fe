//! Files on a disk.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use encoders_models::{Result, checkpoint_error};
use memmap2::Mmap;

/// The largest tokenizer.json there is has a tenth of it; a larger file is a mistake, or a
/// trap.
const MOST_BYTES: u64 = 1 << 28;

/// Whether anything has that name, be it a link that leads nowhere.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether a file has that name.
pub(crate) fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether a folder has that name.
pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// The names of what is in a folder; none where it cannot be read.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The content of a text file. A pipe would never end, and neither would /dev/zero: only a file
/// is read, or a link to one.
pub fn read_text(path: &Path) -> Result<String> {
    let unreadable =
        |problem: String| checkpoint_error!("{} cannot be read: {problem}", path.display());
    let known = path.metadata().map_err(|problem| unreadable(problem.to_string()))?;
    if !known.is_file() {
        return Err(unreadable("it is no file but a folder, a pipe or a device".into()));
    }
    let mut text = String::new();
    let read =
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text));
    match read.map_err(|problem| unreadable(problem.to_string()))? as u64 {
        length if length > MOST_BYTES => {
            Err(unreadable(format!("it is larger than {} MiB", MOST_BYTES >> 20)))
        }
        _ => Ok(text),
    }
}

/// The content of a large file: mapped, not read.
pub(crate) fn bytes(path: &Path) -> io::Result<impl Deref<Target = [u8]>> {
    let file = File::open(path)?;
    // SAFETY: as long as nobody writes into the file until its tensors are copied, which
    // whoever is at work on a checkpoint must not do under the feet of its reader.
    unsafe { Mmap::map(&file) }
}
