//! Lists of whole numbers as short text: `0..999,1005` has all numbers from 0 to 999, both included.

/// The shortest row of numbers that is written as a range.
const SHORTEST: usize = 4;

/// Numbers as text, in their order. A row of successive numbers becomes a range.
pub(crate) fn ranges(numbers: &[i128]) -> String {
    let mut parts = Vec::new();
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let row = (0..)
            .zip(rest)
            .take_while(|&(step, &number)| number == first + step);
        let length = row.count();
        if length >= SHORTEST {
            parts.push(format!("{first}..{}", rest[length - 1]));
            rest = &rest[length..];
        } else {
            parts.push(first.to_string());
            rest = &rest[1..];
        }
    }
    parts.join(",")
}

/// The numbers of a range such as `0..999`, both included. `None` if it is no range.
pub(crate) fn range(text: &str) -> Option<std::ops::RangeInclusive<i128>> {
    let (first, last) = text.split_once("..")?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(first..=last)
}

/// Reads what [`ranges`] writes: positions in a plan of `cells` cells. `None` if it is anything else.
pub(crate) fn positions(text: &str, cells: usize) -> Option<Vec<usize>> {
    let position = |number: i128| usize::try_from(number).ok().filter(|&at| at < cells);
    let mut positions = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match range(part) {
            Some(range) => positions.extend(position(*range.start())?..=position(*range.end())?),
            None => positions.push(position(part.trim().parse().ok()?)?),
        }
    }
    Some(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_numbers_are_ranges() {
        let text = |numbers: &[i128]| ranges(numbers);
        assert_eq!(text(&(0..1000).collect::<Vec<_>>()), "0..999");
        assert_eq!(text(&[0, 1, 2, 5, 6, 7, 8, 20]), "0,1,2,5..8,20");
        assert_eq!(text(&[-3, -2, -1, 0, 7, 6]), "-3..0,7,6");
        assert_eq!(text(&[]), "");
        assert_eq!(positions("0..3,9,8", 10).unwrap(), [0, 1, 2, 3, 9, 8]);
        for wrong in ["0..3,9,8", "-1", "0..99999999999999999"] {
            assert_eq!(positions(wrong, 9), None);
        }
        assert_eq!(range("9..3"), None);
        assert_eq!(positions("1,x", 9), None);
    }
}
