//! A recorder of what each operation inside a model gave, under its module path.
//!
//! The recorder belongs to the thread and is off unless [`record`] runs; then each call below
//! costs one look at a flag.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use candle_core::Tensor;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static PATH: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
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
            PATH.take();
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

/// A module that evaluation is inside of, until this is dropped.
pub struct Module(bool);

/// Enters the module `name`, as seen from the one that evaluation is in already.
pub fn enter(name: impl Display) -> Module {
    let entered = on();
    if entered {
        PATH.with_borrow_mut(|path| path.push(name.to_string()));
    }
    Module(entered)
}

/// Evaluates `work` inside the module `name`.
pub fn within<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let _module = enter(name);
    work()
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.0 {
            PATH.with_borrow_mut(Vec::pop);
        }
    }
}

/// Notes what the operation `name` of the current module gave, and passes it on; an empty name
/// stands for the module itself.
pub fn note(name: &str, result: Tensor) -> Tensor {
    if on() {
        let mut parts = PATH.with_borrow(Vec::clone);
        parts.extend((!name.is_empty()).then(|| name.to_string()));
        SEEN.with_borrow_mut(|seen| seen.push((parts.join("."), result.detach())));
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
        let seen = record(|| -> Result<(), ()> {
            let _outer = enter("outer");
            within("inner", || note("operation", number()));
            note("", number());
            Ok(())
        });
        let names: Vec<_> = seen.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["outer.inner.operation", "outer"]);
        note("ignored", number());
        assert_eq!(record(|| Err::<(), _>("stopped")).unwrap_err(), "stopped");
        assert!(!on() && record(|| Ok::<_, ()>(())).unwrap().is_empty());
    }
}
