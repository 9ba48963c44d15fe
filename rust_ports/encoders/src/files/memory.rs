//! Files in memory, under the names that they would have on a disk: whoever calls puts them
//! there. A folder is there as long as something is in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use encoders_models::{Result, checkpoint_error};

type Files = BTreeMap<PathBuf, Rc<Vec<u8>>>;

thread_local! {
    static FILES: RefCell<Files> = const { RefCell::new(Files::new()) };
}

/// Puts a file there, in place of the one that had its name.
pub fn put(path: &Path, content: Vec<u8>) {
    FILES.with_borrow_mut(|files| files.insert(path.to_path_buf(), Rc::new(content)));
}

/// Takes a file away.
pub fn take(path: &Path) -> Option<Vec<u8>> {
    FILES.with_borrow_mut(|files| files.remove(path)).map(Rc::unwrap_or_clone)
}

/// Whether anything has that name.
pub(crate) fn is_there(path: &Path) -> bool {
    is_file(path) || is_folder(path)
}

/// Whether a file has that name.
pub(crate) fn is_file(path: &Path) -> bool {
    FILES.with_borrow(|files| files.contains_key(path))
}

/// Whether a folder has that name.
pub(crate) fn is_folder(path: &Path) -> bool {
    FILES.with_borrow(|files| files.keys().any(|file| file != path && file.starts_with(path)))
}

/// The names of the files in a folder.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let name = |file: &PathBuf| {
        let inside = file.strip_prefix(folder).ok()?;
        inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned())
    };
    FILES.with_borrow(|files| files.keys().filter_map(name).collect())
}

/// The content of a text file.
pub fn read_text(path: &Path) -> Result<String> {
    let unreadable =
        |problem: &str| checkpoint_error!("{} cannot be read: {problem}", path.display());
    let content = bytes(path).map_err(|problem| unreadable(&problem.to_string()))?;
    let text =
        std::str::from_utf8(&content).map_err(|problem| unreadable(&problem.to_string()));
    text.map(str::to_string)
}

/// The content of a file.
pub(crate) fn bytes(path: &Path) -> io::Result<impl Deref<Target = [u8]> + use<>> {
    let shared = FILES.with_borrow(|files| files.get(path).cloned());
    shared.map(Shared).ok_or_else(|| io::ErrorKind::NotFound.into())
}

struct Shared(Rc<Vec<u8>>);

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
