//! An experiment with its benchmark, without their types.

use std::marker::PhantomData;
use std::path::Path;

use serde_json::Value as Json;

use super::benchmark::Benchmark;
use super::context::Context;
use super::run::Run;
use crate::error::Result;
use crate::sweep::declare::analysis::Analysis;
use crate::sweep::declare::{Point, Spec, Value};
use crate::sweep::read::results_in;

/// What the engine asks of an experiment and its benchmark before and after its cells are computed.
///
/// The engine knows them only by this trait. It is therefore compiled once, in this crate, and not
/// again with every experiment.
pub trait Study: Sync {
    /// The design.
    fn spec(&self) -> Spec;

    /// [`Run::FIT_VERSION`] and [`Run::TEST_VERSION`].
    fn versions(&self) -> [u32; 2];

    /// Panics if a value of the point does not fit its parameter's type.
    fn check(&self, point: &Point);

    /// The benchmark of a cell.
    ///
    /// # Errors
    /// As [`Run::benchmark`].
    fn benchmark_at(&self, point: &Point) -> Result<CellBenchmark>;

    /// [`Benchmark::NAME`].
    fn benchmark_name(&self) -> &'static str;

    /// As [`Benchmark::explained`].
    fn explained(&self) -> usize;

    /// As [`Benchmark::one_space`].
    fn one_space(&self) -> bool;

    /// As [`Benchmark::about`].
    fn about(&self) -> Vec<(String, String)>;

    /// As [`Benchmark::absent`].
    fn absent(&self, parameter: &str, value: &Value) -> Option<String>;

    /// As [`Benchmark::unused`], for the cells at these points.
    fn unused(&self, points: &[Point]) -> Option<String>;

    /// As [`Benchmark::prepare`].
    ///
    /// # Errors
    /// As there.
    fn prepare(&self, context: &Context) -> Result<()>;

    /// As [`Run::analysis`], of the results in a run's folder.
    ///
    /// # Errors
    /// As there, or if the results cannot be read.
    fn analysis(&self, folder: &Path, analysis: &mut Analysis) -> Result<()>;
}

/// What the engine knows of the benchmark of a cell.
pub struct CellBenchmark {
    /// [`Benchmark::identity`].
    pub identity: Json,
    /// [`Benchmark::classes`].
    pub classes: Vec<String>,
    /// [`Benchmark::explained`].
    pub explained: usize,
}

/// An experiment with the benchmark of a run.
pub struct Opened<R: Run> {
    pub(crate) benchmark: R::Benchmark,
    of: PhantomData<fn() -> R>,
}

impl<R: Run> Opened<R> {
    /// The experiment on this benchmark.
    pub fn new(benchmark: R::Benchmark) -> Self {
        Self {
            benchmark,
            of: PhantomData,
        }
    }
}

impl<R: Run> Study for Opened<R> {
    fn spec(&self) -> Spec {
        R::spec()
    }

    fn versions(&self) -> [u32; 2] {
        [R::FIT_VERSION, R::TEST_VERSION]
    }

    fn check(&self, point: &Point) {
        drop(R::at(point));
    }

    fn benchmark_at(&self, point: &Point) -> Result<CellBenchmark> {
        let benchmark = R::at(point).benchmark(&self.benchmark)?;
        Ok(CellBenchmark {
            identity: benchmark.identity(),
            classes: benchmark.classes(),
            explained: benchmark.explained(),
        })
    }

    fn benchmark_name(&self) -> &'static str {
        R::Benchmark::NAME
    }

    fn explained(&self) -> usize {
        self.benchmark.explained()
    }

    fn one_space(&self) -> bool {
        self.benchmark.one_space()
    }

    fn about(&self) -> Vec<(String, String)> {
        self.benchmark.about()
    }

    fn absent(&self, parameter: &str, value: &Value) -> Option<String> {
        self.benchmark.absent(parameter, value)
    }

    fn unused(&self, points: &[Point]) -> Option<String> {
        // A cell whose benchmark cannot be made says so itself.
        let benchmark = |point| R::at(point).benchmark(&self.benchmark).ok();
        self.benchmark
            .unused(&mut points.iter().filter_map(benchmark))
    }

    fn prepare(&self, context: &Context) -> Result<()> {
        self.benchmark.prepare(context)
    }

    fn analysis(&self, folder: &Path, analysis: &mut Analysis) -> Result<()> {
        R::analysis(&results_in(folder)?, analysis)
    }
}
