//! Claims: which process works on what, so that several of them can share the work of one folder.
//!
//! A claim is a file that only one process can create. Its owner changes a number in it every few
//! seconds, and deletes it at the end. Unlike `flock`, this also works between machines on file
//! systems whose locks hold within one machine only. A claim whose owner is dead is taken over:
//! - the process has ended, on this machine;
//! - it was an earlier life of this Slurm task, which was requeued;
//! - on another machine, the number has not changed for a while, as seen by whoever waits. Clocks are
//!   not compared;
//! - Slurm knows no such job any more.
//!
//! Nothing depends on claims being right. Two processes that believe to own the same do double work,
//! and the result of one is kept (see [`files`](crate::files)).

mod claim;
mod holder;
mod watch;

#[cfg(test)]
mod tests;

pub(super) use claim::CLAIMS;
pub(crate) use claim::{Attempt, Claim, Patience};
pub(crate) use holder::Holder;
