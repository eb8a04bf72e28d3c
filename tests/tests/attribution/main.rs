//! Attribution methods against independent programs and closed forms, and what a panel of them does.

#[path = "../autodiff/mod.rs"]
mod autodiff;
mod beyond;
mod captum;
mod common;
mod deep;
mod errors;
mod exact;
mod independence;
mod models;
mod panel;
mod patterns;
mod sampling;
