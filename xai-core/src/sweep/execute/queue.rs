//! Distributes the cells of one phase to several jobs, in several processes.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;

use crate::error::{Error, Result};
use crate::process::cores;
use crate::sweep::context::Context;
use crate::sweep::keep::{Attempt, Patience};
use crate::sweep::planned::{PlannedCell, SweepOptions, values};
use crate::sweep::watch::{Log, Progress, check_interrupt};

/// The phase and cell, and why it failed.
pub type Failure = (String, Error);

/// A phase: the condition that each cell must meet, and the work that establishes it.
///
/// It is not generic, so that it is compiled once, with the library, and not with every experiment.
pub(super) struct Phase<'a> {
    pub name: &'static str,
    pub experiment: &'static str,
    /// Whether a cell is done.
    pub done: &'a (dyn Fn(&PlannedCell) -> bool + Sync),
    /// Does the work.
    pub work: &'a (dyn Fn(&mut PlannedCell, &Context) -> Result<()> + Sync),
}

impl Phase<'_> {
    /// Completes the phase for all cells, as many at the same time as there are jobs. Returns the
    /// cells that failed. The others are finished, unless the options say otherwise.
    ///
    /// Other processes may do the same. Each takes cells that no other has taken.
    pub fn run(
        &self,
        cells: Vec<&mut PlannedCell>,
        context: &Context,
        options: &SweepOptions,
    ) -> Result<Vec<Failure>> {
        let todo: Vec<_> = cells
            .into_iter()
            .filter(|cell| !(self.done)(cell))
            .collect();
        if todo.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = options.jobs.clamp(1, todo.len());
        let under_way = UnderWay {
            phase: self,
            context,
            options,
            bar: context.progress(todo.len(), self.name),
            total: todo.len(),
            queue: Mutex::new(Queue::new(
                spread(todo, jobs),
                jobs,
                options.devices.all().len(),
            )),
            finished: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            failures: Mutex::default(),
            stop: AtomicBool::new(false),
        };
        if jobs == 1 {
            under_way.job(0)?;
        } else {
            // Each job has a share of the cores. Whole cells side by side waste less time than the
            // threads of one cell, which wait for each other at every layer.
            let threads = (cores() / jobs).max(1);
            let under_way = &under_way;
            std::thread::scope(|scope| {
                let job = |number| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    match pool {
                        Ok(pool) => pool.install(|| under_way.job(number)),
                        // The others must not wait for this job.
                        Err(error) => under_way.end(number, Err(Error::invalid(error))),
                    }
                };
                let jobs: Vec<_> = (0..jobs)
                    .map(|number| scope.spawn(move || job(number)))
                    .collect();
                let ends: Vec<_> = jobs
                    .into_iter()
                    .map(|job| job.join().expect("panics are caught"))
                    .collect();
                ends.into_iter().collect::<Result<Vec<()>>>()
            })?;
        }
        let left = under_way.left.load(Ordering::Relaxed);
        if left > 0 {
            context.reporter().warn(&format!(
                "{} of {} cells are in progress in other processes and are left to them",
                left, under_way.total
            ));
        }
        let failures = under_way.failures.into_inner();
        Ok(failures.unwrap_or_else(PoisonError::into_inner))
    }
}

/// A cell that waits to be processed.
struct Task<'a> {
    cell: &'a mut PlannedCell,
    /// How often it has failed.
    failed: usize,
    /// Whether another process was working on it at the last check.
    busy: bool,
    /// The device on which it panicked. Another device should try it.
    panicked_on: Option<usize>,
}

impl<'a> Task<'a> {
    fn new(cell: &'a mut PlannedCell) -> Self {
        Self {
            cell,
            failed: 0,
            busy: false,
            panicked_on: None,
        }
    }
}

/// The waiting cells, and the number of workers.
struct Queue<'a> {
    waiting: VecDeque<Task<'a>>,
    /// The number of jobs of each device.
    jobs: Vec<usize>,
    /// The number of cells that are being processed.
    under_way: usize,
}

/// What a job does next.
enum Turn<'a> {
    Work(Task<'a>),
    /// The last cells are being processed; one of them may be returned.
    Wait,
    End,
}

impl<'a> Queue<'a> {
    fn new(cells: Vec<&'a mut PlannedCell>, jobs: usize, devices: usize) -> Self {
        let of = |device| (0..jobs).filter(|job| job % devices == device).count();
        Self {
            waiting: cells.into_iter().map(Task::new).collect(),
            jobs: (0..devices).map(of).collect(),
            under_way: 0,
        }
    }

    /// Whether jobs run on another device than this one.
    fn has_others(&self, device: usize) -> bool {
        let mut jobs = self.jobs.iter().enumerate();
        jobs.any(|(other, &jobs)| other != device && jobs > 0)
    }

    /// What a job on this device does next.
    fn turn(&mut self, device: usize) -> Turn<'a> {
        let others = self.has_others(device);
        let fits = |task: &Task| !others || task.panicked_on != Some(device);
        match self.waiting.iter().position(fits) {
            Some(at) => {
                self.under_way += 1;
                Turn::Work(self.waiting.remove(at).expect("it is there"))
            }
            None if others && self.under_way + self.waiting.len() > 0 => Turn::Wait,
            None => Turn::End,
        }
    }
}

/// The number of consecutive cells that may panic on one device only, before the device is no
/// longer used.
const PANICS: usize = 2;

/// State shared by the jobs of a phase.
struct UnderWay<'a> {
    phase: &'a Phase<'a>,
    context: &'a Context,
    options: &'a SweepOptions,
    bar: Progress,
    total: usize,
    queue: Mutex<Queue<'a>>,
    finished: AtomicUsize,
    /// The cells that were left to other processes, which work on them.
    left: AtomicUsize,
    failures: Mutex<Vec<Failure>>,
    stop: AtomicBool,
}

impl<'a> UnderWay<'a> {
    /// Runs one job: takes the next cell until there is none.
    fn job(&self, number: usize) -> Result<()> {
        let context = self.context.for_job(number);
        let device = self.device_of(number);
        self.end(number, self.take_turns(&context, device))
    }

    fn device_of(&self, job: usize) -> usize {
        job % self.options.devices.all().len()
    }

    /// Counts a job that has ended. After an error, the others end too.
    fn end(&self, job: usize, ended: Result<()>) -> Result<()> {
        self.queue().jobs[self.device_of(job)] -= 1;
        if ended.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        ended
    }

    fn take_turns(&self, context: &Context, device: usize) -> Result<()> {
        let mut panics = 0; // in a row
        let mut patience = Patience::default();
        loop {
            check_interrupt()?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let turn = self.queue().turn(device);
            let mut task = match turn {
                Turn::Work(task) => task,
                Turn::Wait => {
                    patience.sleep();
                    continue;
                }
                Turn::End => return Ok(()),
            };
            if task.busy {
                // All other cells are taken too.
                self.bar.label(format!(
                    "{}: in progress in another process",
                    self.phase.name
                ));
                patience.sleep();
            }
            let mut panicked = false;
            let again = match context.store().claim(&task.cell.key)? {
                Attempt::Made(_claim) => {
                    patience = Patience::default();
                    let warn = |problem: String| context.reporter().warn_once(&problem);
                    task.cell.refresh(context.store(), &warn);
                    if (self.phase.done)(task.cell) {
                        self.conclude(task.cell, "by another process".to_owned(), None);
                        None
                    } else {
                        self.attempt(task, context, device, &mut panicked)?
                    }
                }
                // A task of a scheduler must not pay for waiting.
                Attempt::Held { alive: true } if self.options.part.is_some() => {
                    self.left.fetch_add(1, Ordering::Relaxed);
                    let _ = self.bar.tick();
                    None
                }
                Attempt::Held { .. } => {
                    task.busy = true;
                    Some(task)
                }
            };
            let mut queue = self.queue();
            queue.under_way -= 1;
            queue.waiting.extend(again);
            panics = if panicked { panics + 1 } else { 0 };
            if panics >= PANICS && queue.has_others(device) {
                drop(queue);
                context.reporter().warn(&format!(
                    "{} of {} is no longer used: {PANICS} cells in a row panicked on it and not elsewhere",
                    context.device_choice(),
                    self.options.devices
                ));
                return Ok(());
            }
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue<'a>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Processes a cell whose lock this job holds. Returns it if it is to be retried.
    ///
    /// If it panics on this `device` and there are others, another device tries it, and `panicked`
    /// records this. A broken or full GPU must not fail every cell that it receives.
    fn attempt(
        &self,
        mut task: Task<'a>,
        context: &Context,
        device: usize,
        panicked: &mut bool,
    ) -> Result<Option<Task<'a>>> {
        let cell = &mut *task.cell;
        let title = format!("{} {}", self.phase.name, cell.point);
        self.bar.label(&title);
        let log = Log::open(&context.store().log(&cell.key), cell.manifest.is_none())?;
        let log = Arc::new(log);
        let (choice, process) = (context.device_choice(), std::process::id());
        log.line(&format!("{title} on {choice}, process {process}"));
        let context = context.for_cell(
            self.phase.experiment,
            &values(&cell.point),
            Some(log.clone()),
        )?;
        let start = Instant::now();
        // A panic, such as that of a GPU without memory left, must fail only one cell.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.phase.work)(cell, &context)))
            .unwrap_or_else(|payload| {
                *panicked = task.panicked_on.is_none() && self.queue().has_others(device);
                Err(Error::invalid(format!("panicked: {}", panic_text(payload))))
            });
        let seconds = start.elapsed().as_secs_f64();
        let Err(error) = outcome else {
            log.line(&format!("finished in {seconds:.1} s"));
            self.conclude(cell, format!("in {seconds:.1} s"), Some(seconds));
            return Ok(None);
        };
        // Whoever asks for the status looks for failures.
        let what = match error {
            Error::Interrupted => "interrupted",
            _ => "failed",
        };
        log.line(&format!("{what}: {error}"));
        if matches!(error, Error::Interrupted) || error.is_disk_full() {
            return Err(error); // no other cell could be kept either
        }
        if *panicked {
            task.panicked_on = Some(device);
        } else {
            task.failed += 1;
        }
        let again = *panicked || task.failed <= self.options.retry;
        context.reporter().warn(&format!(
            "failed: {title}: {error} (details in {}){}",
            log.path().display(),
            if again { "; retrying" } else { "" }
        ));
        context.reporter().event(|| {
            json!({ "event": "cell", "phase": self.phase.name, "status": "failed", "again": again,
                "key": task.cell.key, "values": values(&task.cell.point), "error": error.to_string(),
                "log": log.path() })
        });
        if again {
            return Ok(Some(task));
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push((title, error));
        if self.options.fail_fast {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.bar.tick()?;
        Ok(None)
    }

    /// Reports that a cell has completed the phase.
    fn conclude(&self, cell: &PlannedCell, how: String, seconds: Option<f64>) {
        let (name, reporter) = (self.phase.name, self.context.reporter());
        let finished = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
        reporter.finished(&format!(
            "{name} {}: {finished} of {} {how}",
            cell.point, self.total
        ));
        reporter.event(|| {
            json!({ "event": "cell", "phase": name, "status": "finished", "key": cell.key,
                "values": values(&cell.point), "seconds": seconds })
        });
        let _ = self.bar.tick(); // the loop looks for Ctrl-C itself
    }
}

/// Orders the cells so that jobs which take the next ones are far apart in the design. They then
/// begin with different shared stages, and do not wait for the same one.
fn spread<T>(todo: Vec<T>, jobs: usize) -> Vec<T> {
    let stretch = todo.len().div_ceil(jobs);
    let mut todo: Vec<_> = todo.into_iter().enumerate().collect();
    todo.sort_by_key(|(at, _)| (at % stretch, at / stretch));
    todo.into_iter().map(|(_, cell)| cell).collect()
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "without a message".to_owned(), ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_begin_far_apart() {
        assert_eq!(spread((0..7).collect(), 1), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(spread((0..7).collect(), 2), [0, 4, 1, 5, 2, 6, 3]);
        assert_eq!(spread((0..4).collect(), 3), [0, 2, 1, 3]);
    }
}
