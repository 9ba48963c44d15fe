//! The random draws of dropout (Srivastava et al. 2014): the same bits as in the other ports,
//! which take theirs from `NumPy`'s Philox.
//!
//! A forward pass of training belongs to the thread and is under way only while
//! [`training_pass`] runs; outside of it each site costs one look at a flag.

use std::cell::RefCell;

/// Names one forward pass of a run of training, and so all that it drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropout {
    /// Of the run.
    pub seed: u64,
    /// So many steps were taken before.
    pub step: u64,
    /// Its place among the batches whose gradients are added up.
    pub batch: u64,
}

impl Dropout {
    /// 1 where a number of an array of that shape is kept, at the site before which there were
    /// `site` others. Each number has 32 random bits, and is dropped where they lie below the
    /// rate.
    pub fn keep(&self, site: u64, shape: &[usize], rate: f64) -> Vec<u8> {
        let (count, threshold) = (shape.iter().product(), (rate * 4_294_967_296.0) as u64);
        let mut kept = Vec::with_capacity(count + 8);
        for block in 1.. {
            if kept.len() >= count {
                break;
            }
            for word in philox([block, 0, site, self.batch], [self.seed, self.step]) {
                kept.push(u8::from(word & 0xFFFF_FFFF >= threshold));
                kept.push(u8::from(word >> 32 >= threshold));
            }
        }
        kept.truncate(count);
        kept
    }
}

/// Four random words, of a counter and a key: Philox4x64 with ten rounds (Salmon et al. 2011).
fn philox(mut counter: [u64; 4], mut key: [u64; 2]) -> [u64; 4] {
    let wide = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        ((product >> 64) as u64, product as u64)
    };
    for _ in 0..10 {
        let (high, low) = wide(0xD2E7_470E_E14C_6C93, counter[0]);
        let (other_high, other_low) = wide(0xCA5A_8263_9512_1157, counter[2]);
        let (first, third) = (other_high ^ counter[1] ^ key[0], high ^ counter[3] ^ key[1]);
        counter = [first, other_low, third, low];
        key[0] = key[0].wrapping_add(0x9E37_79B9_7F4A_7C15);
        key[1] = key[1].wrapping_add(0xBB67_AE85_84CA_A73B);
    }
    counter
}

/// A forward pass under way.
struct Pass {
    dropout: Dropout,
    /// The cumulative lengths of packed texts.
    cu_seqlens: Option<Vec<usize>>,
    /// So many sites were come by.
    sites: u64,
}

impl Pass {
    fn keep(&mut self, shape: &[usize], rate: f64) -> Vec<u8> {
        let site = self.sites;
        self.sites += 1;
        match &self.cu_seqlens {
            // Tokens in a row: what the same texts would keep in a padded batch.
            Some(ends) if shape.first() == ends.last() => {
                let lengths: Vec<usize> =
                    ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
                let longest = lengths.iter().copied().max().unwrap_or(0);
                let size: usize = shape[1..].iter().product();
                let padded = self.dropout.keep(site, &[lengths.len(), longest, size], rate);
                let texts = padded.chunks((longest * size).max(1)).zip(&lengths);
                texts.flat_map(|(text, length)| &text[..length * size]).copied().collect()
            }
            _ => self.dropout.keep(site, shape, rate),
        }
    }
}

thread_local! {
    static PASS: RefCell<Option<Pass>> = const { RefCell::new(None) };
}

/// Runs `work`, a forward pass in which [`dropout`](crate::layers::dropout) drops, or with None
/// does not; `cu_seqlens` are those of its inputs.
pub fn training_pass<T>(
    dropout: Option<Dropout>,
    cu_seqlens: Option<&[usize]>,
    work: impl FnOnce() -> T,
) -> T {
    /// Leaves the thread as it was whichever way `work` ends.
    struct Before(Option<Pass>);
    impl Drop for Before {
        fn drop(&mut self) {
            PASS.set(self.0.take());
        }
    }
    let cu_seqlens = cu_seqlens.map(<[usize]>::to_vec);
    let pass = dropout.map(|dropout| Pass { dropout, cu_seqlens, sites: 0 });
    let _before = Before(PASS.replace(pass));
    work()
}

/// Whether a site with that rate drops anything. One with the rate 0 does not count as a site.
pub fn dropping(rate: f64) -> bool {
    rate > 0.0 && PASS.with_borrow(Option::is_some)
}

/// 1 for each number of an array of that shape that is kept at the next site of the pass; None
/// where nothing is dropped.
pub fn keep(shape: &[usize], rate: f64) -> Option<Vec<u8>> {
    PASS.with_borrow_mut(|pass| {
        pass.as_mut().filter(|_| rate > 0.0).map(|pass| pass.keep(shape, rate))
    })
}

/// What is kept is multiplied by this, so that sums stay as large as without dropout.
pub fn scale(rate: f64) -> f64 {
    if rate >= 1.0 { 0.0 } else { 1.0 / (1.0 - rate) }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{Dropout, dropping, keep, philox, training_pass};

    #[test]
    fn the_words_are_those_of_numpy() {
        // np.random.Philox(key=[7, 3], counter=[0, 0, 2, 1]).random_raw(8)
        let expected: [u64; 8] = [
            0xE74A_6392_837B_930A,
            0xA6A3_B94D_1718_C9CB,
            0x614E_F979_458E_BF27,
            0xD0F7_ECE2_538B_93B0,
            0xA52D_3A0D_824E_4231,
            0x4351_31F3_8190_4A90,
            0x2155_96AA_C08E_F9E5,
            0xAB85_F5C2_0E6A_1586,
        ];
        assert_eq!(philox([1, 0, 2, 1], [7, 3]), expected[..4]);
        assert_eq!(philox([2, 0, 2, 1], [7, 3]), expected[4..]);
    }

    #[test]
    fn a_packed_row_keeps_what_a_padded_batch_keeps() {
        let dropout = Dropout { seed: 1, step: 0, batch: 0 };
        let (tokens, texts) = training_pass(Some(dropout), Some(&[0, 1, 4]), || {
            (keep(&[4, 5], 0.5).unwrap(), keep(&[2, 5], 0.5).unwrap())
        });
        let padded = dropout.keep(0, &[2, 3, 5], 0.5);
        assert_eq!(tokens, [&padded[..5], &padded[15..]].concat());
        assert_eq!(texts, dropout.keep(1, &[2, 5], 0.5));
    }

    #[test]
    fn nothing_outlives_a_pass() {
        let dropout = Dropout { seed: 1, step: 0, batch: 0 };
        assert!(training_pass(Some(dropout), None, || dropping(0.1) && !dropping(0.0)));
        assert!(!dropping(0.1) && keep(&[3], 0.1).is_none());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            training_pass(Some(dropout), None, || panic!("in the middle"))
        }));
        assert!(caught.is_err() && !dropping(0.1));
    }

    #[test]
    fn the_share_that_is_dropped_is_the_rate() {
        let kept = Dropout { seed: 5, step: 9, batch: 2 }.keep(3, &[100, 1000], 0.1);
        let dropped = kept.iter().filter(|kept| **kept == 0).count();
        assert!((9_700..10_300).contains(&dropped), "{dropped}");
        let all = Dropout { seed: 5, step: 9, batch: 2 }.keep(3, &[100], 1.0);
        assert!(all.iter().all(|kept| *kept == 0));
    }
}
