//! The engine for sweeps: it varies parameters, runs cells and stores results.
//!
//! `#[experiment]` turns a struct into a [`Spec`](declare::Spec). [`Run`](context::Run) defines the
//! work of one cell. [`sweep`](execute::sweep) does the rest. It plans the cells, fits each,
//! selects by validation, predicts the test set with the winners, and only then explains. It keeps
//! everything in a [`Store`](keep::Store) that survives a crash.
//!
//! The folders are listed in order: each uses only those before it.

pub mod declare;

pub mod plan;

pub mod watch;

pub mod keep;

pub mod read;

pub mod context;

pub mod planned;

pub mod inspect;

pub mod execute;
