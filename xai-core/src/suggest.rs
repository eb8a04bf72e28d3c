//! Suggestions for mistyped names, and names that differ only in how a number is written.

/// Names with a lower similarity (Jaro-Winkler, 0 to 1) do not count as typing errors.
const ALIKE: f64 = 0.75;

/// The known name that is closest to `name`, ignoring case. `None` if none is close.
pub(crate) fn near<T: AsRef<str>>(name: &str, known: impl IntoIterator<Item = T>) -> Option<T> {
    let name = name.to_lowercase();
    let closeness = |other: &T| strsim::jaro_winkler(&name, &other.as_ref().to_lowercase());
    let closest = known.into_iter().map(|other| (closeness(&other), other));
    let closest = closest.max_by(|a, b| a.0.total_cmp(&b.0));
    closest.and_then(|(alike, other)| (alike > ALIKE).then_some(other))
}

/// `; did you mean `depth`?`, or nothing if no known name is close.
pub(crate) fn did_you_mean<T: AsRef<str>>(
    name: &str,
    known: impl IntoIterator<Item = T>,
) -> Option<String> {
    near(name, known).map(|near| format!("; did you mean `{}`?", near.as_ref()))
}

/// `; did you mean `depth`?` if a known name is close. Otherwise a list of the known names.
pub(crate) fn suggestion<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    there_is: &str,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = did_you_mean(name, &known);
    near.unwrap_or_else(|| format!("; {there_is} {}", known.join(", ")))
}

/// The whole number that a name is, such as 7 for `7`, `007` and `7.0`.
pub(crate) fn whole_number(name: &str) -> Option<i128> {
    let (whole, rest) = name.split_once('.').unwrap_or((name, ""));
    let zeros = rest.bytes().all(|digit| digit == b'0');
    whole.parse().ok().filter(|_| zeros)
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, near, whole_number};

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for name in ["7", "007", "+7", "7.0", "7."] {
            assert_eq!(whole_number(name), Some(7), "{name}");
        }
        for name in ["", ".0", "s7", "7.5", "7.0.0", "1e3", "nan"] {
            assert_eq!(whole_number(name), None, "{name}");
        }
    }

    #[test]
    fn slips_are_understood_and_other_names_are_not() {
        let known = ["depth", "corpus", "D1", "D10"];
        assert_eq!(near("dpeth", known), Some("depth"));
        assert_eq!(near("d1", known), Some("D1"));
        assert_eq!(near("xyz", known), None);
        assert_eq!(
            did_you_mean("Corpsu", known).as_deref(),
            Some("; did you mean `corpus`?")
        );
    }
}
