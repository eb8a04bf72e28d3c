//! Why a cell is computed again: which inputs of its key have changed.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::sweep::context::{Opened, Run, Study};
use crate::sweep::keep::{Manifest, SCORES};
use crate::sweep::plan::{Choice, factor, values};
use crate::sweep::planned::{Agreed, PlannedCell, PlannedSweep, SweepOptions};
use crate::sweep::read::{Difference, differences};
use crate::sweep::watch::Reporter;

/// Answers `--why`: for the cells that `which` names, what is done, what is missing, and the reason.
///
/// A cell is named by the beginning of its key or by values, such as `group=a depth=all`.
///
/// # Errors
/// If no cell of the plan has that name.
pub fn why<R: Run>(
    options: &SweepOptions,
    benchmark: &R::Benchmark,
    which: &[String],
) -> Result<String> {
    why_of(&Opened::<R>::new(benchmark.clone()), options, which)
}

/// As [`why`].
pub(crate) fn why_of(
    study: &dyn Study,
    options: &SweepOptions,
    which: &[String],
) -> Result<String> {
    let reporter = Reporter::new(options.quiet, options.json);
    let planned = PlannedSweep::of(study, options, &|problem| reporter.warn(&problem))?;
    let named = named(&planned, which)?;
    let past: Vec<_> = planned.store.all().collect();
    let tests = Tests::of(study, &planned);
    let mut text = String::new();
    for at in named {
        let cell = &planned.cells[at];
        let _ = writeln!(text, "{}  (key {})", cell.point, cell.key);
        match cell.manifest {
            Some(_) => {
                let _ = writeln!(text, "  fit   is done: nothing its key covers has changed");
            }
            None => text.push_str(&unfitted(
                cell,
                &past,
                planned.store.cell(&cell.key).exists(),
            )),
        }
        let _ = writeln!(text, "  test  {}", tests.of_cell(at, cell));
        let manifest = cell.manifest.as_ref();
        let changed = manifest.map(|manifest| manifest.other_code(planned.store.code()));
        let changed: Vec<_> = changed.into_iter().flatten().collect();
        if !changed.is_empty() {
            let names = changed.join(", ");
            let _ = writeln!(
                text,
                "  code  {names} changed since then, outside of the experiment's file; --fresh-code computes it again"
            );
        }
    }
    Ok(text)
}

/// The indices of the cells that are named.
fn named(planned: &PlannedSweep, which: &[String]) -> Result<Vec<usize>> {
    let key = match which {
        [key] if !key.contains('=') => Some(key),
        _ => None,
    };
    let mut wanted = Vec::new();
    if key.is_none() {
        for text in which {
            let choice: Choice = text.parse()?;
            let factor = factor(&planned.plan.factors, &choice.name)?;
            let found = choice.values.iter().map(|text| values(factor, text, true));
            wanted.push((factor.name, found.collect::<Result<Vec<_>>>()?.concat()));
        }
    }
    let matches = |cell: &PlannedCell| match key {
        Some(key) => cell.key.as_str().starts_with(key.as_str()),
        None => wanted.iter().all(|(name, values)| {
            let value = cell.point.value(name);
            value.is_some_and(|value| values.contains(value))
        }),
    };
    let cells = planned.cells.iter().enumerate();
    let found: Vec<_> = cells
        .filter(|(_, cell)| matches(cell))
        .map(|(at, _)| at)
        .collect();
    if found.is_empty() {
        Err(Error::invalid(format!(
            "no cell of this plan is called `{}`; --plan lists the cells with the beginnings of their keys",
            which.join(" ")
        )))
    } else {
        Ok(found)
    }
}

/// Why there is no model: the differences from the nearest earlier cell.
fn unfitted(cell: &PlannedCell, past: &[Manifest], damaged: bool) -> String {
    if damaged {
        return "  fit   must be computed: its files are damaged (see the warning above)\n"
            .to_owned();
    }
    let inputs = cell.inputs();
    let nearest = past
        .iter()
        .map(|past| (past, differences(&past.inputs, &inputs)))
        // The same cell before a change is nearer than another cell.
        .min_by_key(|(_, differences)| {
            let of_values = |(path, _, _): &&Difference| path.starts_with("values.");
            (
                differences.iter().filter(of_values).count(),
                differences.len(),
            )
        });
    let Some((past, differences)) = nearest else {
        return "  fit   must be computed: no cell of this experiment has finished here before\n"
            .to_owned();
    };
    let mut text = format!(
        "  fit   must be computed: no cell with this key has finished. Compared with the nearest one, {}:\n",
        &past.key.as_str()[..12]
    );
    let show = |value: &Option<Json>| value.as_ref().map_or("nothing".to_owned(), Json::to_string);
    for (path, before, now) in &differences {
        if let Some(item) = path.strip_prefix("code.file.") {
            let _ = writeln!(text, "          {}", changed_item(item, before, now));
            continue;
        }
        let _ = writeln!(
            text,
            "          {path} is {}, was {}",
            show(now),
            show(before)
        );
    }
    text
}

/// How an item of the experiment's file differs: hashes tell a person nothing.
fn changed_item<T>(name: &str, before: &Option<T>, now: &Option<T>) -> String {
    match (before, now) {
        (None, _) => format!("`{name}` is used now, in the experiment's file"),
        (_, None) => format!("`{name}` is no longer used, in the experiment's file"),
        _ => format!("`{name}` has changed, in the experiment's file"),
    }
}

/// What can be said about the tests before anything is computed.
enum Tests {
    /// Some cells are not fitted.
    NoSelection,
    /// The winners, some of which have not predicted the test set.
    NoImages(Vec<usize>),
    /// The winners, and what their scores depend on.
    Known(Vec<usize>, Agreed),
}

impl Tests {
    fn of(study: &dyn Study, planned: &PlannedSweep) -> Self {
        let Ok(winners) = planned.winners() else {
            return Self::NoSelection;
        };
        match planned.agreed(study) {
            Some(agreed) => Self::Known(winners, agreed),
            None => Self::NoImages(winners),
        }
    }

    fn of_cell(&self, at: usize, cell: &PlannedCell) -> String {
        let (winners, now) = match self {
            Self::NoSelection => {
                return "waits for the selection, which needs all cells to be fitted".to_owned();
            }
            Self::NoImages(winners) => (winners, None),
            Self::Known(winners, agreed) => (winners, Some(agreed)),
        };
        if !winners.contains(&at) {
            return "is not needed: the validation selected another cell".to_owned();
        }
        let Some(agreed) = now else {
            return "waits for the predictions of every winner".to_owned();
        };
        let now = cell.scored(&agreed.scored);
        let manifest = cell.manifest.as_ref().filter(|_| cell.has(SCORES));
        let Some(known) = manifest.and_then(|manifest| manifest.scored.as_ref()) else {
            return "must be computed: there are no scores".to_owned();
        };
        let mut changed = Vec::new();
        let asked = known.asked.as_deref();
        if !asked.is_some_and(|asked| agreed.consensus.confirms(asked)) {
            changed.push("the winners agree on other images".to_owned());
        }
        if known.explained != now.explained {
            let (now, was) = (now.explained, known.explained);
            changed.push(format!("at most {now} images are explained, was {was}"));
        }
        for (name, now, was) in [
            ("TEST_CODE of xai-core", now.code[0], known.code[0]),
            ("TEST_VERSION", now.code[1], known.code[1]),
        ] {
            if now != was {
                changed.push(format!("{name} is {now}, was {was}"));
            }
        }
        let (before, items) = (known.file.clone().unwrap_or_default(), now.file.as_ref());
        let items = items.cloned().unwrap_or_default();
        let names: BTreeSet<_> = before.keys().chain(items.keys()).collect();
        for name in names {
            let (before, now) = (before.get(name), items.get(name));
            if before != now {
                changed.push(changed_item(name, &before, &now));
            }
        }
        if changed.is_empty() {
            "is done: nothing its key covers has changed".to_owned()
        } else {
            format!("must be computed: {}", changed.join("; "))
        }
    }
}
