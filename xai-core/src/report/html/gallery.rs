//! The heat maps, packed for the page.

use ndarray::Array2;
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::mean_map::{MEAN, mean_of};
use super::pixels::{grey, heat};
use crate::attribution::Shown;
use crate::attribution::methods::method_title;
use crate::error::Result;
use crate::metrics::{Score, metric_and_group, metric_title};
use crate::report::heat_color::colors;
use crate::report::outline::sides;
use crate::report::summary::metrics;
use crate::statistics::coefficient;
use crate::sweep::keep::read_maps;
use crate::sweep::read::{CellResult, SweepResult};

/// The heat maps of the first training of each combination of levels, and of the references.
pub(super) struct Gallery<'a> {
    result: &'a SweepResult,
    cells: Vec<(&'a CellResult, Vec<Shown>)>,
    baselines: Vec<Shown>,
    /// The metrics of the maps' scores.
    metrics: Vec<&'a str>,
}

impl<'a> Gallery<'a> {
    /// Reads the heat maps of a result. If a pixel is the same place in all images, each network also gets the mean of
    /// its maps.
    pub fn of(result: &'a SweepResult, one_space: bool) -> Result<Self> {
        let levels = |cell: &CellResult| -> Vec<Option<String>> {
            let axes = result.axes.iter();
            axes.map(|axis| level(cell, &axis.name).map(str::to_owned))
                .collect()
        };
        let mut seen = Vec::new();
        let mut cells = Vec::new();
        for cell in &result.cells {
            let Some(path) = cell.maps.as_ref().filter(|_| !seen.contains(&levels(cell))) else {
                continue;
            };
            seen.push(levels(cell));
            let mut shown = read_maps(path)?;
            if one_space {
                shown.extend(mean_of(&shown));
            }
            if !shown.is_empty() {
                cells.push((cell, shown));
            }
        }
        // Stages of earlier versions have none.
        let baselines = result.reference_maps.as_ref().filter(|path| path.exists());
        let mut baselines = baselines.map_or_else(|| Ok(Vec::new()), |path| read_maps(path))?;
        if one_space {
            baselines.extend(mean_of(&baselines));
        }
        Ok(Self {
            result,
            cells,
            baselines,
            metrics: metrics(result).unwrap_or_default(), // of a run without scores there are none
        })
    }

    /// The number of images that are shown.
    pub fn images(&self) -> usize {
        let indices = indices(&self.pictures());
        indices.iter().filter(|&&index| index != MEAN).count()
    }

    /// Each picture once, in the order of the images' indices. Cells with different data sets have different pictures
    /// of the same index.
    fn pictures(&self) -> Vec<&Shown> {
        let mut pictures: Vec<&Shown> = Vec::new();
        for image in self.shown() {
            if place(&pictures, image).is_none() {
                pictures.push(image);
            }
        }
        pictures.sort_by_key(|image| image.index);
        pictures
    }

    fn shown(&self) -> impl Iterator<Item = &Shown> {
        self.cells.iter().flat_map(|(_, shown)| shown)
    }

    /// The methods in order of first appearance.
    fn methods(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = Vec::new();
        for (method, _) in self.shown().flat_map(|image| &image.maps) {
            if !methods.contains(&method.as_str()) {
                methods.push(method);
            }
        }
        methods
    }

    /// Pairs of methods whose maps correlate at least this much in every image that both explain,
    /// with the smallest correlation.
    pub fn alike(&self, least: f64) -> Vec<([String; 2], f64)> {
        let methods = self.methods();
        let mut alike = Vec::new();
        for (at, first) in methods.iter().enumerate() {
            for second in &methods[at + 1..] {
                let images = self.shown().filter(|image| image.index != MEAN);
                let pairs =
                    images.filter_map(|image| correlation(image.map(first)?, image.map(second)?));
                // Without any pair, there is no smallest correlation.
                let lowest = pairs.reduce(f64::min);
                if let Some(lowest) = lowest.filter(|&lowest| lowest >= least) {
                    alike.push(([(*first).to_owned(), (*second).to_owned()], lowest));
                }
            }
        }
        alike
    }

    /// The data for the script of the page. Empty if there is nothing to show.
    pub fn json(&self) -> Result<String> {
        if self.cells.is_empty() {
            return Ok(String::new());
        }
        let (pictures, methods) = (self.pictures(), self.methods());
        let images = indices(&pictures);
        let image = |&index: &u32| {
            let mut of_index = (0..pictures.len()).filter(|&at| pictures[at].index == index);
            json!({ "name": self.name(&pictures, index), "picture": of_index.next() })
        };
        let picture = |picture: &&Shown| {
            let (height, width) = picture.pixels.dim();
            Ok(json!({
                "width": width,
                "height": height,
                "pixels": grey(picture.pixels.view())?,
                "outline": outline(&picture.truth),
            }))
        };
        let cells = self.cells.par_iter().map(|(cell, shown)| {
            let levels = self.result.axes.iter().map(|axis| level(cell, &axis.name));
            Ok(json!({
                "levels": levels.collect::<Json>(),
                "about": about(cell),
                "pictures": places(&pictures, shown, &images),
                "maps": self.maps(shown, &images, &methods, &cell.scores)?,
            }))
        });
        // A reference that shares methods with the networks is a network too. A filter is a method
        // without a network: its map of an image does not depend on the selection.
        let baselines = self.result.references.iter().filter(|baseline| {
            let mut scores = baseline.scores.iter();
            scores.any(|score| methods.contains(&score.method.as_str()))
        });
        let baselines = baselines.map(|baseline| {
            let maps = self.maps(&self.baselines, &images, &methods, &baseline.scores)?;
            let pictures = places(&pictures, &self.baselines, &images);
            Ok(json!({ "about": baseline.name, "pictures": pictures, "maps": maps }))
        });
        let mut filters: Vec<&str> = Vec::new();
        for (method, _) in self.baselines.iter().flat_map(|image| &image.maps) {
            if !methods.contains(&method.as_str()) && !filters.contains(&method.as_str()) {
                filters.push(method);
            }
        }
        let references = self.result.references.iter();
        let of_references: Vec<Score> = references.flat_map(|one| one.scores.clone()).collect();
        let axes = self.result.axes.iter();
        let axes = axes.map(|axis| json!([axis.title(), axis.levels, axis.titles]));
        let titles = methods.iter().chain(&filters);
        let text = json!({
            "axes": axes.collect::<Json>(),
            "colors": colors(),
            "mean": images.last() == Some(&MEAN),
            "methods": titles.map(|name| method_title(name)).collect::<Json>(),
            "images": images.iter().map(image).collect::<Json>(),
            "pictures": pictures.iter().map(picture).collect::<Result<Json>>()?,
            "cells": cells.collect::<Result<Vec<Json>>>()?,
            "baselines": baselines.collect::<Result<Json>>()?,
            "filters": self.maps(&self.baselines, &images, &filters, &of_references)?,
        });
        // Inside a <script>, `<` could end it.
        Ok(text.to_string().replace('<', "\\u003c"))
    }

    /// The name of an image: its index, and its class if all networks have the same images.
    fn name(&self, pictures: &[&Shown], index: u32) -> String {
        if index == MEAN {
            return "mean of the images".to_owned();
        }
        let mut of_index = pictures.iter().filter(|picture| picture.index == index);
        // Different data sets may have different classes.
        let one_data_set = pictures.len() == indices(pictures).len();
        let Some(class) = of_index
            .next()
            .map(|one| one.class)
            .filter(|_| one_data_set)
        else {
            return format!("image {index}");
        };
        match self.result.classes.get(usize::from(class)) {
            Some(name) => format!("image {index}, {name}"),
            None => format!("image {index}, class {class}"),
        }
    }

    /// For each image and method: the heat map, its score and its largest value, or null.
    fn maps(
        &self,
        shown: &[Shown],
        images: &[u32],
        methods: &[&str],
        scores: &[Score],
    ) -> Result<Json> {
        let map = |image: &Shown, method: &str| -> Result<Json> {
            let Some(map) = image.map(method) else {
                return Ok(Json::Null);
            };
            let (uri, largest) = heat(map.view())?;
            let scored = match image.index {
                MEAN => Some(format!("mean of {} maps", shown.len() - 1)),
                index => self.scored(scores, index, method),
            };
            Ok(json!([uri, scored, largest]))
        };
        let of_image = |&index: &u32| -> Result<Json> {
            let here = shown.iter().find(|here| here.index == index);
            let methods = methods.iter();
            methods
                .map(|method| here.map_or(Ok(Json::Null), |image| map(image, method)))
                .collect()
        };
        images.iter().map(of_image).collect()
    }

    /// The score of a map: "precision 0.314, EMD score 0.870". `None` if it has no score.
    fn scored(&self, scores: &[Score], image: u32, method: &str) -> Option<String> {
        let of_map = |score: &&Score| score.image == image && score.method == method;
        let known = self.metrics.iter().filter_map(|&metric| {
            let mut of_map = scores.iter().filter(of_map);
            // For an image of a group, the score has the group's name.
            let score = of_map.find(|score| metric_and_group(&score.metric).0 == metric)?;
            Some(format!("{} {:.3}", metric_title(metric), score.value))
        });
        let known: Vec<String> = known.collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}

/// The indices of the images, each once.
fn indices(pictures: &[&Shown]) -> Vec<u32> {
    let mut indices: Vec<u32> = pictures.iter().map(|picture| picture.index).collect();
    indices.dedup();
    indices
}

/// Where the picture of an image is in the list.
fn place(pictures: &[&Shown], image: &Shown) -> Option<usize> {
    let same = |picture: &&Shown| {
        picture.index == image.index
            && picture.pixels == image.pixels
            && picture.truth == image.truth
    };
    pictures.iter().position(same)
}

/// For each image: where its picture is in the list, or null.
fn places(pictures: &[&Shown], shown: &[Shown], images: &[u32]) -> Json {
    let of_image = |&index: &u32| {
        let here = shown.iter().find(|here| here.index == index);
        here.and_then(|image| place(pictures, image))
    };
    images
        .iter()
        .map(of_image)
        .map(|place| json!(place))
        .collect()
}

fn level<'a>(cell: &'a CellResult, axis: &str) -> Option<&'a str> {
    let mut values = cell.values.iter();
    let value = values.find(|(name, _)| name == axis);
    value.map(|(_, value)| value.as_str())
}

fn about(cell: &CellResult) -> String {
    let values = cell
        .values
        .iter()
        .map(|(name, value)| format!("{name} {value}"));
    let values: Vec<String> = values.collect();
    let values = values.join(", ");
    match cell.regression {
        Some(of) => format!("{values}; test R2 {:.3}", of.test.r2),
        None => format!("{values}; test accuracy {:.3}", cell.test_accuracy),
    }
}

/// Pearson's correlation of the values of two maps. `None` for a constant map.
fn correlation(a: &Array2<f32>, b: &Array2<f32>) -> Option<f64> {
    let pairs = a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    coefficient(&pairs.collect::<Vec<_>>())
}

/// The outline of a mask as the path of an SVG, in pixels.
fn outline(mask: &Array2<bool>) -> String {
    let side = |[(x0, y0), (x1, y1)]: [(usize, usize); 2]| format!("M{x0} {y0}L{x1} {y1}");
    sides(mask).into_iter().map(side).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn correlation_by_hand() {
        let a = array![[1.0, 2.0, 3.0]];
        let close = |r: Option<f64>, expected: f64| (r.unwrap() - expected).abs() < 1e-12;
        assert!(close(correlation(&a, &array![[10.0, 20.0, 30.0]]), 1.0));
        assert!(close(correlation(&a, &array![[3.0, 1.0, 2.0]]), -0.5));
        assert_eq!(correlation(&a, &array![[5.0, 5.0, 5.0]]), None);
    }

    #[test]
    fn different_pictures_of_one_index_are_told_apart() {
        let image = |index, value| Shown {
            index,
            class: 0,
            pixels: array![[value]],
            truth: array![[true]],
            maps: Vec::new(),
        };
        let (one, other, next) = (image(3, 0.1), image(3, 0.2), image(4, 0.1));
        let pictures = [&one, &other, &next];
        assert_eq!(indices(&pictures), [3, 4]);
        let shown = [image(3, 0.2)];
        assert_eq!(places(&pictures, &shown, &[3, 4]), json!([1, null]));
    }
}
