//! Watches the claims of other processes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::holder::{Holder, holder, name};

/// How often owners change their claims. Tests make it shorter.
pub(super) fn beat() -> Duration {
    static BEAT: LazyLock<Duration> = LazyLock::new(|| {
        if cfg!(test) {
            return Duration::from_millis(5);
        }
        let text = std::env::var("XAI_CLAIM_BEAT_MS").ok();
        let short = text.and_then(|text| text.parse().ok());
        short.map_or(Duration::from_secs(10), Duration::from_millis)
    });
    *BEAT
}

/// The number of looks at an unchanged claim, each at least a beat after the one before, after which
/// its owner counts as dead: two minutes. These are looks and not a time because a file server that
/// hangs for minutes stops owners and those who wait alike.
pub(super) const LOOKS: u32 = 12;
/// The number of looks after which Slurm is asked.
const LOOKS_BEFORE_ASKING: u32 = 3;

/// What was seen of a claim.
pub(super) enum Look {
    Alive,
    Dead,
    Unknown,
}

/// What this process has seen of a claim of another one.
struct Seen {
    text: String,
    /// The number of looks since it last changed.
    looks: u32,
    last: Instant,
    /// Whether it has ever changed.
    alive: bool,
    asked: bool,
}

/// Looks at a claim of another process. To be called again and again.
pub(super) fn look(path: &Path, text: &str) -> Look {
    static SEEN: LazyLock<Mutex<HashMap<PathBuf, Seen>>> = LazyLock::new(Mutex::default);
    let found = holder(text);
    // What is known of this machine needs no heartbeat.
    let runs = found.as_ref().and_then(Holder::runs);
    if runs == Some(true) {
        return Look::Alive;
    }
    let ended = runs == Some(false) || found.as_ref().is_some_and(Holder::is_earlier_life);
    let mut all = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = all.entry(path.to_owned()).or_insert_with(|| Seen {
        text: text.to_owned(),
        looks: 0,
        last: Instant::now(),
        alive: false,
        asked: false,
    });
    if seen.text != text {
        let alive = name(Some(&seen.text)) == name(Some(text));
        *seen = Seen {
            text: text.to_owned(),
            looks: 0,
            last: Instant::now(),
            alive,
            asked: false,
        };
    } else if seen.last.elapsed() >= beat() {
        seen.looks += 1;
        seen.last = Instant::now();
    }
    let (looks, alive) = (seen.looks, seen.alive);
    let ask = looks >= LOOKS_BEFORE_ASKING && !seen.asked;
    seen.asked |= ask;
    if ended || looks >= LOOKS {
        all.remove(path);
        return Look::Dead;
    }
    drop(all); // Slurm may take a while
    if ask && found.is_some_and(|found| found.job_has_ended()) {
        return Look::Dead;
    }
    if alive && looks == 0 {
        Look::Alive
    } else {
        Look::Unknown
    }
}
