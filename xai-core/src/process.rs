//! This process among all that share a disk: its name, whether another one still runs, its cores and its memory. And what
//! it prints.

use std::fs;
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A process that writes into a folder that machines share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owner {
    /// The name of the machine.
    pub host: String,
    /// Tells apart what a machine's name does not: starts of the machine, and containers on it.
    place: String,
    pid: u32,
    /// When the process started, in the machine's own units. Process numbers are used again.
    start: u64,
}

impl Owner {
    /// This process.
    pub fn this() -> &'static Self {
        static THIS: LazyLock<Owner> = LazyLock::new(|| {
            let pid = std::process::id();
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            Owner {
                host: plain(&host_name()),
                place: place(),
                pid,
                start: start_of(pid).unwrap_or_else(|| now.map_or(0, |now| now.as_nanos() as u64)),
            }
        });
        &THIS
    }

    /// A name that no other process on any machine has, with a number that counts up in this one.
    pub fn unique() -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        format!("{}.{}", Self::this(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// The owner in a name that [`unique`](Self::unique) made, or that begins so.
    pub fn of(name: &str) -> Option<Self> {
        let mut parts = name.split('.').next()?.rsplitn(4, '-');
        Some(Self {
            start: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            place: parts.next()?.to_owned(),
            host: parts.next()?.to_owned(),
        })
    }

    /// Whether the process runs. `None` if nobody here knows: it belongs to another machine, or a process with its number
    /// runs and does not say when it started.
    pub fn runs(&self) -> Option<bool> {
        let this = Self::this();
        let here = self.host == this.host && self.place == this.place;
        let exists = here.then(|| exists(self.pid)).flatten()?;
        self.is_this(exists, start_of(self.pid))
    }

    /// Whether the process with this number is this one, if it exists and started then.
    fn is_this(&self, exists: bool, start: Option<u64>) -> Option<bool> {
        if exists {
            start.map(|start| start == self.start)
        } else {
            Some(false)
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}-{}-{}-{}",
            self.host, self.place, self.pid, self.start
        )
    }
}

/// Letters and digits alone, so that it can be part of a file's name.
fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    text.trim().chars().map(plain).take(60).collect()
}

#[cfg(unix)]
fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the buffer is as long as it says, and its last byte stays 0.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    String::from_utf8_lossy(&name[..end]).into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// The start of the machine and the container, on Linux.
fn place() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let container = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let text = format!("{boot}{}", container.display());
    blake3::hash(text.as_bytes()).to_hex()[..8].to_owned()
}

/// Whether a process with this number exists here. `None` if that cannot be known.
#[cfg(unix)]
fn exists(pid: u32) -> Option<bool> {
    // A process that has ended and whose parent has not looked yet does nothing any more.
    let ended = matches!(stat(pid), Some((state, _)) if matches!(state.as_str(), "Z" | "X"));
    // SAFETY: signal 0 is none; the call only says whether one could be sent.
    let answer = unsafe { libc::kill(pid as libc::pid_t, 0) };
    let absent = answer != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH);
    Some(!ended && !absent)
}

#[cfg(not(unix))]
fn exists(_: u32) -> Option<bool> {
    None
}

fn start_of(pid: u32) -> Option<u64> {
    stat(pid).map(|(_, start)| start)
}

/// State and start of a process, on Linux (`man proc_pid_stat`, fields 3 and 22).
fn stat(pid: u32) -> Option<(String, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?; // the program's name may hold anything
    let fields: Vec<_> = rest.split_whitespace().collect();
    Some(((*fields.first()?).to_owned(), fields.get(19)?.parse().ok()?))
}

/// The number of cores that this process may use: those of the machine, or of its Slurm task, which
/// Slurm does not confine everywhere.
pub(crate) fn cores() -> usize {
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    cores_of_task().map_or(here, |task| task.clamp(1, here))
}

fn cores_of_task() -> Option<usize> {
    std::env::var("SLURM_CPUS_PER_TASK").ok()?.parse().ok()
}

/// Makes the threads of this process as many as [`cores`]. To be called before any is started.
pub(crate) fn limit_threads() {
    // Without Slurm, and with a number that the user gave, rayon's own choice is the right one.
    if cores_of_task().is_some() && std::env::var_os("RAYON_NUM_THREADS").is_none() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(cores());
        let _ = pool.build_global(); // fails only if the host program has made one
    }
}

/// Does `work` on a thread of rayon's pool, or here if this is one. Each parallel loop of a thread outside of the pool
/// wakes a thread of the pool and sleeps until it is done. A training step has a hundred loops.
///
/// `work` must hold no lock and no claim. A thread that waits for a loop takes other work of its pool, which could wait
/// for them forever.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// Writes text to stdout. If it cannot be written, as when a terminal was closed or a program no longer reads, that is no
/// reason to stop: `print!` would panic.
pub(crate) fn to_stdout(text: &str) {
    let mut to = std::io::stdout().lock();
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

/// Writes a line to stderr, as [`to_stdout`] does.
pub(crate) fn to_stderr(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The most memory that this process has occupied so far, in bytes. `None` if the system does not say.
pub(crate) fn peak_memory() -> Option<usize> {
    // `getrusage` also counts what the process was before it became this program.
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: usize = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_grows_with_what_is_touched() {
        if let Some(before) = peak_memory() {
            let bytes = before + (64 << 20);
            assert!(std::hint::black_box(vec![1_u8; bytes])[bytes - 1] == 1);
            assert!(peak_memory().unwrap() >= bytes);
        }
    }

    #[test]
    fn a_name_says_whether_its_process_runs() {
        let this = Owner::of(&Owner::unique()).unwrap();
        assert_eq!(&this, Owner::this());
        assert_ne!(Owner::unique(), Owner::unique());
        assert_eq!(Owner::of("of no process"), None);
        let elsewhere = Owner {
            host: "another-host".to_owned(),
            ..this.clone()
        };
        assert_eq!(Owner::of(&elsewhere.to_string()), Some(elsewhere.clone()));
        assert_eq!(elsewhere.runs(), None);
        if cfg!(unix) {
            let mut child = std::process::Command::new("true").spawn().unwrap();
            let ended = Owner {
                pid: child.id(),
                ..this.clone()
            };
            child.wait().unwrap();
            assert_eq!(ended.runs(), Some(false));
        }
        // A process that does not say when it started may have the number of one that has ended.
        assert_eq!(this.is_this(true, None), None);
        assert_eq!(this.is_this(false, None), Some(false));
        if cfg!(target_os = "linux") {
            assert_eq!(this.runs(), Some(true));
            // Its number belongs to another process now.
            let earlier = Owner {
                start: this.start + 1,
                ..this
            };
            assert_eq!(earlier.runs(), Some(false));
        }
    }
}
