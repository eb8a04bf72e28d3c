//! Forward and backward passes, in memory that is allocated once.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::lanes::{self, LANES, Lane, PARTS};
use super::program::{Operation, Program};
use super::rows::Rows;

/// Pixels of the images side by side that are read together.
const BLOCK: usize = 64;

/// The result of a pass over images.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub correct: usize,
    /// The sum of the cross-entropies.
    pub loss: f64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.correct += other.correct;
        self.loss += other.loss;
    }
}

/// The memory for passes through a program.
pub(super) struct Passes {
    /// The input of each operation, and at the end the output.
    values: Vec<Vec<Lane>>,
    /// The gradients of all these values.
    flows: Vec<Vec<Lane>>,
    /// The factors of each dropout. Empty for other operations.
    masks: Vec<Vec<Lane>>,
    /// The gradient of each parameter, in partial sums.
    partial: Vec<[f32; PARTS]>,
    gradients: Vec<f32>,
    /// Room for one number per value of a layer.
    powers: Vec<f64>,
}

impl Passes {
    pub fn new(program: &Program) -> Self {
        let memory = || {
            program
                .sizes
                .iter()
                .map(|&size| vec![[0.0; LANES]; size])
                .collect()
        };
        Self {
            values: memory(),
            flows: memory(),
            masks: (program.operations.iter().zip(&program.sizes))
                .map(|(operation, &size)| match operation {
                    Operation::Dropout(_) => vec![[1.0; LANES]; size],
                    _ => Vec::new(),
                })
                .collect(),
            partial: vec![[0.0; PARTS]; program.parameters],
            gradients: vec![0.0; program.parameters],
            powers: vec![0.0; program.sizes.iter().copied().max().unwrap_or(0)],
        }
    }

    /// The gradients of the last [`step`](Self::step).
    pub fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// Draws which values the dropouts silence for the next images. Without a generator, none are
    /// silenced.
    fn draw_masks(&mut self, program: &Program, random: Option<&mut ChaCha8Rng>) {
        let Some(random) = random else {
            self.masks
                .iter_mut()
                .flatten()
                .for_each(|mask| *mask = [1.0; LANES]);
            return;
        };
        for (operation, masks) in program.operations.iter().zip(&mut self.masks) {
            if let Operation::Dropout(rate) = operation {
                let kept = (1.0 / (1.0 - rate)) as f32;
                for value in masks.iter_mut().flatten() {
                    *value = if f64::from(random.random::<f32>()) < *rate {
                        0.0
                    } else {
                        kept
                    };
                }
            }
        }
    }

    /// A forward and backward pass of the images with these numbers. Dropout draws from `random`.
    pub fn step(
        &mut self,
        program: &Program,
        parameters: &[f32],
        images: Rows<'_>,
        batch: &[usize],
        random: &mut ChaCha8Rng,
    ) -> Counts {
        self.partial.fill([0.0; PARTS]);
        let mut counts = Counts::default();
        for numbers in batch.chunks(LANES) {
            self.draw_masks(program, Some(&mut *random));
            self.forward(program, parameters, images, numbers);
            counts.add(self.loss(images, numbers, Some(batch.len())));
            self.back(program, parameters);
        }
        for (gradient, parts) in self.gradients.iter_mut().zip(&self.partial) {
            *gradient = parts.iter().sum();
        }
        counts
    }

    /// A forward pass only. Dropout is off unless a generator is given.
    pub fn evaluate(
        &mut self,
        program: &Program,
        parameters: &[f32],
        images: Rows<'_>,
        batch: &[usize],
        mut random: Option<&mut ChaCha8Rng>,
    ) -> Counts {
        let mut counts = Counts::default();
        for numbers in batch.chunks(LANES) {
            self.draw_masks(program, random.as_deref_mut());
            self.forward(program, parameters, images, numbers);
            counts.add(self.loss(images, numbers, None));
        }
        counts
    }

    fn forward(
        &mut self,
        program: &Program,
        parameters: &[f32],
        images: Rows<'_>,
        numbers: &[usize],
    ) {
        // Pixel by pixel, each image would write to as many cache lines as it has pixels. These are too many for the
        // nearest cache at 64 x 64.
        let pixels = program.sizes[0];
        for (block, values) in self.values[0].chunks_mut(BLOCK).enumerate() {
            for (lane, &number) in numbers.iter().enumerate() {
                let image = &images.pixels[number * pixels + block * BLOCK..][..values.len()];
                for (value, &pixel) in values.iter_mut().zip(image) {
                    value[lane] = pixel;
                }
            }
        }
        // The lanes beyond the last images hold earlier images. They are ignored.
        for (at, operation) in program.operations.iter().enumerate() {
            let (before, after) = self.values.split_at_mut(at + 1);
            let (x, y) = (&before[at], &mut after[0]);
            match operation {
                Operation::Affine { forward, .. } => lanes::affine(forward, parameters, x, y),
                Operation::Relu => lanes::relu(x, y),
                Operation::MaxPool { windows } => lanes::max_pool(windows, x, y),
                Operation::Softmax => lanes::softmax(x, y, &mut self.powers[..x.len()]),
                Operation::Dropout(_) => lanes::masked(x, &self.masks[at], y),
            }
        }
    }

    /// The cross-entropy of each image. With a batch size, also the gradient of the batch's mean at
    /// the output.
    fn loss(&mut self, images: Rows<'_>, numbers: &[usize], batch: Option<usize>) -> Counts {
        let last = self.values.len() - 1;
        let (logits, flow) = (&self.values[last], &mut self.flows[last]);
        let mut counts = Counts::default();
        if batch.is_some() {
            flow.iter_mut().for_each(|flow| *flow = [0.0; LANES]);
        }
        for (lane, &number) in numbers.iter().enumerate() {
            let class = images.class[number] as usize;
            let largest = lanes::largest(logits, lane);
            let of = |k: usize| f64::from(logits[k][lane]);
            let sum = lanes::powers(logits.len(), &mut self.powers, |k| of(k) - of(largest));
            counts.correct += usize::from(largest == class);
            counts.loss += sum.ln() + of(largest) - of(class);
            if let Some(batch) = batch {
                for (k, (flow, power)) in flow.iter_mut().zip(&self.powers).enumerate() {
                    let wanted = f64::from(u8::from(k == class));
                    flow[lane] = ((power / sum - wanted) / batch as f64) as f32;
                }
            }
        }
        counts
    }

    fn back(&mut self, program: &Program, parameters: &[f32]) {
        for (at, operation) in program.operations.iter().enumerate().rev() {
            let (before, after) = self.flows.split_at_mut(at + 1);
            let (down, g) = (&mut before[at], &after[0]);
            let (x, y) = (&self.values[at], &self.values[at + 1]);
            match operation {
                Operation::Affine { forward, back } => {
                    lanes::parameter_gradients(forward, x, g, &mut self.partial);
                    if !back.ends.is_empty() {
                        lanes::affine(back, parameters, g, down);
                    }
                }
                Operation::Relu => lanes::relu_back(y, g, down),
                Operation::MaxPool { windows } => lanes::max_pool_back(windows, x, y, g, down),
                Operation::Softmax => lanes::softmax_back(y, g, down),
                Operation::Dropout(_) => lanes::masked(g, &self.masks[at], down),
            }
        }
    }
}
