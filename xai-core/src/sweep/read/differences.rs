//! How two JSON documents differ.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A path, the value before, the value now.
pub(crate) type Difference = (String, Option<Json>, Option<Json>);

/// The paths at which two documents differ.
pub(crate) fn differences(before: &Json, now: &Json) -> Vec<Difference> {
    let (before, now) = (leaves(before), leaves(now));
    let mut paths: Vec<_> = before.keys().chain(now.keys()).collect();
    paths.sort();
    paths.dedup();
    let differs = |path: &&String| before.get(*path) != now.get(*path);
    paths
        .into_iter()
        .filter(differs)
        .map(|path| {
            (
                path.clone(),
                before.get(path).cloned(),
                now.get(path).cloned(),
            )
        })
        .collect()
}

/// `{"settings": {"epochs": 6}}` as `settings.epochs` -> 6.
fn leaves(json: &Json) -> BTreeMap<String, Json> {
    fn walk(path: &str, json: &Json, leaves: &mut BTreeMap<String, Json>) {
        let Json::Object(entries) = json else {
            leaves.insert(path.to_owned(), json.clone());
            return;
        };
        for (name, entry) in entries {
            let dot = if path.is_empty() { "" } else { "." };
            walk(&format!("{path}{dot}{name}"), entry, leaves);
        }
    }
    let mut found = BTreeMap::new();
    walk("", json, &mut found);
    found
}
