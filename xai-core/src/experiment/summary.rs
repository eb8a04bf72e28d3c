//! The table that a sweep ends with, on a terminal.

use std::fmt::Write;

use super::results::SweepResult;
use crate::score::Scores;

/// One row a winner: its values, its accuracies, and the mean of each method's scores; then the baselines.
pub fn table(result: &SweepResult) -> String {
    let mut columns: Vec<(String, String)> = Vec::new();
    for score in result.cells.iter().flat_map(|cell| &cell.scores) {
        if !columns
            .iter()
            .any(|(method, metric)| *method == score.method && *metric == score.metric)
        {
            columns.push((score.method.clone(), score.metric.clone()));
        }
    }
    let one_metric = columns.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let parameters = result.cells.first().map_or(&[][..], |cell| &cell.values);
    let mut header: Vec<String> = parameters.iter().map(|(name, _)| name.clone()).collect();
    header.extend(["validation".to_owned(), "test".to_owned()]);
    header.extend(columns.iter().map(|(method, metric)| match one_metric {
        true => method.clone(),
        false => format!("{method}/{metric}"),
    }));

    let mut rows = vec![header];
    for cell in &result.cells {
        let mut row: Vec<String> = cell.values.iter().map(|(_, value)| value.clone()).collect();
        row.extend(
            [cell.validation_accuracy, cell.test_accuracy].map(|accuracy| format!("{accuracy:.3}")),
        );
        row.extend(
            columns
                .iter()
                .map(|(method, metric)| mean(&cell.scores, method, metric)),
        );
        rows.push(row);
    }
    let mut text = align(&rows);

    let mut rows = vec![vec![
        "baseline".to_owned(),
        "method".to_owned(),
        "mean".to_owned(),
    ]];
    for baseline in &result.baselines {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for score in &baseline.scores {
            if seen.contains(&(&score.method, &score.metric)) {
                continue;
            }
            seen.push((&score.method, &score.metric));
            rows.push(vec![
                baseline.name.clone(),
                score.method.clone(),
                mean(&baseline.scores, &score.method, &score.metric),
            ]);
        }
    }
    if rows.len() > 1 {
        text.push('\n');
        text += &align(&rows);
    }
    text
}

fn mean(scores: &Scores, method: &str, metric: &str) -> String {
    let of_both = scores
        .iter()
        .filter(|score| score.method == method && score.metric == metric);
    let (sum, count) = of_both.fold((0.0, 0), |(sum, count), score| {
        (sum + score.value, count + 1)
    });
    if count == 0 {
        "-".to_owned()
    } else {
        format!("{:.3}", sum / f64::from(count))
    }
}

/// Columns as wide as their widest entry, two spaces between them.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|text| text.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (entry, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{entry:width$}  "); // writing to a String cannot fail
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
