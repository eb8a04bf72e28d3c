//! Progress of a running sweep, and how the user stops it.

use std::collections::HashSet;
use std::io::{BufWriter, IsTerminal, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use serde::Serialize;

use super::lines::{EVERY, Lines, Shown, describe, left};
use super::log::Log;
use crate::error::{Error, Result};
use crate::process::{to_stderr, to_stdout};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C stop the sweep at the next safe point. A second Ctrl-C stops it at once; only the
/// work on the current cells is lost. TERM and USR1, which schedulers send before they stop a task,
/// do the same as the first Ctrl-C, however often they come.
pub fn catch_interrupt() {
    // This fails only if a handler is already set: this one, or one of the host program.
    let _ = ctrlc::set_handler(|| {
        if interrupt() {
            std::process::exit(130)
        }
    });
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGTERM, SIGUSR1};
        // This fails only if the system has no memory left.
        if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGTERM, SIGUSR1]) {
            std::thread::spawn(move || signals.forever().for_each(|_| _ = interrupt()));
        }
    }
}

/// Asks the sweep to stop. Returns whether it was asked before.
fn interrupt() -> bool {
    let again = INTERRUPTED.swap(true, Ordering::Relaxed);
    if !again {
        to_stderr("stopping at the next safe point; press Ctrl-C again to stop at once");
    }
    again
}

/// A safe point to stop at.
///
/// # Errors
/// [`Error::Interrupted`] after Ctrl-C.
pub fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        Err(Error::Interrupted)
    } else {
        Ok(())
    }
}

/// Where progress is shown: bars on a terminal, elsewhere a line every ten seconds and one per finished
/// cell, or nothing.
#[derive(Clone)]
pub struct Reporter {
    bars: MultiProgress,
    lines: Option<Arc<Lines>>,
    quiet: bool,
    json: bool,
    /// What [`warn_once`](Self::warn_once) has printed.
    warned: Arc<Mutex<HashSet<String>>>,
}

impl Reporter {
    /// Reports to stderr, unless `quiet`. Stdout receives text for the user, or JSON events with
    /// `json`.
    pub fn new(quiet: bool, json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if quiet || !terminal {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            lines: (!quiet && !terminal).then(Arc::default),
            quiet,
            json,
            warned: Arc::default(),
        }
    }

    /// A bar of `len` steps.
    pub(crate) fn bar(&self, len: usize, label: &str, log: Option<Arc<Log>>) -> Progress {
        let template = "{msg:24} {prefix} {wide_bar} {pos}/{len} {elapsed} (left: {left})";
        let style = ProgressStyle::with_template(template)
            .expect("our own template")
            .with_key(
                "left",
                |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                    let (at, len) = (state.pos(), state.len().unwrap_or(0));
                    let _ = match left(state.elapsed(), at, len) {
                        None => text.write_str("?"),
                        Some(left) => write!(text, "{:#}", HumanDuration(left)),
                    };
                },
            );
        let bar = self.bars.add(
            ProgressBar::new(len as u64)
                .with_style(style)
                .with_message(label.to_owned()),
        );
        bar.tick();
        if self.lines.is_none() && !self.quiet {
            bar.enable_steady_tick(Duration::from_secs(1)); // time goes on within a step
        }
        Progress {
            _shown: self.lines.as_ref().map(|lines| lines.show(&bar)),
            bar,
            log: log.map(|log| (log, Mutex::default())),
        }
    }

    /// Reports a finished cell. On a terminal, the bar shows it.
    pub fn finished(&self, line: &str) {
        if self.lines.is_some() {
            to_stderr(line);
        }
    }

    /// Prints a warning above the bars.
    pub fn warn(&self, line: &str) {
        self.above_bars(|| to_stderr(line));
    }

    /// As [`warn`](Self::warn), but the same line only once. Each file is looked at when a run starts, and again before
    /// its cell is computed.
    pub fn warn_once(&self, line: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(line.to_owned()) {
            self.warn(line);
        }
    }

    /// Writes to stdout above the bars, unless quiet.
    pub fn print(&self, text: &str) {
        if !self.quiet && !self.json {
            self.above_bars(|| to_stdout(text));
        }
    }

    /// Writes an event as one line of JSON to stdout, if events are requested.
    pub fn event<E: Serialize>(&self, event: impl FnOnce() -> E) {
        if self.json {
            self.above_bars(|| {
                // A program that no longer reads is no reason to stop.
                let mut to = BufWriter::new(std::io::stdout().lock());
                let _ = serde_json::to_writer(&mut to, &event());
                let _ = to.write_all(b"\n").and_then(|()| to.flush());
            });
        }
    }

    /// Writes while no bar is on the screen.
    fn above_bars(&self, write: impl FnOnce()) {
        // After the terminal was closed, `suspend` would panic.
        if !std::io::stderr().is_terminal() {
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.bars.suspend(write);
    }
}

/// A progress bar that is removed when this is dropped. Threads may share it.
pub struct Progress {
    bar: ProgressBar,
    /// Its place among the bars that lines describe.
    _shown: Option<Shown>,
    /// The log of the current cell, and the time of the last entry.
    log: Option<(Arc<Log>, Mutex<Option<Instant>>)>,
}

impl Progress {
    /// Completes one step. This is a safe point to stop at.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after Ctrl-C; the caller must return it.
    pub fn tick(&self) -> Result<()> {
        self.advance(1)
    }

    /// As [`tick`](Self::tick), for several steps.
    pub(crate) fn advance(&self, steps: usize) -> Result<()> {
        self.bar.inc(steps as u64);
        if let Some((log, told)) = &self.log {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            let done = Some(self.bar.position()) == self.bar.length();
            // Not more often than a line on the screen, and always the last one.
            if done || told.is_none_or(|last| last.elapsed() >= EVERY) {
                *told = Some(Instant::now());
                log.line(&describe(&self.bar));
            }
        }
        check_interrupt()
    }

    /// As [`tick`](Self::tick), for a step of a training in this epoch, counted from 0.
    pub(crate) fn step(&self, epoch: usize, epochs: usize) -> Result<()> {
        self.bar
            .set_prefix(format!("epoch {} of {epochs}", epoch + 1));
        self.tick()
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
