//! What the labels of tokens say: which tag a label belongs to, where in a span it may stand;
//! and the best sequence of them that is a legal one.

/// The label of what is no span.
const OUTSIDE: &str = "O";

/// The part of a span that a label names: BIO has the first two, BIOES all four; BILOU writes
/// the last two (for "last" and "unit") in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Begin,
    Inside,
    End,
    Single,
}

/// The labels of a model, read.
///
/// `B-x` and `I-x` are parts of the tag x, as Transformers reads them. Where there are such
/// labels, `E-x` and `S-x`, or `L-x` and `U-x`, are parts too. `O` is no tag. Every other label
/// is a tag by itself, and tokens beside one another that have it are one span; so is the tag
/// of a model that has no more than `I-x`.
#[derive(Debug)]
pub(crate) struct Tags {
    /// The labels as they are.
    pub labels: Vec<String>,
    /// The tag of each; None of one that is outside of spans.
    pub tags: Vec<Option<String>>,
    parts: Vec<Part>,
    /// Whether a sequence may begin with the label, and end with it.
    begins: Vec<bool>,
    ends: Vec<bool>,
}

impl Tags {
    pub fn new(labels: Vec<String>) -> Self {
        let prefixed = labels.iter().any(|label| {
            let rest = label.strip_prefix("B-").or(label.strip_prefix("I-"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('\n'))
        });
        let (parts, tags): (Vec<Part>, Vec<Option<String>>) =
            labels.iter().map(|label| read(label, prefixed)).unzip();
        let has = |label: usize, wanted: &[Part]| {
            let mut alike = parts.iter().zip(&tags).filter(|(_, tag)| **tag == tags[label]);
            alike.any(|(part, _)| wanted.contains(part))
        };
        let begins = |label: usize| match parts[label] {
            _ if tags[label].is_none() => true,
            Part::Begin | Part::Single => true,
            _ => !has(label, &[Part::Begin, Part::Single]),
        };
        let ends = |label: usize| match parts[label] {
            _ if tags[label].is_none() => true,
            Part::End | Part::Single => true,
            Part::Begin => !has(label, &[Part::Single]),
            Part::Inside => !has(label, &[Part::End]),
        };
        let all = 0..labels.len();
        let (begins, ends) = (all.clone().map(begins).collect(), all.map(ends).collect());
        Self { labels, tags, parts, begins, ends }
    }

    /// Whether the second label continues the span that the first is in.
    pub fn goes_on(&self, label: usize, following: usize) -> bool {
        self.tags[label].is_some()
            && self.tags[label] == self.tags[following]
            && matches!(self.parts[label], Part::Begin | Part::Inside)
            && matches!(self.parts[following], Part::Inside | Part::End)
    }

    fn legal(&self, label: usize, following: usize) -> bool {
        (self.ends[label] && self.begins[following]) || self.goes_on(label, following)
    }

    /// The label of each row of probabilities, so that their product is the greatest that a
    /// legal sequence has (Viterbi 1967).
    ///
    /// A span begins with B or S and ends with E or S, or, of a tag that has no such labels,
    /// with what there is; so there is always one.
    pub fn best_path(&self, rows: &[Vec<f64>]) -> Vec<usize> {
        let labels = self.labels.len();
        let allowed = |score: f64, legal: bool| if legal { score } else { f64::NEG_INFINITY };
        let mut reached = vec![0.0; labels];
        let mut came_from: Vec<Vec<usize>> = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let step = |label: usize| match place {
                0 => (label, allowed(0.0, self.begins[label])),
                _ => {
                    let through = |from: usize| allowed(reached[from], self.legal(from, label));
                    first_best((0..labels).map(through))
                }
            };
            let steps: Vec<(usize, f64)> = (0..labels).map(step).collect();
            let score = |label: usize| steps[label].1 + row[label].max(f64::MIN_POSITIVE).ln();
            reached = (0..labels).map(score).collect();
            came_from.push(steps.into_iter().map(|(from, _)| from).collect());
        }
        let last = (0..labels).map(|label| allowed(reached[label], self.ends[label]));
        let mut label = first_best(last).0;
        let mut path: Vec<usize> = Vec::with_capacity(rows.len());
        for from in came_from.iter().rev() {
            path.push(label);
            label = from[label];
        }
        path.reverse();
        path
    }
}

/// The place of the greatest number, of equal ones the first, and that number.
pub(crate) fn first_best(numbers: impl Iterator<Item = f64>) -> (usize, f64) {
    let start = (0, f64::NEG_INFINITY);
    let better = |best: (usize, f64), (place, number): (usize, f64)| {
        if number > best.1 { (place, number) } else { best }
    };
    numbers.enumerate().fold(start, better)
}

fn read(label: &str, prefixed: bool) -> (Part, Option<String>) {
    if label == OUTSIDE {
        return (Part::Single, None);
    }
    let alone = (Part::Inside, Some(label.to_string()));
    let Some((prefix, tag)) =
        label.split_once('-').filter(|(_, tag)| prefixed && !tag.is_empty())
    else {
        return alone;
    };
    let part = match prefix {
        "B" => Part::Begin,
        "I" => Part::Inside,
        "E" | "L" => Part::End,
        "S" | "U" => Part::Single,
        _ => return alone,
    };
    (part, Some(tag.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(labels: &[&str]) -> Tags {
        Tags::new(labels.iter().map(|label| label.to_string()).collect())
    }

    #[test]
    fn labels_are_parts_of_tags() {
        let bio = tags(&["O", "B-x", "I-x", "B-y", "E-x", "thing"]);
        let named: Vec<_> = bio.tags.iter().map(|tag| tag.as_deref()).collect();
        assert_eq!(named, [None, Some("x"), Some("x"), Some("y"), Some("x"), Some("thing")]);
        assert!(bio.goes_on(1, 2) && bio.goes_on(2, 4) && bio.goes_on(5, 5));
        assert!(!bio.goes_on(1, 1) && !bio.goes_on(3, 2) && !bio.goes_on(0, 0));
        let plain = tags(&["E-x", "S-x"]);
        assert_eq!(plain.tags[0].as_deref(), Some("E-x"));
    }

    #[test]
    fn the_best_path_is_a_legal_one() {
        let row = |numbers: &[f64]| numbers.to_vec();
        let bio = tags(&["O", "B-x", "I-x"]);
        let rows = [row(&[0.5, 0.1, 0.4]), row(&[0.2, 0.2, 0.6])];
        assert_eq!(bio.best_path(&rows), [0, 0]); // .10; [1, 2] has .06, and [2, 2] is none
        let rows = [row(&[0.3, 0.3, 0.4]), row(&[0.1, 0.2, 0.7])];
        assert_eq!(bio.best_path(&rows), [1, 2]);
        let bioes = tags(&["O", "B-x", "I-x", "E-x", "S-x"]);
        let rows = [row(&[0.1, 0.6, 0.1, 0.1, 0.1]), row(&[0.6, 0.1, 0.1, 0.15, 0.05])];
        assert_eq!(bioes.best_path(&rows), [1, 3]); // .09; [1, 0] is none, [0, 0] has .06
        assert!(bioes.best_path(&[]).is_empty());
    }
}
