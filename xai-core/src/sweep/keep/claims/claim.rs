//! A claim that this process makes and holds.

use std::fs::{self, File};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use super::holder::{Holder, create, first_line, name, read, successor};
use super::watch::{LOOKS, Look, beat, look};
use crate::error::{Error, Result};
use crate::sweep::watch::check_interrupt;

/// The right to write something. It ends when this is dropped or when the process ends in any way.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    held: Arc<Held>,
}

/// The outcome of an attempt to make a claim.
pub(crate) enum Attempt {
    Made(Claim),
    /// Another thread or process has it. Whether it was seen to be alive; a dead one is waited for.
    Held {
        alive: bool,
    },
}

impl Claim {
    /// Makes the claim at this path, or finds it held.
    pub fn attempt(path: &Path) -> Result<Attempt> {
        let holder = Holder::new();
        // A dead owner's claim is not replaced, which two processes could do one after the other:
        // a file named after it is created beside it. Only one process can do that.
        let mut before: Vec<(PathBuf, String)> = Vec::new();
        loop {
            let at = match before.last() {
                None => path.to_owned(),
                Some((_, dead)) => successor(path, dead),
            };
            match create(&at, &holder) {
                Ok(file) => {
                    // An owner who was thought to be dead may have ended its work just now.
                    let still =
                        |(path, dead): &(PathBuf, String)| name(read(path).as_deref()) == *dead;
                    if before.iter().all(still) {
                        return Ok(Attempt::Made(Self::new(path, at, before, file, holder)));
                    }
                    let _ = fs::remove_file(&at);
                    return Ok(Attempt::Held { alive: false });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let Some(text) = read(&at) else {
                        return Ok(Attempt::Held { alive: false }); // it has ended just now
                    };
                    match look(&at, &text) {
                        Look::Dead => before.push((at, name(Some(&text)))),
                        Look::Alive => return Ok(Attempt::Held { alive: true }),
                        Look::Unknown => return Ok(Attempt::Held { alive: false }),
                    }
                }
                Err(error) => {
                    let problem =
                        format!("cannot be created ({error}); choose another folder by --out");
                    return Err(Error::file(&at, problem));
                }
            }
        }
    }

    fn new(
        path: &Path,
        own: PathBuf,
        before: Vec<(PathBuf, String)>,
        file: File,
        holder: Holder,
    ) -> Self {
        let held = Arc::new(Held {
            own,
            before,
            holder,
            pulse: Mutex::new(Pulse {
                file,
                count: 0,
                last: Instant::now(),
            }),
        });
        all_held().push(held.clone());
        start_beating();
        let path = path.to_owned();
        Self { path, held }
    }

    /// The right to write plan, tables and figures into a sweep's folder.
    pub fn of_reports(folder: &Path) -> Result<Self> {
        Self::wait(&folder.join(CLAIMS).join("reports"))
    }

    /// Makes the claim at this path, and waits for it if necessary.
    pub fn wait(path: &Path) -> Result<Self> {
        let mut patience = Patience::default();
        loop {
            if let Attempt::Made(claim) = Self::attempt(path)? {
                return Ok(claim);
            }
            check_interrupt()?;
            patience.sleep();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.end(&self.path);
    }
}

/// The folder of the claims in a sweep's folder.
pub(crate) const CLAIMS: &str = ".claims";

/// A growing time between two looks. Thousands of processes may wait on one file server.
pub(crate) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(Duration::from_millis(20))
    }
}

impl Patience {
    pub fn sleep(&mut self) {
        std::thread::sleep(self.0);
        self.0 = self.0.mul_f64(1.5).min(Duration::from_secs(2)).min(beat());
    }
}

/// A claim that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) own: PathBuf,
    /// The claims of dead owners that this one goes back to, with their names.
    pub(super) before: Vec<(PathBuf, String)>,
    pub(super) holder: Holder,
    pub(super) pulse: Mutex<Pulse>,
}

#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) file: File,
    pub(super) count: u64,
    /// When the number was last changed.
    pub(super) last: Instant,
}

impl Held {
    pub(super) fn beat(&self) {
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, mut file) = (pulse.count + 1, &pulse.file);
        let line = format!("{count:010}\n");
        let written = file
            .seek(SeekFrom::Start(first_line(&self.holder).len() as u64))
            .and_then(|_| file.write_all(line.as_bytes()))
            .and_then(|()| file.sync_data()); // NFS would keep it here until the file is closed
        // Whoever waits may take the claim over. That costs double work and nothing else.
        if written.is_ok() {
            pulse.count = count;
            pulse.last = Instant::now();
        }
    }

    /// Deletes the claim.
    fn end(&self, path: &Path) {
        all_held().retain(|held| held.own != self.own);
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let overdue = pulse.last.elapsed() > beat() * LOOKS / 2;
        if overdue && successor(path, &self.holder.claim).exists() {
            return; // it belongs to another process now, which removes everything
        }
        // The oldest one first: the others count only as long as it is there.
        for (path, _) in &self.before {
            let _ = fs::remove_file(path);
        }
        let _ = fs::remove_file(&self.own);
    }
}

fn all_held() -> MutexGuard<'static, Vec<Arc<Held>>> {
    static HELD: Mutex<Vec<Arc<Held>>> = Mutex::new(Vec::new());
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that changes all claims of this process.
fn start_beating() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(beat());
                let held = all_held().clone();
                for held in held {
                    held.beat();
                }
            }
        });
    });
}
