//! Groups of numbers as whole numbers and a scale.

/// So many numbers share a scale.
pub const GROUP: usize = 32;

/// The largest whole number.
const MOST: f32 = 127.0;
/// A group whose numbers are all smaller is zero: they are smaller than what their products
/// could be told from, and one over them may be infinite.
const LEAST: f32 = 128.0 * f32::MIN_POSITIVE;
/// Added to a number that is much smaller, it leaves no room for digits after the point: what
/// is rounded, half to even, are the lowest bits of the sum.
const SHIFT: f32 = 1.5 * (1 << 23) as f32;

/// A row in groups; the last is filled up with zeros.
#[inline(always)]
pub fn in_groups(row: &[f32]) -> impl Iterator<Item = [f32; GROUP]> {
    let (whole, rest) = row.as_chunks::<GROUP>();
    let rest = (!rest.is_empty()).then(|| {
        let mut group = [0.0; GROUP];
        group[..rest.len()].copy_from_slice(rest);
        group
    });
    whole.iter().copied().chain(rest)
}

/// The whole numbers that, times the scale, are nearest to the group. With a NaN or an infinity
/// in it, the scale is one too.
#[inline(always)]
pub fn round(group: &[f32; GROUP]) -> ([i8; GROUP], f32) {
    // The bits of numbers above zero are in the order of these, and NaN's come last.
    let mut most = [0; GROUP / 2];
    for half in group.as_chunks::<{ GROUP / 2 }>().0 {
        for (most, number) in most.iter_mut().zip(half) {
            *most = (*most).max(number.to_bits() & (u32::MAX >> 1));
        }
    }
    let largest = f32::from_bits(most.into_iter().fold(0, u32::max));
    if largest < LEAST {
        return ([0; GROUP], 0.0);
    }
    let over = MOST / largest;
    let mut whole = [0; GROUP];
    for (whole, number) in whole.iter_mut().zip(group) {
        *whole = (number * over + SHIFT).to_bits() as i8;
    }
    (whole, largest / MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(numbers: &[f32]) -> (Vec<i8>, f32) {
        let group = in_groups(numbers).next().unwrap();
        let (whole, scale) = round(&group);
        (whole[..numbers.len()].to_vec(), scale)
    }

    #[test]
    fn the_largest_is_127_and_halves_go_to_even() {
        assert_eq!(
            rounded(&[-254.0, 127.0, 3.0, 5.0, 7.0, -1.0, 0.9]),
            (vec![-127, 64, 2, 2, 4, 0, 0], 2.0)
        );
        assert_eq!(rounded(&[0.0, 1e-37]), (vec![0, 0], 0.0));
        assert_eq!(rounded(&[f32::MAX, f32::MIN]).0, [127, -127]);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for odd in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (whole, scale) = rounded(&[1.0, odd, -2.0]);
            assert!(!scale.is_finite());
            assert!(whole.iter().all(|number| !(f32::from(*number) * scale).is_finite()));
        }
    }

    #[test]
    fn a_row_ends_with_zeros() {
        let groups: Vec<_> = in_groups(&[1.0; GROUP + 3]).collect();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[1].iter().sum::<f32>(), 3.0);
        assert_eq!(in_groups(&[1.0; GROUP]).count(), 1);
    }
}
