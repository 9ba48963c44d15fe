//! What each operation inside a model gave, under its module path, seen as soon as it has.
//!
//! Who watches belongs to the thread; without [`watch`] or [`record`] each note costs one look
//! at a flag.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;

use candle_core::Tensor;

use crate::weights::Path;

type Look = Box<dyn FnMut(&str, &Tensor)>;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static LOOK: RefCell<Option<Look>> = const { RefCell::new(None) };
}

/// Whether somebody watches this thread.
pub fn on() -> bool {
    ON.get()
}

/// Lets `look` see what each operation of `work` gives, in order of evaluation. What `look`
/// itself computes is not seen.
///
/// ```
/// # use candle_core::{Device, Result, Tensor};
/// # use encoders_models::{trace, weights::Path};
/// # fn main() -> Result<()> {
/// # let (path, x) = (Path::default().under("dense"), Tensor::new(1f32, &Device::Cpu)?);
/// let shapes = |path: &str, tensor: &Tensor| println!("{path} {:?}", tensor.dims());
/// let output = trace::watch(shapes, || trace::note(&path, x)); // or network.forward(…)
/// # Ok(())
/// # }
/// ```
pub fn watch<T>(look: impl FnMut(&str, &Tensor) + 'static, work: impl FnOnce() -> T) -> T {
    let _watching = Watching::begin(Some(Box::new(look)));
    work()
}

/// Runs `work` and returns what its operations gave, in order of evaluation.
pub fn record<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<Vec<(String, Tensor)>, E> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&seen);
    let keep = move |path: &str, tensor: &Tensor| {
        kept.borrow_mut().push((path.to_string(), tensor.detach()));
    };
    watch(keep, work).map(|_| seen.take())
}

/// Notes what the module at `path` gave, and passes it on.
pub fn note(path: &Path, result: Tensor) -> Tensor {
    if on() && !path.is_root() {
        let mut away = Watching::begin(None);
        if let Some(look) = &mut away.before {
            look(&path.to_string(), &result);
        }
    }
    result
}

/// Somebody watches, or nobody; whoever did before does again when this ends, however it ends.
struct Watching {
    before: Option<Look>,
}

impl Watching {
    fn begin(look: Option<Look>) -> Self {
        ON.set(look.is_some());
        Self { before: LOOK.with_borrow_mut(|now| mem::replace(now, look)) }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        ON.set(self.before.is_some());
        LOOK.set(self.before.take());
    }
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

    #[test]
    fn who_watches_is_told_at_once_and_gives_way_to_who_watches_inside() {
        let path = Path::default().under("module");
        let told = Rc::new(RefCell::new(Vec::new()));
        let tell = |who: &'static str| {
            let (told, own) = (Rc::clone(&told), Path::default().under("own"));
            move |path: &str, _: &Tensor| {
                note(&own, number()); // what is computed while looking is not looked at
                told.borrow_mut().push(format!("{who} {path}"));
            }
        };
        watch(tell("outer"), || {
            note(&path, number());
            assert_eq!(*told.borrow(), ["outer module"]);
            watch(tell("inner"), || note(&path, number()));
            note(&path, number());
        });
        assert_eq!(*told.borrow(), ["outer module", "inner module", "outer module"]);
        assert!(!on());
    }
}
