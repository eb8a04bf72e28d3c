//! The engine for sweeps: what varies, what is done in one cell, and what is kept.
//!
//! `#[experiment]` turns a struct into a [`Spec`](declare::Spec). [`Run`](context::Run) says what happens in one cell.
//! [`sweep`](execute::sweep) does the rest: it lays out the cells, fits each, selects by validation, predicts the test
//! set with the winners, explains only then, and keeps everything in a [`Store`](keep::Store) that a crash cannot hurt.
//!
//! The folders stand in the order in which they use each other.

pub mod declare;

pub mod plan;

pub mod watch;

pub mod keep;

pub mod read;

pub mod context;

pub mod planned;

pub mod inspect;

pub mod execute;
