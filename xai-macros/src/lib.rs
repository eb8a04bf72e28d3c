//! The macros of the DSL: `#[experiment]`, `explain!` and `#[derive(Level)]`.
//!
//! Each goes parse -> check -> expand. Mistakes are gathered and reported together, each at the token
//! that is wrong. The macros emit data and one trait impl; behaviour is in `xai-core`, which re-exports
//! them, and whose hidden module `__private` holds all that an expansion names.

mod errors;
mod experiment;
mod explain;
mod level;
mod names;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a struct the design of an experiment: a field a parameter, each with a role.
///
/// | Attribute of a field | The parameter is |
/// |---|---|
/// | `#[axis]` | a factor that is reported |
/// | `#[tune]` | a hyperparameter: searched, then selected by validation |
/// | `#[seed]` | a replicate |
///
/// Values are written behind the role, in parentheses:
///
/// | Values | Meaning |
/// |---|---|
/// | nothing | all levels of a `#[derive(Level)]` enum |
/// | `[a, b, c]`, a `Vec`, a slice | these |
/// | `0..3`, `1..=4` | a range of integers |
/// | `log(1e-4..=1e-2, 5)`, `linear(0.1..=0.3, 3)` | so many floats, both ends among them |
/// | `3` | of a `#[seed]`: so many, from 0 on |
/// | `\|corpus, scale\| ..` | any of these for each value of what the closure's parameters name: fields declared earlier, or the scale of the run. Each branch of an `if` or `match` is a set of its own |
///
/// Options stand in the parentheses of `#[experiment(..)]`:
///
/// | Option | Meaning |
/// |---|---|
/// | `select(max = \|v\| v.accuracy)` or `min` | how tuned values are chosen |
/// | `select(closest = 0.89, by = \|v\| v.accuracy)` | the same, closest to a number |
/// | `skip("why", \|corpus, depth\| ..)` | leaves out the cells where this is true |
/// | `zip(a, b)` | these parameters step together instead of being crossed |
/// | `snapshot = smoke` | a test that runs this scale and holds the table by insta, which must be a dev-dependency |
/// | `crate = path` | where xai-core is, if not at `::xai_core` |
///
/// ```
/// use xai_core::experiment::{Experiment, Plan};
/// use xai_core::prelude::*;
///
/// /// What depends on how much is fine-tuned?
/// #[experiment(
///     select(max = |v| v.accuracy),
///     skip("too deep for the small network", |depth, width| depth == Depth::All && width == 8),
/// )]
/// struct Widths {
///     #[axis([Depth::Conv1, Depth::All])]
///     depth: Depth,
///     #[axis([8, 16])]
///     width: usize,
///     #[tune(|depth| if depth == Depth::All { log(1e-4..=1e-2, 3) } else { [0.01] })]
///     rate: f64,
///     #[seed(|scale| scale.pick(1, 2, 3))]
///     seed: u64,
/// }
///
/// let plan = Plan::new(&Widths::spec(), Scale::Desk)?;
/// assert_eq!(plan.cells.len(), (2 * 1 + 3) * 2);
/// let first = Widths::at(&plan.cells[0]);
/// assert_eq!((first.width, first.rate, first.seed), (8, 0.01, 0));
/// # Ok::<(), Error>(())
/// ```
#[proc_macro_attribute]
pub fn experiment(options: TokenStream, item: TokenStream) -> TokenStream {
    experiment::experiment(options.into(), item.into()).into()
}

/// Explains images with a panel of methods.
///
/// `explain!(model = .., input = .., methods = [..])` gives a `Result` of a struct with a field a method, called by
/// the method's type in snake case. With `score = Metric` it gives the scores instead and keeps no maps.
/// `target` defaults to the input's classes; `model` may be left out if no method needs one; `crate = path` says where
/// xai-core is.
///
/// ```
/// use ndarray::Array3;
/// use xai_core::prelude::*;
///
/// let images = Images::grey(Array3::ones((2, 8, 8)), vec![0, 1]);
/// let maps = explain!(input = images, methods = [Sobel, Intensity])?;
/// assert_eq!(maps.sobel.values.dim(), (2, 1, 8, 8));
/// assert_eq!(maps.intensity.method, "intensity");
/// # Ok::<(), Error>(())
/// ```
#[proc_macro]
pub fn explain(input: TokenStream) -> TokenStream {
    explain::explain(input.into()).into()
}

/// Makes the variants of an enum the levels of a factor, called in snake case or as `#[level("name")]` says.
///
/// `#[level(crate = path)]` on the enum says where xai-core is.
///
/// ```
/// use xai_core::prelude::*;
///
/// #[derive(Clone, Level)]
/// enum Noise {
///     RicianNoise,
///     #[level("3T")]
///     Scanner,
/// }
///
/// let names: Vec<_> = Noise::LEVELS.iter().map(Level::name).collect();
/// assert_eq!(names, ["rician_noise", "3T"]);
/// ```
#[proc_macro_derive(Level, attributes(level))]
pub fn level(item: TokenStream) -> TokenStream {
    level::level(item.into()).into()
}
