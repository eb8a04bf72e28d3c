//! The macros of the DSL: `#[experiment]`, `explain!` and `#[derive(Level)]`.
//!
//! Each macro parses, checks and expands. Mistakes are collected and reported together, each at the
//! token that is wrong. The macros emit data and one trait impl. All behaviour is in `xai-core`,
//! which re-exports the macros. Its hidden module `__private` holds every name that an expansion
//! uses. The docs of the macros are in `docs/`, where the tests of `xai-core` run their examples.

#![warn(missing_docs)]

mod code;
mod errors;
mod experiment;
mod explain;
mod level;
mod names;
#[cfg(test)]
mod tests;

use proc_macro::{Literal, TokenStream, TokenTree};

#[doc = include_str!("../docs/experiment.md")]
#[proc_macro_attribute]
pub fn experiment(options: TokenStream, item: TokenStream) -> TokenStream {
    // The file in which the attribute stands. Editors that expand macros themselves may not know it.
    let file = proc_macro::Span::call_site().local_file();
    let source = file
        .as_deref()
        .and_then(|file| std::fs::read_to_string(file).ok());
    let package = std::env::var_os("CARGO_MANIFEST_DIR"); // unset if rustc runs without Cargo
    let outside = package.map(|folder| code::outside(folder.as_ref(), file.as_deref()));
    let written = experiment::Written {
        source: source.as_deref(),
        folder: file.as_deref().and_then(std::path::Path::parent),
        outside: outside.unwrap_or_default(),
    };
    experiment::experiment(options.into(), item.into(), &written).into()
}

/// The fingerprint of the code of the crate that it is written in, as text. For `xai-core` alone.
#[doc(hidden)]
#[proc_macro]
pub fn fingerprint(_: TokenStream) -> TokenStream {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let text = code::sources(package.as_ref(), None);
    TokenTree::Literal(Literal::string(&text)).into()
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
