//! A recorder of what each operation inside a model gave, under its module path.
//!
//! The recorder belongs to the thread and is off unless [`record`] runs; then each note costs
//! one look at a flag.

use std::cell::{Cell, RefCell};

use candle_core::Tensor;

use crate::weights::Path;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Vec<(String, Tensor)>> = const { RefCell::new(Vec::new()) };
}

/// Whether a recording is under way on this thread.
pub fn on() -> bool {
    ON.get()
}

/// Runs `work` and returns what its operations gave, in order of evaluation.
pub fn record<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<Vec<(String, Tensor)>, E> {
    /// Leaves the thread clean whichever way `work` ends.
    struct Recording;
    impl Drop for Recording {
        fn drop(&mut self) {
            ON.set(false);
        }
    }
    SEEN.take();
    ON.set(true);
    let recording = Recording;
    let result = work();
    drop(recording);
    let seen = SEEN.take();
    result.map(|_| seen)
}

/// Notes what the module at `path` gave, and passes it on.
pub fn note(path: &Path, result: Tensor) -> Tensor {
    if on() && !path.is_root() {
        SEEN.with_borrow_mut(|seen| seen.push((path.to_string(), result.detach())));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn number() -> Tensor {
        Tensor::new(1f32, &Device::Cpu).unwrap()
    }

    #[test]
    fn names_are_paths_and_nothing_outlives_a_recording() {
        let outer = Path::default().under("outer");
        let seen = record(|| -> Result<(), ()> {
            note(&outer.under("inner").under(0), number());
            note(&outer, number());
            note(&Path::default(), number()); // the model as a whole has no name
            Ok(())
        });
        let names: Vec<_> = seen.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["outer.inner.0", "outer"]);
        note(&outer, number());
        assert_eq!(record(|| Err::<(), _>("stopped")).unwrap_err(), "stopped");
        assert!(!on() && record(|| Ok::<_, ()>(())).unwrap().is_empty());
    }
}
