//! The macros of the DSL: `#[experiment]`, `explain!` and `#[derive(Level)]`.
//!
//! Each macro parses, checks and expands. Mistakes are collected and reported together, each at the
//! token that is wrong. The macros emit data and one trait impl. All behaviour is in `xai-core`,
//! which re-exports the macros. Its hidden module `__private` holds every name that an expansion
//! uses. The docs of the macros are in `docs/`, where the tests of `xai-core` run their examples.

#![warn(missing_docs)]

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
