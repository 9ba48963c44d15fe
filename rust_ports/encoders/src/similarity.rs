//! How alike two vectors are.

use std::str::FromStr;

use candle_core::{D, Device, Tensor};
use encoders_models::pooling::normalize;
use encoders_models::{Error, Result, config_error, input_error};

/// What two vectors are compared by; more is more alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Similarity {
    /// The cosine of the angle between them.
    Cosine,
    /// The sum of the products of their numbers.
    Dot,
    /// The length of the straight line between them, with a minus.
    Euclidean,
    /// The sum of the differences of their numbers, with a minus.
    Manhattan,
}

/// By the names that checkpoints have for them.
const NAMES: [(&str, Similarity); 4] = [
    ("cosine", Similarity::Cosine),
    ("dot", Similarity::Dot),
    ("euclidean", Similarity::Euclidean),
    ("manhattan", Similarity::Manhattan),
];

impl FromStr for Similarity {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = NAMES.iter().find(|(known, _)| *known == name);
        named.map(|(_, similarity)| *similarity).ok_or_else(|| {
            let known = NAMES.map(|(known, _)| known).join(", ");
            config_error!("similarity_fn_name is {name:.80?}; supported: {known}")
        })
    }
}

impl Similarity {
    /// Every vector compared with every reference: `[vectors, references]`.
    ///
    /// ```
    /// use encoders::Similarity;
    ///
    /// let vectors = [vec![1.0, 0.0]];
    /// let references = [vec![2.0, 0.0], vec![0.0, 2.0]];
    /// assert_eq!(Similarity::Cosine.scores(&vectors, &references)?, [[1.0, 0.0]]);
    /// assert_eq!(Similarity::Dot.scores(&vectors, &references)?, [[2.0, 0.0]]);
    /// assert_eq!(Similarity::Manhattan.scores(&vectors, &references)?, [[-1.0, -3.0]]);
    /// # Ok::<(), encoders::Error>(())
    /// ```
    pub fn scores(
        self,
        vectors: &[Vec<f32>],
        references: &[Vec<f32>],
    ) -> Result<Vec<Vec<f32>>> {
        let size = vectors.iter().chain(references).next().map_or(0, Vec::len);
        if let Some(other) = vectors.iter().chain(references).find(|one| one.len() != size) {
            return Err(input_error!(
                "the vectors have {size} numbers and {}; all must have equally many",
                other.len()
            ));
        }
        if vectors.is_empty() || references.is_empty() || size == 0 {
            return Ok(vec![vec![0.0; references.len()]; vectors.len()]);
        }
        let [left, right] = [vectors, references].map(|side| table(side, size));
        let (left, right) = (left?, right?);
        let scores = match self {
            Self::Cosine => normalize(&left, 1e-12)?.matmul(&normalize(&right, 1e-12)?.t()?)?,
            Self::Dot => left.matmul(&right.t()?)?,
            Self::Euclidean => apart(&left, &right, |differences| {
                Ok(differences.sqr()?.sum(D::Minus1)?.sqrt()?)
            })?,
            Self::Manhattan => {
                apart(&left, &right, |differences| Ok(differences.abs()?.sum(D::Minus1)?))?
            }
        };
        Ok(scores.to_vec2()?)
    }
}

fn table(vectors: &[Vec<f32>], size: usize) -> Result<Tensor> {
    Ok(Tensor::from_vec(vectors.concat(), (vectors.len(), size), &Device::Cpu)?)
}

/// The distances with a minus; a row at a time, which takes no more memory than the vectors.
fn apart(
    left: &Tensor,
    right: &Tensor,
    length: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let rows = (0..left.dim(0)?).map(|row| {
        let differences = right.broadcast_sub(&left.narrow(0, row, 1)?)?;
        Ok(length(&differences)?.neg()?)
    });
    Ok(Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, 0)?)
}
