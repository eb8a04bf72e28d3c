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
/// Values are written behind the role, in parentheses: nothing for all levels of a `#[derive(Level)]` enum; an
/// array, a range of integers or any other expression that gives values; or a closure whose parameters are named
/// as what it depends on: fields declared earlier, or `scale`.
///
/// | Option | Meaning |
/// |---|---|
/// | `select(max = \|v\| v.accuracy)` or `min` | how tuned values are chosen |
/// | `skip("why", \|corpus, depth\| ..)` | leaves out the cells where this is true |
/// | `zip(a, b)` | these parameters step together instead of being crossed |
#[proc_macro_attribute]
pub fn experiment(options: TokenStream, item: TokenStream) -> TokenStream {
    experiment::experiment(options.into(), item.into()).into()
}

/// Explains images with a panel of methods.
///
/// `explain!(model = .., input = .., methods = [..])` gives a `Result` of a struct with a field a method, called by
/// the method's type in snake case. With `score = Metric` it gives the scores instead and keeps no maps.
/// `target` defaults to the input's classes, `baseline` to zeros; `model` may be left out if no method needs one.
#[proc_macro]
pub fn explain(input: TokenStream) -> TokenStream {
    explain::explain(input.into()).into()
}

/// Makes the variants of an enum the levels of a factor, called in snake case or as `#[level("name")]` says.
#[proc_macro_derive(Level, attributes(level))]
pub fn level(item: TokenStream) -> TokenStream {
    level::level(item.into()).into()
}
