//! Attribution methods, compared with independent programs and closed forms, and the work of a panel.

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
mod targets;
