//! The macros of the DSL: `#[experiment]`, `explain!` and `#[derive(Level)]`.
//!
//! Each goes parse -> check -> expand. Mistakes are gathered and reported together, each at the token
//! that is wrong. The macros emit data and one trait impl; behaviour is in `xai-core`, which re-exports
//! them, and whose hidden module `__private` holds all that an expansion names. Their docs are in `docs/`, where the
//! tests of `xai-core` find the examples.

mod errors;
mod experiment;
mod explain;
mod level;
mod names;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

#[doc = include_str!("../docs/experiment.md")]
#[proc_macro_attribute]
pub fn experiment(options: TokenStream, item: TokenStream) -> TokenStream {
    experiment::experiment(options.into(), item.into()).into()
}

#[doc = include_str!("../docs/explain.md")]
#[proc_macro]
pub fn explain(input: TokenStream) -> TokenStream {
    explain::explain(input.into()).into()
}

#[doc = include_str!("../docs/level.md")]
#[proc_macro_derive(Level, attributes(level))]
pub fn level(item: TokenStream) -> TokenStream {
    level::level(item.into()).into()
}
