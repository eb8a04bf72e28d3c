//! The laboratory: a context with the benchmark's images.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::benchmark::Benchmark;
use super::context::{BUDGET, Context};
use crate::dataset::{Dataset, Split};
use crate::device::DeviceChoice;
use crate::error::Result;
use crate::key::Key;
use crate::sweep::declare::Scale;
use crate::sweep::keep::Store;
use crate::sweep::watch::Reporter;
use crate::training::Examples;

/// Everything a cell can use: the [`Context`] of its run (device, stages, progress, random streams)
/// and the images of its benchmark. A benchmark adds its own functions in an `impl Lab<…>`.
///
/// Cheap to clone. Each cell has its own.
#[derive(Clone)]
pub struct Lab<B> {
    context: Context,
    benchmark: B,
}

impl<B> Deref for Lab<B> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl<B: Benchmark> Lab<B> {
    /// A laboratory outside of a sweep, for other programs and for tests. Its stages are in `out`.
    /// The benchmark has its default options.
    ///
    /// # Errors
    /// If the device is not available, or the benchmark cannot be opened.
    pub fn open(scale: Scale, device: DeviceChoice, out: &Path) -> Result<Self> {
        Self::of(B::open(&B::Args::default(), scale)?, scale, device, out)
    }

    /// Like [`open`](Self::open), for a benchmark that is already open.
    ///
    /// # Errors
    /// If the device is not available.
    pub fn of(benchmark: B, scale: Scale, device: DeviceChoice, out: &Path) -> Result<Self> {
        let reporter = Reporter::new(true, false);
        let store = Store::new(out, "lab");
        let context = Context::open(scale, &device.into(), BUDGET, 1, store, reporter)?;
        Ok(Self { context, benchmark })
    }

    /// A laboratory with this context and this benchmark.
    pub(crate) fn new(context: Context, benchmark: B) -> Self {
        Self { context, benchmark }
    }

    /// The benchmark of this cell.
    pub fn benchmark(&self) -> &B {
        &self.benchmark
    }

    /// The same laboratory with another benchmark.
    #[must_use]
    pub fn with_benchmark(&self, benchmark: B) -> Self {
        Self {
            benchmark,
            ..self.clone()
        }
    }

    /// The context, which does not depend on the benchmark.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The training images. They stay in memory while there is room.
    ///
    /// # Errors
    /// As [`Benchmark::split`].
    pub fn train(&self) -> Result<Arc<Dataset>> {
        self.dataset(Split::Train)
    }

    /// The images that select checkpoints and hyperparameters. They stay in memory while there is room.
    ///
    /// # Errors
    /// As [`Benchmark::split`].
    pub fn validation(&self) -> Result<Arc<Dataset>> {
        self.dataset(Split::Validation)
    }

    /// The images of a split on the host.
    pub(crate) fn dataset(&self, which: Split) -> Result<Arc<Dataset>> {
        let name = self.name_of(which)?;
        self.shared(&name, || self.benchmark.split(which, &self.context))
    }

    /// The images of a split on the device of this laboratory.
    ///
    /// # Errors
    /// As [`Benchmark::split`].
    pub fn examples(&self, which: Split) -> Result<Arc<Examples>> {
        let name = self.name_of(which)?;
        self.shared(&name, || {
            // Only test images are also needed on the host, to be explained.
            let dataset = match which {
                Split::Test => self.dataset(which)?,
                _ => Arc::new(self.benchmark.split(which, &self.context)?),
            };
            Ok(Examples::of(&dataset, self.device()))
        })
    }

    /// The name of a split's images in memory.
    fn name_of(&self, which: Split) -> Result<String> {
        let identity = json!([B::NAME, self.benchmark.identity_of_images(which)]);
        Ok(format!("{which} {}", Key::of(&identity)?))
    }
}
