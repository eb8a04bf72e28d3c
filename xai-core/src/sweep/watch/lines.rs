//! Lines about what is being done, where there is no terminal to draw bars on: in a log, in a pipe.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::process::to_stderr;

/// The time from one line to the next.
pub const EVERY: Duration = Duration::from_secs(10);

/// The bars that are open, the oldest first.
pub struct Lines {
    start: Instant,
    open: Mutex<Vec<(usize, ProgressBar)>>,
    begun: Once,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            open: Mutex::default(),
            begun: Once::new(),
        }
    }
}

impl Lines {
    /// Describes a bar in each line until the result is dropped.
    pub fn show(self: &Arc<Self>, bar: &ProgressBar) -> Shown {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push((number, bar.clone()));
        self.begun.call_once(|| print_from_time_to_time(self));
        Shown {
            number,
            lines: self.clone(),
        }
    }

    /// The line. `None` if nothing is being done.
    fn text(&self) -> Option<String> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let parts: Vec<String> = open.iter().map(|(_, bar)| describe(bar)).collect();
        let seconds = self.start.elapsed().as_secs();
        (!parts.is_empty()).then(|| format!("{seconds:5} s  {}", parts.join("; ")))
    }
}

/// A bar that lines describe.
pub struct Shown {
    number: usize,
    lines: Arc<Lines>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        let open = self.lines.open.lock();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        open.retain(|(number, _)| *number != self.number);
    }
}

/// Prints a line to stderr every [`EVERY`], also within a step that takes long.
fn print_from_time_to_time(lines: &Arc<Lines>) {
    // Tests do not wait for ten seconds.
    static PAUSE: LazyLock<Duration> = LazyLock::new(|| {
        let asked = std::env::var("XAI_PROGRESS_SECONDS");
        let seconds = asked.ok().and_then(|text| text.parse().ok());
        seconds.map_or(EVERY, Duration::from_secs_f64)
    });
    let lines: Weak<Lines> = Arc::downgrade(lines);
    thread::spawn(move || {
        loop {
            thread::sleep(*PAUSE);
            let Some(lines) = lines.upgrade() else {
                return;
            };
            if let Some(text) = lines.text() {
                to_stderr(&text);
            }
        }
    });
}

/// What is being done, how far it is, and how long it will still take, as in `pre-training on shapes:
/// epoch 2 of 5, about 40 s left`.
pub fn describe(bar: &ProgressBar) -> String {
    let (at, len) = (bar.position(), bar.length().unwrap_or(0));
    let mut text = bar.message();
    let place = match bar.prefix() {
        epoch if !epoch.is_empty() => epoch,
        _ if len > 1 => format!("{at} of {len}"),
        _ => String::new(),
    };
    if !place.is_empty() {
        text = format!("{text}: {place}");
    }
    if let Some(left) = left(bar.elapsed(), at, len)
        && at < len
    {
        text = format!("{text}, about {} left", rounded(left));
    }
    text
}

/// The time for the rest of `len` steps if they take as long as those so far. `None` before the first step.
/// (indicatif's own estimate weights the last steps most. If a step takes long, it gives hours.)
pub fn left(elapsed: Duration, at: u64, len: u64) -> Option<Duration> {
    let share = len.saturating_sub(at) as f64 / at as f64;
    (at > 0).then(|| elapsed.mul_f64(share))
}

/// A time in the unit that suits an estimate.
fn rounded(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{} s", seconds.max(1)),
        seconds @ 100..6000 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h", (seconds + 1800) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;

    #[test]
    fn times_are_rounded_to_what_is_known_of_them() {
        let text = |seconds| rounded(Duration::from_secs(seconds));
        assert_eq!([0, 40, 99].map(text), ["1 s", "40 s", "99 s"]);
        assert_eq!(
            [100, 149, 151, 5999].map(text),
            ["2 min", "2 min", "3 min", "100 min"]
        );
        assert_eq!([6000, 90_000].map(text), ["2 h", "25 h"]);
    }

    #[test]
    fn the_time_left_is_that_of_the_steps_so_far() {
        let minute = Duration::from_secs(60);
        assert_eq!(left(minute, 0, 5), None);
        assert_eq!(left(minute, 3, 5), Some(Duration::from_secs(40)));
        assert_eq!(left(minute, 5, 5), Some(Duration::ZERO));
    }

    #[test]
    fn a_line_names_every_bar_that_is_open() {
        let lines = Arc::new(Lines::default());
        let bar = |label: &'static str, len| {
            let bar = ProgressBar::with_draw_target(Some(len), ProgressDrawTarget::hidden());
            bar.with_message(label)
        };
        assert_eq!(lines.text(), None);
        let (fit, pretraining) = (bar("fit", 20), bar("pre-training on shapes", 35));
        let shown = [lines.show(&fit), lines.show(&pretraining)];
        fit.inc(3);
        pretraining.set_prefix("epoch 2 of 5");
        let text = lines.text().unwrap();
        assert!(text.contains(" s  fit: 3 of 20"), "{text}");
        assert!(
            text.contains("; pre-training on shapes: epoch 2 of 5"),
            "{text}"
        );
        drop(shown);
        assert_eq!(lines.text(), None);
    }
}
