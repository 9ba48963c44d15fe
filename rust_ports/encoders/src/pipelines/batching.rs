//! Many texts, a row at a time: those of similar length together.

/// How many tokens are packed into one row: enough to keep all cores busy, little enough for
/// their caches.
pub(crate) const TOKENS_A_ROW: usize = 2048;
/// So many texts are tokenized and sorted by length at a time: enough for full rows of like
/// length, and some hundred megabytes at the most.
pub(crate) const TEXTS_AT_ONCE: usize = 4096;

/// The numbers of the texts in rows, longest texts first: at most `most` texts and, but for a
/// single one, `tokens` tokens a row.
pub(crate) fn rows(lengths: &[usize], most: usize, tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|text| std::cmp::Reverse(lengths[*text]));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut held = 0;
    for text in order {
        held += lengths[text];
        match rows.last_mut() {
            Some(row) if row.len() < most && held <= tokens => row.push(text),
            _ => {
                rows.push(vec![text]);
                held = lengths[text];
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_texts_of_like_length() {
        assert_eq!(rows(&[3, 9, 4, 3], 9, 7), [vec![1], vec![2, 0], vec![3]]);
        assert_eq!(rows(&[2, 2, 2], 2, 100), [vec![0, 1], vec![2]]);
        assert_eq!(rows(&[], 2, 100), Vec::<Vec<usize>>::new());
    }
}
