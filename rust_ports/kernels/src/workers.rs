//! Work on the threads that the kernels share their tasks out to.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rayon::Yield;

/// How long a thread that finds no task stays awake while a work is under way: one that fell
/// asleep comes late to the next kernel.
const PATIENCE: Duration = Duration::from_micros(200);

/// Which thread does the work: always the same one, for what a thread frees is kept for itself.
const FIRST: usize = 0;

/// Runs `work`, many kernels one after the other, on one of the threads that they share their
/// tasks out to: from any other thread each kernel would wake one up and fall asleep, which
/// with little to compute takes as long as the kernel.
///
/// Only one such work runs there at a time. A thread that waits for a kernel's tasks takes up
/// whatever else it finds, and would begin a second work in the midst of the first, among its
/// locks and with its thread-local state. What comes meanwhile runs where it is.
pub fn among_workers<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static TAKEN: Mutex<()> = Mutex::new(());
    if rayon::current_thread_index().is_some() {
        return work();
    }
    let _guard = match TAKEN.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(guard)) => guard.into_inner(), // it guards nothing
        Err(TryLockError::WouldBlock) => return work(),
    };
    let (work, result) = (Mutex::new(Some(work)), Mutex::new(None));
    let under_way = AtomicBool::new(true);
    rayon::in_place_scope(|scope| {
        scope.spawn_broadcast(|_, thread| match thread.index() {
            FIRST => {
                let _end = End(&under_way);
                let work = work.lock().ok().and_then(|mut work| work.take());
                let done = work.map(|work| work());
                *result.lock().unwrap_or_else(PoisonError::into_inner) = done;
            }
            _ => stay_awake(&under_way),
        });
    });
    let result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.expect("a work that panics does not come here")
}

/// Ends the waiting of the other threads, however a work ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Does tasks as they come, while a work is under way.
fn stay_awake(under_way: &AtomicBool) {
    let mut last = Instant::now();
    while under_way.load(Ordering::Relaxed) && last.elapsed() < PATIENCE {
        match rayon::yield_now() {
            Some(Yield::Executed) => last = Instant::now(),
            _ => hint::spin_loop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use std::thread;

    /// One test, for a second one would be in the midst of it.
    #[test]
    fn one_work_is_among_the_workers_and_others_stay_where_they_are() {
        let here = thread::current().id();
        let work = || (rayon::current_thread_index(), thread::current().id());
        let (inside, meanwhile) = among_workers(|| {
            let nested = among_workers(work);
            assert_eq!(nested, work());
            let other = thread::spawn(move || (among_workers(work), thread::current().id()));
            (nested, other.join().unwrap())
        });
        assert!(inside.0.is_some() && inside.1 != here);
        assert_eq!(meanwhile.0, (None, meanwhile.1));

        // A panic is passed on, and the next work runs there again.
        assert!(catch_unwind(|| among_workers(|| panic!("as wanted"))).is_err());
        assert!(among_workers(work).0.is_some());
    }
}
