//! Names: snake case, and the near miss of a mistyped one.

/// `Fig4Best` -> `fig4_best`, `MRIScan` -> `mri_scan`.
pub fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_word =
            index > 0 && !letters[index - 1].is_uppercase() && letters[index - 1] != '_';
        let ends_acronym = index > 0
            && letters
                .get(index + 1)
                .is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_word || ends_acronym) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// `; did you mean `depth`?` if one of the known names is close, otherwise what there is.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let closeness = |candidate: &&&str| (strsim::jaro_winkler(name, candidate) * 1000.0) as u32;
    match known.iter().max_by_key(closeness) {
        Some(near) if closeness(&near) > 750 => format!("; did you mean `{near}`?"),
        _ if known.is_empty() => String::new(),
        _ => format!(
            "; there is {}",
            known
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}
