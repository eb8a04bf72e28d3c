//! Does the explanation change with the class and with what the network has learned?

use rand::Rng;

use super::{Explained, Measure};
use crate::attribution::batch::Batch;
use crate::attribution::model::Predict;
use crate::attribution::target::Target;
use crate::error::Result;
use crate::metrics::randomisation::{cascade, similarities};
use crate::network::Network;

/// How similar the attribution of the image's class is to that of a random other class (Sixt et al.
/// 2020), as Spearman's rank correlation of absolute values. Closer to 0 is better: a map that is
/// the same for every class does not explain the class. A model of one output has none.
///
/// Sixt et al. compare by SSIM, Quantus by a choice of functions. The rank correlation is that of
/// [`Mprt`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RandomLogit {
    /// The seed of the draws. With two classes, there is nothing to draw.
    pub seed: u64,
}

impl<M: Predict> Measure<M> for RandomLogit {
    fn name(&self) -> &'static str {
        "random_logit"
    }

    fn values(
        &self,
        batch: &Batch<'_, M>,
        explained: &Explained<'_, M>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let classes = batch.class_scores_of(0, batch.pixels())?.dim().1;
        if classes < 2 {
            return explained.each(|_| Ok(vec![None; batch.targets().len()]));
        }
        let other = |(image, target): (usize, &Target)| {
            let mut random = batch.stream(self.seed, "random_logit", image, 0);
            let drawn = random.random_range(0..classes as u32 - 1) as usize;
            Target::Output(drawn + usize::from(drawn >= target.output())) // all but the target
        };
        let others: Vec<Target> = batch.targets().iter().enumerate().map(other).collect();
        let of_others = batch.anew(batch.model(), &others);
        explained.each(|method| {
            let now = explained.again(method, &of_others)?;
            similarities(explained.attributions[method].view(), now.view())
        })
    }
}

/// The model parameter randomisation test (Adebayo et al. 2018): how similar the attribution is to
/// that of the network with random parameters, as Spearman's rank correlation of absolute values.
/// Closer to 0 is better: a map that stays the same does not explain what was learned.
///
/// [`cascade`] draws the parameters. Each network costs one more explanation by every method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mprt {
    /// Which networks are compared.
    pub randomised: Randomised,
    /// The seed of the parameters.
    pub seed: u64,
}

/// The networks of [`Mprt`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Randomised {
    /// One network, with random parameters in all layers.
    #[default]
    AllLayers,
    /// The mean over networks with random parameters in the last layer, in the last two, and so on up to all
    /// layers, as Quantus's `return_average_correlation`.
    LayerByLayer,
}

impl Measure<Network> for Mprt {
    fn name(&self) -> &'static str {
        "mprt"
    }

    fn values(
        &self,
        batch: &Batch<'_, Network>,
        explained: &Explained<'_, Network>,
    ) -> Result<Vec<Vec<Option<f64>>>> {
        let networks = cascade(batch.model(), self.seed);
        let networks: Vec<Network> = match self.randomised {
            Randomised::AllLayers => networks.last().into_iter().collect(),
            Randomised::LayerByLayer => networks.collect(),
        };
        let count = networks.len() as f64;
        // A network without parameters cannot be randomised.
        let start = (count > 0.0).then_some(0.0);
        let mut means = vec![vec![start; batch.targets().len()]; explained.len()];
        for network in &networks {
            let randomised = batch.anew(network, batch.targets());
            for (method, means) in means.iter_mut().enumerate() {
                let now = explained.again(method, &randomised)?;
                let alike = similarities(explained.attributions[method].view(), now.view())?;
                for (mean, alike) in means.iter_mut().zip(alike) {
                    *mean = mean.zip(alike).map(|(mean, alike)| mean + alike / count);
                }
            }
        }
        Ok(means)
    }
}
