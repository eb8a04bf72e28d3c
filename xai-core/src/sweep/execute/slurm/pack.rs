//! Packs cells into tasks.

/// Packs cells, given with their seconds, into at most `most` tasks that take about `limit` seconds each.
/// Neighbours stay together, because they often need the same stages. Without seconds, each cell is a
/// task if that is possible.
pub fn pack(cells: &[(usize, Option<f64>)], limit: f64, most: usize) -> Vec<Vec<usize>> {
    let known = cells.iter().all(|(_, seconds)| seconds.is_some());
    let cost = |seconds: &Option<f64>| {
        if known {
            seconds.unwrap_or(limit)
        } else {
            limit
        }
    };
    let mut limit = limit;
    loop {
        let mut tasks: Vec<Vec<usize>> = Vec::new();
        let mut left = 0.0;
        for (cell, seconds) in cells {
            let cost = cost(seconds);
            match tasks.last_mut() {
                // A rounding error must not end a task.
                Some(task) if cost <= left * (1.0 + 1e-9) => task.push(*cell),
                _ => {
                    tasks.push(vec![*cell]);
                    left = limit;
                }
            }
            left -= cost;
        }
        if tasks.len() <= most {
            return tasks;
        }
        // Longer tasks, until there are few enough.
        limit *= (tasks.len() as f64 / most as f64).max(1.05);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_as_long_as_wanted() {
        let cells: Vec<_> = (0..10).map(|cell| (cell, Some(10.0))).collect();
        let sizes = |limit, most| {
            pack(&cells, limit, most)
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(30.0, 100), [3, 3, 3, 1]);
        assert_eq!(sizes(1.0, 100), [1; 10], "a cell is not divided");
        assert_eq!(sizes(1000.0, 100), [10]);
        let few = sizes(1.0, 3);
        assert!(few.len() <= 3 && few.iter().sum::<usize>() == 10, "{few:?}");
        assert_eq!(
            pack(&cells, 30.0, 100).concat(),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn without_an_estimate_each_cell_is_a_task() {
        let cells: Vec<_> = (0..10).map(|cell| (cell, None)).collect();
        assert_eq!(pack(&cells, 1800.0, 1000).len(), 10);
        let few = pack(&cells, 1800.0, 4);
        assert!(few.len() <= 4 && few.concat().len() == 10, "{few:?}");
        let many: Vec<_> = (0..100_000).map(|cell| (cell, None)).collect();
        let tasks = pack(&many, 1800.0, 1000);
        assert!((900..=1000).contains(&tasks.len()), "{}", tasks.len());
    }
}
