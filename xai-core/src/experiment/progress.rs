//! What a person sees while a sweep runs, and how they stop it.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use crate::error::{Error, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C stop the sweep at the next safe point instead of killing the process.
pub fn catch_interrupt() {
    // Fails only if a handler is there already, which then is this one or the host program's own.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// A safe point to stop at.
///
/// # Errors
/// [`Error::Interrupted`] after Ctrl-C.
pub fn check_interrupt() -> Result<()> {
    match INTERRUPTED.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted),
        false => Ok(()),
    }
}

/// Where progress goes: bars on a terminal, a line a finished cell elsewhere, or nothing.
#[derive(Clone)]
pub struct Reporter {
    bars: MultiProgress,
    lines: bool,
    quiet: bool,
}

impl Reporter {
    /// Reports to stderr, unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if quiet || !terminal {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            lines: !quiet && !terminal,
            quiet,
        }
    }

    /// A bar of `len` steps.
    pub fn bar(&self, len: usize, label: &str) -> Progress {
        let template = "{msg:24} {wide_bar} {pos}/{len} {elapsed} (left: {left})";
        let style = ProgressStyle::with_template(template)
            .expect("our own template")
            .with_key("left", |state: &ProgressState, text: &mut dyn Write| {
                // Nothing is known before the first step; indicatif would say 0 s.
                let _ = match state.pos() {
                    0 => text.write_str("?"),
                    _ => write!(text, "{:#}", HumanDuration(state.eta())),
                };
            });
        let bar = self.bars.add(
            ProgressBar::new(len as u64)
                .with_style(style)
                .with_message(label.to_owned()),
        );
        bar.tick();
        if !self.lines && !self.quiet {
            bar.enable_steady_tick(Duration::from_secs(1)); // time goes on within a step
        }
        Progress { bar }
    }

    /// Says that a cell is finished; on a terminal the bar says it.
    pub fn finished(&self, line: &str) {
        if self.lines {
            eprintln!("{line}");
        }
    }

    /// Says something that must not be missed, above the bars.
    pub fn warn(&self, line: &str) {
        self.bars.suspend(|| eprintln!("{line}"));
    }

    /// Writes to stdout above the bars, unless quiet.
    pub fn print(&self, text: &str) {
        if !self.quiet {
            self.bars.suspend(|| print!("{text}"));
        }
    }
}

/// A bar that is gone when this is dropped. Threads may share it.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// One step is done. This is a safe point to stop at.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after Ctrl-C: hand it on.
    pub fn tick(&self) -> Result<()> {
        self.bar.inc(1);
        check_interrupt()
    }

    /// Changes the label, e.g. to `epoch 3: 91 %`.
    pub fn label(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
