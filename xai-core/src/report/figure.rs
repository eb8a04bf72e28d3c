//! The content of the figure before it is drawn: panels, boxes, lines, scales.

use std::collections::BTreeSet;

use super::quality::Quality;
use super::scale::Scale;
use super::summary::{Summary, images};
use super::table::{decimals, quoted};
use crate::attribution::methods::method_title;
use crate::metrics::{Better, better, metric_title};
use crate::statistics::{BoxSummary, mean};
use crate::sweep::read::Image;

/// The beginning of the values drawn, as [`Figure::csv`] writes them.
pub(super) const BEGINNING: &str =
    "method,series,level,lower_whisker,lower_quartile,median,upper_quartile,upper_whisker,mean,";

/// Box plots of one metric, one panel per method.
pub(super) struct Figure {
    /// One per method.
    pub panels: Vec<Panel>,
    /// The names of the references, which are the boxes at the left of a panel.
    pub baselines: Vec<String>,
    /// The series, each with a colour: a level of the first axis (or of all axes except the
    /// second).
    pub series: Vec<Series>,
    /// The levels along x: those of the second axis, or of the only axis.
    pub ticks: Vec<String>,
    /// The title of the x axis.
    pub x_title: String,
    /// The measured quantity, which is the title of the left scale.
    pub y_title: String,
    /// Whether boxes differ in their number of images.
    pub images_differ: bool,
    /// The score of a map without any knowledge, if it is the same for all boxes.
    pub chance: Option<f64>,
    /// Otherwise, that of the boxes of each reference, and of each series and level: both names, and the score.
    pub chances: Vec<(String, String, f64)>,
    /// The scale of the scores, the same in all panels.
    pub left: Scale,
    /// How well the networks do their task.
    pub quality: Quality,
    /// The scale of that.
    pub right: Scale,
}

/// The boxes of one method.
pub(super) struct Panel {
    pub title: String,
    /// One per reference. `None` if there is nothing to show.
    pub baselines: Vec<Option<ImageBox>>,
    /// By tick and series.
    pub boxes: Vec<Vec<Option<ImageBox>>>,
}

/// A box and the number of images behind it.
pub(super) struct ImageBox {
    pub summary: BoxSummary,
    pub mean: f64,
    pub images: usize,
    /// Its chance level, if boxes differ in it.
    pub chance: Option<f64>,
}

/// A series in one colour.
pub(super) struct Series {
    pub name: String,
    /// How well its networks do on the test set, by tick.
    pub quality: Vec<Option<f64>>,
}

impl Figure {
    /// Arranges a summary. The second axis (or the only one) runs along x. Every combination of the
    /// other axes' levels is a series.
    pub fn of(summary: &Summary) -> Self {
        let along = summary.axes.len().min(2).checked_sub(1);
        let others = |levels: &[usize]| -> Vec<usize> {
            let apart = |&(axis, _): &(usize, &usize)| Some(axis) != along;
            levels
                .iter()
                .enumerate()
                .filter(apart)
                .map(|(_, &level)| level)
                .collect()
        };
        let (x_title, ticks) = match along {
            Some(axis) => {
                let axis = &summary.axes[axis];
                (axis.title(), axis.titles.clone())
            }
            None => (String::new(), vec![String::new()]),
        };
        let mut keys: Vec<Vec<usize>> = summary
            .groups
            .iter()
            .map(|group| others(&group.levels))
            .collect();
        keys.sort();
        keys.dedup();

        let group_at = |tick: usize, key: &Vec<usize>| {
            let mut groups = summary.groups.iter();
            groups.find(|group| {
                along.is_none_or(|axis| group.levels[axis] == tick) && others(&group.levels) == *key
            })
        };
        let own = |chance: Option<f64>| chance.filter(|_| summary.chances_differ);
        let of_references = (summary.baselines.iter())
            .filter_map(|one| Some((one.title.clone(), String::new(), own(one.chance)?)));
        let of_groups = keys.iter().flat_map(|key| {
            let of_tick = move |(tick, name): (usize, &String)| {
                let chance = own(group_at(tick, key)?.chance)?;
                Some((series_name(summary, along, key), name.clone(), chance))
            };
            ticks.iter().enumerate().filter_map(of_tick)
        });
        let chances = of_references.chain(of_groups).collect();
        let series = keys.iter().map(|key| Series {
            name: series_name(summary, along, key),
            quality: (0..ticks.len())
                .map(|tick| group_at(tick, key).map(|group| group.test_quality()))
                .collect(),
        });
        let panels = summary.methods.iter().map(|method| Panel {
            title: method_title(method),
            baselines: summary
                .baselines
                .iter()
                .map(|one| box_of(one.beside(method, &summary.methods), own(one.chance)))
                .collect(),
            boxes: (0..ticks.len())
                .map(|tick| {
                    let groups = keys.iter().map(|key| group_at(tick, key));
                    groups
                        .map(|group| box_of(group?.scores(method), own(group?.chance)))
                        .collect()
                })
                .collect(),
        });
        let (panels, series): (Vec<Panel>, Vec<Series>) = (panels.collect(), series.collect());
        let qualities = series.iter().flat_map(|one| one.quality.iter().flatten());
        let (lowest, highest) = ends(&panels, summary.chance);
        let worst = qualities.copied().fold(1.0, f64::min);
        let (x_title, images_differ) = with_images(x_title, &panels);
        Self {
            left: Scale::of_scores(lowest, highest),
            quality: summary.quality,
            right: Scale::of_quality(worst, summary.chance_of_quality),
            panels,
            baselines: summary
                .baselines
                .iter()
                .map(|one| one.title.clone())
                .collect(),
            series,
            ticks,
            x_title,
            images_differ,
            y_title: performance(summary.metric),
            chance: summary.chance,
            chances,
        }
    }
}

impl Figure {
    /// The values drawn: one row per box, with the accuracy (or R2) of its networks if there is one, and
    /// one row for the chance level, or a row for that of each series and level.
    pub fn csv(&self) -> String {
        let mut text = format!("{BEGINNING}{},images\n", self.quality.name());
        let mut row = |names: [&str; 3], of: &ImageBox, quality: Option<f64>| {
            let one = &of.summary;
            let numbers = [
                one.lower_whisker,
                one.lower_quartile,
                one.median,
                one.upper_quartile,
                one.upper_whisker,
                of.mean,
            ];
            let mut fields = names.map(quoted).to_vec();
            fields.extend(numbers.map(decimals));
            fields.push(quality.map_or(String::new(), decimals));
            fields.push(of.images.to_string());
            text.push_str(&fields.join(","));
            text.push('\n');
        };
        for panel in &self.panels {
            for (name, one) in self.baselines.iter().zip(&panel.baselines) {
                one.iter()
                    .for_each(|one| row([&panel.title, name, ""], one, None));
            }
            for (at, (tick, boxes)) in self.ticks.iter().zip(&panel.boxes).enumerate() {
                for (series, one) in self.series.iter().zip(boxes) {
                    let names = [&*panel.title, &series.name, tick];
                    one.iter()
                        .for_each(|one| row(names, one, series.quality[at]));
                }
            }
        }
        let mut chance_row = |series: &str, level: &str, chance: f64| {
            let [series, level] = [series, level].map(quoted);
            text.push_str(&format!(
                "Chance level,{series},{level},,,{},,,,,\n",
                decimals(chance)
            ));
        };
        if let Some(chance) = self.chance {
            chance_row("", "", chance);
        }
        for (series, level, chance) in &self.chances {
            chance_row(series, level, *chance);
        }
        text
    }
}

/// The levels of a series: "a", or "a, 64 px" if there are more axes.
fn series_name(summary: &Summary, along: Option<usize>, key: &[usize]) -> String {
    let axes = summary
        .axes
        .iter()
        .enumerate()
        .filter(|(axis, _)| Some(*axis) != along);
    let levels: Vec<&str> = axes
        .zip(key)
        .map(|((_, axis), &level)| axis.titles[level].as_str())
        .collect();
    if levels.is_empty() {
        return "Trained network".to_owned();
    }
    levels.join(", ")
}

fn box_of(values: Vec<(Image, f64)>, chance: Option<f64>) -> Option<ImageBox> {
    let images = images(&values);
    let plain: Vec<f64> = values.into_iter().map(|(_, value)| value).collect();
    Some(ImageBox {
        summary: BoxSummary::of(&plain)?,
        mean: mean(&plain)?,
        images,
        chance,
    })
}

fn all_boxes(panels: &[Panel]) -> impl Iterator<Item = &ImageBox> {
    let boxes = panels
        .iter()
        .flat_map(|panel| panel.baselines.iter().chain(panel.boxes.iter().flatten()));
    boxes.flatten()
}

/// The title of the x axis with the number of images, if it is the same for all boxes.
fn with_images(title: String, panels: &[Panel]) -> (String, bool) {
    let counts: BTreeSet<usize> = all_boxes(panels).map(|one| one.images).collect();
    let text = match (counts.first(), counts.last()) {
        (Some(1), Some(1)) => "1 image per box".to_owned(),
        (Some(few), Some(many)) if few == many => format!("{few} images per box"),
        (Some(few), Some(many)) => format!("{few} to {many} images per box"),
        _ => return (title, false),
    };
    let differ = counts.len() > 1;
    if title.is_empty() {
        (text, differ)
    } else {
        (format!("{title} ({text})"), differ)
    }
}

/// The smallest and the largest value that the scale of the scores must include.
fn ends(panels: &[Panel], chance: Option<f64>) -> (f64, f64) {
    let whiskers =
        all_boxes(panels).flat_map(|one| [one.summary.lower_whisker, one.summary.upper_whisker]);
    let chances = all_boxes(panels).filter_map(|one| one.chance);
    let all = whiskers.chain(chance).chain(chances);
    all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// What a metric measures, such as "Explanation performance (precision)".
pub(super) fn performance(metric: &str) -> String {
    let title = metric_title(metric);
    match better(metric) {
        Better::More => format!("Explanation performance ({title})"),
        Better::Less => format!("Explanation errors ({title}; less is better)"),
        Better::NearerZero => format!("Explanation errors ({title}; nearer to 0 is better)"),
    }
}
