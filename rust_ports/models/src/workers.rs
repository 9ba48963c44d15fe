//! Whole passes on the threads that the kernels share their tasks out to.

use encoders_kernels as kernels;

use crate::{dropout, trace};

/// Runs `work` on one of those threads, which is quicker where texts are short: the kernels
/// then need not change threads each time. It stays on this thread while somebody watches that
/// or training drops something in it, which other threads do not know of.
pub fn among_workers<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match trace::on() || dropout::dropping(1.0) {
        true => work(),
        false => kernels::among_workers(work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout::{Dropout, training_pass};
    use std::thread;

    #[test]
    fn what_belongs_to_a_thread_stays_there() {
        let stays = || among_workers(|| thread::current().id()) == thread::current().id();
        assert!(!stays());
        trace::watch(|_, _| (), || assert!(stays()));
        training_pass(Some(Dropout { seed: 1, step: 0, batch: 0 }), None, || assert!(stays()));
        assert!(!stays());
    }
}
