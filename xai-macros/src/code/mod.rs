//! Which code of an experiment's file determines its results, for the keys of its cells.
//!
//! Code outside of the file is no part of keys; [`packages`] makes fingerprints of it.
//!
//! [`tokens`] reads code without comments and layout, [`items`] takes a file apart, and [`reach`] follows the names
//! from `Run::fit` and `Run::test` to the items that they use. [`included`] reads the files that code includes, and
//! [`settings`] finds what code asks of a build.

mod included;
mod items;
mod packages;
mod reach;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;

pub use included::Place;
pub use packages::{outside, sources};
pub use reach::{Code, code};
