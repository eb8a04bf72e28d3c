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

/// Reads what [`ranges`] writes.
pub(crate) fn numbers(text: &str) -> Option<Vec<i128>> {
    let mut numbers = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        match range(part) {
            Some(range) => numbers.extend(range),
            None => numbers.push(part.trim().parse().ok()?),
        }
    }
    Some(numbers)
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
        for list in [&[0, 1, 2, 3, 9, 8][..], &[-5, -4, -3, -2], &[7]] {
            assert_eq!(numbers(&ranges(list)).as_deref(), Some(list));
        }
        assert_eq!(range("9..3"), None);
        assert_eq!(numbers("1,x"), None);
    }
}
