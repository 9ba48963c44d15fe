//! Whole passes on the threads that the kernels share their tasks out to.

use encoders_kernels as kernels;

use crate::inputs::Inputs;
use crate::{dropout, trace};

/// With more tokens than this the change of threads takes no time to speak of, and the memory
/// that other threads keep for themselves is no longer little.
const FEW_TOKENS: usize = 512;

/// Runs `work` with these inputs, on one of those threads if the texts are short: the kernels
/// then need not change threads each time. It stays on this thread while somebody watches that
/// or training drops something in it, which other threads do not know of.
pub fn among_workers<T: Send>(inputs: &Inputs, work: impl FnOnce() -> T + Send) -> T {
    let few = inputs.input_ids.elem_count() <= FEW_TOKENS;
    match few && !trace::on() && !dropout::dropping(1.0) {
        true => kernels::among_workers(work),
        false => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout::{Dropout, training_pass};
    use candle_core::{DType, Device, Tensor};
    use std::thread;

    #[test]
    fn what_belongs_to_a_thread_stays_there() {
        let stay = |tokens: usize| {
            let ids = Tensor::zeros(tokens, DType::I64, &Device::Cpu).unwrap();
            let inputs = Inputs::packed(&ids, &[]);
            among_workers(&inputs, || thread::current().id()) == thread::current().id()
        };
        assert!(stay(FEW_TOKENS + 1));
        let stays = || stay(FEW_TOKENS);
        assert!(!stays());
        trace::watch(|_, _| (), || assert!(stays()));
        training_pass(Some(Dropout { seed: 1, step: 0, batch: 0 }), None, || assert!(stays()));
        assert!(!stays());
    }
}
