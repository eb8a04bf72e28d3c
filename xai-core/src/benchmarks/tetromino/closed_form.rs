//! What is known without training: the best accuracy that a model can have, and the optimal linear
//! model.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, ArrayView2, Axis};
use statrs::distribution::{ContinuousCDF, FisherSnedecor, Normal};

use super::mixture::best_of_placements;
use super::{Background, Scenario, Size, Tetromino};
use crate::dataset::Dataset;
use crate::error::{Error, Result};

impl Tetromino {
    /// The accuracy of the best possible classifier (Bayes) in white noise.
    ///
    /// The signal of a tetromino is shifted normal noise. Let p = Phi(alpha / (1 - alpha) side /
    /// sqrt 2) be the probability of telling two signs or two tetrominoes apart. The best accuracy
    /// of the linear scenario is p. For XOR, which requires telling two signs, it is p^2 + (1 -
    /// p)^2. Multiplied noise is recognised by the ratio of its squares over four pixels. For cells
    /// of one pixel, the best accuracy is that of an F distribution with 4 and 4 degrees of freedom
    /// at 1 / (1 - alpha)^2. Moving tetrominoes have no closed form. Of 8 x 8 pixels, their images are simulated. `None`
    /// for other noise, and for multiplied noise and moving tetrominoes of 64 x 64 pixels.
    pub fn best_accuracy(&self) -> Option<f64> {
        if self.background != Background::White {
            return None;
        }
        let (alpha, side) = (
            self.scenario.alpha(self.background, self.size),
            self.size.side() as f64,
        );
        let ratio = alpha / (1.0 - alpha);
        let p = Normal::standard().cdf(ratio * side / 2f64.sqrt());
        match self.scenario {
            Scenario::Linear => Some(p),
            Scenario::Xor => Some(p * p + (1.0 - p) * (1.0 - p)),
            Scenario::Multiplicative if self.size == Size::Eight => {
                let squares = FisherSnedecor::new(4.0, 4.0).ok()?;
                Some(squares.cdf((1.0 - alpha).powi(-2)))
            }
            // A pattern's norm is that of four pixels, and the noise's that of all.
            Scenario::TranslationsRotations if self.size == Size::Eight => {
                Some(best_of_placements(ratio * side / 2.0, self.defects))
            }
            _ => None,
        }
    }
}

/// The linear discriminant of two classes (Fisher 1936). It is the best linear classifier if the
/// classes differ in their mean but not in their covariance.
#[derive(Clone, Debug)]
pub struct LinearDiscriminant {
    /// `[h, w]`: the inverse of the within-class covariance S times the difference of the means.
    pub weights: Array2<f64>,
    /// `[h, w]`: S times the weights. This is the difference between the classes (Haufe et al.
    /// 2014).
    pub pattern: Array2<f64>,
    /// An image has class 1 if its product with the weights is above this.
    pub threshold: f64,
}

impl LinearDiscriminant {
    /// Fits the discriminant to images with one channel. `ridge` is added to the diagonal of the
    /// covariance.
    ///
    /// # Errors
    /// If a class has no images, or the covariance has no inverse.
    pub fn fit(train: &Dataset, ridge: f64) -> Result<Self> {
        let (n, _, h, w) = train.images().dim();
        let pixels = h * w;
        let rows: Vec<DVector<f64>> = (train.images().axis_iter(Axis(0)))
            .map(|image| {
                DVector::from_iterator(pixels, image.iter().map(|&value| f64::from(value)))
            })
            .collect();
        let mean = |class: u8| {
            let of_class = rows
                .iter()
                .zip(train.class())
                .filter(|(_, other)| **other == class);
            let (sum, count) = of_class
                .fold((DVector::zeros(pixels), 0), |(sum, count), (row, _)| {
                    (sum + row, count + 1)
                });
            (count > 0).then(|| sum / f64::from(count))
        };
        let (Some(zero), Some(one)) = (mean(0), mean(1)) else {
            return Err(Error::invalid(
                "a linear discriminant needs images of both classes",
            ));
        };
        let mut covariance = DMatrix::zeros(pixels, pixels);
        for (row, &class) in rows.iter().zip(train.class()) {
            let centred = row - if class == 0 { &zero } else { &one };
            covariance.ger(1.0 / n as f64, &centred, &centred, 1.0);
        }
        let mut ridged = covariance.clone();
        for at in 0..pixels {
            ridged[(at, at)] += ridge;
        }
        let solved = ridged
            .cholesky()
            .map(|factors| factors.solve(&(&one - &zero)));
        let weights = solved.ok_or_else(|| {
            Error::invalid("the covariance of the images has no inverse; add a ridge")
        })?;
        let pattern = &covariance * &weights;
        let grid = |vector: &DVector<f64>| {
            Array2::from_shape_vec((h, w), vector.iter().copied().collect()).map_err(Error::invalid)
        };
        Ok(Self {
            threshold: weights.dot(&((zero + one) / 2.0)),
            pattern: grid(&pattern)?,
            weights: grid(&weights)?,
        })
    }

    /// The class of an image `[h, w]`.
    pub fn class(&self, image: ArrayView2<f32>) -> u8 {
        let score: f64 = image
            .iter()
            .zip(&self.weights)
            .map(|(&pixel, weight)| f64::from(pixel) * weight)
            .sum();
        u8::from(score > self.threshold)
    }
}
