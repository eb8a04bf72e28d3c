//! Readable names of what the code calls in snake case.

/// The title of a method: `deep_lift` is "DeepLIFT"; an unknown name gets spaces and capitals.
pub fn method_title(name: &str) -> String {
    let known = match name {
        "gradient_shap" => "GradientSHAP",
        "deep_lift" => "DeepLIFT",
        "deep_lift_captum" => "DeepLIFT (Captum)",
        "deep_lift_shap" => "DeepLIFT SHAP",
        "input_x_gradient" => "Input × Gradient",
        "lrp" => "LRP",
        _ => return capitalised(name),
    };
    known.to_owned()
}

fn capitalised(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string());
            first.unwrap_or_default() + letters.as_str()
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::method_title;

    #[test]
    fn titles_are_readable() {
        assert_eq!(method_title("integrated_gradients"), "Integrated Gradients");
        assert_eq!(method_title("input_x_gradient"), "Input × Gradient");
        assert_eq!(method_title("saliency"), "Saliency");
    }
}
