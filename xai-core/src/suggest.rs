//! What somebody may have meant who gave a name that is not known.

/// Names are near from here on; 1 is equality.
const NEAR: f64 = 0.75;

/// The known name that is nearest to `name`, if any is near. Upper and lower case count alike.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let near = known.into_iter().map(|known| {
        let likeness = strsim::jaro_winkler(&name, &known.to_lowercase());
        (likeness, known)
    });
    let near = near.filter(|(likeness, _)| *likeness > NEAR);
    near.max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// `; did you mean `depth`?` if a known name is near, otherwise what there is.
pub(crate) fn suggestion<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    there_is: &str,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; {there_is} {}", known.join(", ")),
    }
}
