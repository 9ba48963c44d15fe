//! From logits to probabilities, in f64: small ones keep their digits as logarithms.

use std::cmp::Ordering;

/// The logarithm of [`softmax`].
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let total: f64 = logits.iter().map(|logit| (*logit as f64 - largest).exp()).sum();
    let whole = total.ln() + largest;
    logits.iter().map(|logit| *logit as f64 - whole).collect()
}

/// Probabilities that sum to one; the largest is taken off first, so that none overflows.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let raised: Vec<f64> = logits.iter().map(|logit| (*logit as f64 - largest).exp()).collect();
    let total: f64 = raised.iter().sum();
    raised.into_iter().map(|one| one / total).collect()
}

/// The probability of each by itself, from e^-|x|, which never overflows.
pub fn sigmoid(logits: &[f32]) -> Vec<f64> {
    let one = |logit: &f32| {
        let small = (-(*logit as f64).abs()).exp();
        (if *logit < 0.0 { small } else { 1.0 }) / (1.0 + small)
    };
    logits.iter().map(one).collect()
}

/// The places of the `count` highest scores, best first; of equal ones the first comes first.
pub fn best_first(scores: &[f64], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    let order =
        |a: &usize, b: &usize| -> Ordering { scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)) };
    if count < places.len() {
        places.select_nth_unstable_by(count, order);
        places.truncate(count);
    }
    places.sort_unstable_by(order);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_logits_do_not_overflow() {
        assert_eq!(softmax(&[1e30, 1e30]), [0.5, 0.5]);
        assert_eq!(sigmoid(&[1e30, -1e30, 0.0]), [1.0, 0.0, 0.5]);
        let small = log_softmax(&[0.0, 1000.0])[0];
        assert_eq!(small, -1000.0);
        assert!((log_softmax(&[0.0, 1.0])[1] + (1.0 + (-1f64).exp()).ln()).abs() < 1e-15);
    }

    #[test]
    fn the_best_come_first_and_of_equal_ones_the_first() {
        let scores = [1.0, 3.0, 2.0, 3.0, f64::NEG_INFINITY];
        assert_eq!(best_first(&scores, 9), [1, 3, 2, 0, 4]);
        assert_eq!(best_first(&scores, 3), [1, 3, 2]);
        assert_eq!(best_first(&scores, 1), [1]);
        assert!(best_first(&[], 2).is_empty());
    }
}
