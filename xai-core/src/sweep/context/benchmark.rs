//! The interface between the engine and a benchmark.

use serde_json::Value as Json;

use super::context::Context;
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::sweep::declare::{Scale, Value};

/// Data with ground truth. This is all that a sweep needs to know about it.
///
/// A benchmark is cheap to clone. An experiment may vary it from cell to cell
/// ([`Run::benchmark`](super::Run::benchmark)). The [`identity`](Self::identity) of the variant is
/// part of the cell's key.
pub trait Benchmark: Clone + Send + Sync + 'static {
    /// The name in snake case, for keys, plan and report.
    const NAME: &'static str;

    /// The benchmark's own options on the command line; [`NoArgs`] if it has none.
    type Args: clap::Args + Clone + Default;

    /// Opens the benchmark. Unusable files must fail here or in [`prepare`](Self::prepare), before
    /// any cell runs.
    ///
    /// # Errors
    /// If the options, or the files that they name, cannot be used.
    fn open(args: &Self::Args, scale: Scale) -> Result<Self>;

    /// Everything that determines a fit apart from the experiment's own values: settings,
    /// fingerprints of files, variant.
    fn identity(&self) -> Json;

    /// The part of the [`identity`](Self::identity) that determines the images of a split. Cells with
    /// the same value share these images in memory. By default, the whole identity.
    fn identity_of_images(&self, which: Split) -> Json {
        let _ = which;
        self.identity()
    }

    /// The names of the classes, in the order of their numbers.
    fn classes(&self) -> Vec<String>;

    /// The images of a split. They must depend on the benchmark's identity alone.
    ///
    /// # Errors
    /// If they cannot be read or made.
    fn split(&self, which: Split, context: &Context) -> Result<Dataset>;

    /// Checks inputs that would otherwise fail in every cell.
    ///
    /// # Errors
    /// If a file cannot be used.
    fn prepare(&self, context: &Context) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// The maximum number of test images that are explained. If there are more, evenly spaced ones
    /// are taken.
    fn explained(&self) -> usize {
        usize::MAX
    }

    /// The reason why a value of a parameter is not in the plan of this run, such as "no --weights
    /// were given". `None` if it is in the plan.
    fn absent(&self, parameter: &str, value: &Value) -> Option<String> {
        let _ = (parameter, value);
        None
    }

    /// A warning if a file or folder was given that no cell of the plan uses. `cells` are the benchmarks of the cells. `None`
    /// if everything is used.
    fn unused(&self, cells: &mut dyn Iterator<Item = Self>) -> Option<String> {
        let _ = cells;
        None
    }

    /// Whether a pixel is the same place in all images, as in slices on a common grid. The report then also
    /// shows the mean of a network's maps.
    fn one_space(&self) -> bool {
        false
    }

    /// Lines about the benchmark for the plan and the report, such as
    /// `("data", "/scans: 40 subjects")`.
    fn about(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// No options.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct NoArgs {}
