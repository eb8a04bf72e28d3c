//! Sweeps: what varies, what is done, what is kept.
pub mod results;
