//! A batch's gradients, and its passes through a model that exposes its layers.

use super::Batch;
use crate::attribution::engine::propagate;
use crate::attribution::model::{Differentiable, Layered};
use crate::attribution::rows::for_each;
use crate::attribution::rules::Gradient;
use crate::attribution::target::Target;
use crate::attribution::trace::{Trace, factors};
use crate::device::{Tensor, upload};
use crate::error::{Error, Result};
use crate::network::{Masks, Network};

impl<M: Differentiable> Batch<'_, M> {
    /// The images as the model takes them, `[n, c, h, w]`.
    pub fn input(&self) -> Tensor<4> {
        match self.layered() {
            Some(layered) => layered.trace().input().clone(),
            None => self.upload(self.pixels()),
        }
    }

    /// The gradient of the target's score with respect to the images, `[n, c, h, w]`.
    ///
    /// # Errors
    /// If the model cannot compute it.
    pub fn gradient(&self) -> Result<&Tensor<4>> {
        if let Some(gradient) = self.passes.gradient.get() {
            return Ok(gradient);
        }
        let gradient = match self.layered() {
            Some(layered) => {
                let trace = layered.trace();
                propagate(trace.steps(), &Gradient, factors(trace, self.targets))
            }
            None => self.gradient_at(self.input(), self.targets)?,
        };
        Ok(self.passes.gradient.get_or_init(|| gradient))
    }

    /// The gradient of the targets' scores at one point `[n, c, h, w]` per image, which is sample
    /// number `sample` of `method`.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn gradient_of_sample(
        &self,
        places: Tensor<4>,
        method: &str,
        sample: usize,
    ) -> Result<Tensor<4>> {
        let Some(layered) = self.layered() else {
            return self.gradient_at(places, self.targets);
        };
        let rows = (0..self.targets.len()).map(|image| (image, sample));
        let trace = Trace::new(&layered.model.layers, places, layered.masks(method, rows));
        let start = factors(&trace, self.targets);
        Ok(propagate(trace.steps(), &Gradient, start))
    }

    /// The gradient of each target with respect to any images `[n, c, h, w]`, as the model takes them.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn gradient_at(&self, images: Tensor<4>, targets: &[Target]) -> Result<Tensor<4>> {
        let outputs: Vec<usize> = targets.iter().map(|target| target.output()).collect();
        let is_difference = |target: &Target| matches!(target, Target::Difference(..));
        if !targets.iter().any(is_difference) {
            return self.gradient_of_outputs(images, &outputs);
        }
        let first = self.gradient_of_outputs(images.clone(), &outputs)?;
        let last = |target: &Target| target.parts().last().map_or(0, |(output, _)| output);
        let lasts: Vec<usize> = targets.iter().map(last).collect();
        let second = self.gradient_of_outputs(images, &lasts)?;
        // The second output of a target that has only one does not count.
        let factors = targets
            .iter()
            .map(|target| f32::from(u8::from(is_difference(target))));
        let factors = upload(factors.collect(), [targets.len(), 1, 1, 1], &first.device());
        Ok(first - second * factors)
    }

    fn gradient_of_outputs(&self, images: Tensor<4>, targets: &[usize]) -> Result<Tensor<4>> {
        let shape = images.dims();
        let gradient = self.model.gradient(images, targets)?;
        if gradient.dims() == shape {
            Ok(gradient)
        } else {
            Err(Error::invalid(format!(
                "the model's gradient is {:?} for images {shape:?}; it should have their shape",
                gradient.dims()
            )))
        }
    }
}

impl<'a, M: Layered> Batch<'a, M> {
    /// The model's forward pass of the images.
    pub fn trace(&self) -> &Trace<'a> {
        (self.passes.trace).get_or_init(|| self.trace_of(self.model.network()))
    }

    /// The forward pass of the images through another `network`, with the masks of [`trace`](Self::trace).
    pub(in crate::attribution) fn trace_of<'b>(&self, network: &'b Network) -> Trace<'b> {
        let masks = self.masks("image", (0..self.targets.len()).map(|image| (image, 0)));
        Trace::new(&network.layers, self.upload(self.pixels()), masks)
    }

    /// The model's forward pass of the baseline: one for all images, or one for each, which is the
    /// case if dropout is active.
    pub fn baseline(&self) -> &Trace<'a> {
        (self.baseline.trace).get_or_init(|| {
            let images = self.targets.len();
            // Altered images share this pass, so it does not depend on the repetition.
            let masks = self.masks_of("baseline", (0..images).map(|image| (image, 0)), "");
            let x = self.upload(self.baseline_pixels());
            let x = if masks.is_some() {
                for_each(&x, images)
            } else {
                x
            };
            Trace::new(&self.model.network().layers, x, masks)
        })
    }

    /// The masks of a pass called `pass`, if the network's dropout is
    /// [active](Network::with_active_dropout). `rows` gives for each row the image of the batch and
    /// the number of this image's row in such passes.
    pub(in crate::attribution) fn masks(
        &self,
        pass: &str,
        rows: impl Iterator<Item = (usize, usize)>,
    ) -> Option<Masks> {
        self.masks_of(pass, rows, &self.repeat)
    }

    /// As [`masks`](Self::masks), for this repetition.
    fn masks_of(
        &self,
        pass: &str,
        rows: impl Iterator<Item = (usize, usize)>,
        repeat: &str,
    ) -> Option<Masks> {
        let network = self.model.network();
        network.active_dropout()?;
        let rows: Vec<_> = rows.collect();
        network.masks(rows.len(), |row| {
            let (image, number) = rows[row];
            format!("{pass}/{}/{number}{repeat}", self.index[image])
        })
    }

    /// The input of layer `index` for the images minus that for the baseline: `[n, c, h, w]`. For
    /// index 0, the images minus the baseline.
    pub fn difference(&self, index: usize) -> Tensor<4> {
        self.trace().activation(index).clone() - self.baseline_activation(index)
    }

    /// The input of layer `index` for the baseline, repeated for each image.
    pub fn baseline_activation(&self, index: usize) -> Tensor<4> {
        for_each(self.baseline().activation(index), self.targets.len())
    }

    /// The target's score of each image at the position of the target, and 0 elsewhere:
    /// `[n, classes, 1, 1]`.
    pub fn target_scores(&self) -> Tensor<4> {
        let trace = self.trace();
        trace.output().clone() * factors(trace, self.targets)
    }
}
